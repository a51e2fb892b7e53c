"""The composition root: from settings to the running engine. Objects are built here, and threads start and stop here."""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import structlog

from engine import assembly, single
from engine.clock import Clock
from engine.core.alert import Alert
from engine.core.failover import Server
from engine.core.levels import Effective
from engine.core.muting import Mutes
from engine.core.outcome import Outcome
from engine.delivery.addresses import Unconfigured
from engine.doors import Doors
from engine.health import Component, Vitals
from engine.loop import Loop
from engine.muting import Muting
from engine.plans import PlannedQuery, plans
from engine.posting import Posting
from engine.present import Present
from engine.querying import Querying
from engine.reloading import AlertmanagerFile, Reloaded, Reloading
from engine.rota import Rota
from engine.rule_files import RuleFiles
from engine.settings import Settings
from engine.store import schema
from engine.store.database import Database
from engine.store.definitions import DefinitionFeed
from engine.store.door import OUT_OF_REACH, Connection
from engine.store.listening import Ear
from engine.telemetry import Metrics
from engine.telling import Telling
from engine.timings import Timing, timings
from engine.trial import Trial, Trials
from rules.channels import Channel
from rules.rule import Rule

__all__ = ["Doors", "Service", "build"]

DRAIN: Final = timedelta(seconds=10)
"""How long a stop waits for ticks, evaluations and sends under way."""

UNIT_WORKERS: Final = 8


@dataclass(slots=True, kw_only=True)
class Service:
    """The engine: its parts for the API to ask, and its life. `failed` is set when a loop's thread has died."""

    settings: Settings
    clock: Clock
    database: Database
    feed: DefinitionFeed
    metrics: Metrics
    rota: Rota
    querying: Querying
    loops: tuple[Loop, ...]
    pools: tuple[Executor, ...]
    muting: Muting
    vitals: Vitals
    trials: Trials
    posting: Posting
    reloading: Reloading
    lock: single.Lock | None
    listener: Ear | None
    failed: threading.Event = field(default_factory=threading.Event)
    leaving: threading.Event = field(default_factory=threading.Event)
    _started: bool = False
    _drained: bool = False
    _prepared_at: datetime | None = None

    @property
    def started_at(self) -> datetime:
        """When this process took up its work."""
        return self._prepared_at or self.clock.now()

    def prepare(self) -> None:
        """Make sure nobody else runs here, bring the schema to head, and announce this process."""
        if self.lock is not None:
            self.lock.acquire()
        if schema.upgrade(self.database.engine):
            structlog.get_logger("tocsin").info("database migrated", revision=schema.head())
        self.reloading.reload_and_tell()
        self.rota.register()
        self._prepared_at = self.clock.now()

    def start(self) -> None:
        """Prepare, then start every loop."""
        self.prepare()
        for loop in self.loops:
            loop.start()
        self._started = True

    def drain(self) -> None:
        """Take on nothing more, wait for what is under way, and give up what this process holds; the API may still ask.

        `leaving` is set from the beginning on. What is not done in time stays a row, and another process does it.
        """
        self.leaving.set()
        for loop in self.loops:
            loop.stop()
        if self.listener is not None:
            self.listener.rouse()
        if self._started:
            self._join()
        for pool in self.pools:
            pool.shutdown(wait=True, cancel_futures=True)
        if self._started:
            self._leave()
        self._drained = True

    def stop(self) -> None:
        """Drain, if that is not done yet, and close everything."""
        if not self._drained:
            self.drain()
        if self.listener is not None:
            self.listener.close()
        self.querying.close()
        self.database.close()
        if self.lock is not None:
            self.lock.release()

    def reload(self, *, force: bool = False) -> Reloaded:
        """Read the files again, now. Raises ImportRefusedError, and then what stands stays in force."""
        return self.reloading.reload(force=force)

    def reload_soon(self) -> None:
        """Read the files again; the log tells how that went. A signal handler may call it."""
        self.reloading.ask()

    def health(self) -> tuple[Component, ...]:
        """How each component is doing now."""
        return self.vitals.components()

    def trial(self, rule: Rule) -> Trial:
        """Evaluate a rule once, without effects."""
        return self.trials.trial(rule)

    def plans(self, connection: Connection) -> list[PlannedQuery]:
        """Which rules share which query, and why the others do not. Nothing is asked for it."""
        definitions = self.feed.refresh(connection)
        return plans(definitions, self.querying, self.rota.schedule_of, self.database.now(connection))

    def timings(self, connection: Connection, rules: Collection[Rule]) -> Mapping[str, Timing]:
        """When these rules were last evaluated and will be next; a rule nobody evaluates is absent."""
        return timings(connection, rules, self.rota.schedule_of)

    def present(self, connection: Connection, alerts: Collection[Alert]) -> list[Alert]:
        """These alerts with the value and the annotations of their last evaluation."""
        rules = self.feed.refresh(connection).rules
        return Present(self.trials.judge, self.rota.schedule_of).alerts(connection, alerts, rules)

    @property
    def telling(self) -> Telling:
        """What makes facts of alerts, as a flush does."""
        return assembly.telling(self.settings)

    def test_channel(self, channel: Channel) -> Outcome | Unconfigured:
        """Send a message that says it is a test."""
        return self.trials.test_channel(channel)

    def effective(self, rule: Rule) -> Effective:
        """Which threshold row governs each of the rule's series now, and why. Nothing is written."""
        return self.trials.effective(rule)

    def mutes(self, connection: Connection, alerts: Collection[Alert]) -> Mutes:
        """What mutes each of these alerts now, on every route it takes."""
        return self.muting.mutes(connection, alerts, self.feed.refresh(connection), self.database.now(connection))

    def datasource_servers(self, name: str) -> tuple[Server, ...]:
        """How each server of the datasource is doing, in the order of its `urls`; nothing while nobody has asked it."""
        return self.querying.standings(name)

    def datasource_errors(self) -> Mapping[str, str | None]:
        """How each datasource answered when it was last asked, by name; `None` is well, one never asked is absent."""
        return self.vitals.datasource_errors()

    def _join(self) -> None:
        until = self.clock.monotonic() + DRAIN.total_seconds()
        for loop in self.loops:
            if not loop.join(timedelta(seconds=max(0.0, until - self.clock.monotonic()))):
                structlog.get_logger("tocsin").warning("loop did not end in time", loop=loop.name)

    def _leave(self) -> None:
        try:
            self.rota.leave()
        except OUT_OF_REACH as failure:
            # The database is away: the lease runs out by itself, and a stop must not fail for it.
            structlog.get_logger("tocsin").warning("could not give up the lease", error=type(failure).__name__)


