"""Inhibit rules by REST: which firing alerts keep which others quiet."""

from __future__ import annotations

from typing import Final
from uuid import uuid4

from fastapi import APIRouter, Response

from api.schemas import inhibit_rules as schema
from api.schemas.fields import DeclaredPage
from api.schemas.inhibit_rules import InhibitRuleIn, InhibitRuleOut
from api.schemas.rules import Key
from api.v1 import edits
from api.v1.calls import Cursor, Limit, Service, Write, Writing, declared
from api.v1.edits import DryRun, Edit, Noun
from engine.store import inhibit_rules as store
from engine.store.door import Connection
from rules.inhibition import InhibitRule, check
from rules.problems import Problem

router = APIRouter(prefix="/api/v1/inhibit_rules", tags=["inhibit_rules"])

INHIBIT_RULES: Final[Noun[InhibitRule]] = Noun(
    word="inhibit rule", get=store.get, put=store.put, delete=store.delete, document=schema.document
)


@router.get("")
def list_inhibit_rules(service: Service, limit: Limit = 100, cursor: Cursor = None) -> DeclaredPage[InhibitRuleOut]:
    """All inhibit rules by id."""
    with service.database.read() as connection:
        problems = service.feed.refresh(connection).problems_of("inhibit_rules")
        found = store.page(connection, after=cursor, limit=limit + 1)
    return declared([schema.described(rule) for rule in found], limit, [rule.id for rule in found], problems)


@router.post("", status_code=201, responses={200: {"model": DryRun[InhibitRuleOut]}})
def create_inhibit_rule(
    body: InhibitRuleIn, write: Writing, response: Response
) -> InhibitRuleOut | DryRun[InhibitRuleOut]:
    """Declare an inhibit rule."""
    if write.dry_run:
        response.status_code = 200
    return _stored(write, _planned(write, body, body.id or uuid4().hex, must=False), response)


@router.get("/{inhibit_rule_id}")
def read_inhibit_rule(inhibit_rule_id: str, service: Service, response: Response) -> InhibitRuleOut:
    """One inhibit rule."""
    with service.database.read() as connection:
        rule = edits.found(INHIBIT_RULES, connection, inhibit_rule_id)
    response.headers["ETag"] = edits.etag(rule.version)
    return schema.described(rule)


@router.put("/{inhibit_rule_id}", responses={201: {"model": InhibitRuleOut}})
def replace_inhibit_rule(
    inhibit_rule_id: Key, body: InhibitRuleIn, write: Writing, response: Response
) -> InhibitRuleOut | DryRun[InhibitRuleOut]:
    """Make the inhibit rule be this one, whether or not there was one."""
    return _stored(write, _planned(write, body, inhibit_rule_id), response)


@router.delete("/{inhibit_rule_id}", response_model=DryRun[InhibitRuleOut], responses={204: {"description": "Deleted"}})
def delete_inhibit_rule(inhibit_rule_id: str, write: Writing) -> DryRun[InhibitRuleOut] | Response:
    """Remove the inhibit rule; what only it kept quiet is told at its next flush."""
    edit = edits.plan(write, INHIBIT_RULES, inhibit_rule_id, lambda *_: (None, ()), must=True)
    edits.commit(write, edit)
    return edits.dry_run(edit, None) if write.dry_run else Response(status_code=204)


def _planned(write: Write, body: InhibitRuleIn, rule_id: str, *, must: bool | None = None) -> Edit[InhibitRule]:
    edits.check_key(body.id, rule_id, "id")

    def make(_connection: Connection, before: InhibitRule | None) -> tuple[InhibitRule, tuple[Problem, ...]]:
        rule = body.to_inhibit_rule(rule_id, before)
        check(rule)
        return rule, ()

    return edits.plan(write, INHIBIT_RULES, rule_id, make, must=must)


def _stored(write: Write, edit: Edit[InhibitRule], response: Response) -> InhibitRuleOut | DryRun[InhibitRuleOut]:
    stored = edits.commit(write, edit)
    assert stored is not None
    return edits.answer(write, edit, response, schema.described(stored), stored.version)
