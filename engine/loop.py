"""A loop: a thread that calls `tick(now)` when something is due, when woken, and at least once a second (or what `longest` says).

A tick that raises is logged with its traceback and counted, and the loop goes on with growing pauses: the database may be
away for minutes. This is one of the two places where every exception is caught.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

import structlog

from engine.clock import Clock
from engine.telemetry import Metrics

LONGEST_PAUSE: Final = timedelta(seconds=1)
LONGEST_PAUSE_AFTER_FAILURE: Final = timedelta(seconds=5)


class FatalError(RuntimeError):
    """Raised by a tick when this process must not go on."""


Tick = Callable[[], datetime | None]
"""Does what is due and answers when the next thing is, `None` when nothing is known to be."""


def guarded(name: str, metrics: Metrics, work: Callable[[], object]) -> bool:
    """Do one piece of a loop's work in a pool's thread, where nobody would hear it fail; whether it went well."""
    try:
        work()
    except Exception as failure:
        metrics.loop_failures.labels(name).inc()
        structlog.get_logger("tocsin.loop").error("work failed, and will be tried again", loop=name, exc_info=failure)
        return False
    return True


def failure_of(work: Callable[[], object], *, but: tuple[type[Exception], ...]) -> Exception | None:
    """Do one piece of a loop's work that may fail by itself; what it failed with, `None` where it went well.

    `but` is raised: that is nothing the other pieces would be spared.
    """
    try:
        work()
    except Exception as failure:
        if isinstance(failure, (FatalError, *but)):
            raise
        return failure
    return None


class Loop:
    """Runs one tick again and again until stopped.

    `listen` hears of each tick: its failure, or `None`. `died` is called when the thread ends without having been stopped:
    the process must then go down loudly, for a supervisor to start it again. `now` is the time that a tick's answer is
    meant by, where that is not the host's: a host whose clock is wrong must neither sleep too long nor spin. What other
    processes may have left to do is found within the `longest` pause.
    """

    def __init__(
        self,
        name: str,
        tick: Tick,
        *,
        wake: threading.Event,
        clock: Clock,
        metrics: Metrics,
        listen: Callable[[Exception | None], None],
        died: Callable[[], None],
        now: Callable[[], datetime] | None = None,
        longest: Callable[[], timedelta] = lambda: LONGEST_PAUSE,
    ) -> None:
        self.name = name
        self.wake = wake
        self.tick = tick
        self._clock = clock
        self._metrics = metrics
        self._listen = listen
        self._died = died
        self._now = now or clock.now
        self._longest = longest
        self._stopping = threading.Event()
        self._failures = 0
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Ask the loop to end after the tick under way."""
        self._stopping.set()
        self.wake.set()

    def join(self, span: timedelta) -> bool:
        """Wait for the end of the thread; False when it is still running after `span`."""
        self._thread.join(span.total_seconds())
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                self.wake.clear()
                pause = self._once()
                if not self._stopping.is_set():
                    self._clock.wait(self.wake, pause)
        except FatalError as fatal:
            structlog.get_logger("tocsin.loop").critical("this process must stop", loop=self.name, error=str(fatal))
        finally:
            if not self._stopping.is_set():
                self._died()

    def _once(self) -> timedelta:
        try:
            due = self.tick()
        except FatalError:
            raise
        except Exception as failure:
            self._failed(failure)
            pause = min(LONGEST_PAUSE * self._failures, LONGEST_PAUSE_AFTER_FAILURE)
            # Spread, so that many processes do not fall upon a database together that has just come back.
            return pause * random.uniform(0.7, 1.3)  # noqa: S311 - nothing secret
        if self._failures:
            structlog.get_logger("tocsin.loop").warning("loop goes on", loop=self.name, failures=self._failures)
        self._failures = 0
        self._listen(None)
        self._metrics.loop_last_tick.labels(self.name).set(self._clock.now().timestamp())
        if due is None:
            return self._longest()
        return min(max(due - self._now(), timedelta(milliseconds=1)), self._longest())

    def _failed(self, failure: Exception) -> None:
        self._failures += 1
        self._metrics.loop_failures.labels(self.name).inc()
        self._listen(failure)
        log = structlog.get_logger("tocsin.loop")
        if self._failures == 1:
            log.error("loop failed, and will try again", loop=self.name, exc_info=failure)
        elif self._failures.bit_count() == 1:
            # At the 2nd, 4th, 8th … failure; the traceback stood in the log at the first. An outage must not fill the disk.
            log.warning("loop still failing", loop=self.name, failures=self._failures, error=type(failure).__name__)
