"""Inhibit rules: rows of `inhibit_rules` ⇄ InhibitRule."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection

from engine.store import fields
from engine.store.definition_table import DefinitionTable
from engine.store.fields import Row
from engine.store.tables import inhibit_rules
from rules.inhibition import InhibitRule, check


def from_row(row: Row) -> InhibitRule:
    """The inhibit rule the row declares; RulesError, naming the column, when it is none or would inhibit by everything."""
    rule = InhibitRule(
        id=fields.text(row, "id", None),
        name=fields.text(row, "name"),
        source_matchers=fields.matchers(row, "source_matchers"),
        target_matchers=fields.matchers(row, "target_matchers"),
        equal=fields.strings(row, "equal"),
        team=fields.text(row, "team"),
        origin=fields.text(row, "origin", "sql"),
        version=fields.whole(row, "version", 1),
    )
    check(rule)
    return rule


def to_row(rule: InhibitRule) -> dict[str, object]:
    """The columns that declare the inhibit rule; version and times are the database's own."""
    return {
        "id": rule.id,
        "name": rule.name,
        "source_matchers": [str(matcher) for matcher in rule.source_matchers],
        "target_matchers": [str(matcher) for matcher in rule.target_matchers],
        "equal": list(rule.equal),
        "team": rule.team,
        "origin": rule.origin,
    }


TABLE: Final = DefinitionTable(table=inhibit_rules, key="id", from_row=from_row, to_row=to_row)


def get(connection: Connection, key: str) -> InhibitRule | None:
    """The inhibit rule with this id, or `None`; RulesError when its row cannot be read as one."""
    return TABLE.get(connection, key)


def page(connection: Connection, *, after: str | None = None, limit: int = 100) -> list[InhibitRule]:
    """The inhibit rules after this id, by id; shorter than `limit` only at the end. Rows that cannot be read are left out."""
    return TABLE.page(connection, after, limit)


def put(connection: Connection, rule: InhibitRule) -> InhibitRule:
    """Store it under its id, as it stands afterwards, with the version the database gave it; no change, no new version."""
    return TABLE.put(connection, rule)


def delete(connection: Connection, key: str) -> bool:
    """Whether there was an inhibit rule with this id to delete."""
    return TABLE.delete(connection, key)
