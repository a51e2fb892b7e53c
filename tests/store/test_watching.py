"""On SQLite an edit by anybody wakes who watches the file, and a file in which nothing happens costs one number."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, text

from engine.store.database import Database
from engine.store.watching import Watcher, watched_log


class Watched:
    """A watcher that has looked once; `woken` counts its wakes, `read` the transactions it began since."""

    def __init__(self, database: Database, **options: Any) -> None:
        self.database = database
        self.woken = 0
        self.watcher = Watcher(database, self._wake, **options)
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


def test_an_edit_of_this_process_wakes_again(watched: Watched) -> None:
    before = watched.woken
    with watched.database.write() as connection:
        connection.execute(text("UPDATE channels SET team = team || 'x' WHERE name = 'slack'"))
    watched.watcher.tick()
    assert watched.woken == before + 1


def test_a_commit_that_is_no_edit_wakes_nobody(watched: Watched) -> None:
    with watched.database.write() as connection:
        connection.execute(text("UPDATE severities SET rank = rank"))
        connection.execute(text("INSERT INTO channel_state (channel) VALUES ('slack')"))
    before = watched.woken
    watched.watcher.tick()
    assert watched.woken == before


def test_nothing_is_read_of_a_file_in_which_nothing_happens(watched: Watched) -> None:
    for _ in range(3):
        watched.watcher.tick()
    assert watched.read == 0
    assert watched.woken == 1


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says when a file is written to")
def test_an_edit_ends_the_wait(sqlite: Database) -> None:
    watched = Watched(sqlite, attention=timedelta(minutes=1))
    file = str(watched.database.file)
    command = "sleep 0.2; sqlite3 \"$0\" \"UPDATE channels SET team = 'x' WHERE name = 'slack'\""
    with subprocess.Popen(["sh", "-c", command, file]) as shell:
        while watched.woken < 2:  # A look may come before the end of the commit.
            watched.watcher.tick()
    assert shell.returncode == 0
    watched.watcher.close()


def test_a_stop_ends_the_wait(sqlite: Database) -> None:
    watched = Watched(sqlite, attention=timedelta(minutes=1))
    watched.watcher.rouse()
    watched.watcher.tick()
    assert watched.woken == 1
    watched.watcher.close()


def test_where_nobody_says_when_it_is_written_to_the_file_is_looked_at(sqlite: Database) -> None:
    watched = Watched(sqlite, log_of=lambda _file: None)
    test_an_edit_at_a_shell_wakes(watched)
    test_an_edit_of_this_process_wakes_again(watched)
    watched.watcher.close()


def test_a_log_that_was_replaced_is_watched_anew(tmp_path: Path) -> None:
    file = tmp_path / "some.db"
    assert watched_log(file) is None
    beside = tmp_path / "some.db-wal"
    beside.write_bytes(b"")
    log = watched_log(file)
    assert log is not None
    beside.write_bytes(b"x")
    assert log.is_still_there()
    beside.unlink()
    assert not log.is_still_there()
    log.close()


def test_it_takes_no_connection_of_the_pool(watched: Watched) -> None:
    assert watched.database.engine.pool.checkedout() == 0  # type: ignore[attr-defined]  # Every pool we use has it.


def test_closed_it_can_be_used_again(watched: Watched) -> None:
    watched.watcher.close()
    watched.watcher.tick()
    assert watched.woken == 1
