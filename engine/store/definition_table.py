"""What every definition table has in common: rows are values with a key, read tolerantly and written only when they differ.

Text and JSON are fetched raw and decoded here: one row that a shell filled with Latin-1 or with a thousand brackets must
spoil itself alone, not the query that returns it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from sqlalchemy import (
    JSON,
    Column,
    ColumnElement,
    Connection,
    Dialect,
    LargeBinary,
    RowMapping,
    Select,
    Table,
    Text,
    cast,
    null,
    select,
    type_coerce,
)
from sqlalchemy.types import TypeDecorator

from engine.store.fields import Row
from engine.store.upsert import upsert
from rules.errors import RulesError

BATCH = 500
"""Keys per query; SQLite allows 32,766 parameters, but a short statement is planned faster."""

HOLDS: Final = "tocsin_holds"
"""The option of a connection whose `get` keeps others from changing the row until its transaction ends."""
UNREAD: Final = frozenset({"created_at", "updated_at"})
"""Columns no value has."""

Value = TypeVar("Value")


class LooseText(TypeDecorator[str]):
    """Text that may be no UTF-8, as SQLite keeps it; foreign bytes become lone surrogates, for a field's reader to refuse."""

    impl = Text
    cache_ok = True

    def process_result_value(self, value: str | bytes | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        return value.decode(errors="surrogateescape") if isinstance(value, bytes) else value


class LooseJson(TypeDecorator[object]):
    """JSON read from text; text that is no JSON is returned as it stands, for the reader of the field to refuse."""

    impl = Text
    cache_ok = True

    def process_result_value(self, value: str | bytes | None, dialect: Dialect) -> object:  # noqa: ARG002
        if value is None:
            return None
        try:
            decoded: object = json.loads(value)
        except (ValueError, RecursionError):
            return value.decode(errors="surrogateescape") if isinstance(value, bytes) else value
        return decoded


def loose(column: Column[Any], dialect: str) -> ColumnElement[Any]:
    """The column in a form that can always be fetched."""
    if not isinstance(column.type, Text | JSON):
        return column
    raw = cast(column, LargeBinary) if dialect == "sqlite" else cast(column, Text)
    return type_coerce(raw, LooseJson if _is_json(column) else LooseText).label(column.name)


def writable(key: str) -> str:
    """The key as it can be stored and shown; one that is no UTF-8 gets its foreign bytes escaped."""
    return key.encode(errors="backslashreplace").decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class DefinitionTable(Generic[Value]):
    """One definition table: its key column and how its rows and its values become each other."""

    table: Table
    key: str
    from_row: Callable[[Row], Value]
    to_row: Callable[[Value], dict[str, object]]

    def rows(self, connection: Connection, keys: Collection[str] | None = None) -> Iterator[RowMapping]:
        """The rows with these keys, in no order; `None` means all of them."""
        statement = self._select(connection)
        if keys is None:
            yield from connection.execute(statement).mappings()
            return
        wanted = sorted(keys)
        for start in range(0, len(wanted), BATCH):
            batch = wanted[start : start + BATCH]
            yield from connection.execute(statement.where(self.table.c[self.key].in_(batch))).mappings()

    def get(self, connection: Connection, key: str) -> Value | None:
        """The value with this key; RulesError when its row cannot be read as one."""
        statement = self._select(connection).where(self.table.c[self.key] == key)
        if connection.get_execution_options().get(HOLDS):
            statement = statement.with_for_update(key_share=True)
        row = connection.execute(statement).mappings().one_or_none()
        return None if row is None else self.from_row(row)

    def page(self, connection: Connection, after: str | None, limit: int, *only: ColumnElement[bool]) -> list[Value]:
        """The first `limit` readable values with a key above `after`, by key; shorter only at the end of the table.

        `only` are conditions that all hold for a row, or it is left out.
        """
        values: list[Value] = []
        while len(values) < limit:
            rows = self._rows_after(connection, after, limit, only)
            values += self._readable(rows)
            if len(rows) < limit:
                break
            after = rows[-1][self.key]
        return values[:limit]

    def put(self, connection: Connection, value: Value) -> Value:
        """Insert or update by key; what already stands there is left alone, version and all. As stored afterwards.

        Raises RulesError for text no database takes; a value the CHECKs refuse raises SQLAlchemy's IntegrityError.
        """
        written = self._written(value)
        key = str(written[self.key])
        stored = next(self.rows(connection, [key]), None)
        if stored is not None and self._same(stored, value):
            return self.from_row(stored)
        upsert(connection, self.table, [self._bound(written)], key=[self.key])
        return self.from_row(next(self.rows(connection, [key])))

    def put_all(self, connection: Connection, values: Iterable[Value]) -> None:
        """Insert or update many by key in one statement, whether they differ or not. Raises as `put` does."""
        upsert(connection, self.table, [self._bound(self._written(value)) for value in values], key=[self.key])

    def delete(self, connection: Connection, key: str) -> bool:
        """Whether there was such a row to delete; IntegrityError while another definition refers to it."""
        return connection.execute(self.table.delete().where(self.table.c[self.key] == key)).rowcount > 0

    def _select(self, connection: Connection) -> Select[*tuple[Any, ...]]:
        dialect = connection.dialect.name
        return select(*(loose(column, dialect) for column in self.table.c if column.name not in UNREAD))

    def _rows_after(
        self, connection: Connection, after: str | None, limit: int, only: Iterable[ColumnElement[bool]]
    ) -> list[RowMapping]:
        key = self.table.c[self.key]
        statement = self._select(connection).where(*only).order_by(key).limit(limit)
        if after is not None:
            statement = statement.where(key > after)
        return list(connection.execute(statement).mappings())

    def _readable(self, rows: list[RowMapping]) -> Iterator[Value]:
        for row in rows:
            try:
                yield self.from_row(row)
            except RulesError:
                continue  # The definition feed reports it, with its key and the reason.

    def _same(self, stored: RowMapping, value: Value) -> bool:
        try:
            found = self.from_row(stored)
        except RulesError:
            return False
        return self.to_row(found) == self.to_row(value)

    def _written(self, value: Value) -> dict[str, object]:
        written = self.to_row(value)
        for name, content in written.items():
            _refuse_unstorable(name, content)
        return written

    def _bound(self, written: Mapping[str, object]) -> dict[str, object]:
        """The columns as parameters: in a JSON column, None would be written as JSON's own null."""
        absent = {name: null() for name, content in written.items() if content is None and _is_json(self.table.c[name])}
        return {**written, **absent}


def _is_json(column: Column[Any]) -> bool:
    return isinstance(column.type, JSON)


_UNSTORABLE: Final = re.compile("[\0\ud800-\udfff]")


def _refuse_unstorable(name: str, content: object) -> None:
    """NUL and lone surrogates fit in a Python text and in JSON, but not in PostgreSQL."""
    if isinstance(content, str):
        if _UNSTORABLE.search(content):
            raise RulesError(f"{name} holds {ascii(content)[:80]}; take out NUL and broken Unicode", field=name)
    elif isinstance(content, Mapping):
        for key, item in content.items():
            _refuse_unstorable(name, key)
            _refuse_unstorable(f"{name}.{key}", item)
    elif isinstance(content, list):
        for item in content:
            _refuse_unstorable(name, item)
