"""When a rule is evaluated: on the slots of its evaluation unit, which a stable hash of its query fixes.

Source of the idea: P:rules/group.go EvalTimestamp, where a group's slots are fixed by the hash of its name. Here the hash is
of the query's skeleton (equality values blanked), so that rules which can share a query share a slot.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

PHASES: Final = 16
"""Into how many phases an interval is divided: enough to spread the load, few enough that a phase is worth one write."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """The slots `k·interval + phase`, asked of `datasource` at `slot - query_offset`."""

    datasource: str
    interval: timedelta
    query_offset: timedelta
    phase: timedelta

    @classmethod
    def of_seconds(cls, *, datasource: str, interval: float, query_offset: float, phase: float) -> Schedule:
        """The same from bare seconds, as the database keeps them."""
        return cls(
            datasource=datasource,
            interval=timedelta(seconds=interval),
            query_offset=timedelta(seconds=query_offset),
            phase=timedelta(seconds=phase),
        )

    @property
    def id(self) -> str:
        """The unit's name in the database, readable: `default/60s+0s@7.5s`."""
        seconds = (self.interval.total_seconds(), self.query_offset.total_seconds(), self.phase.total_seconds())
        return "{}/{:g}s+{:g}s@{:g}s".format(self.datasource, *seconds)

    def slot(self, now: datetime) -> datetime:
        """The latest slot not after `now`."""
        since = now - _EPOCH - self.phase
        return _EPOCH + self.phase + (since // self.interval) * self.interval

    def next_slot(self, now: datetime) -> datetime:
        """The first slot after `now`."""
        return self.slot(now) + self.interval

    def missed(self, last_slot: datetime | None, slot: datetime) -> int:
        """How many slots between the last one evaluated and this one nobody evaluated."""
        if last_slot is None:
            return 0
        return max(0, (slot - last_slot) // self.interval - 1)


def schedule(*, datasource: str, interval: timedelta, query_offset: timedelta, skeleton: str) -> Schedule:
    """The schedule of a rule with this query skeleton; equal inputs give equal slots on every machine and version."""
    digest = hashlib.sha256(skeleton.encode()).digest()
    phase = interval * (int.from_bytes(digest[:8]) % PHASES) / PHASES
    return Schedule(datasource=datasource, interval=interval, query_offset=query_offset, phase=phase)


def is_due(at: datetime | None, now: datetime, every: timedelta) -> bool:
    """Whether what is done `every` so often, next at `at`, is to be done now; `None` is at once.

    What is further away than it ever is set was set before the clock went back, and is due too.
    """
    return at is None or not now < at <= now + every
