"""Threshold rows by REST: other numbers, severities and times for some series of a rule, and which row governs which series."""

from __future__ import annotations

from typing import Annotated, Final
from uuid import uuid4

from fastapi import APIRouter, Query, Response

from api.problems import FieldError, refused
from api.schemas import thresholds as schema
from api.schemas.fields import Page
from api.schemas.rules import Key, ProblemOut
from api.schemas.thresholds import EffectiveOut, ThresholdIn, ThresholdOut
from api.v1 import edits
from api.v1.calls import Cursor, Limit, Service, Write, Writing, page
from api.v1.edits import DryRun, Edit, Noun
from api.v1.rules import RULES
from engine.store import thresholds as store
from engine.store.door import Connection
from rules.problems import Problem, check_threshold, check_thresholds
from rules.thresholds import Threshold

router = APIRouter(prefix="/api/v1/rules/{rule_id}/thresholds", tags=["thresholds"])

EFFECTIVE: Final = "effective"
"""The word in the place of an id that asks which rows govern; so no row can be called by it."""


def _noun(rule_id: str) -> Noun[Threshold]:
    """The threshold rows of one rule; those of another are not found here."""

    def get(connection: Connection, key: str) -> Threshold | None:
        row = store.get(connection, key)
        return row if row is not None and row.rule_id == rule_id else None

    return Noun(word="threshold", get=get, put=store.put, delete=store.delete, document=schema.document)


@router.get("")
def list_thresholds(rule_id: str, service: Service, limit: Limit = 100, cursor: Cursor = None) -> Page[ThresholdOut]:
    """All threshold rows of the rule by id, each with what is wrong with it."""
    with service.database.read() as connection:
        rule = edits.found(RULES, connection, rule_id)
        rows = store.page(connection, after=cursor, limit=limit + 1, rule_id=rule_id)
        every = store.of_rule(connection, rule_id)
    problems = check_thresholds(rows, rule, every)
    items = [schema.described(row, ProblemOut.all_of(problems[row.id])) for row in rows]
    return page(items, limit, [row.id for row in rows])


@router.post("", status_code=201, responses={200: {"model": DryRun[ThresholdOut]}})
def create_threshold(
    rule_id: str, body: ThresholdIn, write: Writing, response: Response
) -> ThresholdOut | DryRun[ThresholdOut]:
    """Add a threshold row to the rule."""
    if write.dry_run:
        response.status_code = 200
    return _stored(write, _planned(write, body, rule_id, body.id or uuid4().hex, must=False), response)


@router.get(f"/{EFFECTIVE}")
def read_effective(
    rule_id: str,
    service: Service,
    limit: Annotated[int, Query(ge=1, le=1000, description="Series that are told.")] = 100,
) -> EffectiveOut:
    """Which row governs each series the rule's left side returns at this moment, at each level, and why."""
    with service.database.read() as connection:
        rule = edits.found(RULES, connection, rule_id)
    return EffectiveOut.of(service.effective(rule), limit)


@router.get("/{threshold_id}")
def read_threshold(rule_id: str, threshold_id: str, service: Service, response: Response) -> ThresholdOut:
    """One threshold row."""
    with service.database.read() as connection:
        rule = edits.found(RULES, connection, rule_id)
        row = edits.found(_noun(rule_id), connection, threshold_id)
        problems = check_threshold(row, rule, store.of_rule(connection, rule_id))
    response.headers["ETag"] = edits.etag(row.version)
    return schema.described(row, ProblemOut.all_of(problems))


@router.put("/{threshold_id}", responses={201: {"model": ThresholdOut}})
def replace_threshold(
    rule_id: str, threshold_id: Key, body: ThresholdIn, write: Writing, response: Response
) -> ThresholdOut | DryRun[ThresholdOut]:
    """Make the threshold row be this one, whether or not there was one."""
    return _stored(write, _planned(write, body, rule_id, threshold_id), response)


@router.delete("/{threshold_id}", response_model=DryRun[ThresholdOut], responses={204: {"description": "Deleted"}})
def delete_threshold(rule_id: str, threshold_id: str, write: Writing) -> DryRun[ThresholdOut] | Response:
    """Remove the threshold row; the next one, or the rule's own threshold, governs its series."""
    with write.service.database.read() as connection:
        edits.found(RULES, connection, rule_id)
    edit = edits.plan(write, _noun(rule_id), threshold_id, lambda *_: (None, ()), must=True)
    edits.commit(write, edit)
    return edits.dry_run(edit, None) if write.dry_run else Response(status_code=204)


def _planned(
    write: Write, body: ThresholdIn, rule_id: str, threshold_id: str, *, must: bool | None = None
) -> Edit[Threshold]:
    edits.check_key(body.id, threshold_id, "id")
    if threshold_id == EFFECTIVE:
        message = f"{EFFECTIVE!r} is the word that asks which rows govern"
        raise refused([FieldError(field="id", message=message, value=threshold_id, fix="take another id")])

    def make(connection: Connection, before: Threshold | None) -> tuple[Threshold, tuple[Problem, ...]]:
        rule = edits.found(RULES, connection, rule_id)
        _check_free(connection, threshold_id, rule_id)
        row = body.to_threshold(threshold_id, rule_id, before)
        return row, check_threshold(row, rule, store.of_rule(connection, rule_id))

    return edits.plan(write, _noun(rule_id), threshold_id, make, must=must)


def _check_free(connection: Connection, threshold_id: str, rule_id: str) -> None:
    """Refuse an id by which another rule has a row."""
    known = store.get(connection, threshold_id)
    if known is not None and known.rule_id != rule_id:
        message = f"rule {known.rule_id!r} has a threshold with this id"
        raise refused([FieldError(field="id", message=message, value=threshold_id, fix="take another id")])


def _stored(write: Write, edit: Edit[Threshold], response: Response) -> ThresholdOut | DryRun[ThresholdOut]:
    stored = edits.commit(write, edit)
    assert stored is not None
    told = schema.described(stored, ProblemOut.all_of(edit.warnings))
    return edits.answer(write, edit, response, told, stored.version)