def build(settings: Settings, doors: Doors | None = None) -> Service:
    """Put the engine together; opens nothing and starts nothing."""
    parts = assembly.parts(settings, doors or Doors())
    unit_pool = parts.doors.executor(UNIT_WORKERS, "evaluate")
    send_pool = parts.doors.executor(settings.delivery_concurrency, "send")
    posting = assembly.posting(parts)
    ticks = assembly.ticks(parts, posting, unit_pool, send_pool)
    listener = assembly.listener(parts)
    if listener is not None:
        ticks["listener"] = listener.tick
    reloading = Reloading(
        RuleFiles(parts.database, settings.rule_files),
        AlertmanagerFile(database=parts.database, file=settings.alertmanager_file, environment=settings.environment),
    )
    if reloading.is_used:
        ticks["reloader"] = reloading.tick
    failed = threading.Event()
    return Service(
        settings=settings,
        clock=parts.doors.clock,
        database=parts.database,
        feed=parts.feed,
        metrics=parts.metrics,
        rota=parts.rota,
        querying=parts.querying,
        loops=tuple(assembly.loop(parts, name, tick, ear=listener, died=failed.set) for name, tick in ticks.items()),
        pools=(unit_pool, send_pool),
        muting=parts.muting,
        vitals=parts.vitals,
        trials=assembly.trials(parts),
        posting=posting,
        reloading=reloading,
        lock=single.lock_for(parts.database),
        listener=listener,
        failed=failed,
    )
