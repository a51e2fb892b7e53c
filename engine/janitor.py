"""The housekeeping loop: figures for /metrics, whether the datasources answer, and the alerts of the engine itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from engine.core import engine_alerts
from engine.core.alert import State
from engine.core.engine_alerts import DOWN_FOR, RULE_FAILING, Trouble, datasource_down
from engine.core.external import NONE
from engine.core.scheduling import is_due
from engine.health import Vitals
from engine.intake import Batch, Intake
from engine.querying import Querying
from engine.rota import Rota
from engine.store import alerts, outbox, rule_status
from engine.store.database import Database
from engine.store.definitions import COMPARE_EVERY, DefinitionFeed, Definitions
from engine.store.rule_status import Health
from engine.telemetry import Metrics
from engine.troubles import standing
from rules.labels import ALERTNAME, Labels

COUNT_EVERY: Final = timedelta(seconds=15)


@dataclass(slots=True, kw_only=True)
class Janitor:
    """Keeps the figures that are counted rather than observed. `advance` is called when an alert of the engine's own moved."""

    database: Database
    metrics: Metrics
    vitals: Vitals
    feed: DefinitionFeed
    querying: Querying
    rota: Rota
    advance: Callable[[], None]
    external: Labels = NONE
    _settle_from: datetime | None = None
    _settled: bool = False
    _count_at: datetime | None = None
    _compare_at: datetime | None = None

    def tick(self) -> datetime | None:
        """Count what the gauges show, ask each datasource whether it is there, and compare definitions with their tables."""
        now = self.database.clock.now()
        if is_due(self._count_at, now, COUNT_EVERY):
            self._count()
            self._count_at = now + COUNT_EVERY
        if is_due(self._compare_at, now, COMPARE_EVERY):
            self._compare()
            # On a grid, so that late ticks do not stretch the round; turns that nobody took are not made up for.
            self._compare_at = min(max(self._compare_at or now, now - COMPARE_EVERY), now) + COMPARE_EVERY
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
        if self.rota.is_first:
            self._settle(definitions)
        else:
            self._settle_from, self._settled = None, False

    def _settle(self, definitions: Definitions) -> None:
        """Raise and end the engine's own alerts.

        After a start a probe may answer before any query has failed, so what was said of datasources stands for a while.
        """
        with self.database.read() as connection:
            now = self.database.now(connection)
            self._settle_from = self._settle_from or now + DOWN_FOR
            errors = self.vitals.datasource_errors() if now >= self._settle_from else {}
            before = alerts.active_of(connection, [engine_alerts.SOURCE])[engine_alerts.SOURCE]
            away = definitions.datasources.keys() - {name for name, error in errors.items() if error is None}
            troubles = [*_down(errors, definitions), *standing(connection, definitions, now, away)]
        if not self._settled:
            # Whether a rule fails by its own fault is known when it is known how its datasource is.
            before = {labels: alert for labels, alert in before.items() if labels.get(ALERTNAME) != RULE_FAILING}
        unknown = definitions.datasources.keys() - errors.keys()
        evaluation = engine_alerts.settle(before, troubles, now, unknown=unknown, first=not self._settled)
        self._settled = now >= self._settle_from
        moved = [one for labels, one in evaluation.alerts.items() if labels in before and one != before[labels]]
        if evaluation.changes:
            Intake(self.database, self.external).end(Batch(slot=now, changes=evaluation.changes), definitions.tree)
            self.advance()
        if moved:
            with self.database.write() as connection:
                alerts.touch(connection, moved)


def _down(errors: Mapping[str, str | None], definitions: Definitions) -> list[Trouble]:
    """The datasources that do not answer."""
    known = {name: error for name, error in errors.items() if name in definitions.datasources}
    return [datasource_down(name, error) for name, error in known.items() if error is not None]
