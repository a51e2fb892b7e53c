"""A flush and the end of a message take rows in one order, so that on PostgreSQL neither is ever the victim of a deadlock.

What moves alerts from group to group cannot keep to an order: it gives way.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from functools import partial

import pytest
from sqlalchemy import text

from engine.clock import SystemClock
from engine.conclusions import Conclusion, conclude
from engine.core.flush import Target
from engine.core.grouping import Placement
from engine.core.notifying import Told
from engine.core.outcome import Failed, FailureReason
from engine.store import flushes, groups, moving, schema
from engine.store.database import Database, connect
from engine.store.door import CONFLICTS
from engine.store.groups import Standing
from engine.store.outbox import Parcel
from engine.store.tables import alert_groups
from rules.labels import Labels
from rules.routing import Policy
from tests.peers.postgres_server import PostgresServer
from tests.store.messages import NOON, group, message

SLACK = Target("slack")
FIRST, SECOND = (Told(firing=frozenset(numbers), at=NOON) for numbers in ({1}, {1, 2}))


@pytest.fixture
def shared(postgres: PostgresServer) -> Iterator[Database]:
    opened = connect(postgres.create_database(), SystemClock())
    schema.upgrade(opened.engine)
    yield opened
    opened.close()


def parcel(group_id: int, number: int) -> Parcel:
    return Parcel(
        id=number,
        facts_id=1,
        group_id=group_id,
        target=SLACK,
        reason="first notification",
        attempts=1,
        created_at=NOON,
        told={"firing": [1]},
        rendered=None,
    )


def give_up(database: Database, one: Parcel) -> list[str]:
    """A sender writes that this message is refused for good."""
    refused = Failed(reason=FailureReason.REFUSED, detail="no such channel", retryable=False)
    with database.write() as connection:
        ended = [Conclusion(parcel=one, outcome=refused, channel=None)]
        return conclude(connection, ended, "here", NOON + timedelta(minutes=2))


def wait_for_one_that_waits(database: Database, ended: Future[list[str]]) -> None:
    waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
    while not ended.done():
        with database.read() as connection:
            if connection.execute(waiting).scalar_one():
                return
    raise AssertionError(f"it waited for nobody: {ended.result()}")


@pytest.mark.peer("postgresql")
def test_a_message_that_dies_while_its_group_is_flushed_waits_for_the_flush(shared: Database) -> None:
    number = group(shared, "a", [])
    one = parcel(number, message(shared, number, status="pending", firing=[1]))
    with shared.write() as connection:
        connection.execute(text("UPDATE outbox SET holder = 'here', attempts = 1, lease_until = now() + interval '1h'"))
        connection.execute(text("UPDATE alert_groups SET flush_at = now() - interval '1h'"))
        groups.save(connection, number, SLACK, Standing(decided=FIRST))
    with ThreadPoolExecutor(1) as sender:
        with shared.write() as flush:
            (due,) = flushes.lock(flush, [number], SystemClock().now())
            ended = sender.submit(give_up, shared, one)
            wait_for_one_that_waits(shared, ended)
            flushes.save_decided(flush, {due.id: {SLACK: (SECOND, "new alerts added")}})
        assert ended.result(timeout=30) == ["dead"]
    with shared.read() as connection:
        # No message says it any more, so nothing of it counts as told, and the group is flushed again.
        assert groups.standings(connection, number)[SLACK].decided == Told()


DB = Placement(policy=Policy(route_id="root", receiver="ops"), labels=Labels({"team": "db"}))


def goes_to_db(database: Database, number: int) -> bool:
    """The group goes there as a whole, unless a busy one stands there."""
    with moving.giving_way(database) as connection:
        moving.exclude_others(connection)
        chosen = moving.lock(connection, number)
        assert chosen is not None
        return moving.become(connection, chosen, DB, NOON)


@pytest.mark.peer("postgresql")
@pytest.mark.parametrize("what", ["is held", "is being made"])
def test_a_move_gives_way_where_somebody_has_the_place_it_goes_to(shared: Database, what: str) -> None:
    number = group(shared, "a", [])
    with shared.write() as connection:
        connection.execute(text("UPDATE alert_groups SET flush_at = now()"))
    if what == "is held":
        group(shared, DB.labels_hash, [])
    with shared.write() as other:
        if what == "is held":
            other.execute(text("UPDATE alert_groups SET flush_at = now() WHERE id <> :it"), {"it": number})
        else:
            made = {
                "route_id": "root",
                "labels_hash": DB.labels_hash,
                "labels": {},
                "dedup_key": "k",
                "created_at": NOON,
            }
            other.execute(alert_groups.insert().values(flush_at=NOON, **made))
        with pytest.raises(moving.ContendedError):
            goes_to_db(shared, number)
    assert not goes_to_db(shared, number)


@pytest.mark.peer("postgresql")
def test_one_at_a_time_moves_alerts(shared: Database) -> None:
    number = group(shared, "a", [])
    with shared.write() as connection:
        connection.execute(text("UPDATE alert_groups SET flush_at = now()"))
    with moving.giving_way(shared) as other:
        moving.exclude_others(other)
        with pytest.raises(moving.ContendedError):
            goes_to_db(shared, number)
    assert goes_to_db(shared, number)


@pytest.mark.peer("postgresql")
def test_a_place_that_somebody_took_meanwhile_is_contended_and_any_other_broken_key_an_error(shared: Database) -> None:
    number = group(shared, DB.labels_hash, [])
    twin = alert_groups.insert().values(
        route_id="root", labels_hash=DB.labels_hash, labels={}, dedup_key="k", created_at=NOON
    )
    with pytest.raises(moving.ContendedError), moving.giving_way(shared) as connection:
        connection.execute(twin)
    with pytest.raises(CONFLICTS), moving.giving_way(shared) as connection:
        connection.execute(twin.values(id=number, labels_hash="another"))


@pytest.mark.peer("postgresql")
def test_the_loser_of_a_deadlock_is_contended(shared: Database) -> None:
    first, second = (group(shared, name, []) for name in "ab")
    taking = text("SELECT 1 FROM alert_groups WHERE id = :it FOR UPDATE")

    def take(other: threading.Barrier, mine: int, theirs: int) -> str:
        try:
            with moving.giving_way(shared) as connection:
                connection.execute(taking, {"it": mine})
                other.wait(30)
                connection.execute(taking, {"it": theirs})
        except moving.ContendedError:
            return "gave way"
        return "took both"

    both = threading.Barrier(2)
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(partial(take, both), (first, second), (second, first)))
    assert sorted(found) == ["gave way", "took both"]
