"""The whole engine on a virtual clock: real database, real loops' ticks, scripted Prometheus answers, recorded deliveries."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, ParamSpec, TypeVar

from sqlalchemy import TextClause, bindparam, text

from engine.core.alert import Sample
from engine.core.outcome import Delivered, Outcome
from engine.core.posting import Post
from engine.delivery.addresses import Address
from engine.delivery.deliver import deliver
from engine.prometheus import Answer
from engine.query_answer import Recognise, instant_answer, read_document, recognition
from engine.querying import Client
from engine.service import Doors, Service, build
from engine.settings import load
from engine.store import ledger
from engine.store.ledger import Entry
from engine.store.types import Instant
from rules.datasource import Datasource
from rules.labels import Labels

P = ParamSpec("P")
T = TypeVar("T")

START = datetime(2026, 1, 1, tzinfo=UTC)
LEAST_STEP = timedelta(seconds=1)


class VirtualClock:
    """Time that stands still until it is told otherwise."""

    authoritative = True

    def __init__(self) -> None:
        self.moment = START

    def now(self) -> datetime:
        return self.moment

    def monotonic(self) -> float:
        return self.moment.timestamp()

    def wait(self, event: threading.Event, span: timedelta) -> bool:
        return event.wait(min(span.total_seconds(), 5))


class Inline(Executor):
    """Runs what it is given at once, so that a tick has done all its work when it returns."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        future: Future[T] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


@dataclass
class ScriptedPrometheus:
    """Answers each query text with what the script says now, as a server writes it; an exception is raised.

    With `plain` samples are handed over as objects, of which nobody knows again that they are those of the last answer.
    """

    answers: dict[str, list[tuple[Mapping[str, str], float]] | Exception] = field(default_factory=dict)
    asked: list[tuple[str, datetime]] = field(default_factory=list)
    plain: bool = False
    _series: Recognise = field(default_factory=recognition)

    def query(self, expr: str, at: datetime) -> Answer:
        self.asked.append((expr, at))
        found = self.answers.get(expr, [])
        if isinstance(found, Exception):
            raise found
        if self.plain:
            return Answer(samples=tuple(Sample(labels=Labels(labels), value=value) for labels, value in found))
        elements = [{"metric": labels, "value": [at.timestamp(), repr(value)]} for labels, value in found]
        data = {"resultType": "vector", "result": elements}
        return instant_answer(read_document(json.dumps({"status": "success", "data": data}).encode()), self._series)

    def check(self) -> None:
        """It always answers."""

    def close(self) -> None:
        """Nothing is open."""


@dataclass(frozen=True)
class Delivery:
    """One message as it left, and when (seconds since START)."""

    at: float
    kind: str
    body: Mapping[str, Any]
    recipient: str


