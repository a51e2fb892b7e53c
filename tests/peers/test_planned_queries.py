"""Rules asked together against the same rules asked one by one, on a real Prometheus: the same labels, the same bits."""

from __future__ import annotations

import random
import struct
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, event, given, settings

from engine.core import batching, planning
from engine.core.alert import Sample
from engine.core.planning import Question, Shared
from engine.prometheus import Prometheus, QueryError
from rules.labels import Labels
from rules.query import question
from rules.rule import Rule
from tests.peers.planned_expressions import Exposition, rule_sets
from tests.peers.prometheus_server import PrometheusServer
from tests.servers import Request, Response, ScriptedServer

pytestmark = pytest.mark.peer("prometheus")

ULPS = 4
WORKERS = 4


@dataclass(frozen=True)
class World:
    prometheus: Prometheus
    at: datetime
    pool: ThreadPoolExecutor

    def ask(self, text: str) -> Sequence[Sample] | QueryError:
        try:
            return self.prometheus.query(text, self.at).samples
        except QueryError as error:
            return error


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    exposition = Exposition(random.Random(7))

    def metrics(_: Request) -> Response:
        return Response(body=f"{exposition.text()}\n".encode(), headers={"Content-Type": "text/plain"})

    with ScriptedServer(metrics) as exporter, PrometheusServer(targets=[f"127.0.0.1:{exporter.port}"]) as server:
        server.wait_for("min(count_over_time(c[4s])) > 12", within=timedelta(seconds=30))
        at = datetime.now(UTC) - timedelta(milliseconds=500)
        time.sleep(0.3)
        with closing(Prometheus(server.url, workers=WORKERS)) as prometheus, ThreadPoolExecutor(WORKERS) as pool:
            yield World(prometheus, at, pool)


@settings(
    max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None
)
@given(rule_sets())
def test_rules_asked_together_get_what_each_gets_alone(world: World, rules: Mapping[str, Rule]) -> None:
    questions = _questions(rules, world.at)
    alone = dict(zip(questions, world.pool.map(world.ask, [one.asked.text for one in questions.values()]), strict=True))
    for query in _queries(questions.values()):
        event(query.means)
        _compare(query, world.ask(query.text), alone)


@settings(
    max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None
)
@given(rule_sets())
def test_queries_in_a_batch_get_what_each_gets_alone(world: World, rules: Mapping[str, Rule]) -> None:
    queries = _queries(_questions(rules, world.at).values())
    alone = dict(
        zip([one.key for one in queries], world.pool.map(world.ask, [one.text for one in queries]), strict=True)
    )
    good = [one for one in queries if not isinstance(alone[one.key], QueryError)]
    for request in batching.requests(good, batch=5):
        answer = world.ask(request.text)
        assert not isinstance(answer, QueryError), (answer, request.text)
        for key, samples in batching.unbatched(request, answer).items():
            expected = alone[key]
            assert not isinstance(expected, QueryError)
            assert _bits(samples) == _bits(expected), key


def _questions(rules: Mapping[str, Rule], at: datetime) -> dict[str, Question]:
    return {rule_id: Question.of(rule_id, question(rule, (), since=at, until=at)) for rule_id, rule in rules.items()}


def _queries(questions: Iterable[Question]) -> list[Shared]:
    groups: dict[str, list[Question]] = {}
    for one in questions:
        groups.setdefault(planning.group_key(one), []).append(one)
    return [query for key, members in groups.items() for query in planning.shared(key, members)]


def _compare(
    query: Shared, answer: Sequence[Sample] | QueryError, alone: Mapping[str, Sequence[Sample] | QueryError]
) -> None:
    if isinstance(answer, QueryError):
        # One that fails has to be one whose rules' own queries are asked then: no neighbour may hang on it.
        event("failed together")
        return
    found = planning.answers(query, answer)
    plainly = planning.answers_plainly(query, answer)
    assert {name: _bits(samples) for name, samples in found.items()} == {
        name: _bits(samples) for name, samples in plainly.items()
    }
    widened = bool(query.dropped)
    for one in query.questions:
        expected = alone[one.rule_id]
        assert not isinstance(expected, QueryError), (expected, query.text)
        samples = found.get(one.rule_id, [])
        if widened:
            assert _labels(samples) == _labels(expected), (one.asked.text, query.text)
            assert _apart(samples, expected) <= ULPS, (one.asked.text, query.text)
        else:
            assert _bits(samples) == _bits(expected), (one.asked.text, query.text)


def _labels(samples: Sequence[Sample]) -> list[Labels]:
    return sorted((sample.labels for sample in samples), key=str)


def _bits(samples: Sequence[Sample]) -> list[tuple[str, bytes]]:
    return sorted((str(sample.labels), struct.pack("<d", sample.value)) for sample in samples)


def _apart(samples: Sequence[Sample], expected: Sequence[Sample]) -> int:
    """The largest distance of two values in units of the last place."""
    pairs = zip(
        *(sorted(some, key=lambda one: (str(one.labels), one.value)) for some in (samples, expected)), strict=True
    )
    return max((abs(_ordinal(one.value) - _ordinal(other.value)) for one, other in pairs), default=0)


def _ordinal(value: float) -> int:
    """The place of a float among all floats."""
    number: int = struct.unpack("<q", struct.pack("<d", value))[0]
    return number if number >= 0 else -(number & 0x7FFF_FFFF_FFFF_FFFF)
