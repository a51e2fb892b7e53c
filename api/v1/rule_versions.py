"""The versions of a rule by REST: who changed what and when, and an old version made to stand again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Response

from api.problems import FieldError, not_found, refused
from api.schemas import rules as schema
from api.schemas.changes import RestoreIn, VersionOut, differences
from api.schemas.fields import Page
from api.schemas.rules import RuleAnswer
from api.v1 import edits, rules
from api.v1.calls import Limit, Service, Writing, page
from api.v1.edits import IMPORTED, DryRun
from api.v1.rules import RULES
from engine.store import history
from engine.store import rules as store
from engine.store.door import Connection
from engine.store.history import Restorable, Version
from rules.errors import RulesError
from rules.problems import Problem
from rules.rule import Rule

router = APIRouter(prefix="/api/v1/rules", tags=["rules"])

_TABLE: Final = "alert_rules"
_OURS: Final = frozenset({"version", "created_at", "updated_at"})
"""Columns that every change changes."""


@router.get("/{rule_id}/versions")
def list_versions(
    rule_id: str,
    service: Service,
    limit: Limit = 100,
    cursor: Annotated[int | None, Query(ge=1, le=2**63 - 1)] = None,
) -> Page[VersionOut]:
    """Every change of the rule, newest first, each with what it changed; a deleted rule has them as well."""
    with service.database.read() as connection:
        found = history.versions(connection, _TABLE, rule_id, before=cursor, limit=limit + 1)
    if not found and cursor is None:
        raise not_found("rule", rule_id)
    return page([_described(one) for one in found], limit, [str(one.change_id) for one in found])


@router.post("/{rule_id}/restore", responses={201: {"model": RuleAnswer}})
def restore_rule(rule_id: str, body: RestoreIn, write: Writing, response: Response) -> RuleAnswer | DryRun[RuleAnswer]:
    """Make the rule be again what it was at this version; a deleted rule comes back. It is a new version."""

    def make(connection: Connection, before: Rule | None) -> tuple[Rule, tuple[Problem, ...]]:
        recorded = history.restorable(connection, _TABLE, rule_id, body.version)
        if recorded is None:
            raise not_found("version of the rule", str(body.version))
        rule = _restored(recorded, before)
        return rule, tuple(rules.problems(connection, rule))

    return rules.stored(write, edits.plan(write, RULES, rule_id, make), response)


def _restored(recorded: Restorable, before: Rule | None) -> Rule:
    """The rule as it was; owned by who owns it now, and not by an import that has let it go."""
    if recorded.redacted:
        message = "held a secret, which is not kept with old versions: make the change by PUT, and give it again"
        raise refused(FieldError(field=name, message=message) for name in recorded.redacted)
    rule = store.from_row(recorded.row)
    if before is not None:
        return replace(rule, origin=before.origin, version=before.version)
    return replace(rule, origin="api" if rule.origin.startswith(IMPORTED) else rule.origin, version=1)


def _described(version: Version) -> VersionOut:
    return VersionOut(
        version=version.version,
        operation=version.operation.value,
        author=version.author,
        at=version.at,
        changes=differences(_document(version.before), _document(version.after)),
    )


def _document(row: Mapping[str, Any] | None) -> dict[str, object]:
    """The row in the words of the API; one that cannot be read as a rule in its columns' own."""
    if row is None:
        return {}
    try:
        return schema.document(store.from_row(row))
    except RulesError:
        return {name: value for name, value in row.items() if name not in _OURS}
