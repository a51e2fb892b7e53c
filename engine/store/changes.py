"""Read `definition_changes`: what has changed since a mark, and what a row was before.

SQLite: writers queue, so ids commit in order and the mark is the highest id. PostgreSQL: a transaction may commit long
after one with higher ids, so the mark is the oldest transaction that was open at the last look; everything from there on
is read again and told apart by id. Both are one query over one index. Read in transactions that have changed no
definition themselves: a change that is rolled back afterwards would have been followed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import cache
from itertools import takewhile
from typing import Any, Final

from sqlalchemy import BigInteger, Connection, Select, Text, bindparam, cast, func, literal, select
from sqlalchemy.sql.elements import ColumnElement

from engine.store.definition_table import loose, writable
from engine.store.fields import Row
from engine.store.recorded import readable
from engine.store.tables import definition_changes as feed

EVERY_KEY: Final = ""
"""The key under which a truncate is recorded."""

REMEMBERED: Final = 20
"""How many versions of a row are looked through for a good one."""


class Operation(StrEnum):
    """What happened to a row; a truncate happened to the whole table."""

    INSERT = "insert"
    UPDATE = "update"
    DELETE = "delete"
    TRUNCATE = "truncate"

    @property
    def ends(self) -> bool:
        """Whether nothing from before it is left."""
        return self in (Operation.DELETE, Operation.TRUNCATE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """How far the feed has been read: the highest id, the oldest open transaction, and what was read of it and later ones.

    `read` gives the transaction of each change id.
    """

    id: int
    txid: int = 0
    read: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One recorded change of one row; a row whose key changed is recorded as deleted under the old one."""

    id: int
    table: str
    key: str
    operation: Operation


@dataclass(frozen=True, slots=True, kw_only=True)
class Touched:
    """What must be read again of one table: these keys, or all of it; of `ended` rows nothing is remembered."""

    keys: frozenset[str] = frozenset()
    ended: frozenset[str] = frozenset()
    whole: bool = False


def start(connection: Connection) -> Mark:
    """The mark to follow from; take it before the tables are read, so that nothing falls in between."""
    highest, oldest = connection.execute(
        select(func.coalesce(func.max(feed.c.id), 0), _oldest(connection.dialect.name))
    ).one()
    return since(connection, Mark(id=highest, txid=oldest))[1]


def since(connection: Connection, mark: Mark) -> tuple[list[Change], Mark]:
    """The changes not yet read, in order, and the mark to go on from."""
    dialect = connection.dialect.name
    rows = connection.execute(_unread(dialect), {"mark": mark.id if dialect == "sqlite" else mark.txid}).all()
    changes = [
        Change(id=row.id, table=row.table_name, key=writable(row.row_id), operation=Operation(row.operation))
        for row in rows
        if row.id not in mark.read
    ]
    oldest = max([mark.txid, *(row.oldest for row in rows)])
    read = {**mark.read, **{row.id: row.txid for row in rows}}
    return changes, Mark(
        id=max([mark.id, *(change.id for change in changes)]),
        txid=oldest,
        read={id_: txid for id_, txid in read.items() if txid >= oldest} if oldest else {},
    )


def touched(changes: Iterable[Change]) -> dict[str, Touched]:
    """What to read again, by table."""
    by_table: dict[str, list[Change]] = {}
    for change in changes:
        by_table.setdefault(change.table, []).append(change)
    return {table: _touched(of_table) for table, of_table in by_table.items()}


def versions(connection: Connection, table: str, key: str, *, until: datetime | None = None) -> list[Row] | None:
    """The row as it was recorded, newest first, at most 20 times and not from before it was last deleted.

    `until` is a moment to go back to. Empty when there was no row any more; `None` when nothing of it is recorded.
    """
    statement = (
        select(feed.c.row_id, feed.c.operation, loose(feed.c.after, connection.dialect.name))
        .where(feed.c.table_name == table, feed.c.row_id.in_([key, EVERY_KEY]))
        .order_by(feed.c.id.desc())
        .limit(REMEMBERED)
    )
    rows = connection.execute(statement if until is None else statement.where(feed.c.at <= until)).all()
    if all(row.row_id == EVERY_KEY for row in rows):
        return None
    standing = takewhile(lambda row: not Operation(row.operation).ends, rows)
    return [readable(table, row.after) for row in standing if isinstance(row.after, dict)]


def began_after(connection: Connection, table: str, key: str, moment: datetime) -> bool:
    """Whether the first change of this row that is recorded made it, and later than then."""
    own = feed.c.table_name == table, feed.c.row_id == key
    first = connection.execute(select(feed.c.operation, feed.c.at).where(*own).order_by(feed.c.id).limit(1)).first()
    return first is not None and Operation(first.operation) is Operation.INSERT and first.at > moment


def _touched(changes: Collection[Change]) -> Touched:
    return Touched(
        keys=frozenset(change.key for change in changes),
        ended=frozenset(change.key for change in changes if change.operation.ends),
        whole=any(change.operation is Operation.TRUNCATE for change in changes),
    )


@cache
def _unread(dialect: str) -> Select[*tuple[Any, ...]]:
    """The changes from `mark` on. Every loop asks this every second, and building the statement costs more than asking."""
    row_id, oldest = loose(feed.c.row_id, dialect), _oldest(dialect).label("oldest")
    statement = select(feed.c.id, feed.c.table_name, row_id, feed.c.operation, feed.c.txid, oldest).order_by(feed.c.id)
    if dialect == "sqlite":
        return statement.where(feed.c.id > bindparam("mark"))
    # A restored dump brings ids of transactions this server has yet to count up to; they are from before the mark.
    return statement.where(feed.c.txid >= bindparam("mark"), feed.c.txid < _counted("pg_snapshot_xmax"))


def _oldest(dialect: str) -> ColumnElement[int]:
    return literal(0) if dialect == "sqlite" else _counted("pg_snapshot_xmin")


def _counted(end: str) -> ColumnElement[int]:
    """A PostgreSQL transaction number as a bigint; there is no direct cast."""
    return cast(cast(getattr(func, end)(func.pg_current_snapshot()), Text), BigInteger)
