"""CPU seconds out of /proc, and what they come to in a cycle."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from datetime import timedelta

import pytest

from benchmarks.cpu import measure, per_cycle, seconds_used, typical, usage

STAT = "4242 ({name}) S 1 4242 4242 0 -1 4194304 900 0 0 0 250 50 7 9 20 0 12 0 99 1000 200 18446744073709551615"
BURN = "import time\nend = time.process_time() + 0.05\nwhile time.process_time() < end: pass"


@pytest.mark.parametrize("name", ["prometheus", "a b", "tricky) S 1 (", ""])
def test_user_and_system_time_are_read_whatever_the_program_is_called(name: str) -> None:
    assert seconds_used(STAT.format(name=name), 100) == 3.0
    assert seconds_used(STAT.format(name=name), 100, reaped=True) == 3.16


def test_time_burnt_by_this_process_is_seen() -> None:
    before, until = usage({"me": os.getpid()}), time.process_time() + 0.05
    while time.process_time() < until:
        pass
    assert usage({"me": os.getpid()})["me"] > before["me"]


def test_time_burnt_by_a_child_is_seen_while_it_runs_and_when_it_has_ended() -> None:
    before = usage({"me": os.getpid()})["me"]
    child = subprocess.Popen([sys.executable, "-c", f"{BURN}\ninput()"], stdin=subprocess.PIPE)
    deadline = time.monotonic() + 30
    while usage({"child": child.pid})["child"] < 0.05 and time.monotonic() < deadline:
        time.sleep(0.01)
    running = usage({"me": os.getpid()})["me"]
    child.communicate(b"\n")
    assert before + 0.05 <= running <= usage({"me": os.getpid()})["me"]


def test_usage_between_two_readings_is_shared_among_the_cycles() -> None:
    assert per_cycle({"a": 10.0, "b": 1.0}, {"a": 16.0, "b": 1.0}, 3) == {"a": 2.0, "b": 0.0}


def test_one_repeat_that_was_disturbed_does_not_count() -> None:
    assert typical([{"a": 1.0, "b": 5.0}, {"a": 90.0, "b": 4.0}, {"a": 2.0, "b": 60.0}]) == {"a": 2.0, "b": 5.0}


def test_repeats_follow_each_other_without_a_gap() -> None:
    readings = iter([{"a": at * 1.0} for at in (0, 2, 6)])
    waited: list[timedelta] = []
    costs = measure(lambda: next(readings), waited.append, interval=timedelta(seconds=10), cycles=2, repeats=2)
    assert waited == [timedelta(seconds=20)] * 2
    assert costs == [{"a": 1.0}, {"a": 2.0}]
