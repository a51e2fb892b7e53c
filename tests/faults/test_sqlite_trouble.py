"""A full disk, a read-only file, a file that another program has locked: SQLite's engine says so, waits, and loses nothing."""

from __future__ import annotations

import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from tests.faults.long import in_make_faults
from tests.peers.engine_process import EngineProcess
from tests.peers.processes import wait_until
from tests.peers.surroundings import HURRY, INSERT_RULE, Outside, Watched

pytestmark = [pytest.mark.peer("prometheus"), pytest.mark.timeout(240), in_make_faults]

SOON = timedelta(seconds=60)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small file system of its own."""
    place = tmp_path / "disk"
    place.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(place)], capture_output=True, check=False
    )
    if made.returncode:
        pytest.skip("needs the right to mount a file system")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def remount(disk: Path, mode: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{mode}", str(disk)], check=True)


def told(outside: Outside, *statuses: str) -> None:
    wait_until(lambda: outside.told_by_slack == list(statuses), what=f"{statuses} to be told", within=SOON)


def complained(engine: EngineProcess, words: str) -> None:
    engine.wait_for_log(words, within=SOON)


def test_an_engine_outlives_what_happens_to_its_file(watched: Watched, disk: Path, tmp_path: Path) -> None:
    place = disk / "tocsin.db"
    with Outside(watched, f"sqlite:///{place}", tmp_path) as outside, outside.engine() as engine:
        outside.sql(HURRY, INSERT_RULE.replace(', "pagerduty", "email"', ""))

        fill = disk / "others"
        with fill.open("wb", buffering=0) as others:
            try:
                while others.write(b"x" * 4096):
                    pass
            except OSError:
                pass
        outside.error_rate(27.4)
        complained(engine, "disk is full")
        assert engine.get("/health/live")[0] == 200
        fill.unlink()
        told(outside, "firing")

        with closing(sqlite3.connect(place, isolation_level=None, timeout=10)) as other:
            other.execute("BEGIN IMMEDIATE")
            outside.error_rate(0.5)
            complained(engine, "database is locked")
            other.execute("ROLLBACK")
        told(outside, "firing", "resolved")

        with closing(sqlite3.connect(place)) as looking:
            assert looking.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        engine.stop()


def test_a_file_that_cannot_be_written_ends_the_start_with_one_line(
    disk: Path, watched: Watched, tmp_path: Path
) -> None:
    place = disk / "tocsin.db"
    with Outside(watched, f"sqlite:///{place}", tmp_path) as outside:
        with outside.engine() as engine:
            outside.sql(HURRY, INSERT_RULE.replace(', "pagerduty", "email"', ""))
            engine.stop()
        remount(disk, "ro")
        refused = outside.engine()
        refused.spawn()
        assert refused.wait(SOON) == 1
        assert "tocsin: " in refused.log
        assert "Traceback" not in refused.log
        remount(disk, "rw")
        with outside.engine() as engine:
            outside.error_rate(27.4)
            told(outside, "firing")
            engine.stop()
