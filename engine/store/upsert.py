"""INSERT … ON CONFLICT DO UPDATE, which both databases have in the same words but SQLAlchemy keeps in two dialects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql import Insert as PostgresqlInsert
from sqlalchemy.dialects.sqlite import Insert as SqliteInsert

Insert = PostgresqlInsert | SqliteInsert


def insert(connection: Connection, table: Table) -> Insert:
    """An INSERT of the connection's dialect, whose `excluded` names the row that was refused."""
    return insert_in(connection.dialect.name, table)


def insert_in(dialect: str, table: Table) -> Insert:
    """The same for the dialect of this name."""
    return sqlite.insert(table) if dialect == "sqlite" else postgresql.insert(table)


def upsert(
    connection: Connection,
    table: Table,
    rows: Sequence[Mapping[str, Any]],
    *,
    key: Sequence[str],
    also: Mapping[str, ColumnElement[Any]] | None = None,
) -> None:
    """Insert the rows, or update every given column but `key` where the key exists; `also` overrides single columns."""
    if not rows:
        return
    statement = insert(connection, table)
    changed: dict[str, Any] = {name: statement.excluded[name] for name in rows[0] if name not in key}
    changed |= also or {}
    if changed:
        connection.execute(statement.on_conflict_do_update(index_elements=list(key), set_=changed), list(rows))
    else:
        connection.execute(statement.on_conflict_do_nothing(index_elements=list(key)), list(rows))
