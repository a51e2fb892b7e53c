"""Whether a definition table still holds what was read of it: a digest of every row, whoever wrote the row and however.

The record of changes is kept by triggers, and triggers can be passed by: switched off on PostgreSQL, dropped, or skipped
when SQLite replaces a row. So rows are compared with what is in force now and then, by digest, which takes tens of
milliseconds for ten thousand rules where reading them as rules takes a second. A digest means something only within one
process.
"""

from __future__ import annotations

import marshal
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from sqlalchemy import JSON, Column, Connection, LargeBinary, Text, cast, extract, type_coerce
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.types import NullType

from engine.store.changes import Touched
from engine.store.definition_table import BATCH, UNREAD, DefinitionTable, writable
from engine.store.types import Instant

_WITHOUT_REFERENCES: Final = 2
"""The format of marshal in which equal values have equal bytes; later ones mark what else refers to a value."""


def digests(connection: Connection, table: DefinitionTable[Any], keys: Collection[str] | None = None) -> dict[str, int]:
    """The digest of each row with these keys, by key; `None` means all rows."""
    return dict(_digests(connection, table, keys))


def differing(found: Mapping[str, int], known: Mapping[str, int]) -> Touched | None:
    """What must be read again: rows that came, went or changed; `None` when all is as it was."""
    if found == known:
        return None
    keys = frozenset(key for key, _ in found.items() ^ known.items())
    # A key that is no UTF-8 is known by an escaped form, by which no row is found.
    return Touched(keys=keys, whole=any("\\udc" in key for key in keys))


def _digests(
    connection: Connection, table: DefinitionTable[Any], keys: Collection[str] | None
) -> Iterator[tuple[str, int]]:
    dialect = connection.dialect.name
    key = table.table.c[table.key]
    others = [column for column in table.table.c if column.name not in UNREAD and column is not key]
    statement = table.table.select().with_only_columns(*(_raw(column, dialect) for column in (key, *others)))
    for batch in _batches(keys):
        chosen = statement if batch is None else statement.where(key.in_(batch))
        for row in connection.execute(chosen):
            yield _key(row[0]), hash(marshal.dumps(tuple(row), _WITHOUT_REFERENCES))


def _batches(keys: Collection[str] | None) -> Iterator[list[str] | None]:
    if keys is None:
        yield None
        return
    wanted = sorted(keys)
    yield from (wanted[start : start + BATCH] for start in range(0, len(wanted), BATCH))


def _raw(column: Column[Any], dialect: str) -> ColumnElement[Any]:
    """The column as something simple that differs whenever the column does, in any session's settings."""
    raw: ColumnElement[Any] = column
    if isinstance(column.type, Text | JSON):
        raw = cast(column, LargeBinary if dialect == "sqlite" else Text)
    elif isinstance(column.type, Instant) and dialect == "postgresql":
        raw = cast(extract("epoch", column), Text)
    return type_coerce(raw, NullType())


def _key(raw: bytes | str) -> str:
    return writable(raw.decode(errors="surrogateescape") if isinstance(raw, bytes) else raw)
