"""The dispatch loop: groups that are due, flushed in batches, each batch in one transaction.

Groups to which nothing has happened only have their timers moved on, hundreds at a time; the others are flushed some hundred
alerts at a time, because on SQLite nobody else can write meanwhile. Where a batch fails its groups are flushed one by one, so
that one which cannot be flushed holds up no other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Final

import structlog

from engine.flushing import Flushing
from engine.loop import failure_of
from engine.muting import Muting
from engine.publishing import Publishing
from engine.replacing import Replacing
from engine.silencing import Silencing
from engine.store import flushes, groups
from engine.store.database import Database
from engine.store.door import OUT_OF_REACH
from engine.store.moving import ContendedError
from engine.telemetry import Metrics

BATCH: Final = 500
"""Groups looked at in one tick."""
MOST_GROUPS: Final = 50
MOST_MEMBERS: Final = 400
"""What is flushed in one transaction; a larger group has one to itself."""
AGAIN_AFTER: Final = timedelta(seconds=5)
LATEST_AGAIN: Final = timedelta(minutes=5)
"""A group that cannot be flushed is tried again after this, twice this and so on, up to that."""
SOON_AGAIN: Final = timedelta(seconds=1)
CONTENDED: Final = 10
"""One that others are in the way of is tried after a second; so often in a row is something to be said."""


@dataclass(frozen=True, slots=True)
class _Aside:
    failures: int
    again_at: datetime


@dataclass(slots=True, kw_only=True)
class Dispatcher:
    """Has groups flushed when they are due. `advance` is called when there is something to send."""

    database: Database
    flushing: Flushing
    muting: Muting
    publishing: Publishing
    replacing: Replacing
    silencing: Silencing
    metrics: Metrics
    advance: Callable[[], None]
    _aside: dict[int, _Aside] = field(default_factory=dict)

    def tick(self) -> datetime | None:
        """Flush what is due; answers when there is something to do again."""
        definitions = self.publishing.publish()
        self.silencing.settle(definitions)
        walking = self.replacing.walk(definitions)
        with self.database.read() as connection:
            now = self.database.now(connection)
            ready = groups.due(connection, now, BATCH, but=self._resting_aside(now))
            sizes = flushes.sizes(connection, ready)
            if ready:
                self.muting.refresh(connection, definitions.inhibit_rules)
        for batch in _parted(self._changed(ready), sizes):
            self._flush(batch, now)
        with self.database.read() as connection:
            return now if walking else self._next(groups.next_due(connection, but=self._aside.keys()))

    def _changed(self, ready: Sequence[int]) -> Sequence[int]:
        """The groups to be flushed in full; all of them where it cannot be told."""
        changed: list[int] = []
        failure = failure_of(lambda: changed.extend(self.flushing.move_on(ready)), but=OUT_OF_REACH)
        if failure is None:
            return changed
        structlog.get_logger("tocsin.dispatcher").warning(
            "it cannot be told which groups have changed, so all that are due are flushed in full",
            groups=len(ready),
            error=type(failure).__name__,
            exc_info=failure,
        )
        return ready

    def _flush(self, batch: Sequence[int], now: datetime) -> None:
        failure = failure_of(partial(self._together, batch, now), but=OUT_OF_REACH)
        if failure is None:
            return
        for group_id in batch:
            self._alone(group_id, now)

    def _together(self, batch: Sequence[int], now: datetime) -> None:
        flushed = self.flushing.together(batch)
        for group_id in set(batch).difference(flushed.displaced):
            self._aside.pop(group_id, None)
        if flushed.sent:
            self.advance()
        for group_id in flushed.displaced:
            if isinstance(self._alone(group_id, now), ContendedError):
                # Whoever is in the way may be so for the others: they stay due, and nobody else need wait for that.
                break

    def _alone(self, group_id: int, now: datetime) -> Exception | None:
        sent: list[bool] = []
        failure = failure_of(lambda: sent.append(self.flushing.alone(group_id)), but=OUT_OF_REACH)
        if failure is not None:
            self._set_aside(group_id, failure, now)
            return failure
        self._aside.pop(group_id, None)
        if any(sent):
            self.advance()
        return None

    def _set_aside(self, group_id: int, failure: Exception, now: datetime) -> None:
        known = self._aside.get(group_id)
        failures = 1 if known is None else known.failures + 1
        if isinstance(failure, ContendedError) and failures < CONTENDED:
            self._aside[group_id] = _Aside(failures, now + SOON_AGAIN)
            return
        wait = min(AGAIN_AFTER * failures, LATEST_AGAIN)
        self._aside[group_id] = _Aside(failures, now + wait)
        self.metrics.loop_failures.labels("dispatcher").inc()
        structlog.get_logger("tocsin.dispatcher").error(
            "group cannot be flushed, and will be tried again",
            group=group_id,
            failures=failures,
            seconds=wait.total_seconds(),
            exc_info=failure if failures == 1 else None,
            error=type(failure).__name__,
        )

    def _resting_aside(self, now: datetime) -> list[int]:
        return [group_id for group_id, one in self._aside.items() if one.again_at > now]

    def _next(self, due: datetime | None) -> datetime | None:
        moments = [one.again_at for one in self._aside.values()]
        return min(moments if due is None else [due, *moments], default=None)


def _parted(ids: Sequence[int], sizes: Mapping[int, int]) -> Iterator[list[int]]:
    """The groups in batches for one transaction each, in their order."""
    batch: list[int] = []
    members = 0
    for group_id in ids:
        size = sizes.get(group_id, 0)
        if batch and (len(batch) >= MOST_GROUPS or members + size > MOST_MEMBERS):
            yield batch
            batch, members = [], 0
        batch.append(group_id)
        members += size
    if batch:
        yield batch
