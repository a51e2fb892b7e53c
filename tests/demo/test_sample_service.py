"""The watched service: what a scraper reads while it is well and while it fails."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests

from api.demo.sample_service import SampleService


class Watch:
    """A clock that a test sets."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def service(watch: Watch) -> Iterator[SampleService]:
    with SampleService(watch) as service:
        yield service


def values(service: SampleService) -> dict[str, float]:
    """The samples as a scraper reads them."""
    text = requests.get(f"http://{service.target}/metrics", timeout=5).text
    pairs = (line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, value in pairs}


def test_a_healthy_service_fails_hardly_ever(service: SampleService) -> None:
    assert values(service)['error_rate{service="checkout"}'] == 0.8


def test_the_error_rate_is_what_the_service_was_told_to_have(service: SampleService) -> None:
    service.error_percent = 27.4
    assert values(service)['error_rate{service="checkout"}'] == 27.4


def test_the_counters_grow_with_time_by_the_error_rate_then_in_force(service: SampleService, watch: Watch) -> None:
    service.error_percent = 0
    watch.now = 10
    service.error_percent = 50
    watch.now = 20
    seen = values(service)
    assert seen['http_requests_total{service="checkout",status="200"}'] == 600
    assert seen['http_requests_total{service="checkout",status="500"}'] == 200


def test_the_exposition_is_served_as_prometheus_wants_it(service: SampleService) -> None:
    answer = requests.get(f"http://{service.target}/metrics", timeout=5)
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert answer.text.count("# TYPE") == answer.text.count("# HELP") == 2


def test_any_other_path_names_the_right_one(service: SampleService) -> None:
    answer = requests.get(f"http://{service.target}/", timeout=5)
    assert (answer.status_code, answer.text) == (404, "the metrics are at /metrics\n")
