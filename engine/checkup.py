"""One look at everything, for `tocsin doctor`: the auditor's proof and the state of every dependency. Changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from engine import fallback
from engine.addressing import Addressing
from engine.auditor import look
from engine.clock import Clock, SystemClock
from engine.core import roles
from engine.core.alert import State
from engine.core.roles import EVERY
from engine.delivery.addresses import Unconfigured
from engine.doors import Doors, connector, environment_of
from engine.prometheus import QueryError
from engine.settings import Delivery, Settings
from engine.store import alerts, audit, nodes, outbox, rule_status, schema
from engine.store.database import Database
from engine.store.definitions import DefinitionFeed, Definitions
from engine.store.door import OUT_OF_REACH, Connection
from engine.store.rule_status import Health
from rules.errors import ChannelError


class Verdict(StrEnum):
    """How a thing is: well, something people should know, or something that keeps alerts from being told."""

    OK = "ok"
    NOTE = "note"
    BAD = "bad"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What was looked at, how it is, and what there is to know of it."""

    what: str
    verdict: Verdict
    detail: str


def examine(settings: Settings, database: Database, doors: Doors | None = None) -> Iterator[Line]:
    """Look at one thing after the other; what hangs on the database is left out when it cannot be used."""
    yield _fallback(settings)
    try:
        current, head = schema.current(database.engine), schema.head()
        yield _database(database, current, head)
        if current != head:
            return
        with database.read() as connection:
            now = database.now(connection)
            definitions = DefinitionFeed(now=database.now).refresh(connection)
            lines = [*_state(connection, settings, definitions, now, is_alone=database.is_sqlite)]
    except OUT_OF_REACH as failure:
        yield Line(what="database", verdict=Verdict.BAD, detail=f"cannot be used: {type(failure).__name__}")
        return
    yield from lines
    yield from _datasources(settings, definitions, doors or Doors())
    yield from _channels(settings, definitions)


def _fallback(settings: Settings) -> Line:
    wrong = fallback.problem(settings.fallback_channel, settings.environment)
    kind = settings.fallback_channel.partition(":")[0]
    if wrong is not None:
        return Line(what="fallback channel", verdict=Verdict.BAD, detail=wrong)
    if kind == "log":
        detail = "log only: nobody is told when the database is away; set TOCSIN_FALLBACK_CHANNEL"
        return Line(what="fallback channel", verdict=Verdict.NOTE, detail=detail)
    return Line(what="fallback channel", verdict=Verdict.OK, detail=kind)


def _database(database: Database, current: str | None, head: str) -> Line:
    if current != head:
        detail = f"at revision {current or 'none'}, not {head}: run tocsin migrate, or start tocsin serve"
        return Line(what="database", verdict=Verdict.BAD, detail=detail)
    clock: Clock = SystemClock()
    began = clock.monotonic()
    with database.read() as connection:
        off = (database.now(connection) - clock.now()).total_seconds()
    took = (clock.monotonic() - began) * 1000
    detail = f"{database.engine.dialect.name} at revision {head}, answers in {took:.1f} ms"
    if abs(off) > 1:
        return Line(
            what="database", verdict=Verdict.NOTE, detail=f"{detail}; its clock is {off:+.0f} s from this host's"
        )
    return Line(what="database", verdict=Verdict.OK, detail=detail)


def _state(
    connection: Connection, settings: Settings, definitions: Definitions, now: datetime, *, is_alone: bool
) -> Iterator[Line]:
    yield from _processes(connection, now, is_alone=is_alone)
    yield _rules(connection, definitions)
    yield from _problems(definitions)
    yield _audit(connection, settings, definitions, now)
    yield Line(what="outbox", verdict=Verdict.OK, detail=f"{outbox.pending(connection)} messages wait")


