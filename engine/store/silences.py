"""Silences: rows of `silences` ⇄ Silence."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, assert_never

from sqlalchemy import ColumnElement, Connection, select

from engine.store import fields
from engine.store.definition_table import DefinitionTable
from engine.store.fields import Row
from engine.store.tables import silences
from rules.silences import Silence, SilenceState, check


def from_row(row: Row) -> Silence:
    """The silence the row declares; RulesError, naming the column, when it is none or would hide nearly everything."""
    silence = Silence(
        id=fields.text(row, "id", None),
        matchers=fields.matchers(row, "matchers"),
        starts_at=fields.instant(row, "starts_at"),
        ends_at=fields.instant(row, "ends_at"),
        created_by=fields.text(row, "created_by"),
        comment=fields.text(row, "comment"),
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
        "team": silence.team,
        "origin": silence.origin,
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Which silences to list: those in this state at this moment."""

    state: SilenceState
    now: datetime


TABLE: Final = DefinitionTable(table=silences, key="id", from_row=from_row, to_row=to_row)


def get(connection: Connection, key: str) -> Silence | None:
    """The silence with this id, or `None`; RulesError when its row cannot be read as one."""
    return TABLE.get(connection, key)


def page(
    connection: Connection, *, after: str | None = None, limit: int = 100, only: Standing | None = None
) -> list[Silence]:
    """The silences after this id, by id; shorter than `limit` only at the end. Rows that cannot be read are left out."""
    return TABLE.page(connection, after, limit, *(() if only is None else _conditions(only)))


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
    """Silence.state in SQL."""
    match standing.state:
        case SilenceState.PENDING:
            return (silences.c.starts_at > standing.now,)
        case SilenceState.EXPIRED:
            return (silences.c.starts_at <= standing.now, silences.c.ends_at < standing.now)
        case SilenceState.ACTIVE:
            return (silences.c.starts_at <= standing.now, silences.c.ends_at >= standing.now)
        case _:
            assert_never(standing.state)
