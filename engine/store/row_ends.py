"""From which row number to which a table goes, by its primary key alone."""

from __future__ import annotations

from sqlalchemy import Connection, Table, func, select


def row_ends(connection: Connection, table: Table) -> tuple[int, int] | None:
    """The first and the last row number; `None` where there is no row.

    As two questions: asked for both at once, SQLite reads every row.
    """
    first = select(func.min(table.c.id)).scalar_subquery()
    last = select(func.max(table.c.id)).scalar_subquery()
    ends = connection.execute(select(first, last)).one()
    return None if ends[0] is None else (int(ends[0]), int(ends[1]))
