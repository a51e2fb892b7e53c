"""Threshold rows: rows of `thresholds` ⇄ Threshold. Which of a rule's rows governs a series is decided where it is evaluated."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection

from engine.store import fields
from engine.store.definition_table import DefinitionTable
from engine.store.fields import Row
from engine.store.tables import thresholds
from rules.errors import ThresholdError
from rules.thresholds import Threshold

_MOST: Final = 2**31 - 1


def from_row(row: Row) -> Threshold:
    """The threshold row as it stands there, NULL meaning as the rule has it; RulesError, naming the column, when it is none."""
    threshold = fields.number(row, "threshold")
    if threshold is None:
        raise ThresholdError("threshold is NULL; give the number to compare with", field="threshold")
    return Threshold(
        id=fields.text(row, "id", None),
        rule_id=fields.text(row, "rule_id", None),
        matchers=fields.matchers(row, "matchers"),
        threshold=threshold,
        recovery_threshold=fields.number(row, "recovery_threshold"),
        severity=fields.text(row, "severity"),
        hold=fields.optional_span(row, "for_seconds"),
        valid_from=fields.optional_instant(row, "valid_from"),
        valid_to=fields.optional_instant(row, "valid_to"),
        priority=fields.whole(row, "priority", 0),
        reason=fields.text(row, "reason"),
        team=fields.text(row, "team"),
        origin=fields.text(row, "origin", "sql"),
        version=fields.whole(row, "version", 1),
    )


def to_row(threshold: Threshold) -> dict[str, object]:
    """The columns that declare the threshold row; version and times are the database's own."""
    return {
        "id": threshold.id,
        "rule_id": threshold.rule_id,
        "matchers": [str(matcher) for matcher in threshold.matchers],
        "threshold": threshold.threshold,
        "recovery_threshold": threshold.recovery_threshold,
        "severity": threshold.severity,
        "for_seconds": fields.seconds(threshold.hold),
        "valid_from": threshold.valid_from,
        "valid_to": threshold.valid_to,
        "priority": threshold.priority,
        "reason": threshold.reason,
        "team": threshold.team,
        "origin": threshold.origin,
    }


TABLE: Final = DefinitionTable(table=thresholds, key="id", from_row=from_row, to_row=to_row)


def get(connection: Connection, key: str) -> Threshold | None:
    """The threshold row with this id, or `None`; RulesError when it cannot be read as one."""
    return TABLE.get(connection, key)


def page(
    connection: Connection, *, after: str | None = None, limit: int = 100, rule_id: str | None = None
) -> list[Threshold]:
    """The threshold rows after this id, by id, of one rule or (`None`) of all; shorter than `limit` only at the end.

    Rows that cannot be read are left out.
    """
    return TABLE.page(connection, after, limit, *(() if rule_id is None else (thresholds.c.rule_id == rule_id,)))


def of_rule(connection: Connection, rule_id: str) -> list[Threshold]:
    """All threshold rows of this rule, by id. Rows that cannot be read are left out."""
    return page(connection, limit=_MOST, rule_id=rule_id)


def put(connection: Connection, threshold: Threshold) -> Threshold:
    """Store it under its id, as it stands afterwards, with the version the database gave it; no change, no new version.

    IntegrityError when there is no such rule.
    """
    return TABLE.put(connection, threshold)


def delete(connection: Connection, key: str) -> bool:
    """Whether there was a threshold row with this id to delete."""
    return TABLE.delete(connection, key)
