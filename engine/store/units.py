"""Evaluation units: what is evaluated together, when it is next due, who holds it, and what its last slot left behind.

A unit is (datasource, interval, query_offset, phase). A write-back carries the term under which the unit was claimed, so a
process that lost the unit while it was paused matches no row.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, Connection, RowMapping, and_, bindparam, delete, select, update

from engine.core.scheduling import Schedule
from engine.store.tables import evaluation_units
from engine.store.upsert import insert

JITTER: Final = timedelta(seconds=1)
"""By how much a clock may waver without having been set back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """A unit as stored. `last_slot` None: never evaluated. `state` is the blob its last evaluation wrote."""

    schedule: Schedule
    due_at: datetime
    last_slot: datetime | None
    holder: str | None
    term: int
    missed_slots: int
    state: bytes | None

    @property
    def id(self) -> str:
        return self.schedule.id


def add(connection: Connection, schedules: Iterable[Schedule], now: datetime) -> None:
    """Make the units that do not exist yet; each is first due at its next slot."""
    rows = [
        {
            "id": schedule.id,
            "datasource": schedule.datasource,
            "interval_seconds": schedule.interval.total_seconds(),
            "query_offset_seconds": schedule.query_offset.total_seconds(),
            "phase_seconds": schedule.phase.total_seconds(),
            "due_at": schedule.next_slot(now),
        }
        for schedule in schedules
    ]
    if rows:
        connection.execute(insert(connection, evaluation_units).on_conflict_do_nothing(index_elements=["id"]), rows)


def remove(connection: Connection, ids: Collection[str]) -> None:
    """Drop units that no rule needs any more."""
    connection.execute(delete(evaluation_units).where(evaluation_units.c.id.in_(list(ids))))


def ids(connection: Connection) -> frozenset[str]:
    """The ids of all units."""
    return frozenset(connection.execute(select(evaluation_units.c.id)).scalars())


def holders(connection: Connection) -> dict[str, str | None]:
    """Every unit with who holds it, alive or not."""
    query = select(evaluation_units.c.id, evaluation_units.c.holder)
    return {row.id: row.holder for row in connection.execute(query)}


def hand_over(connection: Connection, moves: Mapping[str, str], held: Mapping[str, str | None]) -> int:
    """Give these units to their new holders, each under a new term; how many changed hands.

    One whose holder is no longer the one of `held` is left alone, and so is one that somebody is writing: a process that
    was stopped in the middle of a transaction must not keep the others from the rest. They take their turn next time.
    """
    query = select(evaluation_units.c.id, evaluation_units.c.holder).where(evaluation_units.c.id.in_(sorted(moves)))
    free = connection.execute(query.order_by(evaluation_units.c.id).with_for_update(skip_locked=True))
    moving = [{"unit": unit, "new": moves[unit]} for unit, holder in free if held[unit] == holder]
    if moving:
        giving = update(evaluation_units).where(evaluation_units.c.id == bindparam("unit"))
        connection.execute(giving.values(holder=bindparam("new"), term=evaluation_units.c.term + 1), moving)
    return len(moving)


def wind_back(connection: Connection, now: datetime) -> list[str]:
    """Make due at once what is due later than its interval allows, because the clock was set back; which units.

    Without that nobody would evaluate them until the clock has come again where it was.
    """
    query = select(evaluation_units.c.id, evaluation_units.c.due_at, evaluation_units.c.interval_seconds)
    ahead = connection.execute(query.where(evaluation_units.c.due_at > now))
    late = [unit for unit, due_at, interval in ahead if due_at - now > timedelta(seconds=interval) + JITTER]
    if late:
        # The next evaluation is then the unit's first: no slot of the time that was taken back counts as missed.
        again = update(evaluation_units).where(evaluation_units.c.id.in_(late))
        connection.execute(again.values(due_at=now, last_slot=None, term=evaluation_units.c.term + 1))
    return late


_DUE: Final = (
    select(evaluation_units)
    .where(evaluation_units.c.holder == bindparam("holder"), evaluation_units.c.due_at <= bindparam("now"))
    .order_by(evaluation_units.c.due_at)
)
_NEXT_DUE: Final = (
    select(evaluation_units.c.due_at)
    .where(evaluation_units.c.holder == bindparam("holder"), evaluation_units.c.due_at > bindparam("now"))
    .order_by(evaluation_units.c.due_at)
    .limit(1)
)


def due(connection: Connection, holder: str, now: datetime) -> list[Unit]:
    """The units this process holds that are due, the longest waiting first."""
    return [_from_row(row) for row in connection.execute(_DUE, {"holder": holder, "now": now}).mappings()]


def next_due(connection: Connection, holder: str, now: datetime) -> datetime | None:
    """When the next unit of this process is due that is not due yet."""
    return connection.execute(_NEXT_DUE, {"holder": holder, "now": now}).scalar_one_or_none()


def _as_it_was() -> ColumnElement[bool]:
    """The row, while nobody has written it since: neither another process under a later term, nor this one's own commit
    whose answer was lost with its connection, and which the server carried out after the unit was read again.
    """
    same = evaluation_units.c.last_slot.is_not_distinct_from(bindparam("was_last_slot"))
    held = evaluation_units.c.term == bindparam("was_term")
    return and_(evaluation_units.c.id == bindparam("unit"), held, same)


# Made once: putting a statement together takes longer than carrying it out, and this is done at every slot.
_HOLDS: Final = select(evaluation_units.c.id).where(_as_it_was()).with_for_update()
_COMMIT: Final = (
    update(evaluation_units)
    .where(_as_it_was())
    .values(
        last_slot=bindparam("slot"),
        due_at=bindparam("next_slot"),
        missed_slots=evaluation_units.c.missed_slots + bindparam("missed"),
        state=bindparam("blob"),
    )
)


def holds(connection: Connection, unit: Unit) -> bool:
    """Whether the unit is still held under the term it was claimed with, and as it was; locks the row on PostgreSQL."""
    return connection.execute(_HOLDS, _was(unit)).first() is not None


def commit_slot(connection: Connection, unit: Unit, *, slot: datetime, missed: int, state: bytes) -> bool:
    """Note the slot as evaluated; False when the unit was lost meanwhile (nothing is written then)."""
    written = {"slot": slot, "next_slot": unit.schedule.next_slot(slot), "missed": missed, "blob": state}
    return connection.execute(_COMMIT, {**_was(unit), **written}).rowcount == 1


def _was(unit: Unit) -> dict[str, object]:
    return {"unit": unit.id, "was_term": unit.term, "was_last_slot": unit.last_slot}


def by_id(connection: Connection, unit_ids: Collection[str]) -> dict[str, Unit]:
    """These units, where they exist."""
    query = select(evaluation_units).where(evaluation_units.c.id.in_(list(unit_ids)))
    return {unit.id: unit for unit in map(_from_row, connection.execute(query).mappings())}


def _from_row(row: RowMapping) -> Unit:
    return Unit(
        schedule=Schedule.of_seconds(
            datasource=row["datasource"],
            interval=row["interval_seconds"],
            query_offset=row["query_offset_seconds"],
            phase=row["phase_seconds"],
        ),
        due_at=row["due_at"],
        last_slot=row["last_slot"],
        holder=row["holder"],
        term=row["term"],
        missed_slots=row["missed_slots"],
        state=row["state"],
    )
