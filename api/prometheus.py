"""Prometheus' own API over Tocsin's rules and alerts, so that Grafana's Prometheus data source reads them. It only ever reads.

Answers and errors have Prometheus' shape (P:web/api/v1/api.go); what asks for samples is refused, since Tocsin keeps none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import JSONResponse

from api.backend import Backend
from api.schemas.prometheus import NO_TIME, RuleFacts, alert_document, file_of, group_of, rule_document, static_labels
from engine.core.alert import Alert, State
from engine.store import alerts as alert_store
from engine.store import rule_status
from engine.store.door import Connection
from engine.telemetry import version
from rules.errors import MatcherError
from rules.matchers import Matcher, parse_matchers
from rules.rule import Rule

# Described by Prometheus, so it has no place in the document of our own operations.
router = APIRouter(prefix="/prometheus/api/v1", tags=["prometheus"], include_in_schema=False)

_ACTIVE: Final = (State.PENDING, State.FIRING)
_BATCH: Final = 1000
_COUNT: Final = re.compile("[0-9]{0,8}[1-9][0-9]{0,8}", re.ASCII)
_SPOKEN: Final = "3.0.0"
"""The version whose answers these are; Grafana chooses what to ask for by it."""
_NO_QUERIES: Final = "Tocsin does not answer queries; ask the Prometheus that its rules are evaluated against"


def _service(request: Request) -> Backend:
    service: Backend = request.app.state.service
    return service


Service = Annotated[Backend, Depends(_service)]


class _BadDataError(Exception):
    """A parameter that makes no sense."""


@router.get("/rules")
def list_rules(
    service: Service,
    *,
    kind: Annotated[str, Query(alias="type", description="alert or record; Tocsin has no recording rules.")] = "",
    rule_names: Annotated[list[str] | None, Query(alias="rule_name[]")] = None,
    rule_groups: Annotated[list[str] | None, Query(alias="rule_group[]")] = None,
    files: Annotated[list[str] | None, Query(alias="file[]")] = None,
    matches: Annotated[list[str] | None, Query(alias="match[]", description="Matchers in braces; any may fit.")] = None,
    exclude_alerts: str = "",
    group_limit: str = "",
    group_next_token: str = "",
) -> JSONResponse:
    """The enabled rules by file and group, with their alerts, as Prometheus tells them."""
    try:
        if kind.lower() not in ("", "alert", "record"):
            raise _BadDataError(f"not supported value {kind!r} for type; write alert or record")
        sets = [_matchers(text) for text in matches or ()]
        without_alerts = _truth("exclude_alerts", exclude_alerts)
        wanted = (rule_names, rule_groups, files)
        chosen = [] if kind.lower() == "record" else _chosen(service, wanted, sets)
        data = _paged(_grouped(service, chosen, with_alerts=not without_alerts), group_limit, group_next_token)
    except _BadDataError as error:
        return _refused(str(error))
    return _answer(data)


@router.get("/alerts")
def list_alerts(service: Service) -> JSONResponse:
    """Every pending and firing alert of the rules, as Prometheus tells them."""
    with service.database.read() as connection:
        found = service.present(connection, list(_active(connection)))
    return _answer({"alerts": [alert_document(alert) for alert in found]})


@router.get("/status/buildinfo")
def read_build() -> JSONResponse:
    """The Prometheus version whose answers these are; `revision` is Tocsin's own version."""
    empty = dict.fromkeys(("branch", "buildUser", "buildDate", "goVersion"), "")
    return _answer({"version": _SPOKEN, "revision": version(), **empty})


@router.api_route("/query", methods=["GET", "POST"])
@router.api_route("/query_range", methods=["GET", "POST"])
@router.api_route("/series", methods=["GET", "POST"])
@router.api_route("/labels", methods=["GET", "POST"])
@router.get("/label/{name}/values")
def refuse_query() -> JSONResponse:
    """Samples are asked for elsewhere."""
    return _refused(_NO_QUERIES)


def _answer(data: Mapping[str, Any]) -> JSONResponse:
    return JSONResponse({"status": "success", "data": data})


def _refused(message: str) -> JSONResponse:
    return JSONResponse({"status": "error", "errorType": "bad_data", "error": message}, status_code=400)


def _matchers(text: str) -> tuple[Matcher, ...]:
    if not text.strip().startswith("{"):
        raise _BadDataError(f'match[] {text[:80]!r} is not a selector in braces; write it like {{team="db"}}')
    try:
        return parse_matchers(text)
    except MatcherError as error:
        raise _BadDataError(f"match[]: {error.message}") from error


