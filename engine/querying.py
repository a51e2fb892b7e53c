"""From rules to answers: a plan's queries are asked of their datasource, in bounded pools, so that a slow one delays no other."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Executor, Future
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Protocol

from engine.clock import Clock
from engine.core import batching
from engine.core.failover import Server
from engine.planner import Plan, Planner, Refined
from engine.prometheus import Answer, QueryError, QueryErrorKind
from engine.replies import Replies, Reply, replies
from engine.servers import Servers, together
from engine.telemetry import Metrics
from rules import query
from rules.datasource import Datasource, DatasourceKind
from rules.errors import LabelError
from rules.rule import Language, Rule

__all__ = ["Client", "Querying", "Refined", "Replies", "Reply"]

BATCHED: Final = frozenset({DatasourceKind.PROMETHEUS, DatasourceKind.THANOS, DatasourceKind.MIMIR})
"""The servers whose `or` and `label_replace` are Prometheus' own code; a probe confirms it."""
BATCH_PROBE: Final = " or ".join(
    f'label_replace(vector({number}) > 0, "{batching.RESERVED}", "{number}", "", "")' for number in (1, 2)
)


EVERY: Final = "*"
"""Stands for every datasource of those kinds where names of datasources are given."""


class Client(Protocol):
    """What one Prometheus server offers; raises QueryError."""

    def query(self, expr: str, at: datetime) -> Answer: ...

    def check(self) -> None: ...

    def close(self) -> None: ...


@dataclass(slots=True)
class _Connected:
    datasource: Datasource
    clients: tuple[Client, ...]
    servers: Servers
    pool: Executor
    batch: int | None = None
    """How many queries ride in one batch; `None` until the datasource was probed."""


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
        planner: Planner | None = None,
        batched: Collection[str] = (EVERY,),
    ) -> None:
        self._connect = connect
        self._executor = executor
        self._workers = workers
        self._clock = clock
        self._metrics = metrics
        self.planner = planner or Planner()
        self._batched = batched
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
        unit: str = "",
        made_from: object = None,
    ) -> Replies:
        """The reply of each rule at `at`. Never raises for a query that fails.

        `unseen` are rules whose left side never had data: an empty answer of theirs is followed by a count of it. A rule
        with threshold rows is asked for every series one of them may need. `unit` and `made_from` are what the planner
        remembers the plan by; without a unit, nothing is remembered.
        """
        refined = refined or Refined(since=at, until=at)
        planner = self.planner if unit else Planner(together=self.planner.together)
        batch = self._batch(datasource, rules, at)
        plan = planner.plan(unit, rules, refined, made_from=made_from, batch=batch)

        def ask(texts: Collection[str]) -> Mapping[str, Reply]:
            return self._ask_each(datasource, texts, at)

        told = replies(plan.requests, ask, planner)
        whole = {rule_id: _counted(told[rule_id]) for rule_id in plan.whole if query.asks_all(rules[rule_id])}
        known = told.found.keys() | whole.keys()
        wanting = [rules[rule_id] for rule_id in sorted(unseen & rules.keys() - known)]
        counts = (
            replies(planner.counts(unit, wanting, batch=batch).requests, ask, planner) if wanting else Replies(found={})
        )
        counted = {rule.id: _seen(told.quiet, counts[rule.id]) for rule in wanting if query.left_side(rule) is not None}
        return Replies(found={**told.found, **counted, **whole}, quiet=told.quiet)

    def planned(self, unit: str, datasource: str, rules: Mapping[str, Rule], refined: Refined) -> Plan:
        """How the rules of the unit are asked; as this process last asked them, if it does."""
        with self._guard:
            connected = self._connected.get(datasource)
        batch = 1 if connected is None or connected.batch is None else connected.batch
        return self.planner.look(unit, rules, refined, batch=batch)

    def values(self, datasource: Datasource, rule: Rule, at: datetime) -> Reply:
        """Every series of the rule's left side at `at`, whatever its value; none where the rule does not split."""
        left = query.left_side(rule)
        return Reply() if left is None else self.one(datasource, left, at)

    def monotonic(self) -> float:
        """The clock that queries are timed by, in seconds."""
        return self._clock.monotonic()

    def one(self, datasource: Datasource, text: str, at: datetime) -> Reply:
        """The reply to one query at `at`, every label read."""
        reply = self._ask_each(datasource, {text}, at)[text]
        try:
            return replace(reply, samples=tuple(reply.samples))
        except LabelError as unreadable:
            return Reply(error=QueryError(QueryErrorKind.MALFORMED, unreadable.message), duration=reply.duration)

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

    def _batch(self, datasource: Datasource, rules: Mapping[str, Rule], at: datetime) -> int:
        """How many queries may ride together: found out once, and only where there is something to gain."""
        if not may_batch(datasource, self._batched) or len(rules) < 2 or not self.planner.together:
            return 1
        connected = self._to(datasource)
        if connected.batch is None:
            reply = self.one(datasource, BATCH_PROBE, at)
            if reply.error is not None:
                return 1
            told = {sample.labels.get(batching.RESERVED): sample.value for sample in reply.samples}
            connected.batch = batching.BATCH if told == {"1": 1.0, "2": 2.0} else 1
        return connected.batch

    def _ask_each(self, datasource: Datasource, texts: Collection[str], at: datetime) -> dict[str, Reply]:
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


def may_batch(datasource: Datasource, chosen: Collection[str]) -> bool:
    """Whether queries may ride together there, if it passes the probe: chosen by name, or by its kind where `*` is."""
    if datasource.kind.language is not Language.PROMQL:
        return False
    return datasource.name in chosen or (EVERY in chosen and datasource.kind in BATCHED)


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
