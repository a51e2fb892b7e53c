"""Rules by the thousand: what an import of rule files reads and writes, every statement for at most 500 of them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import islice
from typing import Final, TypeVar

from sqlalchemy import Connection, func, select

from engine.core.alert import State
from engine.store import rules
from engine.store.definition_table import BATCH, loose
from engine.store.tables import alert_rules, alerts, thresholds
from rules.rule import Rule

_PAGE: Final = 1000
_IMPORTS: Final = 0x746F6373
"""The number of the lock under which imports of several processes queue on PostgreSQL."""

T = TypeVar("T")


def every(connection: Connection, origin: str | None = None) -> Iterator[Rule]:
    """All readable rules, or those of one origin, by id."""
    only = None if origin is None else rules.Wanted(origin=origin)
    after: str | None = None
    while page := rules.page(connection, after=after, limit=_PAGE, only=only):
        yield from page
        after = page[-1].id


def origins(connection: Connection) -> dict[str, str]:
    """The origin of each rule there is, readable or not, by id."""
    dialect = connection.dialect.name
    columns = (loose(alert_rules.c.id, dialect), loose(alert_rules.c.origin, dialect))
    return {row.id: row.origin for row in connection.execute(select(*columns))}


def standing(connection: Connection, ids: Collection[str]) -> dict[str, tuple[str, int]]:
    """Origin and version of those of these rules that exist, by id."""
    found: dict[str, tuple[str, int]] = {}
    for some in batches(sorted(ids)):
        statement = select(alert_rules.c.id, alert_rules.c.origin, alert_rules.c.version)
        rows = connection.execute(statement.where(alert_rules.c.id.in_(some)))
        found |= {row.id: (row.origin, row.version) for row in rows}
    return found


def firing(connection: Connection, ids: Collection[str]) -> Mapping[str, int]:
    """How many alerts of each of these rules fire; rules without any are absent."""
    found: dict[str, int] = {}
    for some in batches(sorted(ids)):
        statement = select(alerts.c.source, func.count().label("count")).where(
            alerts.c.source.in_(some), alerts.c.state == State.FIRING
        )
        rows = connection.execute(statement.group_by(alerts.c.source))
        found |= {row.source: row[1] for row in rows}
    return found


def threshold_counts(connection: Connection) -> Mapping[str, int]:
    """How many threshold rows each rule has, by rule id; rules without any are absent."""
    statement = select(thresholds.c.rule_id, func.count()).group_by(thresholds.c.rule_id)
    return {row[0]: row[1] for row in connection.execute(statement)}


def take_turn(connection: Connection) -> None:
    """Let no other import write until this transaction ends; on SQLite writers queue anyway."""
    if connection.dialect.name != "sqlite":
        connection.execute(select(func.pg_advisory_xact_lock(_IMPORTS)))


def put_all(connection: Connection, values: Sequence[Rule]) -> None:
    """Store these rules under their ids."""
    for some in batches(values):
        rules.TABLE.put_all(connection, some)


def delete_all(connection: Connection, ids: Sequence[str]) -> None:
    """Delete these rules, and with each its threshold rows."""
    for some in batches(ids):
        connection.execute(alert_rules.delete().where(alert_rules.c.id.in_(some)))


def batches(values: Collection[T]) -> Iterator[list[T]]:
    """The values in their order, at most 500 at a time."""
    left = iter(values)
    while some := list(islice(left, BATCH)):
        yield some
