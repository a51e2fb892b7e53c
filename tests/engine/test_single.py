"""One engine per SQLite file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engine.clock import SystemClock
from engine.single import AlreadyRunningError, Lock, lock_for
from engine.store.database import connect


def lock_of(url: str) -> Lock | None:
    return lock_for(connect(url, SystemClock()))


def test_a_second_engine_on_the_same_file_is_refused_and_the_first_is_named(tmp_path: Path) -> None:
    first, second = (lock_of(f"sqlite:///{tmp_path}/a.db") for _ in range(2))
    assert first is not None
    assert second is not None
    first.acquire()
    with pytest.raises(AlreadyRunningError, match=f"process {os.getpid()}"):
        second.acquire()
    first.release()
    second.acquire()
    second.release()


def test_two_files_are_two_engines(tmp_path: Path) -> None:
    locks = [lock_of(f"sqlite:///{tmp_path}/{name}.db") for name in "ab"]
    for lock in locks:
        assert lock is not None
        lock.acquire()
    for lock in locks:
        assert lock is not None
        lock.release()


def test_processes_share_a_postgresql() -> None:
    assert lock_of("postgresql://user@host/name") is None


def test_a_bare_path_is_an_sqlite_file(tmp_path: Path) -> None:
    assert lock_of(str(tmp_path / "a.db")) is not None
