"""Silences: rows of `silences` ⇄ Silence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, assert_never

from sqlalchemy import ColumnElement, Connection, Text, cast, or_, select

from engine.store import fields
from engine.store.definition_table import DefinitionTable
from engine.store.fields import Row
from engine.store.tables import silences
from rules.silences import Silence, SilenceState, check
from rules.time_intervals import TimeInterval


def from_row(row: Row) -> Silence:
    """The silence the row declares; RulesError, naming the column, when it is none or would hide nearly everything."""
    silence = Silence(
        id=fields.text(row, "id", None),
        matchers=fields.matchers(row, "matchers"),
        starts_at=fields.instant(row, "starts_at"),
        ends_at=fields.instant(row, "ends_at"),
        created_by=fields.text(row, "created_by"),
        comment=fields.text(row, "comment"),
        time_intervals=fields.strings(row, "time_intervals"),
        until_resolved=fields.flag(row, "until_resolved", default=False),
        force=fields.flag(row, "force", default=False),
        team=fields.text(row, "team"),
        origin=fields.text(row, "origin", "sql"),
        version=fields.whole(row, "version", 1),
    )
    check(silence)
    return silence


def to_row(silence: Silence) -> dict[str, object]:
    """The columns that declare the silence; version and times are the database's own."""
    return {
        "id": silence.id,
        "matchers": [str(matcher) for matcher in silence.matchers],
        "starts_at": silence.starts_at,
        "ends_at": silence.ends_at,
        "created_by": silence.created_by,
        "comment": silence.comment,
        "time_intervals": list(silence.time_intervals),
        "until_resolved": silence.until_resolved,
        "force": silence.force,
        "team": silence.team,
        "origin": silence.origin,
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Which silences to list: those in this state at this moment; `intervals` are those their names are looked up in."""

    state: SilenceState
    now: datetime
    intervals: Mapping[str, TimeInterval] = field(default_factory=dict)


_ALL: Final = 2**31 - 1
TABLE: Final = DefinitionTable(table=silences, key="id", from_row=from_row, to_row=to_row)


def get(connection: Connection, key: str) -> Silence | None:
    """The silence with this id, or `None`; RulesError when its row cannot be read as one."""
    return TABLE.get(connection, key)


def page(
    connection: Connection, *, after: str | None = None, limit: int = 100, only: Standing | None = None
) -> list[Silence]:
    """The silences after this id, by id; shorter than `limit` only at the end. Rows that cannot be read are left out."""
    if only is None:
        return TABLE.page(connection, after, limit)
    found: list[Silence] = []
    while len(found) < limit:
        batch = TABLE.page(connection, after, limit, *_conditions(only))
        found += [silence for silence in batch if silence.state(only.now, only.intervals) is only.state]
        if len(batch) < limit:
            break
        after = batch[-1].id
    return found[:limit]


def naming(connection: Connection, interval: str, now: datetime) -> list[str]:
    """The silences that are not over and name this time interval, by id."""
    standing = TABLE.page(connection, None, _ALL, silences.c.ends_at >= now)
    return [silence.id for silence in standing if interval in silence.time_intervals]


def changed_at(connection: Connection, ids: Iterable[str]) -> dict[str, datetime]:
    """When each of these silences was last written; one that is not there is absent."""
    wanted = sorted(set(ids))
    found: dict[str, datetime] = {}
    for start in range(0, len(wanted), 500):
        query = select(silences.c.id, silences.c.updated_at).where(silences.c.id.in_(wanted[start : start + 500]))
        found |= {row.id: row.updated_at for row in connection.execute(query)}
    return found


def put(connection: Connection, silence: Silence) -> Silence:
    """Store it under its id, as it stands afterwards, with the version the database gave it; no change, no new version."""
    return TABLE.put(connection, silence)


def delete(connection: Connection, key: str) -> bool:
    """Whether there was a silence with this id to delete."""
    return TABLE.delete(connection, key)


def _conditions(standing: Standing) -> tuple[ColumnElement[bool], ...]:
    """What Silence.state asks of the two times; a silence that has begun is pending only where it has intervals."""
    match standing.state:
        case SilenceState.PENDING:
            return (or_(silences.c.starts_at > standing.now, cast(silences.c.time_intervals, Text) != "[]"),)
        case SilenceState.EXPIRED:
            return (silences.c.starts_at <= standing.now, silences.c.ends_at < standing.now)
        case SilenceState.ACTIVE:
            return (silences.c.starts_at <= standing.now, silences.c.ends_at >= standing.now)
        case _:
            assert_never(standing.state)
