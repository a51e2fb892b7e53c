"""The parts of an engine, each made of settings and of the parts it needs. Nothing is opened or started here."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import structlog

from engine import fallback
from engine.addressing import Addressing, Deliver
from engine.auditor import Auditor
from engine.clock import Clock
from engine.core.outcome import Outcome
from engine.core.pausing import longest
from engine.core.roles import Role
from engine.dispatcher import Dispatcher
from engine.doors import Doors, connector, deliverer, environment_of, heartbeat, shown
from engine.evaluator import Evaluator
from engine.fallback import Fallback
from engine.flushing import Flushing
from engine.health import Vitals
from engine.intake import Intake
from engine.janitor import Janitor
from engine.judging import Judge
from engine.loop import Loop, Tick
from engine.memory import Memory
from engine.muting import Muting
from engine.planner import Planner
from engine.posting import Posting
from engine.present import Present
from engine.pruner import Pruner
from engine.publishing import Publishing
from engine.querying import Querying
from engine.replacing import Replacing
from engine.rota import Rota
from engine.sender import Sender
from engine.settings import Delivery, Planning, Settings
from engine.silencing import Silencing
from engine.store.database import Database, connect
from engine.store.definitions import DefinitionFeed
from engine.store.listening import Ear, ear
from engine.telemetry import Metrics
from engine.telling import Telling
from engine.trial import Trials

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
FOLLOWERS: Final = ("evaluator", "dispatcher", "sender")
"""The loops to which an edit makes a difference at once."""


def ticks(parts: Parts, posting: Posting, unit_pool: Executor, send_pool: Executor) -> dict[str, Tick]:
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
class Parts:
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


def parts(settings: Settings, doors: Doors) -> Parts:
    """Everything shared, opened by nobody yet."""
    metrics = Metrics()
    # Within a lease the rows of a process that was stopped must be free; its heartbeat runs out meanwhile.
    patience = max(settings.lease * 2 / 3, LEAST_PATIENCE)
    database = connect(settings.database_url, doors.clock, patience=patience)
    environment = environment_of(settings)
    addressing = Addressing(environment)
    way_out = deliverer(settings, doors)
    voice = Fallback(send=_voice(settings, environment, way_out, doors.clock), clock=doors.clock)
    return Parts(
        settings=settings,
        doors=doors,
        deliver=way_out,
        database=database,
        feed=DefinitionFeed(now=database.now, told=_tell_of_problems),
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


def loop(parts: Parts, name: str, tick: Tick, *, ear: Ear | None, died: Callable[[], None]) -> Loop:
    """The thread of one tick, beside an `ear` that hears of edits."""
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
        longest=lambda: longest(name, parts.rota.beside, hears=ear is not None and ear.hears),
    )


def listener(parts: Parts) -> Ear | None:
    """What wakes the loops at an edit; `None` under a virtual clock, which nobody waits by."""
    if parts.doors.clock.authoritative:
        return None

    def wake() -> None:
        for name in FOLLOWERS:
            parts.wakes[name].set()

    return ear(parts.database, wake)


def _evaluator(parts: Parts, pool: Executor) -> Evaluator:
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


def posting(parts: Parts) -> Posting:
    """What takes in posted alerts."""
    return Posting(
        database=parts.database,
        feed=parts.feed,
        intake=Intake(parts.database),
        metrics=parts.metrics,
        resolve_timeout=parts.settings.resolve_timeout,
        advance=parts.wakes["dispatcher"].set,
    )


def _dispatcher(parts: Parts) -> Dispatcher:
    external = parts.settings.external_labels
    publishing = Publishing(database=parts.database, feed=parts.feed)
    replacing = Replacing(database=parts.database, external=external)
    flushing = Flushing(
        database=parts.database,
        addressing=parts.addressing,
        muting=parts.muting,
        publishing=publishing,
        replacing=replacing,
        telling=telling(parts.settings),
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


def telling(settings: Settings) -> Telling:
    """What makes facts of alerts."""
    return Telling(settings.external_url, shown(settings.prometheus_url), settings.external_labels)


def _sender(parts: Parts, pool: Executor) -> Sender:
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


def _janitor(parts: Parts) -> Janitor:
    return Janitor(
        database=parts.database,
        metrics=parts.metrics,
        vitals=parts.vitals,
        feed=parts.feed,
        querying=parts.querying,
        rota=parts.rota,
        advance=parts.wakes["dispatcher"].set,
        external=parts.settings.external_labels,
    )


def _auditor(parts: Parts) -> Auditor:
    return Auditor(
        database=parts.database,
        feed=parts.feed,
        rota=parts.rota,
        intake=Intake(parts.database, parts.settings.external_labels),
        metrics=parts.metrics,
        advance=parts.wakes["dispatcher"].set,
        ping=heartbeat(parts.settings),
        send=parts.settings.delivery is Delivery.SEND,
    )


def _pruner(parts: Parts) -> Pruner:
    return Pruner(
        database=parts.database,
        rota=parts.rota,
        metrics=parts.metrics,
        keep=parts.settings.retention,
        keep_messages=parts.settings.message_retention,
    )


def trials(parts: Parts) -> Trials:
    """What tries rules and channels without effects."""
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


def _tell_of_problems(new: Collection[str], over: Collection[str]) -> None:
    """Say in the log which rows are not in force as they stand, once, and when they are again."""
    log = structlog.get_logger("tocsin.definitions")
    for problem in new:
        log.warning("a definition is not in force as it stands", problem=problem)
    for problem in over:
        log.info("a definition is mended", problem=problem)