@dataclass
class World:
    """The engine and everything around it. Times are seconds since START."""

    database_url: str
    environment: Mapping[str, str] = field(default_factory=dict)
    clock: VirtualClock = field(default_factory=VirtualClock)
    prometheus: ScriptedPrometheus = field(default_factory=ScriptedPrometheus)
    deliveries: list[Delivery] = field(default_factory=list)
    outcomes: dict[str, list[Outcome]] = field(default_factory=dict)
    broken_on_purpose: bool = False
    really: frozenset[str] = frozenset()
    """The kinds of address that are really sent to, at a stand-in's."""
    _due: dict[str, datetime | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.service = self._start()

    def restart(self) -> None:
        """End the engine and start another on the same database."""
        self.service.stop()
        self.service = self._start()

    def crash(self, successor: str = "here") -> None:
        """End the engine as a power cut does, with nothing given back, and let one of this node's name take its place."""
        if self.service.lock is not None:
            self.service.lock.release()
        self.service.database.close()
        self.environment = {**self.environment, "TOCSIN_NODE": successor}
        self.service = self._start()

    def sql(self, statement: str, **values: object) -> None:
        """Run one statement, as a person at a shell would."""
        with self.service.database.write() as connection:
            connection.execute(_bound(statement, values))

    def rows(self, query: str, **values: object) -> list[Any]:
        """The rows of a query."""
        with self.service.database.read() as connection:
            return list(connection.execute(_bound(query, values)))

    def returns(self, expr: str, *series: tuple[Mapping[str, str], float]) -> None:
        """From now on `expr` has these elements."""
        self.prometheus.answers[expr] = list(series)

    def fails(self, expr: str, error: Exception) -> None:
        """From now on `expr` fails."""
        self.prometheus.answers[expr] = error

    def post(
        self, labels: Mapping[str, str], *, start: float | None = None, end: float | None = None, **said: str
    ) -> None:
        """An alert is posted now, as an Alertmanager is told of one; `said` are its annotations."""
        self.service.posting.receive(
            [
                Post(
                    labels=Labels(labels),
                    annotations=said,
                    starts_at=None if start is None else START + timedelta(seconds=start),
                    ends_at=None if end is None else START + timedelta(seconds=end),
                )
            ],
            self.clock.now(),
        )

    def until(self, seconds: float) -> None:
        """Let time pass up to and including `seconds`; the loops tick whenever one of them has something due."""
        end = START + timedelta(seconds=seconds)
        due = self.tick()
        while self.clock.moment < end:
            ahead = due if due is not None and due > self.clock.moment else self._soon()
            self.clock.moment = min(ahead, end)
            due = self._go_on()

    def _soon(self) -> datetime:
        """A step further, but not past anything that is due before that."""
        later = [moment for moment in self._due.values() if moment is not None and moment > self.clock.moment]
        return min([self.clock.moment + LEAST_STEP, *later])

    def tick(self) -> datetime | None:
        """Every loop once, in the order of the data; answers when the next thing is due."""
        self._due.clear()
        return self._go_on()

    def _go_on(self) -> datetime | None:
        """As `tick`, without the loops that nothing has woken and that have nothing due: they would find nothing to do."""
        now = self.clock.moment
        for loop in self.service.loops:
            if loop.wake.is_set() or (self._due.get(loop.name, now) or now) <= now:
                loop.wake.clear()
                self._due[loop.name] = loop.tick()
        woken = any(loop.wake.is_set() for loop in self.service.loops)
        return now if woken else min((moment for moment in self._due.values() if moment is not None), default=None)

    @property
    def repairs(self) -> dict[str, float]:
        """What the auditor mended since the last start, by kind of flaw."""
        counted = [each for metric in self.service.metrics.audit_repairs.collect() for each in metric.samples]
        return {one.labels["flaw"]: one.value for one in counted if one.value and one.name.endswith("_total")}

    @property
    def now(self) -> float:
        return (self.clock.moment - START).total_seconds()

    def told(self, kind: str) -> list[tuple[float, str]]:
        """When messages of this kind went out, and whether they said firing or resolved."""
        return [(one.at, str(one.body.get("status", ""))) for one in self.deliveries if one.kind == kind]

    def ledger(self, subject_type: ledger.Subject, subject_id: object) -> list[Entry]:
        """What happened to one subject."""
        with self.service.database.read() as connection:
            return ledger.of(connection, subject_type, str(subject_id))

    def attempts(self) -> list[Entry]:
        """Every attempt to deliver, in order."""
        groups = [number for (number,) in self.rows("SELECT id FROM alert_groups")]
        found = [entry for number in groups for entry in self.ledger(ledger.Subject.GROUP, number)]
        return sorted((one for one in found if one.kind is ledger.Kind.ATTEMPT), key=lambda one: one.id or 0)

    def _start(self) -> Service:
        return self._engine(self.environment.get("TOCSIN_NODE", "here"))

    def _engine(self, node: str) -> Service:
        """An engine on this database, by this name."""
        settings = load({"TOCSIN_DATABASE_URL": self.database_url, **self.environment, "TOCSIN_NODE": node})
        doors = Doors(
            clock=self.clock,
            deliver=self._deliver,
            connect=self._connect,
            executor=lambda _workers, _name: Inline(),
        )
        service = build(settings, doors)
        service.prepare()
        return service

    def _connect(self, _datasource: Datasource) -> tuple[Client, ...]:
        return (self.prometheus,)

    def _deliver(self, address: Address, body: bytes, recipient: str, deadline: timedelta) -> Outcome:
        kind = type(address).__name__
        if kind in self.really:
            return deliver(address, body, recipient, deadline)
        planned = self.outcomes.get(kind)
        outcome: Outcome = planned.pop(0) if planned else Delivered()
        if isinstance(outcome, Delivered):
            content = json.loads(body) if body.startswith(b"{") else {"text": body.decode()}
            self.deliveries.append(Delivery(self.now, kind, content, recipient))
        return outcome


def _bound(statement: str, values: Mapping[str, object]) -> TextClause:
    """The statement with its values, instants as the column type writes them."""
    instants = [bindparam(name, type_=Instant()) for name, value in values.items() if isinstance(value, datetime)]
    return text(statement).bindparams(*instants).bindparams(**values)
