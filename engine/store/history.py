"""The versions of one definition, as the record of changes kept them: for people to read, and to take one back.

Both databases read the same here: instants are RFC 3339 texts in UTC, numbers of columns of numbers are floats. Secrets
were never recorded, so a version that had some comes back without them, and says which.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Column, Connection, Float, and_, func, or_, select
from sqlalchemy.sql.elements import ColumnElement

from engine.store import recorded
from engine.store.changes import EVERY_KEY, Operation
from engine.store.definition_table import loose, writable
from engine.store.tables import definition_changes as feed
from engine.store.tables import metadata
from engine.store.types import Instant

REDACTED: Final = "[redacted]"
"""What the triggers write in the place of a secret."""

_HOLDS_SECRETS: Final = ("url", "urls", "settings", "auth")
"""The columns in which the triggers redact; elsewhere the word is somebody's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One recorded change of a definition. `before` and `after` are whole rows, `None` where there was none.

    `change_id` orders all changes; `version` starts at 1 again when a row is deleted and inserted anew, and is `None` for
    a truncate, which records no rows.
    """

    change_id: int
    operation: Operation
    version: int | None
    author: str
    at: datetime
    before: Mapping[str, object] | None
    after: Mapping[str, object] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Restorable:
    """A row as it was at one version, for the table's `from_row`.

    `redacted` names what was a secret and is not known any more (`url`, `settings.token`, `urls.0`): the row says
    `[redacted]` there, and must not be stored before something else stands in its place.
    """

    row: Mapping[str, object]
    redacted: tuple[str, ...]


def versions(connection: Connection, table: str, key: str, *, before: int | None = None, limit: int) -> list[Version]:
    """The changes of this row, newest first, those of a deleted one too; `before` is the `change_id` to go on from."""
    own = feed.c.table_name == table, feed.c.row_id == key
    first = select(func.min(feed.c.id)).where(*own).scalar_subquery()
    emptied = and_(feed.c.table_name == table, feed.c.row_id == EVERY_KEY, feed.c.id > first)
    wanted = or_(and_(*own), emptied)
    return _read(connection, wanted if before is None else and_(wanted, feed.c.id < before), table, limit)


def restorable(connection: Connection, table: str, key: str, version: int) -> Restorable | None:
    """The row as it was at this version, the newest of that number; `None` when nothing of it was recorded."""
    wanted = and_(feed.c.table_name == table, feed.c.row_id == key, feed.c.version == version)
    for found in _read(connection, wanted, table, limit=2):
        row = found.before if found.operation is Operation.DELETE else found.after
        if row is not None:
            return Restorable(row=recorded.readable(table, row), redacted=tuple(_redacted(row)))
    return None


def deleted(connection: Connection, table: str, column: str, value: str, *, limit: int) -> frozenset[str]:
    """The keys of those of the last `limit` deleted rows that had this value in this column."""
    gone = and_(feed.c.table_name == table, feed.c.operation == Operation.DELETE.value)
    shown = loose(feed.c.before, connection.dialect.name)
    rows = connection.execute(select(feed.c.row_id, shown).where(gone).order_by(feed.c.id.desc()).limit(limit))
    return frozenset(writable(key) for key, row in rows if isinstance(row, dict) and row.get(column) == value)


def _read(connection: Connection, wanted: ColumnElement[bool], table: str, limit: int) -> list[Version]:
    shown = (loose(feed.c[name], connection.dialect.name) for name in ("author", "before", "after"))
    statement = select(feed.c.id, feed.c.operation, feed.c.version, feed.c.at, *shown).where(wanted)
    rows = connection.execute(statement.order_by(feed.c.id.desc()).limit(limit)).all()
    return [
        Version(
            change_id=row.id,
            operation=Operation(row.operation),
            version=row.version,
            author=writable(row.author),
            at=row.at,
            before=_shown(table, row.before),
            after=_shown(table, row.after),
        )
        for row in rows
    ]


def _shown(table: str, row: object) -> dict[str, object] | None:
    """The row as both databases show it."""
    if not isinstance(row, dict):
        return None
    columns = metadata.tables[table].c
    return {name: _normal(columns[name], value) if name in columns else value for name, value in row.items()}


def _normal(column: Column[Any], value: object) -> object:
    if isinstance(column.type, Instant):
        found = recorded.moment(value)
        return value if found is None else found.isoformat().replace("+00:00", "Z")
    if isinstance(column.type, Float) and isinstance(value, int):
        return float(value)
    return value


def _redacted(row: Mapping[str, object]) -> Iterator[str]:
    for column in _HOLDS_SECRETS:
        match row.get(column):
            case str(value) if value == REDACTED:
                yield column
            case list(items):
                yield from (f"{column}.{place}" for place, item in enumerate(items) if item == REDACTED)
            case dict(entries):
                yield from (f"{column}.{name}" for name, item in entries.items() if item == REDACTED)
