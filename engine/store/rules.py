"""Alert rules: rows of `alert_rules` ⇄ Rule."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sqlalchemy import ColumnElement, Connection, select

from engine.store import fields
from engine.store.definition_table import DefinitionTable
from engine.store.fields import Row
from engine.store.rule_status import Health
from engine.store.tables import alert_rules, rule_status
from rules.datasource import DEFAULT_DATASOURCE
from rules.labels import LabelTexts
from rules.rule import Condition, Language, MissingSeries, NoData, OnError, Plan, Rule


def from_row(row: Row) -> Rule:
    """The rule the row declares; RulesError, naming the column, when it is none. Whether it makes sense is check_rule's."""
    return Rule(
        id=fields.text(row, "id", None),
        name=fields.text(row, "name", None),
        group=fields.text(row, "group_name"),
        team=fields.text(row, "team"),
        expr=fields.optional_text(row, "expr"),
        language=fields.choice(row, "language", Language.PROMQL),
        metric_name=fields.optional_text(row, "metric_name"),
        condition=fields.optional_choice(row, "condition", Condition),
        threshold=fields.number(row, "threshold"),
        hold=fields.span(row, "for_seconds"),
        keep_firing_for=fields.span(row, "keep_firing_for_seconds"),
        interval=fields.optional_span(row, "interval_seconds"),
        query_offset=fields.optional_span(row, "query_offset_seconds"),
        severity=fields.text(row, "severity"),
        labels=LabelTexts(fields.texts(row, "labels")),
        annotations=fields.texts(row, "annotations"),
        notification_channels=fields.strings(row, "notification_channels"),
        datasource=fields.text(row, "datasource", DEFAULT_DATASOURCE),
        enabled=fields.flag(row, "enabled", default=True),
        no_data=fields.choice(row, "no_data", NoData.OK),
        missing_series=fields.choice(row, "missing_series", MissingSeries.RESOLVE),
        missing_for=fields.span(row, "missing_for_seconds", timedelta(days=1)),
        on_error=fields.choice(row, "on_error", OnError.KEEP),
        limit=fields.whole(row, "alert_limit", 0),
        plan=fields.choice(row, "plan", Plan.AUTO),
        origin=fields.text(row, "origin", "sql"),
        version=fields.whole(row, "version", 1),
    )


def to_row(rule: Rule) -> dict[str, object]:
    """The columns that declare the rule; version and times are the database's own."""
    return {
        "id": rule.id,
        "name": rule.name,
        "group_name": rule.group,
        "team": rule.team,
        "expr": rule.expr,
        "language": rule.language,
        "metric_name": rule.metric_name,
        "condition": rule.condition,
        "threshold": rule.threshold,
        "for_seconds": rule.hold.total_seconds(),
        "keep_firing_for_seconds": rule.keep_firing_for.total_seconds(),
        "interval_seconds": fields.seconds(rule.interval),
        "query_offset_seconds": fields.seconds(rule.query_offset),
        "severity": rule.severity,
        "labels": dict(rule.labels),
        "annotations": dict(rule.annotations),
        "notification_channels": list(rule.notification_channels),
        "datasource": rule.datasource,
        "enabled": rule.enabled,
        "no_data": rule.no_data,
        "missing_series": rule.missing_series,
        "missing_for_seconds": rule.missing_for.total_seconds(),
        "on_error": rule.on_error,
        "alert_limit": rule.limit,
        "plan": rule.plan,
        "origin": rule.origin,
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which rules to list: of this team, of this origin, in this health, with this text in their name; `None` is any."""

    team: str | None = None
    origin: str | None = None
    health: Health | None = None
    name: str | None = None


TABLE: Final = DefinitionTable(table=alert_rules, key="id", from_row=from_row, to_row=to_row)


def get(connection: Connection, key: str) -> Rule | None:
    """The rule with this id, or `None`; RulesError when its row cannot be read as one."""
    return TABLE.get(connection, key)


def page(
    connection: Connection, *, after: str | None = None, limit: int = 100, only: Wanted | None = None
) -> list[Rule]:
    """The rules after this id, by id; shorter than `limit` only at the end. Rows that cannot be read are left out."""
    return TABLE.page(connection, after, limit, *(() if only is None else _conditions(only)))


def put(connection: Connection, rule: Rule) -> Rule:
    """Store it under its id, as it stands afterwards, with the version the database gave it; no change, no new version."""
    return TABLE.put(connection, rule)


def delete(connection: Connection, key: str) -> bool:
    """Whether there was a rule with this id to delete."""
    return TABLE.delete(connection, key)


def _conditions(wanted: Wanted) -> Iterator[ColumnElement[bool]]:
    for column, value in ((alert_rules.c.team, wanted.team), (alert_rules.c.origin, wanted.origin)):
        if value is not None:
            yield column == value
    if wanted.name is not None:
        yield alert_rules.c.name.icontains(wanted.name, autoescape=True)
    if wanted.health is Health.UNKNOWN:
        # A rule that nobody has evaluated yet has no status.
        known = select(rule_status.c.rule_id).where(rule_status.c.health != Health.UNKNOWN)
        yield alert_rules.c.id.not_in(known)
    elif wanted.health is not None:
        yield alert_rules.c.id.in_(select(rule_status.c.rule_id).where(rule_status.c.health == wanted.health))
