"""From rules to answers: which queries are asked of which datasource, in bounded pools, so that a slow one delays no other."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Protocol

from engine.clock import Clock
from engine.core.alert import Sample
from engine.core.failover import Server
from engine.prometheus import Answer, QueryError
from engine.servers import Servers, together
from engine.telemetry import Metrics
from rules import query
from rules.datasource import Datasource
from rules.rule import Rule
from rules.thresholds import Threshold


class Client(Protocol):
    """What one Prometheus server offers; raises QueryError."""

    def query(self, expr: str, at: datetime) -> Answer: ...

    def check(self) -> None: ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a rule's query came to: samples, or the error that kept them. `has_data` None: nobody asked or can tell."""

    samples: tuple[Sample, ...] = ()
    error: QueryError | None = None
    warnings: tuple[str, ...] = ()
    has_data: bool | None = None
    duration: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refined:
    """The threshold rows by rule id, and from when until before when their answer is to serve."""

    since: datetime
    until: datetime
    rows: Mapping[str, tuple[Threshold, ...]] = field(default_factory=dict)

    def query_of(self, rule: Rule) -> str:
        """What to ask for the rule."""
        return query.asked(rule, self.rows.get(rule.id, ()), since=self.since, until=self.until)


@dataclass(frozen=True, slots=True)
class _Connected:
    datasource: Datasource
    clients: tuple[Client, ...]
    servers: Servers
    pool: Executor


