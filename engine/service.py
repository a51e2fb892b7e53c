"""The composition root: from settings to the running engine. Objects are built here, and threads start and stop here."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import structlog

from engine import fallback, single
from engine.addressing import Addressing, Deliver
from engine.auditor import Auditor
from engine.clock import Clock
from engine.core.alert import Alert
from engine.core.failover import Server
from engine.core.levels import Effective
from engine.core.muting import Mutes
from engine.core.outcome import Outcome
from engine.core.roles import Role
from engine.delivery.addresses import Unconfigured
from engine.dispatcher import Dispatcher
from engine.doors import Doors, connector, deliverer, environment_of, heartbeat, shown
from engine.evaluator import Evaluator
from engine.fallback import Fallback
from engine.flushing import Flushing
from engine.health import Component, Vitals
from engine.intake import Intake
from engine.janitor import Janitor
from engine.judging import Judge
from engine.loop import LONGEST_PAUSE, Loop, Tick
from engine.memory import Memory
from engine.muting import Muting
from engine.planner import Planner
from engine.plans import PlannedQuery, plans
from engine.posting import Posting
from engine.present import Present
from engine.pruner import Pruner
from engine.publishing import Publishing
from engine.querying import Querying
from engine.reloading import AlertmanagerFile, Reloaded, Reloading
from engine.replacing import Replacing
from engine.rota import Rota
from engine.rule_files import RuleFiles
from engine.sender import Sender
from engine.settings import Delivery, Planning, Settings
from engine.silencing import Silencing
from engine.store import schema
from engine.store.database import Database, connect
from engine.store.definitions import DefinitionFeed
from engine.store.door import OUT_OF_REACH, Connection
from engine.store.listening import Ear, ear
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
LEAST_PATIENCE: Final = timedelta(seconds=2)
"""A busy machine may keep a transaction waiting that long."""
LOOPS: Final = (
    "evaluator",
    "rota",
    "posting",
    "dispatcher",
    "sender",
    "janitor",
    "auditor",
    "pruner",
    "watch",
    "listener",
    "reloader",
)
CHORES: Final = frozenset({"janitor", "auditor", "pruner"})
"""The loops that do something a few times a minute, for which nobody waits."""
CHORES_PAUSE: Final = timedelta(seconds=3)
FOLLOWERS: Final = ("evaluator", "dispatcher", "sender")
"""The loops to which an edit makes a difference at once."""


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
        return _telling(self.settings)

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
    parts = _parts(settings, doors or Doors())
    unit_pool = parts.doors.executor(UNIT_WORKERS, "evaluate")
    send_pool = parts.doors.executor(settings.delivery_concurrency, "send")
    posting = _posting(parts)
    ticks = _ticks(parts, posting, unit_pool, send_pool)
    listener = _listener(parts)
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
        loops=tuple(_loop(parts, name, tick, died=failed.set) for name, tick in ticks.items()),
        pools=(unit_pool, send_pool),
        muting=parts.muting,
        vitals=parts.vitals,
        trials=_trials(parts),
        posting=posting,
        reloading=reloading,
        lock=single.lock_for(parts.database),
        listener=listener,
        failed=failed,
    )


def _ticks(parts: _Parts, posting: Posting, unit_pool: Executor, send_pool: Executor) -> dict[str, Tick]:
    """What this process's roles and everybody's housekeeping come to, in the order of the data's way."""
    roles = parts.settings.roles
    ticks: dict[str, Tick] = {}
    # The heartbeat hangs on evaluating: a process that cannot evaluate any more must not keep its units.
    ticks |= {"evaluator": _evaluator(parts, unit_pool).tick} if Role.EVALUATOR in roles else {"rota": parts.rota.beat}
    if Role.API in roles:
        # Whoever hears posts knows when none came.
        ticks["posting"] = posting.tick
    if Role.DISPATCHER in roles:
        ticks["dispatcher"] = _dispatcher(parts).tick
    if Role.SENDER in roles:
        ticks["sender"] = _sender(parts, send_pool).tick
    chores = {"janitor": _janitor(parts).tick, "auditor": _auditor(parts).tick, "pruner": _pruner(parts).tick}
    return {**ticks, **chores, "watch": parts.vitals.watch}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parts:
    """What several loops share."""

    settings: Settings
    doors: Doors
    deliver: Deliver
    database: Database
    feed: DefinitionFeed
    metrics: Metrics
    rota: Rota
    querying: Querying
    judge: Judge
    addressing: Addressing
    muting: Muting
    vitals: Vitals
    wakes: Mapping[str, threading.Event]


def _parts(settings: Settings, doors: Doors) -> _Parts:
    metrics = Metrics()
    # Within a lease the rows of a process that was stopped must be free; its heartbeat runs out meanwhile.
    patience = max(settings.lease * 2 / 3, LEAST_PATIENCE)
    database = connect(settings.database_url, doors.clock, patience=patience)
    environment = environment_of(settings)
    addressing = Addressing(environment)
    way_out = deliverer(settings, doors)
    voice = Fallback(send=_voice(settings, environment, way_out, doors.clock), clock=doors.clock)
    return _Parts(
        settings=settings,
        doors=doors,
        deliver=way_out,
        database=database,
        feed=DefinitionFeed(now=database.now),
        metrics=metrics,
        rota=_rota(settings, database),
        querying=Querying(
            doors.connect or connector(settings, environment),
            executor=doors.executor,
            workers=settings.query_concurrency,
            clock=doors.clock,
            metrics=metrics,
            planner=Planner(together=settings.planning is Planning.ON),
            batched=settings.batched_datasources,
        ),
        judge=Judge(settings.external_url, settings.external_labels),
        addressing=addressing,
        muting=Muting(settings.external_labels),
        vitals=Vitals(database=database, clock=doors.clock, fallback=voice, timeout=settings.health_check_timeout),
        wakes={name: threading.Event() for name in LOOPS},
    )


