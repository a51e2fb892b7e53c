"""Tocsin's evaluation for tests that hold it against a real Prometheus: everything from rule file to the alerts' rows is real
(import, definitions, scheduling, queries over HTTP, judging, intake, database), but the clock is the test's, and so is where in
an interval the slots lie: where the Prometheus it is compared with has them.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Self

from api.schemas.prometheus import RuleFacts, rule_document
from engine import importing
from engine.core.alert import Alert, State
from engine.core.scheduling import Schedule
from engine.doors import connector, environment_of
from engine.evaluator import Evaluator
from engine.importing import Wish
from engine.intake import Intake
from engine.judging import Judge
from engine.memory import Memory
from engine.present import Present
from engine.querying import Querying
from engine.rota import Rota
from engine.settings import load
from engine.store import alerts, rule_status, schema
from engine.store.database import Database, connect
from engine.store.definitions import DefinitionFeed
from engine.telemetry import Metrics
from rules.labels import Labels
from rules.rule import Rule
from tests.scenarios.world import Inline, VirtualClock

ORIGIN = "import:peer"


@dataclass(slots=True, kw_only=True)
class SettledRota(Rota):
    """Evaluates the rules of a group at `k·interval + phases[group]`."""

    phases: Mapping[str, timedelta]

    def schedule_of(self, rule: Rule) -> Schedule:
        return replace(Rota.schedule_of(self, rule), phase=self.phases.get(rule.group, timedelta(0)))


@dataclass(kw_only=True)
class RuleEngine:
    """Evaluates rule files against the Prometheus at `url`, slot by slot, for the length of a `with` block."""

    url: str
    database_url: str
    interval: timedelta
    phases: Mapping[str, timedelta] = field(default_factory=dict)
    external_url: str = ""
    external_labels: Mapping[str, str] = field(default_factory=dict)
    clock: VirtualClock = field(default_factory=VirtualClock)

    def __enter__(self) -> Self:
        self.database: Database = connect(self.database_url, self.clock)
        schema.upgrade(self.database.engine)
        self._take_up()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._querying.close()
        self.database.close()

    def restart(self) -> None:
        """Forget everything that is not in the database, as a new process does."""
        self._querying.close()
        self._take_up()

    def declare(self, text: str) -> None:
        """Make the rules those of this rule file; what is not in it is removed."""
        rules, _ = importing.declared([("rules.yml", text)])
        importing.bring_in(self.database, rules, Wish(origin=ORIGIN, author="peer", prune=True, force=True))

    def evaluate(self, slot: datetime) -> None:
        """Let the evaluator do what is due at this moment."""
        self.clock.moment = slot
        self._evaluator.tick()

    def alerts(self) -> list[Alert]:
        """The pending and firing alerts as they are told at present."""
        with self.database.read() as connection:
            found: list[Alert] = []
            while page := alerts.page(
                connection, states=(State.PENDING, State.FIRING), after=(found[-1].id or 0) if found else 0, limit=1000
            ):
                found += page
            present = Present(self._evaluator.judge, self._evaluator.rota.schedule_of)
            return present.alerts(connection, found, self.rules())

    def rules(self) -> Mapping[str, Rule]:
        """The rules in force, by id."""
        with self.database.read() as connection:
            return self._evaluator.feed.refresh(connection).rules

    def documents(self) -> list[dict[str, Any]]:
        """The rules as the API with Prometheus' shape tells them."""
        active: dict[str, list[Alert]] = {}
        for alert in self.alerts():
            active.setdefault(alert.source, []).append(alert)
        with self.database.read() as connection:
            statuses = rule_status.all_of(connection, list(self.rules()))
        return [
            rule_document(
                RuleFacts(rule, None, statuses.get(rule_id), tuple(active.get(rule_id, ()))), with_alerts=True
            )
            for rule_id, rule in self.rules().items()
        ]

    def _take_up(self) -> None:
        settings = load({"TOCSIN_PROMETHEUS_URL": self.url})
        metrics = Metrics()
        rota = SettledRota(
            database=self.database,
            node="here",
            address="",
            interval=self.interval,
            lease=timedelta(days=1),
            phases=self.phases,
        )
        self._querying = Querying(
            connector(settings, environment_of(settings)),
            executor=_inline,
            workers=1,
            clock=self.clock,
            metrics=metrics,
        )
        self._evaluator = Evaluator(
            database=self.database,
            feed=DefinitionFeed(now=self.database.now),
            querying=self._querying,
            intake=Intake(self.database),
            judge=Judge(self.external_url, Labels(self.external_labels)),
            rota=rota,
            metrics=metrics,
            memory=Memory(self.database),
            pool=Inline(),
            advance=lambda: None,
            datasource_health=lambda _name, _error: None,
        )
        rota.register()


def _inline(_workers: int, _name: str) -> Executor:
    return Inline()
