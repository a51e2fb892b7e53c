"""Time intervals: rows of `time_intervals` ⇄ TimeInterval. The periods are kept as Alertmanager writes them."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection

from engine.store import fields
from engine.store.definition_table import DefinitionTable
from engine.store.fields import Row
from engine.store.tables import time_intervals
from rules.errors import TimeIntervalError
from rules.time_intervals import Period, TimeInterval, check, document, parse_period


def from_row(row: Row) -> TimeInterval:
    """The time interval the row declares; RulesError, naming the column and the place in it, when it does not say when."""
    interval = TimeInterval(
        name=fields.text(row, "name", None),
        periods=_periods(row, "time_intervals"),
        team=fields.text(row, "team"),
        origin=fields.text(row, "origin", "sql"),
        version=fields.whole(row, "version", 1),
    )
    check(interval)
    return interval


def to_row(interval: TimeInterval) -> dict[str, object]:
    """The columns that declare the time interval; version and times are the database's own."""
    return {
        "name": interval.name,
        "time_intervals": [document(period) for period in interval.periods],
        "team": interval.team,
        "origin": interval.origin,
    }


def _periods(row: Row, name: str) -> tuple[Period, ...]:
    written = row.get(name)
    if not isinstance(written, list):
        shown = "NULL" if written is None else ascii(written)[:80]
        message = f'{name} is {shown}; give a JSON list of periods such as [{{"weekdays": ["saturday", "sunday"]}}]'
        raise TimeIntervalError(message, field=name)
    return tuple(_period(spec, f"{name}.{place}") for place, spec in enumerate(written))


def _period(spec: object, place: str) -> Period:
    try:
        return parse_period(spec)
    except TimeIntervalError as error:
        field = place if error.field in (None, "time_intervals") else f"{place}.{error.field}"
        raise TimeIntervalError(f"{place}: {error.message}", field=field) from error


TABLE: Final = DefinitionTable(table=time_intervals, key="name", from_row=from_row, to_row=to_row)


def get(connection: Connection, key: str) -> TimeInterval | None:
    """The time interval with this name, or `None`; RulesError when its row cannot be read as one."""
    return TABLE.get(connection, key)


def page(connection: Connection, *, after: str | None = None, limit: int = 100) -> list[TimeInterval]:
    """The time intervals after this name, by name; shorter than `limit` only at the end.

    Rows that cannot be read are left out.
    """
    return TABLE.page(connection, after, limit)


def put(connection: Connection, interval: TimeInterval) -> TimeInterval:
    """Store it under its name, as it stands afterwards, with the version the database gave it; no change, no new version."""
    return TABLE.put(connection, interval)


def delete(connection: Connection, key: str) -> bool:
    """Whether there was a time interval with this name to delete; routes that name it then name an unknown one."""
    return TABLE.delete(connection, key)
