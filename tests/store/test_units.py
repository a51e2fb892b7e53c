"""Evaluation units: a slot is committed under the right and over the state it was evaluated with, or not at all."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from engine.core.scheduling import Schedule
from engine.store import nodes, units
from engine.store.database import Database
from engine.store.units import Unit

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
SCHEDULE = Schedule(datasource="default", interval=MINUTE, query_offset=timedelta(0), phase=timedelta(0))


@pytest.fixture
def unit(database: Database) -> Unit:
    """A unit that a/1 holds and that is due."""
    with database.write() as connection:
        units.add(connection, [SCHEDULE], NOON)
        assert units.hand_over(connection, {SCHEDULE.id: "a/1"}, {SCHEDULE.id: None}) == 1
        (found,) = units.due(connection, "a/1", NOON + MINUTE)
    return found


def commit(database: Database, unit: Unit, slot: datetime) -> bool:
    with database.write() as connection:
        assert units.holds(connection, unit) is units.commit_slot(connection, unit, slot=slot, missed=0, state=b"")
        return units.by_id(connection, [unit.id])[unit.id].last_slot == slot


def test_a_slot_is_committed_once(database: Database, unit: Unit) -> None:
    assert commit(database, unit, NOON)
    with database.write() as connection:
        # The same evaluation again, as by a process whose first commit was carried out after it had given up on it.
        assert not units.holds(connection, unit)
        assert not units.commit_slot(connection, unit, slot=NOON + MINUTE, missed=0, state=b"")
    assert commit(database, replace(unit, last_slot=NOON), NOON + MINUTE)


def test_a_stale_term_writes_nothing(database: Database, unit: Unit) -> None:
    with database.write() as connection:
        assert units.hand_over(connection, {unit.id: "b/1"}, {unit.id: "a/1"}) == 1
        assert not units.holds(connection, unit)
        assert not units.commit_slot(connection, unit, slot=NOON, missed=0, state=b"")
        assert units.due(connection, "a/1", NOON + MINUTE) == []


def test_a_unit_whose_holder_changed_meanwhile_is_left_alone(database: Database, unit: Unit) -> None:
    with database.write() as connection:
        assert units.hand_over(connection, {unit.id: "c/1"}, {unit.id: "b/1"}) == 0


def test_a_clock_that_was_set_back_makes_units_due_at_once_and_fences_who_is_at_work(
    database: Database, unit: Unit
) -> None:
    assert commit(database, unit, NOON)
    with database.write() as connection:
        assert units.wind_back(connection, NOON) == []
        earlier = NOON - timedelta(hours=1)
        assert units.wind_back(connection, earlier) == [unit.id]
        (again,) = units.due(connection, "a/1", earlier)
        assert (again.last_slot, again.term) == (None, unit.term + 1)


def test_a_process_is_lost_when_it_is_silent_and_has_not_left(database: Database) -> None:
    lease = timedelta(seconds=15)
    with database.write() as connection:
        for name in ("a", "b"):
            nodes.register(connection, name, now=NOON, lease=lease, address="", does=())
        nodes.leave(connection, "b", 1, now=NOON)
        later = NOON + lease
        found = {node.id: (node.is_alive(NOON), node.is_lost(later)) for node in nodes.every(connection)}
        assert found == {"a": (True, True), "b": (False, False)}
        assert nodes.forget(connection, later) == 1