def _truth(name: str, text: str) -> bool:
    """The words Go's ParseBool knows; nothing means no."""
    if text in ("1", "t", "T", "TRUE", "true", "True"):
        return True
    if text in ("", "0", "f", "F", "FALSE", "false", "False"):
        return False
    raise _BadDataError(f"{name} {text[:40]!r} is neither true nor false")


def _chosen(
    service: Backend, wanted: Sequence[Sequence[str] | None], sets: Sequence[tuple[Matcher, ...]]
) -> list[Rule]:
    """The enabled rules that each kind of filter lets through, in the order of file and group."""
    with service.database.read() as connection:
        rules = service.feed.refresh(connection).rules.values()
    found = [rule for rule in rules if rule.enabled and _is_named(rule, wanted) and _matches_any(rule, sets)]
    return sorted(found, key=lambda rule: (file_of(rule), group_of(rule)))


def _is_named(rule: Rule, wanted: Sequence[Sequence[str] | None]) -> bool:
    """Whether the rule's name, group and file are among those asked for; nothing asked for means all."""
    own = (rule.name, group_of(rule), file_of(rule))
    return all(not names or it in names for names, it in zip(wanted, own, strict=True))


def _matches_any(rule: Rule, sets: Sequence[tuple[Matcher, ...]]) -> bool:
    """Whether all matchers of one set match the rule's own labels; without sets every rule does."""
    if not sets:
        return True
    labels = static_labels(rule)
    return any(all(matcher.matches(labels) for matcher in each) for each in sets)


def _active(connection: Connection) -> Iterator[Alert]:
    after = 0
    while batch := alert_store.page(connection, states=_ACTIVE, after=after, limit=_BATCH):
        yield from batch
        after = batch[-1].id or after


def _grouped(service: Backend, rules: Sequence[Rule], *, with_alerts: bool) -> list[dict[str, Any]]:
    """The groups with their rules; a group's times are those of its slowest and latest rule."""
    with service.database.read() as connection:
        timings = service.timings(connection, rules)
        statuses = rule_status.all_of(connection, [rule.id for rule in rules])
        active: dict[str, list[Alert]] = {}
        found = list(_active(connection))
        for alert in service.present(connection, found) if with_alerts else found:
            active.setdefault(alert.source, []).append(alert)
    groups: dict[tuple[str, str], dict[str, Any]] = {}
    for rule in rules:
        facts = RuleFacts(rule, timings.get(rule.id), statuses.get(rule.id), tuple(active.get(rule.id, ())))
        told = rule_document(facts, with_alerts=with_alerts)
        place = (file_of(rule), group_of(rule))
        group = groups.setdefault(place, _empty_group(*place))
        group["rules"].append(told)
        group["interval"] = max(group["interval"], facts.interval_seconds)
        group["limit"] = max(group["limit"], rule.limit)
        group["evaluationTime"] += told["evaluationTime"]
        group["lastEvaluation"] = max(group["lastEvaluation"], told["lastEvaluation"])
    return list(groups.values())


def _empty_group(file: str, name: str) -> dict[str, Any]:
    times = {"interval": 0.0, "limit": 0, "evaluationTime": 0.0, "lastEvaluation": NO_TIME}
    return {"name": name, "file": file, "rules": [], **times}


def _paged(groups: list[dict[str, Any]], limit: str, token: str) -> dict[str, Any]:
    """The groups from the token's on, and the token of the first one that did not fit."""
    if not limit:
        if token:
            raise _BadDataError("group_limit needs to be present in order to paginate over the groups")
        return {"groups": groups}
    if not _COUNT.fullmatch(limit):
        raise _BadDataError(f"group_limit {limit[:40]!r} is not a number above 0")
    tokens = [sha256(f"{group['file']};{group['name']}".encode()).hexdigest() for group in groups]
    if token and token not in tokens:
        raise _BadDataError(f"invalid group_next_token {token[:80]!r}; were rule groups changed?")
    return _page(groups, tokens, start=tokens.index(token) if token else 0, count=int(limit))


def _page(groups: list[dict[str, Any]], tokens: list[str], *, start: int, count: int) -> dict[str, Any]:
    end = start + count
    following = {"groupNextToken": tokens[end]} if end < len(tokens) else {}
    return {"groups": groups[start:end], **following}
