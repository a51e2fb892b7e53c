"""Whatever is thrown at it, the API answers with a problem and never with a failure of its own."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.app import create_app
from engine.store.database import connect
from tests.api.stand_in import NoonClock, StandIn

RULE: dict[str, Any] = {"name": "Down", "expr": "up == 0"}
JSON = {"Content-Type": "application/json"}
WRITES = [
    ("POST", "/api/v1/rules"),
    ("PUT", "/api/v1/rules/one"),
    ("PATCH", "/api/v1/rules/one"),
    ("POST", "/api/v1/channels"),
    ("PUT", "/api/v1/channels/one"),
    ("POST", "/api/v1/silences"),
    ("PUT", "/api/v1/silences/one"),
]
HOSTILE = [
    pytest.param(b"", id="nothing"),
    pytest.param(b"{", id="half an object"),
    pytest.param(b"\xff\xfe\x00", id="no UTF-8"),
    pytest.param(b"[" * 10_000 + b"]" * 10_000, id="deep lists"),
    pytest.param(b'{"labels":' * 10_000 + b"1" + b"}" * 10_000, id="deep objects"),
    pytest.param(b'{"labels":' * 900 + b"1" + b"}" * 900, id="objects that can just be read"),
    pytest.param(b"[" + b"9" * 100_000 + b"]", id="huge integer"),
    pytest.param(b'{"name":"x","expr":"up","limit":' + b"9" * 4000 + b"}", id="huge integer in a field"),
    pytest.param(b'{"name":"x","metric_name":"up","condition":">","threshold":1e999}', id="number beyond floats"),
    pytest.param(b'{"name":"x","metric_name":"up","condition":">","threshold":NaN}', id="NaN"),
    pytest.param(b'{"name":NaN,"expr":-Infinity,"kind":NaN,"matchers":NaN}', id="NaN everywhere"),
    pytest.param(b'{"name":"a\\u0000b","expr":"up"}', id="NUL"),
    pytest.param(b'{"name":"\\ud800","expr":"up"}', id="half a surrogate pair"),
    pytest.param(b'{"\\ud800":1}', id="half a surrogate pair as a field"),
    pytest.param(b'{"name":"x","expr":"up","labels":{"\\ud800":"a","b":"\\u0000"}}', id="labels nobody can store"),
    pytest.param(b'{"kind":"log","name":"x","settings":{"a":"\\u0000"}}', id="settings nobody can store"),
    pytest.param(b'{"duration":"1h","matchers":"a=\\"\\ud800\\""}', id="matchers nobody can store"),
    pytest.param(b"null", id="null"),
    pytest.param(b'"text"', id="text"),
    pytest.param(b"[]", id="list"),
]


@pytest.mark.parametrize("body", HOSTILE)
@pytest.mark.parametrize(("method", "path"), WRITES)
def test_a_hostile_body_is_the_senders_mistake(api: TestClient, method: str, path: str, body: bytes) -> None:
    if method == "PATCH":
        api.put(path, json=RULE)
    answered = api.request(method, path, content=body, headers=JSON)
    assert 400 <= answered.status_code < 500, answered.text
    assert answered.headers["Content-Type"] == "application/problem+json"
    assert answered.json()["status"] == answered.status_code


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
_NAMES = st.sampled_from(
    ["name", "expr", "for", "threshold", "condition", "labels", "matchers", "duration", "kind", "url"]
)


@given(body=st.dictionaries(_NAMES | st.text(max_size=5), _VALUES, max_size=6), write=st.sampled_from(WRITES))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_body_makes_the_api_fail(api: TestClient, body: dict[str, Any], write: tuple[str, str]) -> None:
    method, path = write
    answered = api.request(method, path, content=_dumped(body), headers=JSON)
    assert answered.status_code < 500, answered.text


def _dumped(body: object) -> bytes:
    return json.dumps(body).encode()


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/rules/%00",
        "/api/v1/rules/%ed%a0%80",
        "/api/v1/rules/" + "x" * 5000,
        "/api/v1/rules?cursor=%00",
        "/api/v1/rules?cursor=%ff",
        "/api/v1/alerts?filter=%00%ff",
        "/api/v1/alerts?cursor=" + "9" * 5000,
        "/api/v1/alerts/%00",
        "/api/v1/silences/..%2f..",
    ],
)
def test_a_hostile_address_is_no_failure_of_ours(api: TestClient, path: str) -> None:
    assert api.get(path).status_code < 500


@pytest.mark.parametrize(
    "content_type", [None, "text/plain", "application/x-www-form-urlencoded", "application/xml", "nonsense"]
)
def test_a_body_that_is_not_announced_as_json_is_not_read(api: TestClient, content_type: str | None) -> None:
    headers = {"Content-Type": content_type} if content_type else {}
    answered = api.post("/api/v1/rules", content=b'{"name": "s3cr3t"}', headers=headers)
    assert (answered.status_code, "Content-Type: application/json" in answered.json()["detail"]) == (415, True)
    assert "s3cr3t" not in answered.text


def test_text_that_is_no_json_is_told_with_its_position(api: TestClient) -> None:
    answered = api.post("/api/v1/rules", content=b'{"name": }', headers=JSON)
    (error,) = answered.json()["errors"]
    assert error["message"].startswith("not JSON at character 9")


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("/api/v2/alerts", "/alertmanager/api/v2"),
        ("/api/v2/silences", "/alertmanager/api/v2"),
        ("/api/v1/query", "/prometheus/api/v1"),
        ("/api/v1/query_range?query=up", "/prometheus/api/v1"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_who_looks_for_alertmanager_or_prometheus_is_told_where(
    api: TestClient, method: str, path: str, hint: str
) -> None:
    answered = api.request(method, path)
    assert (answered.status_code, hint in answered.json()["detail"]) == (404, True)


def test_any_other_path_is_only_not_found(api: TestClient) -> None:
    answered = api.get("/nowhere")
    assert answered.status_code == 404
    assert answered.json() == {
        "type": "urn:tocsin:problem:not-found",
        "title": "Not Found",
        "status": 404,
        "detail": "nothing is found at this path",
        "errors": [],
    }


@pytest.mark.parametrize(("method", "path"), [("GET", "/api/v1/rules"), ("PUT", "/api/v1/rules/one")])
def test_a_database_that_is_away_is_told_as_that(engine: StandIn, tmp_path: Path, method: str, path: str) -> None:
    away = connect(str(tmp_path / "s3cr3t" / "none.db"), NoonClock())
    api = TestClient(create_app(replace(engine, database=away)))
    answered = api.request(method, path, json=RULE if method == "PUT" else None)
    assert (answered.status_code, answered.headers["Retry-After"]) == (503, "5")
    assert answered.json()["type"] == "urn:tocsin:problem:database-away"
    assert "s3cr3t" not in answered.text
    away.close()


def test_a_row_the_database_refuses_is_a_conflict(api: TestClient, engine: StandIn) -> None:
    with engine.database.write() as connection:
        connection.exec_driver_sql(
            "CREATE TRIGGER no BEFORE INSERT ON alert_rules BEGIN SELECT RAISE(ABORT, 'no'); END"
        )
    answered = api.put("/api/v1/rules/one", json=RULE)
    assert (answered.status_code, answered.json()["type"]) == (409, "urn:tocsin:problem:refused-by-database")