def _processes(connection: Connection, now: datetime, *, is_alone: bool) -> Iterator[Line]:
    known = nodes.every(connection)
    done: set[roles.Role] = set()
    for node in known:
        does = roles.spelled(node.roles)
        if node.is_alive(now):
            done |= node.roles
            left = (node.lease_until - now).total_seconds()
            detail = (
                f"{does} at {node.address}, since {node.started_at:%Y-%m-%d %H:%M:%S}Z, lease for {left:.0f} s more"
            )
            yield Line(what=f"process {node.id}", verdict=Verdict.OK, detail=detail)
        elif node.left_at is None and not is_alone:
            detail = f"lost: silent since its lease ended at {node.lease_until:%Y-%m-%d %H:%M:%S}Z"
            yield Line(what=f"process {node.id}", verdict=Verdict.NOTE, detail=detail)
    missing = EVERY - done
    if missing:
        detail = f"no process runs that does: {roles.spelled(missing)}"
        yield Line(what="processes", verdict=Verdict.BAD, detail=detail)


def _rules(connection: Connection, definitions: Definitions) -> Line:
    by_health = rule_status.health_counts(connection)
    counted = ", ".join(f"{by_health[health]} {health.value}" for health in Health if by_health.get(health))
    problems = len(definitions.problems) + len(definitions.quarantined)
    ill = by_health.get(Health.ERR, 0) + by_health.get(Health.QUARANTINED, 0)
    detail = f"{len(definitions.rules)} rules ({counted or 'none evaluated yet'}), {problems} problems"
    return Line(what="definitions", verdict=Verdict.NOTE if ill or problems else Verdict.OK, detail=detail)


def _problems(definitions: Definitions) -> Iterator[Line]:
    """Each row that is not in force as it stands."""
    refused = ((f"alert_rules {name!r}", found) for name, found in sorted(definitions.quarantined.items()))
    quarantined = (f"{rule}: {problem.field}: {problem.message}" for rule, found in refused for problem in found)
    for said in (*quarantined, *definitions.problems):
        what, _, detail = said.partition(": ")
        yield Line(what=what, verdict=Verdict.NOTE, detail=detail)


def _audit(connection: Connection, settings: Settings, definitions: Definitions, now: datetime) -> Line:
    found = look(connection, definitions, now)
    if settings.delivery is Delivery.SEND:
        found += audit.untold(connection)
    firing = alerts.counts(connection).get(State.FIRING, 0)
    if not found:
        detail = f"each of {firing} firing alerts has a next step, and nothing is overdue"
        return Line(what="audit", verdict=Verdict.OK, detail=detail)
    more = f", and {len(found) - 3} more" if len(found) > 3 else ""
    return Line(what="audit", verdict=Verdict.BAD, detail="; ".join(one.text for one in found[:3]) + more)


def _datasources(settings: Settings, definitions: Definitions, doors: Doors) -> Iterator[Line]:
    connect = doors.connect or connector(settings, environment_of(settings))
    for name, datasource in sorted(definitions.datasources.items()):
        errors = []
        clients = connect(datasource)
        for client in clients:
            try:
                client.check()
            except QueryError as error:
                errors.append(str(error))
            finally:
                client.close()
        what = f"datasource {name}"
        if len(errors) == len(clients):
            yield Line(what=what, verdict=Verdict.BAD, detail="; ".join(errors) or "has no address")
        elif errors:
            yield Line(what=what, verdict=Verdict.NOTE, detail=f"one of its servers does not answer: {errors[0]}")
        else:
            yield Line(what=what, verdict=Verdict.OK, detail=f"{len(clients)} of {len(clients)} servers answer")


def _channels(settings: Settings, definitions: Definitions) -> Iterator[Line]:
    """Whether each channel has an address that this process can find; nothing is sent."""
    addressing = Addressing(environment_of(settings))
    for name, channel in sorted(definitions.channels.items()):
        try:
            found = addressing.address(channel)
        except ChannelError as error:
            yield Line(what=f"channel {name}", verdict=Verdict.BAD, detail=error.message)
            continue
        if isinstance(found, Unconfigured):
            yield Line(what=f"channel {name}", verdict=Verdict.NOTE, detail=f"unconfigured: {found.reason}")
        else:
            yield Line(what=f"channel {name}", verdict=Verdict.OK, detail=channel.kind.value)
