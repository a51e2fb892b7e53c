"""How the engine's parts are doing, as seen from what they did last; the fallback channel hears of what stays broken."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Literal

import structlog

from engine.clock import Clock
from engine.core.scheduling import is_due
from engine.fallback import Fallback
from engine.store.database import Database
from engine.store.door import OUT_OF_REACH

ComponentName = Literal["database", "prometheus", "delivery", "evaluation"]
ComponentStatus = Literal["healthy", "unhealthy", "unconfigured"]

PING_EVERY: Final = timedelta(seconds=5)
FAILURE_IS_NEWS_FOR: Final = timedelta(minutes=10)
"""Twice the longest pause between two attempts to deliver."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """One component's standing; `detail` is safe to show."""

    name: ComponentName
    status: ComponentStatus
    response_time_ms: float | None = None
    detail: str = ""


@dataclass(slots=True, kw_only=True)
class Vitals:
    """Collects what loops, queries and sends report, and answers for the whole."""

    database: Database
    clock: Clock
    fallback: Fallback
    timeout: timedelta
    _guard: threading.Lock = field(default_factory=threading.Lock)
    _datasources: dict[str, str | None] = field(default_factory=dict)
    _queried: set[str] = field(default_factory=set)
    _channels: dict[str, tuple[str, datetime] | None] = field(default_factory=dict)
    _loops: dict[str, str | None] = field(default_factory=dict)
    _ping_at: datetime | None = None
    _database_error: str = ""

    def probed(self, name: str, error: str | None) -> None:
        """Hear whether a datasource answers at all. Queries know better: an answer here does not excuse their failures."""
        if error is not None or name not in self._queried:
            self._note_datasource(name, error)

    def datasource(self, name: str, error: str | None) -> None:
        """Hear how a datasource answered its last queries; `error` None is well."""
        self._queried.add(name)
        self._note_datasource(name, error)

    def datasource_errors(self) -> Mapping[str, str | None]:
        """How each datasource answered last, by name; `None` is well, and one that was never asked is absent."""
        with self._guard:
            return dict(self._datasources)

    def channel(self, name: str, error: str | None) -> None:
        """Hear what came of the last send to a channel."""
        with self._guard:
            self._channels[name] = None if error is None else (error, self.clock.now())

    def listener(self, loop: str) -> Callable[[Exception | None], None]:
        """What a loop tells of its ticks. A tick does nothing outside the database, so its failure is the database's."""

        def hear(failure: Exception | None) -> None:
            with self._guard:
                self._loops[loop] = None if failure is None else type(failure).__name__

        return hear

    def watch(self) -> datetime | None:
        """Look at everything, tell the fallback channel, and let it speak if it must. Needs no database to work."""
        now = self.clock.now()
        if is_due(self._ping_at, now, PING_EVERY):
            self._ping_at = now + PING_EVERY
            self._database_error = self._database().detail
        with self._guard:
            loops = _failing(self._loops)
        blind = self._database_error or _named(loops)
        self.fallback.report("database", healthy=not blind, detail=blind)
        datasources, channels = self._failing_datasources(), self._failing_channels(now)
        self.fallback.report("datasource", healthy=not datasources, detail=_named(datasources))
        self.fallback.report("delivery", healthy=not channels, detail=_named(channels))
        self.fallback.tick(now)
        return None

    def ping(self) -> float:
        """Milliseconds of one round trip to the database; raises one of OUT_OF_REACH when it is away."""
        started = self.clock.monotonic()
        self.database.ping()
        return (self.clock.monotonic() - started) * 1000

    def components(self) -> tuple[Component, ...]:
        """Every component. The database is asked now, within `timeout`; the others answer with what they saw last."""
        with self._guard:
            loops = _failing(self._loops)
        return (
            self._database(),
            _component("prometheus", self._failing_datasources()),
            _component("delivery", self._failing_channels(self.clock.now())),
            _component("evaluation", loops),
        )

    def _failing_datasources(self) -> dict[str, str]:
        with self._guard:
            return _failing(self._datasources)

    def _failing_channels(self, now: datetime) -> dict[str, str]:
        """A channel that failed a while ago, and to which nothing has been sent since, is no news."""
        with self._guard:
            known = [(name, *found) for name, found in self._channels.items() if found is not None]
        return {name: error for name, error, at in known if now - at < FAILURE_IS_NEWS_FOR}

    def _note_datasource(self, name: str, error: str | None) -> None:
        with self._guard:
            known = self._datasources.get(name)
            self._datasources[name] = error
        log = structlog.get_logger("tocsin.health")
        if error is not None and known is None:
            log.warning("datasource does not answer; its alerts stay as they are", datasource=name, error=error)
        elif error is None and known is not None:
            log.info("datasource answers again", datasource=name)

    def _database(self) -> Component:
        asked = _Ping(self.ping)
        if not asked.finished(self.clock, self.timeout):
            detail = f"no answer within {self.timeout.total_seconds():g} s"
            return Component(name="database", status="unhealthy", detail=detail)
        if asked.error is not None:
            return Component(name="database", status="unhealthy", detail=asked.error)
        return Component(name="database", status="healthy", response_time_ms=asked.milliseconds)


class _Ping:
    """A round trip in a thread of its own, because a driver may block for longer than anybody wants to wait."""

    def __init__(self, ping: Callable[[], float]) -> None:
        self.milliseconds: float | None = None
        self.error: str | None = "failed"
        self._ping = ping
        self._done = threading.Event()
        threading.Thread(target=self._run, name="health", daemon=True).start()

    def finished(self, clock: Clock, span: timedelta) -> bool:
        return clock.wait(self._done, span)

    def _run(self) -> None:
        try:
            self.milliseconds = round(self._ping(), 3)
            self.error = None
        except OUT_OF_REACH as failure:
            # The driver's text may hold the address with its password; the class says enough here, the log has the rest.
            self.error = type(failure).__name__
        finally:
            self._done.set()


def _failing(parts: Mapping[str, str | None]) -> dict[str, str]:
    return {name: error for name, error in parts.items() if error is not None}


def _component(name: ComponentName, failing: Mapping[str, str]) -> Component:
    return Component(name=name, status="unhealthy" if failing else "healthy", detail=_named(failing))


def _named(failing: Mapping[str, str]) -> str:
    return "; ".join(f"{key}: {value}" for key, value in sorted(failing.items()))
