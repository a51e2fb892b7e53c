"""Tocsin's rows written as a person at a database shell would: those that are new, those that changed, and away with the rest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Connection, Table, null

from engine.store.tables import channels, inhibit_rules, routes, time_intervals
from tests.timelines.generating import Rows

TABLES: Final[Mapping[str, tuple[Table, str]]] = {
    "channels": (channels, "name"),
    "time_intervals": (time_intervals, "name"),
    "routes": (routes, "id"),
    "inhibit_rules": (inhibit_rules, "id"),
}
"""Each table and its key, in the order in which rows are made."""


def write_rows(connection: Connection, before: Rows, after: Rows) -> None:
    """Make the tables hold what `after` says, where they held `before`."""
    for name, (table, key) in TABLES.items():
        old, new = _by_key(before, name, key), _by_key(after, name, key)
        for number, row in new.items():
            if number not in old:
                connection.execute(table.insert().values(stored(row)))
            elif row != old[number]:
                connection.execute(table.update().where(table.c[key] == number).values(stored(row)))
    for name, (table, key) in reversed(list(TABLES.items())):
        gone = [number for number in _by_key(before, name, key) if number not in _by_key(after, name, key)]
        for number in reversed(gone):
            connection.execute(table.delete().where(table.c[key] == number))


def write_root(connection: Connection, rows: Rows) -> None:
    """Make the root route, which a database has from the beginning, be this one."""
    for row in rows["channels"]:
        connection.execute(channels.insert().values(stored(row)))
    for row in rows["routes"]:
        connection.execute(routes.update().where(routes.c.id == row["id"]).values(stored(row)))


def _by_key(rows: Rows, name: str, key: str) -> dict[str, Mapping[str, Any]]:
    return {row[key]: row for row in rows.get(name, ())}


def stored(row: Mapping[str, Any]) -> dict[str, Any]:
    """What is absent is NULL, and not JSON's own null."""
    return {column: null() if value is None else value for column, value in row.items()}
