"""Around every request: the bound on bodies, and the metrics under the route's template."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families
from starlette.types import Message

from api.app import create_app
from api.middleware import BODY_LIMIT
from tests.api.stand_in import StandIn

RULE = {"name": "Down", "expr": "up == 0"}
MIB = 1024 * 1024


def samples(api: TestClient) -> dict[tuple[str, ...], float]:
    """The request metrics by name and label values."""
    found = {}
    for family in text_string_to_metric_families(api.get("/metrics").text):
        for sample in family.samples:
            if sample.name.startswith("tocsin_http_") and not sample.name.endswith(("_bucket", "_created")):
                found[sample.name.removeprefix("tocsin_http_"), *sample.labels.values()] = sample.value
    return found


def test_requests_are_counted_by_method_template_and_status(api: TestClient) -> None:
    api.put("/api/v1/rules/one", json=RULE)
    api.get("/api/v1/rules/one")
    api.get("/api/v1/rules/two")
    api.get("/api/v1/rules/three")
    found = samples(api)
    assert found["requests_total", "PUT", "/api/v1/rules/{rule_id}", "201"] == 1
    assert found["requests_total", "GET", "/api/v1/rules/{rule_id}", "200"] == 1
    assert found["requests_total", "GET", "/api/v1/rules/{rule_id}", "404"] == 2
    assert found["request_seconds_count", "GET", "/api/v1/rules/{rule_id}"] == 3


def test_paths_and_methods_nobody_knows_make_no_series_of_their_own(api: TestClient) -> None:
    for number in range(3):
        api.request(f"HACK{number}", f"/nothing/{number}")
    assert samples(api)["requests_total", "OTHER", "unmatched", "404"] == 3


def test_a_request_under_way_is_told(api: TestClient) -> None:
    assert samples(api)["requests_in_progress", "GET"] == 1
    assert samples(api)["requests_in_progress", "GET"] == 1


def test_a_request_that_fails_is_counted_as_the_servers_failure(engine: StandIn) -> None:
    engine.database.close()
    api = TestClient(
        create_app(Broken(database=engine.database, metrics=engine.metrics)), raise_server_exceptions=False
    )
    assert api.get("/health").status_code == 500
    assert samples(api)["requests_total", "GET", "/health", "500"] == 1


class Broken(StandIn):
    """An engine with a bug."""

    def health(self) -> Any:
        raise ZeroDivisionError("postgresql://user:s3cr3t@host/")


def test_a_bug_is_told_as_one_and_no_more(engine: StandIn) -> None:
    answered = TestClient(
        create_app(Broken(database=engine.database, metrics=engine.metrics)), raise_server_exceptions=False
    ).get("/health")
    assert (answered.json()["type"], "s3cr3t" in answered.text) == ("urn:tocsin:problem:internal", False)


def test_a_large_body_is_taken(api: TestClient) -> None:
    body = json.dumps({**RULE, "annotations": {"text": "x" * (MIB - 1000)}})
    answered = api.put("/api/v1/rules/one", content=body, headers={"Content-Type": "application/json"})
    assert answered.status_code == 201


def test_a_body_that_announces_to_be_too_large_is_refused(api: TestClient) -> None:
    body = json.dumps({**RULE, "annotations": {"text": "x" * 10 * MIB}})
    answered = api.put("/api/v1/rules/one", content=body, headers={"Content-Type": "application/json"})
    assert (answered.status_code, answered.json()["type"]) == (413, "urn:tocsin:problem:too-large")


def test_a_body_that_turns_out_to_be_too_large_is_refused(api: TestClient) -> None:
    def chunks() -> Iterator[bytes]:
        for _ in range(10):
            yield b" " * MIB

    answered = api.put("/api/v1/rules/one", content=chunks(), headers={"Content-Type": "application/json"})
    assert (answered.status_code, answered.json()["type"]) == (413, "urn:tocsin:problem:too-large")
    assert str(BODY_LIMIT) in answered.json()["detail"]


@pytest.mark.parametrize("length", [None, b"10485760", b"9" * 30], ids=["unannounced", "announced", "absurd"])
def test_a_large_body_is_not_read_into_memory(engine: StandIn, length: bytes | None) -> None:
    taken, sent = 0, []

    async def receive() -> Message:
        nonlocal taken
        taken += MIB // 4
        return {"type": "http.request", "body": b" " * (MIB // 4), "more_body": taken < 10 * MIB}

    async def send(message: Message) -> None:
        sent.append(message)

    headers = [(b"content-type", b"application/json"), *([(b"content-length", length)] if length else [])]
    asyncio.run(create_app(engine)(_scope(headers), receive, send))
    assert sent[0]["status"] == 413
    assert taken <= (0 if length else MIB + MIB // 4)


def _scope(headers: list[tuple[bytes, bytes]]) -> dict[str, Any]:
    path = "/api/v1/rules/one"
    address = {"client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80), "scheme": "http", "root_path": ""}
    request = {"type": "http", "http_version": "1.1", "method": "PUT", "path": path, "raw_path": path.encode()}
    return {**request, **address, "query_string": b"", "headers": headers, "asgi": {"version": "3.0"}}
