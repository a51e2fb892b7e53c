"""How each rule is doing, as far as a change of it is worth a write: health, last error, problems, when it first had data."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, RowMapping, delete, func, select

from engine.store.tables import alert_rules, rule_status
from engine.store.upsert import upsert


class Health(StrEnum):
    """The health of a rule; the first three words are Prometheus'."""

    OK = "ok"
    ERR = "err"
    UNKNOWN = "unknown"
    NEVER_HAD_DATA = "never_had_data"
    QUARANTINED = "quarantined"


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleStatus:
    """One rule's standing; `good_version` is the version being evaluated when `checked_version` is set aside."""

    rule_id: str
    health: Health
    changed_at: datetime
    last_error: str | None = None
    problems: tuple[Mapping[str, Any], ...] = ()
    checked_version: int | None = None
    good_version: int | None = None
    last_data_at: datetime | None = None


def get(connection: Connection, rule_id: str) -> RuleStatus | None:
    """The rule's status; `None` until it was first evaluated or set aside."""
    row = connection.execute(select(rule_status).where(rule_status.c.rule_id == rule_id)).mappings().first()
    return None if row is None else _from_row(row)


def failing(connection: Connection, limit: int = 1000) -> list[tuple[str, str]]:
    """The rules whose last evaluation failed, by id, each with its error."""
    query = select(rule_status.c.rule_id, rule_status.c.last_error).where(rule_status.c.health == Health.ERR)
    found = connection.execute(query.order_by(rule_status.c.rule_id).limit(limit))
    return [(rule_id, error or "") for rule_id, error in found]


def all_of(connection: Connection, rule_ids: Collection[str]) -> dict[str, RuleStatus]:
    """The status of each of these rules that has one."""
    names = sorted(rule_ids)
    found: dict[str, RuleStatus] = {}
    for start in range(0, len(names), 500):
        query = select(rule_status).where(rule_status.c.rule_id.in_(names[start : start + 500]))
        found |= {row["rule_id"]: _from_row(row) for row in connection.execute(query).mappings()}
    return found


def named(connection: Connection, name: str) -> list[str]:
    """The ids of the rules whose row has this name, whether or not it can be evaluated."""
    query = select(alert_rules.c.id).where(alert_rules.c.name == name).order_by(alert_rules.c.id)
    return list(connection.execute(query).scalars())


def save(connection: Connection, statuses: Iterable[RuleStatus]) -> None:
    """Write these statuses."""
    rows = [
        {
            "rule_id": status.rule_id,
            "health": status.health.value,
            "last_error": status.last_error,
            "problem": [dict(problem) for problem in status.problems],
            "checked_version": status.checked_version,
            "good_version": status.good_version,
            "last_data_at": status.last_data_at,
            "changed_at": status.changed_at,
        }
        for status in statuses
    ]
    upsert(connection, rule_status, rows, key=["rule_id"])


def forget_gone(connection: Connection) -> None:
    """Drop the status of rules that no longer exist."""
    connection.execute(delete(rule_status).where(rule_status.c.rule_id.not_in(select(alert_rules.c.id))))


def health_counts(connection: Connection) -> dict[Health, int]:
    """How many rules stand in each health."""
    query = select(rule_status.c.health, func.count()).group_by(rule_status.c.health)
    return {Health(health): count for health, count in connection.execute(query)}


def _from_row(row: RowMapping) -> RuleStatus:
    return RuleStatus(
        rule_id=row["rule_id"],
        health=Health(row["health"]),
        last_error=row["last_error"],
        problems=tuple(row["problem"] or ()),
        checked_version=row["checked_version"],
        good_version=row["good_version"],
        last_data_at=row["last_data_at"],
        changed_at=row["changed_at"],
    )
