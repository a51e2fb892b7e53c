"""On PostgreSQL an edit wakes who listens at once; a server that goes away and comes back is listened to again."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import text

from engine.clock import SystemClock
from engine.loop import Loop
from engine.store import schema
from engine.store.database import Database, connect
from engine.store.listening import Listener
from engine.telemetry import Metrics
from tests.peers.postgres_server import PostgresServer

SOON = timedelta(seconds=30)

pytestmark = pytest.mark.peer("postgresql")


class Ear:
    """A listener in a loop of its own, as in the engine; `woken` is set when it heard something."""

    def __init__(self, database: Database) -> None:
        self.woken, self.died, self.failed = threading.Event(), threading.Event(), threading.Event()
        self.listener = Listener(database, self.woken.set)
        self.loop = Loop(
            "listener",
            self.listener.tick,
            wake=threading.Event(),
            clock=SystemClock(),
            metrics=Metrics(),
            listen=lambda failure: self.failed.set() if failure is not None else None,
            died=self.died.set,
        )

    def await_wake(self) -> None:
        assert self.woken.wait(SOON.total_seconds())
        self.woken.clear()

    def end(self) -> None:
        self.loop.stop()
        self.listener.rouse()
        assert self.loop.join(SOON)
        self.listener.close()
        assert not self.died.is_set()


@pytest.fixture
def ear(postgresql: Database) -> Iterator[Ear]:
    """Listening, with its first wake (for what came before) behind it."""
    ear = Ear(postgresql)
    ear.loop.start()
    ear.await_wake()
    yield ear
    ear.end()


def edit(database: Database) -> None:
    with database.write() as connection:
        connection.execute(text("UPDATE channels SET team = team || 'x' WHERE name = 'slack'"))


def test_an_edit_wakes_at_once_and_so_does_the_next(postgresql: Database, ear: Ear) -> None:
    for _ in range(3):
        edit(postgresql)
        ear.await_wake()
    assert not ear.failed.is_set()


def test_a_truncate_wakes(postgresql: Database, ear: Ear) -> None:
    with postgresql.write() as connection:
        connection.execute(text("TRUNCATE silences"))
    ear.await_wake()


def test_what_is_rolled_back_wakes_nobody(postgresql: Database) -> None:
    woken: list[bool] = []
    listener = Listener(postgresql, lambda: woken.append(True))
    listener.tick()
    with postgresql.engine.connect() as connection:
        connection.execute(text("TRUNCATE silences"))
        connection.rollback()
    listener.tick()  # What it says to itself is no edit.
    assert woken == [True]
    assert listener.hears
    edit(postgresql)
    listener.tick()
    assert woken == [True, True]
    listener.close()


def test_a_listener_takes_no_connection_of_the_pool(postgresql: Database, ear: Ear) -> None:
    with postgresql.read():
        assert postgresql.engine.pool.checkedout() == 1  # type: ignore[attr-defined]  # Every pool we use has it.


def test_what_others_say_to_themselves_wakes_nobody(postgresql: Database) -> None:
    woken: list[bool] = []
    listener, other = Listener(postgresql, lambda: woken.append(True)), Listener(postgresql, lambda: None)
    for _ in range(2):
        listener.tick()
    other.tick()
    listener.tick()
    assert woken == [True]
    listener.close()
    assert not listener.hears
    other.close()


def test_who_does_not_hear_himself_does_not_count_on_it(postgresql: Database) -> None:
    # As behind a pooler, which listens on one connection and hands out another.
    listener = Listener(postgresql, lambda: None, greets=False)
    for _ in range(2):
        listener.tick()
    assert not listener.hears
    listener.close()


def test_a_connection_that_is_cut_is_made_again(postgresql: Database, ear: Ear) -> None:
    with postgresql.write() as connection:
        listening = "FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND datname = current_database()"
        assert connection.execute(text(f"SELECT pg_terminate_backend(pid) {listening}")).scalars().all() == [True]
    ear.await_wake()
    assert ear.failed.is_set()
    edit(postgresql)
    ear.await_wake()


def test_a_server_that_restarts_is_listened_to_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TOCSIN_TEST_POSTGRES_URL", raising=False)  # One of our own, to stop and start.
    with PostgresServer() as server:
        database = connect(server.create_database(), SystemClock())
        schema.upgrade(database.engine)
        ear = Ear(database)
        ear.loop.start()
        ear.await_wake()
        server.stop()
        assert ear.failed.wait(SOON.total_seconds())
        server.start()
        ear.await_wake()
        edit(database)
        ear.await_wake()
        ear.end()
        database.close()