class Querying:
    """Asks datasources; `connect` opens the clients of one, in the order of its addresses."""

    def __init__(
        self,
        connect: Callable[[Datasource], tuple[Client, ...]],
        *,
        executor: Callable[[int, str], Executor],
        workers: int,
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        self._connect = connect
        self._executor = executor
        self._workers = workers
        self._clock = clock
        self._metrics = metrics
        self._connected: dict[str, _Connected] = {}
        self._guard = threading.Lock()

    def ask(
        self,
        datasource: Datasource,
        rules: Mapping[str, Rule],
        at: datetime,
        *,
        unseen: frozenset[str],
        refined: Refined | None = None,
    ) -> dict[str, Reply]:
        """The reply of each rule at `at`; rules with the same query share one. Never raises for a query that fails.

        `unseen` are rules whose left side never had data: an empty answer of theirs is followed by a count of it. A rule
        with threshold rows is asked for every series one of them may need.
        """
        refined = refined or Refined(since=at, until=at)
        texts = {rule_id: refined.query_of(rule) for rule_id, rule in rules.items()}
        replies = self._ask_each(datasource, set(texts.values()), at)
        found = {rule_id: replies[text] for rule_id, text in texts.items()}
        whole = {rule_id: _counted(found[rule_id]) for rule_id, rule in rules.items() if query.asks_all(rule)}
        return found | self._look_for_data(datasource, rules, found, at, unseen - whole.keys()) | whole

    def values(self, datasource: Datasource, rule: Rule, at: datetime) -> Reply:
        """Every series of the rule's left side at `at`, whatever its value; none where the rule does not split."""
        left = query.left_side(rule)
        return Reply() if left is None else self._ask_each(datasource, {left}, at)[left]

    def monotonic(self) -> float:
        """The clock that queries are timed by, in seconds."""
        return self._clock.monotonic()

    def one(self, datasource: Datasource, text: str, at: datetime) -> Reply:
        """The reply to one query at `at`."""
        return self._ask_each(datasource, {text}, at)[text]

    def probe(self, datasource: Datasource, tell: Callable[[str, str | None], None]) -> None:
        """Ask in the background whether the datasource answers at all, and tell its name and error, `None` when it does."""
        connected = self._to(datasource)
        connected.pool.submit(lambda: tell(datasource.name, _checked(connected)))

    def standings(self, name: str) -> tuple[Server, ...]:
        """How each server of the datasource is doing, in the order of its `urls`; nothing while nobody has asked it."""
        with self._guard:
            connected = self._connected.get(name)
        return () if connected is None else connected.servers.known

    def close(self) -> None:
        """End every pool and connection."""
        with self._guard:
            connected, self._connected = self._connected, {}
        for one in connected.values():
            _end(one)

    def _look_for_data(
        self,
        datasource: Datasource,
        rules: Mapping[str, Rule],
        found: Mapping[str, Reply],
        at: datetime,
        unseen: frozenset[str],
    ) -> dict[str, Reply]:
        counts: dict[str, str] = {}
        for rule_id in unseen & found.keys():
            left = query.left_side(rules[rule_id])
            if left is not None and found[rule_id].error is None and not found[rule_id].samples:
                counts[rule_id] = f"count({left}\n)"
        replies = self._ask_each(datasource, set(counts.values()), at)
        return {rule_id: _seen(found[rule_id], replies[text]) for rule_id, text in counts.items()}

    def _ask_each(self, datasource: Datasource, texts: set[str], at: datetime) -> dict[str, Reply]:
        connected = self._to(datasource)
        futures: dict[str, Future[Reply]] = {
            text: connected.pool.submit(self._ask_one, connected, text, at) for text in sorted(texts)
        }
        return {text: future.result() for text, future in futures.items()}

    def _ask_one(self, connected: _Connected, text: str, at: datetime) -> Reply:
        failures: list[QueryError] = []
        started = self._clock.monotonic()
        for place, client in connected.servers.in_turn(connected.clients):
            try:
                answer = client.query(text, at)
            except QueryError as failure:
                self._metrics.query_failures.labels(failure.kind).inc()
                if not connected.servers.failed(place, failure):
                    failures = [failure]
                    break
                failures.append(failure)
                continue
            connected.servers.answered(place)
            duration = timedelta(seconds=self._clock.monotonic() - started)
            self._metrics.query_seconds.labels(connected.datasource.name).observe(duration.total_seconds())
            return Reply(
                samples=answer.samples,
                warnings=answer.warnings,
                has_data=True if answer.samples else None,
                duration=duration,
            )
        error = together(failures, nobody=f"datasource {connected.datasource.name!r} has no address")
        return Reply(error=error, duration=timedelta(seconds=self._clock.monotonic() - started))

    def _to(self, datasource: Datasource) -> _Connected:
        with self._guard:
            known = self._connected.get(datasource.name)
            if known is not None and known.datasource == datasource:
                return known
            clients = self._connect(datasource)
            fresh = _Connected(
                datasource,
                clients,
                Servers(datasource.name, len(clients), self._clock),
                self._executor(self._workers, f"query-{datasource.name}"),
            )
            self._connected[datasource.name] = fresh
        if known is not None:
            # Queries under way finish on the old clients; only new ones use the new address.
            known.pool.shutdown(wait=False)
        return fresh


def _checked(connected: _Connected) -> str | None:
    """Ask every server, those that are away too; `None` when one of them answers."""
    failures: list[QueryError] = []
    for place, client in enumerate(connected.clients):
        try:
            client.check()
        except QueryError as failure:
            connected.servers.failed(place, failure)
            failures.append(failure)
        else:
            connected.servers.answered(place)
    if len(failures) < len(connected.clients):
        return None
    return str(together(failures, nobody=f"datasource {connected.datasource.name!r} has no address"))


def _counted(reply: Reply) -> Reply:
    """The reply to a whole left side, which says by itself whether there is data."""
    return reply if reply.error is not None else replace(reply, has_data=bool(reply.samples))


def _seen(reply: Reply, count: Reply) -> Reply:
    if count.error is not None:
        return Reply(error=count.error, duration=reply.duration + count.duration)
    return Reply(warnings=reply.warnings, has_data=bool(count.samples), duration=reply.duration + count.duration)


def _end(connected: _Connected) -> None:
    connected.pool.shutdown(wait=False, cancel_futures=True)
    for client in connected.clients:
        client.close()
