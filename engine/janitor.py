"""The housekeeping loop: figures for /metrics, and whether the datasources answer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from engine.core.alert import State
from engine.health import Vitals
from engine.querying import Querying
from engine.store import alerts, outbox, rule_status
from engine.store.database import Database
from engine.store.definitions import COMPARE_EVERY, DefinitionFeed
from engine.store.rule_status import Health
from engine.telemetry import Metrics

COUNT_EVERY: Final = timedelta(seconds=15)


@dataclass(slots=True, kw_only=True)
class Janitor:
    """Keeps the figures that are counted rather than observed."""

    database: Database
    metrics: Metrics
    vitals: Vitals
    feed: DefinitionFeed
    querying: Querying
    _count_at: datetime | None = None
    _compare_at: datetime | None = None

    def tick(self) -> datetime | None:
        """Count what the gauges show, ask each datasource whether it is there, and compare definitions with their tables."""
        now = self.database.clock.now()
        if self._count_at is None or now >= self._count_at:
            self._count()
            self._count_at = now + COUNT_EVERY
        if self._compare_at is None or now >= self._compare_at:
            self._compare()
            # On a grid, so that late ticks do not stretch the round; turns that nobody took are not made up for.
            self._compare_at = max(self._compare_at or now, now - COMPARE_EVERY) + COMPARE_EVERY
        return None

    def _compare(self) -> None:
        with self.database.read() as connection:
            self.feed.compare(connection)

    def _count(self) -> None:
        with self.database.read() as connection:
            definitions = self.feed.refresh(connection)
            by_state = alerts.counts(connection)
            by_health = rule_status.health_counts(connection)
            waiting = outbox.pending(connection)
        for state in (State.PENDING, State.FIRING):
            self.metrics.alerts.labels(state.value).set(by_state.get(state, 0))
        for health in Health:
            self.metrics.rules.labels(health.value).set(by_health.get(health, 0))
        self.metrics.outbox_pending.set(waiting)
        self.metrics.definition_problems.set(len(definitions.problems) + len(definitions.quarantined))
        for datasource in definitions.datasources.values():
            self.querying.probe(datasource, self.vitals.probed)