def _voice(
    settings: Settings, environment: Callable[[], Mapping[str, str]], way_out: Deliver, clock: Clock
) -> Callable[[str], Outcome]:
    return fallback.sender(
        settings.fallback_channel,
        environment,
        way_out,
        settings.delivery_timeout,
        clock,
        node=settings.node,
        external_url=settings.external_url,
    )


def _rota(settings: Settings, database: Database) -> Rota:
    return Rota(
        database=database,
        node=settings.node,
        address=f"{settings.listen_host}:{settings.listen_port}",
        interval=settings.evaluation_interval,
        query_offset=settings.query_offset,
        lease=settings.lease,
        roles=settings.roles,
    )


def _loop(parts: _Parts, name: str, tick: Tick, *, died: Callable[[], None]) -> Loop:
    return Loop(
        name,
        tick,
        wake=parts.wakes[name],
        clock=parts.doors.clock,
        metrics=parts.metrics,
        # Deaf is not ill: without the listener an edit is in force a second later.
        listen=parts.vitals.listener(name) if name != "listener" else lambda _failure: None,
        died=died,
        now=parts.database.reckon,
        longest=CHORES_PAUSE if name in CHORES else LONGEST_PAUSE,
    )


def _listener(parts: _Parts) -> Ear | None:
    """What wakes the loops at an edit; `None` under a virtual clock, which nobody waits by."""
    if parts.doors.clock.authoritative:
        return None

    def wake() -> None:
        for name in FOLLOWERS:
            parts.wakes[name].set()

    return ear(parts.database, wake)


def _evaluator(parts: _Parts, pool: Executor) -> Evaluator:
    return Evaluator(
        database=parts.database,
        feed=parts.feed,
        querying=parts.querying,
        intake=Intake(parts.database, parts.settings.external_labels),
        judge=parts.judge,
        rota=parts.rota,
        metrics=parts.metrics,
        memory=Memory(parts.database),
        pool=pool,
        advance=parts.wakes["dispatcher"].set,
        datasource_health=parts.vitals.datasource,
    )


def _posting(parts: _Parts) -> Posting:
    return Posting(
        database=parts.database,
        feed=parts.feed,
        intake=Intake(parts.database),
        metrics=parts.metrics,
        resolve_timeout=parts.settings.resolve_timeout,
        advance=parts.wakes["dispatcher"].set,
    )


def _dispatcher(parts: _Parts) -> Dispatcher:
    external = parts.settings.external_labels
    publishing = Publishing(database=parts.database, feed=parts.feed)
    replacing = Replacing(database=parts.database, external=external)
    flushing = Flushing(
        database=parts.database,
        addressing=parts.addressing,
        muting=parts.muting,
        publishing=publishing,
        replacing=replacing,
        telling=_telling(parts.settings),
        metrics=parts.metrics,
        send=parts.settings.delivery is Delivery.SEND,
    )
    return Dispatcher(
        database=parts.database,
        flushing=flushing,
        muting=parts.muting,
        publishing=publishing,
        replacing=replacing,
        silencing=Silencing(database=parts.database, external=external),
        metrics=parts.metrics,
        advance=parts.wakes["sender"].set,
    )


def _telling(settings: Settings) -> Telling:
    return Telling(settings.external_url, shown(settings.prometheus_url), settings.external_labels)


def _sender(parts: _Parts, pool: Executor) -> Sender:
    return Sender(
        database=parts.database,
        feed=parts.feed,
        addressing=parts.addressing,
        present=Present(parts.judge, parts.rota.schedule_of),
        deliver=parts.deliver,
        holder=lambda: parts.rota.holder,
        metrics=parts.metrics,
        pool=pool,
        deadline=parts.settings.delivery_timeout,
        channel_health=parts.vitals.channel,
        wake=parts.wakes["sender"].set,
        clock=parts.doors.clock,
        is_current=lambda: parts.rota.is_current,
    )


def _janitor(parts: _Parts) -> Janitor:
    return Janitor(
        database=parts.database,
        metrics=parts.metrics,
        vitals=parts.vitals,
        feed=parts.feed,
        querying=parts.querying,
        rota=parts.rota,
        external=parts.settings.external_labels,
    )


def _auditor(parts: _Parts) -> Auditor:
    return Auditor(
        database=parts.database,
        feed=parts.feed,
        rota=parts.rota,
        intake=Intake(parts.database, parts.settings.external_labels),
        metrics=parts.metrics,
        ping=heartbeat(parts.settings),
        send=parts.settings.delivery is Delivery.SEND,
    )


def _pruner(parts: _Parts) -> Pruner:
    return Pruner(
        database=parts.database,
        rota=parts.rota,
        metrics=parts.metrics,
        keep=parts.settings.retention,
        keep_messages=parts.settings.message_retention,
    )


def _trials(parts: _Parts) -> Trials:
    return Trials(
        database=parts.database,
        feed=parts.feed,
        querying=parts.querying,
        judge=parts.judge,
        addressing=parts.addressing,
        deliver=parts.deliver,
        deadline=parts.settings.delivery_timeout,
        interval=parts.settings.evaluation_interval,
        query_offset=parts.settings.query_offset,
        external=parts.settings.external_labels,
    )
