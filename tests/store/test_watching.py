"""On SQLite an edit by anybody wakes who watches the file, and a file in which nothing happens costs one number."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest
from sqlalchemy import event, text

from engine.store.database import Database
from engine.store.listening import Watcher


class Watched:
    """A watcher that has looked once; `woken` counts its wakes, `read` the transactions it began since."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.woken = 0
        self.watcher = Watcher(database, self._wake)
        self.watcher.tick()
        self.read = 0
        event.listen(database.engine, "begin", self._begun)

    def _wake(self) -> None:
        self.woken += 1

    def _begun(self, _connection: object) -> None:
        self.read += 1


@pytest.fixture
def watched(sqlite: Database) -> Iterator[Watched]:
    made = Watched(sqlite)
    yield made
    made.watcher.close()


def test_an_edit_of_this_process_wakes_once(watched: Watched) -> None:
    assert watched.woken == 1
    with watched.database.write() as connection:
        connection.execute(text("UPDATE channels SET team = team || 'x' WHERE name = 'slack'"))
    watched.watcher.tick()
    watched.watcher.tick()
    assert watched.woken == 2


def test_an_edit_at_a_shell_wakes(watched: Watched) -> None:
    with closing(sqlite3.connect(str(watched.database.file))) as shell, shell:
        shell.execute("UPDATE channels SET team = 'x' WHERE name = 'slack'")
    watched.watcher.tick()
    assert watched.woken == 2


def test_a_commit_that_is_no_edit_wakes_nobody(watched: Watched) -> None:
    with watched.database.write() as connection:
        connection.execute(text("UPDATE severities SET rank = rank"))
        connection.execute(text("INSERT INTO channel_state (channel) VALUES ('slack')"))
    before = watched.woken
    watched.watcher.tick()
    assert watched.woken == before


def test_nothing_is_read_of_a_file_in_which_nothing_happens(watched: Watched) -> None:
    for _ in range(5):
        watched.watcher.tick()
    assert watched.read == 0
    assert watched.woken == 1


def test_it_takes_no_connection_of_the_pool(watched: Watched) -> None:
    assert watched.database.engine.pool.checkedout() == 0  # type: ignore[attr-defined]  # Every pool we use has it.


def test_closed_it_can_be_used_again(watched: Watched) -> None:
    watched.watcher.close()
    watched.watcher.tick()
    assert watched.woken == 1
