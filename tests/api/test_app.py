"""The application as a whole: its routes, its schema, and its bounds."""

from __future__ import annotations

import re
from typing import Any

import pytest
from fastapi.testclient import TestClient

WRITES = {"post", "put", "patch", "delete"}
NO_WRITE = {"/api/v1/rules/{rule_id}/evaluate", "/api/v1/channels/{name}/test"}
"""What is asked for by POST and changes nothing."""


@pytest.fixture
def schema(api: TestClient) -> Any:
    return api.get("/openapi.json").json()


def operations(schema: Any) -> dict[tuple[str, str], Any]:
    """The native operations by method and path."""
    paths = {path: found for path, found in schema["paths"].items() if path.startswith("/api/v1/")}
    return {(method, path): each for path, found in paths.items() for method, each in found.items()}


def test_the_native_api_stays_small(schema: Any) -> None:
    assert len(operations(schema)) <= 45
    assert len({path.split("/")[3] for _, path in operations(schema)}) <= 10


def test_every_noun_has_the_operations_that_are_promised(schema: Any) -> None:
    assert {f"{method.upper()} {path.removeprefix('/api/v1')}" for method, path in operations(schema)} == {
        "GET /rules",
        "POST /rules",
        "GET /rules/{rule_id}",
        "PUT /rules/{rule_id}",
        "PATCH /rules/{rule_id}",
        "DELETE /rules/{rule_id}",
        "POST /rules/{rule_id}/evaluate",
        "GET /channels",
        "POST /channels",
        "GET /channels/{name}",
        "PUT /channels/{name}",
        "DELETE /channels/{name}",
        "POST /channels/{name}/test",
        "GET /silences",
        "POST /silences",
        "GET /silences/{silence_id}",
        "PUT /silences/{silence_id}",
        "DELETE /silences/{silence_id}",
        "GET /alerts",
        "GET /alerts/{fingerprint}",
        "POST /alerts/{fingerprint}/silence",
    }


def test_every_write_can_be_tried_first(schema: Any) -> None:
    for (method, path), operation in operations(schema).items():
        names = {parameter["name"] for parameter in operation.get("parameters", [])}
        if method in WRITES and path not in NO_WRITE:
            assert {"dry_run", "if-match"} <= names, (method, path)


def test_every_list_is_paged(schema: Any) -> None:
    lists = [each for (method, path), each in operations(schema).items() if method == "get" and not path.endswith("}")]
    for operation in lists:
        names = {parameter["name"]: parameter["schema"] for parameter in operation["parameters"]}
        assert (names["limit"]["maximum"], "cursor" in names) == (1000, True)


def test_every_problem_is_in_the_schema(schema: Any) -> None:
    for operation in operations(schema).values():
        assert {"401", "404", "409", "413", "422", "503"} <= set(operation["responses"])
        told = operation["responses"]["422"]["content"]["application/json"]["schema"]["$ref"]
        assert told.endswith("/ProblemDocument")


def test_every_operation_says_what_it_is_for(schema: Any) -> None:
    assert [key for key, each in operations(schema).items() if not each.get("description")] == []


def test_rules_are_described_in_prometheus_words(schema: Any) -> None:
    rule = schema["components"]["schemas"]["RuleIn"]
    assert {"for", "keep_firing_for", "interval", "group", "limit"} <= set(rule["properties"])
    assert (rule["additionalProperties"], "hold" in rule["properties"]) == (False, False)
    assert rule["properties"]["for"]["type"] == "string"


def test_no_page_loads_anything_from_elsewhere(api: TestClient) -> None:
    assert [api.get(path).status_code for path in ("/docs", "/redoc")] == [404, 404]


def test_metrics_are_told_as_prometheus_wants_them(api: TestClient) -> None:
    answered = api.get("/metrics")
    assert re.match(r"text/plain; version=[\d.]+; charset=utf-8$", answered.headers["Content-Type"])
    assert "tocsin_build_info" in answered.text
