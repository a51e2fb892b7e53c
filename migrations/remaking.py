"""A definition table that has got a column: its triggers on SQLite are made anew, so that they record and follow that too.

PostgreSQL's triggers take a row as it is. SQLite's name every column, and were made before this one was there.
"""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from migrations import change_triggers

_KINDS = ((sa.JSON, "json"), (sa.Boolean, "boolean"), (sa.Float, "float"))


def add_columns(table: str, columns: Sequence[str]) -> None:
    """Add columns, each given as SQL that both databases understand: a table cannot be altered otherwise without a copy."""
    for column in columns:
        op.get_bind().exec_driver_sql(f"ALTER TABLE {table} ADD COLUMN {column}")


def remake_triggers(table: str, key: str, instants: Sequence[str] = ()) -> None:
    """Make the triggers of the table anew for the columns it has now."""
    connection = op.get_bind()
    if connection.dialect.name == "postgresql":
        return
    columns = {
        column["name"]: next((kind for type_, kind in _KINDS if isinstance(column["type"], type_)), "other")
        for column in sa.inspect(connection).get_columns(table)
    }
    made = change_triggers.Definition(table=table, key=key, columns=columns, instants=instants)
    for statement in (*change_triggers.sqlite_dropped(table), *change_triggers.sqlite_statements(made)):
        connection.exec_driver_sql(statement)


def replace_in_table(table: str, old: str, new: str) -> None:
    """Make the table anew on SQLite with `new` in place of `old` in its definition; its triggers have to be remade after that.

    SQLite can change no constraint in place; a copy under the old name is how its manual does it. No other table may
    refer to this one.
    """
    connection = op.get_bind()
    made = connection.exec_driver_sql("SELECT sql FROM sqlite_master WHERE type = 'table' AND name = ?", (table,))
    definition = str(made.scalar_one())
    if old not in definition:
        return
    copy = definition.replace(old, new).replace(f"CREATE TABLE {table}", f"CREATE TABLE {table}_made_anew", 1)
    connection.exec_driver_sql(copy)
    connection.exec_driver_sql(f"INSERT INTO {table}_made_anew SELECT * FROM {table}")
    connection.exec_driver_sql(f"DROP TABLE {table}")
    connection.exec_driver_sql(f"ALTER TABLE {table}_made_anew RENAME TO {table}")
