"""Health: what supervisors and load balancers are told, by GET and by HEAD."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from engine.health import Component
from tests.api.stand_in import HEALTHY, StandIn

LIVE = ["/health/live", "/health/liveness"]
READY = ["/health/ready", "/health/readiness", "/ready"]


def asking(engine: StandIn, *broken: str) -> TestClient:
    """The API over an engine in which these components are out."""
    parts = [replace(part, status="unhealthy", detail="gone") if part.name in broken else part for part in HEALTHY]
    return TestClient(create_app(replace(engine, components=parts)))


def test_every_component_is_told_with_its_status_and_response_time(api: TestClient) -> None:
    answered = api.get("/health")
    assert (answered.status_code, answered.json()) == (
        200,
        {
            "status": "healthy",
            "unhealthy": [],
            "components": {
                "database": {"status": "healthy", "response_time_ms": 0.5, "detail": ""},
                "prometheus": {"status": "healthy", "response_time_ms": 1.5, "detail": ""},
                "delivery": {
                    "status": "unconfigured",
                    "response_time_ms": None,
                    "detail": "no channel has an address",
                },
                "evaluation": {"status": "healthy", "response_time_ms": None, "detail": ""},
            },
        },
    )


@pytest.mark.parametrize("part", [part.name for part in HEALTHY])
def test_one_component_that_is_out_makes_the_whole_unhealthy(engine: StandIn, part: str) -> None:
    answered = asking(engine, part).get("/health")
    assert (answered.status_code, answered.json()["status"]) == (503, "unhealthy")
    assert answered.json()["unhealthy"] == [part]
    assert answered.json()["components"][part]["detail"] == "gone"


@pytest.mark.parametrize("path", READY)
@pytest.mark.parametrize(
    ("broken", "status", "waiting"),
    [
        ((), 200, []),
        (("database",), 503, ["database"]),
        (("evaluation", "database"), 503, ["database", "evaluation"]),
        (("prometheus", "delivery"), 200, []),
    ],
    ids=["well", "no database", "no loops", "others are out"],
)
def test_readiness_hangs_on_what_this_process_cannot_do_without(
    engine: StandIn, path: str, broken: tuple[str, ...], status: int, waiting: list[str]
) -> None:
    answered = asking(engine, *broken).get(path)
    assert (answered.status_code, answered.json()["waiting_for"]) == (status, waiting)


def test_a_loop_that_died_is_unhealthy_and_not_ready(engine: StandIn, api: TestClient) -> None:
    engine.failed.set()
    assert (api.get("/health").status_code, api.get("/ready").json()["waiting_for"]) == (503, ["loops"])


class Wreck(StandIn):
    """An engine that cannot even say how it is."""

    def health(self) -> Sequence[Component]:
        raise AssertionError("liveness must not ask")


@pytest.mark.parametrize("path", LIVE)
def test_liveness_hangs_on_nothing(engine: StandIn, path: str) -> None:
    engine.failed.set()
    answered = TestClient(create_app(Wreck(database=engine.database, failed=engine.failed))).get(path)
    assert (answered.status_code, answered.json()) == (200, {"status": "alive"})


@pytest.mark.parametrize("path", [*LIVE, *READY, "/health", "/metrics"])
def test_every_health_path_answers_head_as_it_answers_get(engine: StandIn, path: str) -> None:
    for broken in ((), ("database",)):
        api = asking(engine, *broken)
        head, get = api.head(path), api.get(path)
        assert (head.status_code, head.headers["Content-Type"]) == (get.status_code, get.headers["Content-Type"])


def test_a_health_path_answers_nothing_else(api: TestClient) -> None:
    answered = api.post("/health")
    assert (answered.status_code, answered.json()["type"]) == (405, "urn:tocsin:problem:method-not-allowed")
    assert answered.headers["Allow"] == "GET"


@pytest.mark.parametrize("path", READY)
def test_a_process_that_is_asked_to_stop_is_not_ready_any_more_and_still_alive(engine: StandIn, path: str) -> None:
    engine.leaving.set()
    client = TestClient(create_app(engine))
    assert client.get(path).status_code == 503
    assert client.get("/health/live").status_code == 200
