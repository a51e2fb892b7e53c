"""Our door against the real Prometheus: what it scraped is what we read, what it refuses is what we report."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from urllib.error import HTTPError

import pytest

from engine.core.alert import Sample
from engine.prometheus import Prometheus, QueryError, QueryErrorKind
from rules.labels import Labels
from tests.peers.prometheus_server import Exporter, PrometheusServer

pytestmark = pytest.mark.peer("prometheus")

METRICS = r"""
temperature{room="a\"b\\c\nd"} 21.5
temperature{room="ünï"} NaN
temperature{room="+"} +Inf
"""


@pytest.fixture(scope="module")
def server() -> Iterator[PrometheusServer]:
    with Exporter(METRICS) as exporter, PrometheusServer(targets=[exporter.target]) as server:
        server.wait_for("temperature")
        yield server


@pytest.fixture
def prometheus(server: PrometheusServer) -> Iterator[Prometheus]:
    with closing(Prometheus(server.url, workers=16)) as prometheus:
        yield prometheus


@pytest.fixture
def alone() -> Iterator[PrometheusServer]:
    with PrometheusServer() as server:
        yield server


def now() -> datetime:
    return datetime.now(UTC)


def test_what_was_scraped_is_what_is_read(prometheus: Prometheus) -> None:
    answer = prometheus.query("sum by (room) (temperature)", now())
    values = {sample.labels["room"]: sample.value for sample in answer.samples}
    assert set(values) == {'a"b\\c\nd', "ünï", "+"}
    assert (values['a"b\\c\nd'], values["+"]) == (21.5, math.inf)
    assert math.isnan(values["ünï"])


def test_the_instant_asked_for_is_the_instant_answered(prometheus: Prometheus) -> None:
    at = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
    answer = prometheus.query("time()", at)
    assert answer.samples == (Sample(labels=Labels(), value=at.timestamp()),)
    assert answer.result_type == "scalar"
    assert prometheus.query("temperature", at).samples == ()


def test_a_range_has_every_step_and_both_ends(prometheus: Prometheus) -> None:
    start = datetime(2026, 1, 2, 3, 4, 5, 250000, tzinfo=UTC)
    [series] = prometheus.query_range("time()", start, start + timedelta(seconds=1), timedelta(milliseconds=500))
    assert series.points == tuple((start.timestamp() + step, start.timestamp() + step) for step in (0, 0.5, 1))


@pytest.mark.parametrize(
    ("expr", "kind", "message"),
    [
        pytest.param("up{", QueryErrorKind.BAD_DATA, "parse error", id="syntax"),
        pytest.param("nonsense(up)", QueryErrorKind.BAD_DATA, "unknown function", id="function"),
        pytest.param("up + on() temperature", QueryErrorKind.EXECUTION, "many-to-many", id="match"),
        pytest.param("temperature[1m]", QueryErrorKind.EXECUTION, "not a vector or scalar", id="matrix"),
        pytest.param('"text"', QueryErrorKind.EXECUTION, "not a vector or scalar", id="string"),
    ],
)
def test_what_it_refuses_is_told_in_its_own_words(
    prometheus: Prometheus, expr: str, kind: QueryErrorKind, message: str
) -> None:
    with pytest.raises(QueryError, match=message) as caught:
        prometheus.query(expr, now())
    assert caught.value.kind is kind


def test_a_query_over_a_mebibyte_is_answered(prometheus: Prometheus) -> None:
    assert prometheus.query("vector(7) # " + "x" * 1_100_000, now()).samples[0].value == 7


def test_a_query_that_takes_too_long_is_a_timeout(server: PrometheusServer) -> None:
    heavy = "count(count_over_time(vector(1)[100d:1s]))"
    with closing(Prometheus(server.url, timeout=timedelta(milliseconds=300))) as hurried:
        with pytest.raises(QueryError) as caught:
            hurried.query(heavy, now())
        assert caught.value.kind is QueryErrorKind.TIMEOUT


def test_it_is_reachable_and_tells_its_version(prometheus: Prometheus) -> None:
    prometheus.check()
    version = prometheus.build_info()
    assert version is not None
    assert version[0] in "23"


def test_sixteen_threads_share_a_client(prometheus: Prometheus, caplog: pytest.LogCaptureFixture) -> None:
    at = now()
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda number: prometheus.query(f"vector({number})", at), range(400)))
    assert [answer.samples[0].value for answer in answers] == list(range(400))
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_a_client_outlives_a_restart_of_its_server(alone: PrometheusServer) -> None:
    with closing(Prometheus(alone.url)) as prometheus:
        prometheus.check()
        alone.stop()
        with pytest.raises(QueryError) as caught:
            prometheus.check()
        assert caught.value.kind is QueryErrorKind.UNAVAILABLE
        alone.start()
        prometheus.check()


def test_a_configuration_it_refuses_is_an_error(alone: PrometheusServer) -> None:
    with pytest.raises(HTTPError, match="500"):
        alone.reload(targets=["no target at all/"])
