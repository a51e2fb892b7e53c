"""The only clock: every `now` of the engine comes from here, and only here does a thread wait.

PostgreSQL replicas compare database time only (their hosts' clocks differ); a SystemClock says so with `authoritative`
False, and Database.now asks the server instead. On SQLite, one process, the system's clock is the database's.
"""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Where the present moment comes from."""

    @property
    def authoritative(self) -> bool:
        """Whether this clock overrules the database's own (a virtual clock in tests does)."""

    def now(self) -> datetime:
        """The present, aware, UTC."""

    def monotonic(self) -> float:
        """Seconds on a clock that never jumps; only differences mean anything."""

    def wait(self, event: threading.Event, span: timedelta) -> bool:
        """Wait until `event` is set or `span` has passed; whether it was set."""


class SystemClock:
    """The machine's clock."""

    authoritative = False

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def wait(self, event: threading.Event, span: timedelta) -> bool:
        return event.wait(max(0.0, span.total_seconds()))
