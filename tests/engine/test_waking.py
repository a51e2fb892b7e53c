"""An edit is in force while every loop sleeps on: PostgreSQL tells, SQLite is watched, and the loops are woken."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from engine.clock import SystemClock
from engine.service import Doors, Service, build
from engine.settings import load
from tests.peers.postgres_server import PostgresServer
from tests.peers.processes import wait_until
from tests.peers.surroundings import postgres

__all__ = ["postgres"]

SOON = timedelta(seconds=30)


class SleepyClock(SystemClock):
    """By which no loop wakes on its own: the second between two looks becomes a minute."""

    def wait(self, event: threading.Event, span: timedelta) -> bool:
        return event.wait(60 if span > timedelta(milliseconds=500) else span.total_seconds())


def in_force(service: Service) -> int:
    """The newest change that the loops go by."""
    return int(service.metrics.registry.get_sample_value("tocsin_definition_version") or 0)


def edit(shell: psycopg.Connection | sqlite3.Connection) -> int:
    """The number under which the edit is recorded."""
    shell.execute("UPDATE channels SET team = team || 'x' WHERE name = 'slack'")
    row = shell.execute("SELECT max(id) FROM definition_changes").fetchone()
    assert row is not None
    return int(row[0])


def wait_for(service: Service, change: int) -> None:
    wait_until(lambda: in_force(service) >= change, what="the edit to be in force", within=SOON)


@pytest.mark.peer("postgresql")
def test_every_edit_is_in_force_although_no_loop_looks(postgres: PostgresServer, tmp_path: Path) -> None:
    url = postgres.create_database()
    service = build(load({"TOCSIN_DATABASE_URL": url}), Doors(clock=SleepyClock()))
    service.start()
    with psycopg.connect(url, autocommit=True) as shell:
        for _ in range(4):
            wait_for(service, edit(shell))
    service.stop()
    assert not service.failed.is_set()


def test_an_edit_typed_into_an_sqlite_file_is_in_force_although_no_loop_looks(tmp_path: Path) -> None:
    file = tmp_path / "tocsin.db"
    service = build(load({"TOCSIN_DATABASE_URL": f"sqlite:///{file}"}), Doors(clock=SleepyClock()))
    service.start()
    with closing(sqlite3.connect(file, timeout=30, isolation_level=None)) as shell:
        for _ in range(4):
            wait_for(service, edit(shell))
    service.stop()
    assert not service.failed.is_set()
