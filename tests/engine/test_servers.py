"""A datasource with several servers: rules get their answers from one that is there, and nobody waits for one that is not."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from engine.clock import SystemClock
from engine.core.failover import Standing
from engine.prometheus import Answer, QueryError, QueryErrorKind
from engine.querying import Querying, Reply
from engine.telemetry import Metrics
from rules.datasource import Datasource
from rules.rule import Rule

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)
RULE = Rule(id="r", name="n", expr="up == 0")
DOWN = QueryError(QueryErrorKind.UNAVAILABLE, "http://a: refused")
PAIR = Datasource(name="pair", urls=("http://a", "http://b"))


class Hands(SystemClock):
    """A clock that somebody sets."""

    def __init__(self) -> None:
        self.at = NOON

    def now(self) -> datetime:
        return self.at


@dataclass
class Scripted:
    """A server that fails with `failure` as long as there is one, and counts what it is asked."""

    failure: QueryError | None = None
    queries: int = 0
    checks: int = 0
    asked: list[str] = field(default_factory=list)

    def query(self, expr: str, at: datetime) -> Answer:
        self.queries += 1
        return self._answer()

    def check(self) -> None:
        self.checks += 1
        self._answer()

    def close(self) -> None:
        """Nothing is open."""

    def _answer(self) -> Answer:
        if self.failure is not None:
            raise self.failure
        return Answer(samples=(), warnings=(), infos=(), histograms_dropped=0)


@dataclass
class World:
    querying: Querying
    clock: Hands
    first: Scripted
    second: Scripted

    def ask(self) -> Reply:
        return self.querying.ask(PAIR, {"r": RULE}, self.clock.at, unseen=frozenset())["r"]

    def probe(self) -> str | None:
        told: list[str | None] = []
        self.querying.probe(PAIR, lambda _name, error: told.append(error))
        self.ask()  # One worker: this query is answered after the probe.
        return told[0]

    @property
    def standings(self) -> list[Standing]:
        return [server.standing for server in self.querying.standings("pair")]


@contextmanager
def world(first: QueryError | None = None, second: QueryError | None = None) -> Iterator[World]:
    clock, one, other = Hands(), Scripted(first), Scripted(second)
    querying = Querying(
        lambda _: (one, other),
        executor=lambda _workers, name: ThreadPoolExecutor(1, thread_name_prefix=name),
        workers=1,
        clock=clock,
        metrics=Metrics(),
    )
    yield World(querying, clock, one, other)
    querying.close()


def failing(kind: QueryErrorKind, **fields: Any) -> QueryError:
    return QueryError(kind, f"it says {kind}", **fields)


@pytest.mark.parametrize(
    "failure",
    [
        pytest.param(failing(QueryErrorKind.UNAVAILABLE), id="no connection or 5xx"),
        pytest.param(failing(QueryErrorKind.TIMEOUT), id="our deadline"),
        pytest.param(failing(QueryErrorKind.AUTH), id="401 or 403"),
        pytest.param(failing(QueryErrorKind.REDIRECTED), id="a login page elsewhere"),
        pytest.param(failing(QueryErrorKind.MALFORMED), id="a login page"),
    ],
)
def test_where_the_first_server_cannot_be_asked_the_second_answers_and_is_asked_from_then_on(
    failure: QueryError,
) -> None:
    with world(failure) as servers:
        assert [servers.ask().error for _ in range(3)] == [None] * 3
        assert (servers.first.queries, servers.second.queries) == (1, 3)
        assert servers.standings == [Standing.AWAY, Standing.UP]


@pytest.mark.parametrize("kind", [QueryErrorKind.BAD_DATA, QueryErrorKind.EXECUTION, QueryErrorKind.TOO_LARGE])
def test_an_error_of_the_query_is_the_same_everywhere_and_blames_no_server(kind: QueryErrorKind) -> None:
    with world(failing(kind, stated=True)) as servers:
        error = servers.ask().error
        assert error is not None
        assert error.kind is kind
        assert (servers.second.queries, servers.standings) == (0, [Standing.UP, Standing.UP])


@pytest.mark.parametrize("kind", [QueryErrorKind.TIMEOUT, QueryErrorKind.CANCELED])
def test_a_server_that_gives_up_one_query_is_asked_the_next_one(kind: QueryErrorKind) -> None:
    with world(failing(kind, stated=True)) as servers:
        assert servers.ask().error is None
        assert servers.standings == [Standing.UP, Standing.UP]


def test_a_query_error_of_the_server_that_stands_in_is_told_alone() -> None:
    with world(DOWN, failing(QueryErrorKind.BAD_DATA, stated=True)) as servers:
        error = servers.ask().error
        assert error is not None
        assert (error.kind, error.message) == (QueryErrorKind.BAD_DATA, "it says bad_data")


def test_when_no_server_answers_each_is_named_and_each_is_asked_again() -> None:
    with world(DOWN, QueryError(QueryErrorKind.TIMEOUT, "http://b: no answer")) as servers:
        error = servers.ask().error
        assert error is not None
        assert error.message == "http://a: refused; http://b: no answer"
        servers.ask()
        assert (servers.first.queries, servers.second.queries) == (2, 2)
        assert servers.probe() == error.message


def test_a_server_that_is_away_is_found_back_by_the_probe_and_preferred_after_five_minutes() -> None:
    with world(DOWN) as servers, capture_logs() as said:
        servers.ask()
        servers.first.failure = None
        assert servers.probe() is None
        assert servers.standings == [Standing.RETURNING, Standing.UP]
        for minutes, standing in ((4, Standing.RETURNING), (1, Standing.UP)):
            servers.clock.at += timedelta(minutes=minutes)
            servers.probe()
            assert servers.standings == [standing, Standing.UP]
        before = servers.first.queries
        servers.ask()
        assert servers.first.queries == before + 1
    assert [(line["log_level"], line["url"]) for line in said] == [("warning", 1), ("info", 1), ("info", 1)]


def test_a_server_that_has_just_come_back_answers_when_nobody_else_does() -> None:
    with world(DOWN) as servers:
        servers.ask()
        servers.first.failure, servers.second.failure = None, DOWN
        assert servers.ask().error is None
        assert servers.standings == [Standing.RETURNING, Standing.AWAY]
        assert servers.second.queries == 2
        servers.ask()
        assert servers.second.queries == 2


def test_a_probe_asks_every_server_so_that_a_dead_one_is_known_before_it_is_needed() -> None:
    with world(None, DOWN) as servers:
        assert servers.probe() is None
        assert servers.standings == [Standing.UP, Standing.AWAY]
        (_, second) = servers.querying.standings("pair")
        assert (second.error, second.since) == ("http://a: refused", NOON)


def test_of_a_datasource_nobody_asked_nothing_is_known() -> None:
    with world() as servers:
        assert servers.querying.standings("pair") == ()


def test_a_datasource_without_an_address_says_so() -> None:
    querying = Querying(
        lambda _: (), executor=lambda *_: ThreadPoolExecutor(1), workers=1, clock=Hands(), metrics=Metrics()
    )
    reply = querying.ask(Datasource(name="bare"), {"r": RULE}, NOON, unseen=frozenset())["r"]
    querying.close()
    assert str(reply.error) == "datasource 'bare' has no address"
