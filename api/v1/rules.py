"""Rules by REST: declare, read, change, delete, and evaluate without effects."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import Annotated, Any, Final
from uuid import uuid4

from fastapi import APIRouter, Body, Query, Response

from api.backend import Backend
from api.schemas import rules as schema
from api.schemas.fields import Page
from api.schemas.rules import EvaluationOut, FirstEvaluation, Key, ProblemOut, RuleAnswer, RuleIn, RuleOut, StatusOut
from api.v1 import edits
from api.v1.calls import Cursor, Limit, Service, Writing, page
from api.v1.edits import DryRun, Edit, Noun
from engine.core.alert import Alert, State
from engine.store import alerts, channels, datasources, rule_status
from engine.store import rules as store
from engine.store.door import Connection
from engine.store.rule_status import Health
from engine.store.rules import Wanted
from rules.channels import LOG_CHANNEL
from rules.problems import Problem, Severity, check_odd, check_rule
from rules.reach_problems import check_reach
from rules.rule import Language, Rule

router = APIRouter(prefix="/api/v1/rules", tags=["rules"])

RULES: Final[Noun[Rule]] = Noun(
    word="rule", get=store.get, put=store.put, delete=store.delete, document=schema.document
)
_ALL: Final = 2**31 - 1


@router.get("")
def list_rules(
    service: Service,
    *,
    team: str | None = None,
    origin: Annotated[str | None, Query(description="Who owns the rule, such as sql, api or import:rules.yml.")] = None,
    health: Health | None = None,
    name: Annotated[str | None, Query(description="A text in the name, in any case.")] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[RuleOut]:
    """The rules that are asked for by id, with their status; all of them without a filter."""
    wanted = Wanted(team=team, origin=origin, health=health, name=name)
    with service.database.read() as connection:
        rules = store.page(connection, after=cursor, limit=limit + 1, only=wanted)
        statuses = _statuses(service, connection, rules)
    items: list[RuleOut] = [schema.described(rule, statuses[rule.id]) for rule in rules]
    return page(items, limit, [rule.id for rule in rules])


@router.post("", status_code=201, responses={200: {"model": DryRun[RuleAnswer]}})
def create_rule(body: RuleIn, write: Writing, response: Response) -> RuleAnswer | DryRun[RuleAnswer]:
    """Declare a rule; the answer has what it returns at this moment, and how soon it could page."""
    rule_id = body.id or uuid4().hex
    edit = edits.plan(write, RULES, rule_id, lambda connection, _: _made(connection, body, rule_id, None), must=False)
    if write.dry_run:
        response.status_code = 200
    rule = edits.commit(write, edit)
    assert rule is not None
    trial = write.service.trial(rule)
    first = {"first_evaluation": FirstEvaluation.of(trial), "first_page_after": trial.first_page_after}
    return edits.answer(write, edit, response, _answer(write.service, edit, rule, first), rule.version)


@router.get("/{rule_id}")
def read_rule(rule_id: str, service: Service, response: Response) -> RuleOut:
    """One rule, with its status."""
    with service.database.read() as connection:
        rule = edits.found(RULES, connection, rule_id)
        status = _statuses(service, connection, [rule])[rule_id]
    response.headers["ETag"] = edits.etag(rule.version)
    return schema.described(rule, status)


@router.put("/{rule_id}", responses={201: {"model": RuleAnswer}})
def replace_rule(rule_id: Key, body: RuleIn, write: Writing, response: Response) -> RuleAnswer | DryRun[RuleAnswer]:
    """Make the rule be this one, whether or not there was one; fields not given take their defaults."""
    edit = edits.plan(write, RULES, rule_id, lambda connection, before: _made(connection, body, rule_id, before))
    return stored(write, edit, response)


@router.patch("/{rule_id}")
def patch_rule(
    rule_id: str,
    patch: Annotated[dict[str, object], Body(examples=[schema.PATCH_EXAMPLE])],
    write: Writing,
    response: Response,
) -> RuleAnswer | DryRun[RuleAnswer]:
    """Change some fields (RFC 7396): objects merge, null takes a field back to its default."""

    def make(connection: Connection, before: Rule | None) -> tuple[Rule, tuple[Problem, ...]]:
        assert before is not None  # It must exist, says the plan below.
        return _made(connection, RuleIn.patched(schema.document(before), patch), rule_id, before)

    return stored(write, edits.plan(write, RULES, rule_id, make, must=True), response)


@router.delete("/{rule_id}", response_model=DryRun[RuleAnswer], responses={204: {"description": "Deleted"}})
def delete_rule(rule_id: str, write: Writing) -> DryRun[RuleAnswer] | Response:
    """Remove the rule; its alerts resolve, and those who were told of them hear so."""
    edit = edits.plan(write, RULES, rule_id, lambda *_: (None, ()), must=True)
    edits.commit(write, edit)
    return edits.dry_run(edit, None) if write.dry_run else Response(status_code=204)


@router.post("/{rule_id}/evaluate")
def evaluate_rule(rule_id: str, service: Service) -> EvaluationOut:
    """What the rule returns at this moment. Nothing is stored and nobody is told."""
    with service.database.read() as connection:
        rule = edits.found(RULES, connection, rule_id)
    trial = service.trial(rule)
    return EvaluationOut(
        **FirstEvaluation.of(trial).model_dump(),
        problems=ProblemOut.all_of(trial.problems),
        first_page_after=trial.first_page_after,
    )


def _made(connection: Connection, body: RuleIn, rule_id: str, before: Rule | None) -> tuple[Rule, tuple[Problem, ...]]:
    """The rule to be stored, and everything wrong with it."""
    origin, version = ("api", 1) if before is None else (before.origin, before.version)
    rule = body.to_rule(rule_id, origin=origin, version=version)
    if "language" not in body.model_fields_set:
        rule = replace(rule, language=_spoken(connection, rule))
    return rule, (*_misplaced(body, rule_id), *problems(connection, rule))


def _spoken(connection: Connection, rule: Rule) -> Language:
    """What the rule's datasource is asked in, which is what a rule that does not say is written in."""
    datasource = datasources.get(connection, rule.datasource)
    return Language.PROMQL if datasource is None else datasource.kind.language


