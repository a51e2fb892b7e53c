"""The loop driver: it ticks, survives failures, is heard of, and never dies in silence. Real threads, no sleeping."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta

from structlog.testing import capture_logs

from engine.clock import SystemClock
from engine.loop import FatalError, Loop
from engine.telemetry import Metrics

SOON = timedelta(seconds=20)


class Impatient(SystemClock):
    """Never waits, so that pauses cost the tests nothing."""

    def wait(self, event: threading.Event, span: timedelta) -> bool:
        return event.is_set()


class Heard:
    """What a loop told of itself."""

    def __init__(self) -> None:
        self.failures: list[Exception | None] = []
        self.died = threading.Event()


def loop(tick: Callable[[], datetime | None], heard: Heard) -> Loop:
    return Loop(
        "test",
        tick,
        wake=threading.Event(),
        clock=Impatient(),
        metrics=Metrics(),
        listen=heard.failures.append,
        died=heard.died.set,
    )


def after(count: int, done: threading.Event, *, fail_first: int = 0) -> Callable[[], None]:
    """A tick that sets `done` the `count`-th time, and raises the first few times."""
    seen: list[int] = []

    def tick() -> None:
        seen.append(len(seen))
        if len(seen) >= count:
            done.set()
        if len(seen) <= fail_first:
            raise OSError("the database is away")

    return tick


def test_a_loop_ticks_until_it_is_stopped() -> None:
    done, heard = threading.Event(), Heard()
    running = loop(after(3, done), heard)
    running.start()
    assert done.wait(SOON.total_seconds())
    running.stop()
    assert running.join(SOON)
    assert not heard.died.is_set()


def test_a_failing_tick_is_heard_of_and_the_loop_goes_on() -> None:
    done, heard = threading.Event(), Heard()
    running = loop(after(5, done, fail_first=2), heard)
    running.start()
    assert done.wait(SOON.total_seconds())
    running.stop()
    assert running.join(SOON)
    assert [type(failure) for failure in heard.failures[:3]] == [OSError, OSError, type(None)]


def test_a_fatal_error_ends_the_thread_and_says_so() -> None:
    heard = Heard()

    def tick() -> None:
        raise FatalError("another process runs as this node")

    running = loop(tick, heard)
    running.start()
    assert running.join(SOON)
    assert heard.died.is_set()


def test_a_woken_loop_does_not_wait_for_its_pause() -> None:
    done, heard = threading.Event(), Heard()
    running = Loop(
        "test",
        after(2, done),
        wake=threading.Event(),
        clock=SystemClock(),
        metrics=Metrics(),
        listen=heard.failures.append,
        died=heard.died.set,
    )
    running.start()
    running.wake.set()
    assert done.wait(SOON.total_seconds())
    running.stop()
    assert running.join(SOON)


class Noting(Impatient):
    """Notes how long it was to wait."""

    def __init__(self) -> None:
        self.spans: list[timedelta] = []

    def wait(self, event: threading.Event, span: timedelta) -> bool:
        self.spans.append(span)
        return super().wait(event, span)


def test_a_loop_that_nobody_waits_for_pauses_for_as_long_as_it_may() -> None:
    done, heard, clock = threading.Event(), Heard(), Noting()
    running = Loop(
        "test",
        after(3, done),
        wake=threading.Event(),
        clock=clock,
        metrics=Metrics(),
        listen=heard.failures.append,
        died=heard.died.set,
        longest=lambda: timedelta(seconds=3),
    )
    running.start()
    assert done.wait(SOON.total_seconds())
    running.stop()
    assert running.join(SOON)
    assert set(clock.spans) == {timedelta(seconds=3)}


def test_an_outage_is_logged_less_and_less_often() -> None:
    done, heard = threading.Event(), Heard()
    with capture_logs() as lines:
        running = loop(after(70, done, fail_first=69), heard)
        running.start()
        assert done.wait(SOON.total_seconds())
        running.stop()
        assert running.join(SOON)
    told = [line["failures"] for line in lines if line["event"] == "loop still failing"]
    assert told == [2, 4, 8, 16, 32, 64]
