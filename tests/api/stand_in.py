"""An engine that stands still behind the API: a real database and feed, with trials, sends and health told beforehand."""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property

from pydantic import SecretStr

from api.backend import Backend
from engine.core.alert import Alert, Change, State, TransitionReason
from engine.core.failover import Server
from engine.core.levels import Effective
from engine.core.muting import Mutes
from engine.core.outcome import Delivered, Outcome
from engine.core.roles import EVERY, Role
from engine.delivery.addresses import Unconfigured
from engine.health import Component
from engine.importing import ImportRefusedError
from engine.intake import Intake
from engine.muting import Muting
from engine.plans import PlannedQuery
from engine.posting import Posting
from engine.reloading import Reloaded
from engine.service import Service
from engine.setting_texts import Listen
from engine.store import alerts
from engine.store.database import Database
from engine.store.definitions import DefinitionFeed
from engine.store.door import Connection
from engine.telemetry import Metrics
from engine.telling import Telling
from engine.timings import Timing
from engine.trial import Trial
from rules.channels import Channel
from rules.labels import Labels
from rules.rule import Rule

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
HEALTHY = (
    Component(name="database", status="healthy", response_time_ms=0.5),
    Component(name="prometheus", status="healthy", response_time_ms=1.5),
    Component(name="delivery", status="unconfigured", detail="no channel has an address"),
    Component(name="evaluation", status="healthy"),
)
QUIET = Trial(sample_count=0, alerts=(), problems=(), error=None, first_page_after=timedelta(minutes=6, seconds=30))


class NoonClock:
    """It is always noon."""

    authoritative = True

    def now(self) -> datetime:
        return NOON

    def monotonic(self) -> float:
        return 0.0

    def wait(self, event: threading.Event, span: timedelta) -> bool:
        return event.is_set()


@dataclass(frozen=True, kw_only=True)
class StandInSettings:
    """What the API reads of the settings."""

    api_keys: tuple[SecretStr, ...] = ()
    listen: Listen = field(default_factory=lambda: Listen(host="127.0.0.1", port=9099))
    environment: Mapping[str, str] = field(default_factory=dict)
    metrics_alerts: int = 0
    roles: frozenset[Role] = EVERY
    external_labels: Labels = field(default_factory=Labels)
    external_url: str = "http://tocsin.example"
    node: str = "here"


@dataclass(frozen=True, kw_only=True)
class StandIn:
    """The engine; `tried` and `tested` collect what it was asked to evaluate and to send to."""

    database: Database
    settings: StandInSettings = field(default_factory=StandInSettings)
    clock: NoonClock = field(default_factory=NoonClock)
    feed: DefinitionFeed = field(default_factory=DefinitionFeed)
    metrics: Metrics = field(default_factory=Metrics)
    muting: Muting = field(default_factory=Muting)
    failed: threading.Event = field(default_factory=threading.Event)
    leaving: threading.Event = field(default_factory=threading.Event)
    components: Sequence[Component] = HEALTHY
    answer: Trial = QUIET
    outcome: Outcome | Unconfigured = field(default_factory=Delivered)
    clocks: dict[str, Timing] = field(default_factory=dict)
    tried: list[Rule] = field(default_factory=list)
    tested: list[Channel] = field(default_factory=list)
    datasources: dict[str, str | None] = field(default_factory=dict)
    servers: dict[str, tuple[Server, ...]] = field(default_factory=dict)
    governed: Effective = field(default_factory=Effective)
    reloaded: Reloaded | ImportRefusedError = field(default_factory=Reloaded)
    planned: list[PlannedQuery] = field(default_factory=list)
    reloads: list[bool] = field(default_factory=list)

    @property
    def started_at(self) -> datetime:
        return NOON

    @cached_property
    def posting(self) -> Posting:
        return Posting(
            database=self.database,
            feed=self.feed,
            intake=Intake(self.database),
            metrics=self.metrics,
            resolve_timeout=timedelta(minutes=5),
            advance=lambda: None,
        )

    def health(self) -> Sequence[Component]:
        return self.components

    def trial(self, rule: Rule) -> Trial:
        self.tried.append(rule)
        return self.answer

    def plans(self, _connection: Connection) -> list[PlannedQuery]:
        return list(self.planned)

    def timings(self, _connection: Connection, rules: Collection[Rule]) -> Mapping[str, Timing]:
        return {rule.id: self.clocks[rule.id] for rule in rules if rule.id in self.clocks}

    def present(self, _connection: Connection, alerts: Sequence[Alert]) -> Sequence[Alert]:
        values: dict[int, float] = {}
        for clock in self.clocks.values():
            values |= {} if clock.last is None else clock.last.current
        return [replace(alert, value=values.get(alert.id or 0, alert.value)) for alert in alerts]

    @property
    def telling(self) -> Telling:
        return Telling(self.settings.external_url, "http://prometheus.example", self.settings.external_labels)

    def test_channel(self, channel: Channel) -> Outcome | Unconfigured:
        self.tested.append(channel)
        return self.outcome

    def effective(self, rule: Rule) -> Effective:
        self.tried.append(rule)
        return self.governed

    def mutes(self, connection: Connection, alerts: Collection[Alert]) -> Mutes:
        return self.muting.mutes(connection, alerts, self.feed.refresh(connection), NOON)

    def reload(self, *, force: bool) -> Reloaded:
        self.reloads.append(force)
        if isinstance(self.reloaded, ImportRefusedError):
            raise self.reloaded
        return self.reloaded

    def datasource_errors(self) -> Mapping[str, str | None]:
        return self.datasources

    def datasource_servers(self, name: str) -> tuple[Server, ...]:
        return self.servers.get(name, ())


def as_backend(service: Service) -> Backend:
    """The real engine fits as well: the type checker says so."""
    return service


def alert(source: str, state: State = State.FIRING, value: float = 91.5, **labels: str) -> Alert:
    """An alert with these labels, active since eleven."""
    return Alert(
        source=source,
        labels=Labels({"alertname": "HighCpu", **labels}),
        sample_labels=Labels(labels),
        state=state,
        value=value,
        threshold=90.0,
        annotations={"summary": "busy"},
        active_at=NOON - timedelta(hours=1),
        fired_at=NOON - timedelta(minutes=55) if state is State.FIRING else None,
    )


def store_alerts(database: Database, *found: Alert) -> None:
    """Put these alerts into the database, as an evaluation would."""
    changes = [Change(before=None, alert=one, reason=TransitionReason.CONDITION_MET) for one in found]
    with database.write() as connection:
        alerts.save(connection, changes)