def problems(connection: Connection, rule: Rule) -> Iterable[Problem]:
    """Everything wrong with the rule, by itself and in what it names."""
    return (*check_rule(rule), *_unknown(connection, rule))


def _misplaced(body: RuleIn, rule_id: str) -> Iterable[Problem]:
    if body.id not in (None, rule_id):
        yield _error("id", f"the path says {rule_id!r}, and an id never changes; leave it out")


def _unknown(connection: Connection, rule: Rule) -> Iterable[Problem]:
    """What the rule names and nobody has declared."""
    if rule.notification_channels:
        known = {channel.name for channel in channels.page(connection, limit=_ALL)} | {LOG_CHANNEL}
        yield from edits.unknown("notification_channels", rule.notification_channels, known, "channel")
    datasource = datasources.get(connection, rule.datasource)
    if datasource is None:
        known = {datasource.name for datasource in datasources.page(connection, limit=_ALL)}
        yield from edits.unknown("datasource", [rule.datasource], known, "datasource")
    elif datasource.kind.language is not rule.language:
        asked = (
            f"datasource {datasource.name!r} is of kind {datasource.kind}, which is asked in {datasource.kind.language}"
        )
        message = f"language is {rule.language}, but {asked}; give that language, or another datasource"
        yield Problem(severity=Severity.WARNING, field="language", message=message)


def _error(field: str, message: str) -> Problem:
    return Problem(severity=Severity.ERROR, field=field, message=message)


def stored(write: Writing, edit: Edit[Rule], response: Response) -> RuleAnswer | DryRun[RuleAnswer]:
    """The rule stored and answered."""
    rule = edits.commit(write, edit)
    assert rule is not None
    return edits.answer(write, edit, response, _answer(write.service, edit, rule), rule.version)


def _answer(service: Backend, edit: Edit[Rule], rule: Rule, more: Mapping[str, Any] | None = None) -> RuleAnswer:
    with service.database.read() as connection:
        status = _statuses(service, connection, [rule])[rule.id]
    return schema.described(rule, status, {"problems": ProblemOut.all_of(edit.warnings), **(more or {})})


def _statuses(service: Backend, connection: Connection, rules: Collection[Rule]) -> dict[str, StatusOut]:
    """How each of these rules is doing."""
    rule_ids = [rule.id for rule in rules]
    stored, active = rule_status.all_of(connection, rule_ids), alerts.active_of(connection, rule_ids)
    clocks, definitions = service.timings(connection, rules), service.feed.refresh(connection)
    return {
        rule.id: StatusOut.of(
            stored.get(rule.id),
            _worst(active[rule.id].values()),
            clocks.get(rule.id),
            (*check_reach(rule, definitions.channels, definitions.tree), *check_odd(rule)),
        )
        for rule in rules
    }


def _worst(active: Iterable[Alert]) -> State:
    """The state of the most alarming of a rule's active alerts."""
    states = {alert.state for alert in active}
    return next((state for state in (State.FIRING, State.PENDING) if state in states), State.INACTIVE)
