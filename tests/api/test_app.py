"""The application as a whole: its routes, its schema, and its bounds."""

from __future__ import annotations

import pkgutil
import re
from importlib import import_module
from typing import Any

import pytest
from fastapi.testclient import TestClient
from pydantic import BaseModel

import api.schemas
from api.schemas.fields import Output, example_of

WRITES = {"post", "put", "patch", "delete"}
NO_WRITE = {
    "/api/v1/rules/{rule_id}/evaluate",
    "/api/v1/channels/{name}/test",
    "/api/v1/channels/{name}/preview",
    "/api/v1/routes/test",
    "/api/v1/silences/preview",
    "/api/v1/explain",
}
"""What is asked for by POST and changes nothing."""
NO_LIST = {
    "/api/v1/rules/{rule_id}/thresholds/effective",
    "/api/v1/alerts/{fingerprint}/explain",
    "/api/v1/plan",
}
"""An answer with a list in it that is made anew at each request, and so has no pages."""
PROMISED = {
    "explain": """
        GET /alerts/{fingerprint}/explain
        POST /explain
    """,
    "rules": """
        GET /rules
        POST /rules
        GET /rules/{rule_id}
        PUT /rules/{rule_id}
        PATCH /rules/{rule_id}
        DELETE /rules/{rule_id}
        POST /rules/{rule_id}/evaluate
        GET /rules/{rule_id}/versions
        POST /rules/{rule_id}/restore
    """,
    "thresholds": """
        GET /rules/{rule_id}/thresholds
        POST /rules/{rule_id}/thresholds
        GET /rules/{rule_id}/thresholds/effective
        GET /rules/{rule_id}/thresholds/{threshold_id}
        PUT /rules/{rule_id}/thresholds/{threshold_id}
        DELETE /rules/{rule_id}/thresholds/{threshold_id}
    """,
    "channels": """
        GET /channels
        POST /channels
        GET /channels/{name}
        PUT /channels/{name}
        DELETE /channels/{name}
        POST /channels/{name}/test
        POST /channels/{name}/preview
    """,
    "routes": """
        GET /routes
        POST /routes
        PUT /routes
        GET /routes/{route_id}
        PUT /routes/{route_id}
        DELETE /routes/{route_id}
        POST /routes/test
    """,
    "inhibit_rules": """
        GET /inhibit_rules
        POST /inhibit_rules
        GET /inhibit_rules/{inhibit_rule_id}
        PUT /inhibit_rules/{inhibit_rule_id}
        DELETE /inhibit_rules/{inhibit_rule_id}
    """,
    "time_intervals": """
        GET /time_intervals
        POST /time_intervals
        GET /time_intervals/{name}
        PUT /time_intervals/{name}
        DELETE /time_intervals/{name}
    """,
    "datasources": """
        GET /datasources
        POST /datasources
        GET /datasources/{name}
        PUT /datasources/{name}
        DELETE /datasources/{name}
    """,
    "silences": """
        GET /silences
        POST /silences
        GET /silences/{silence_id}
        PUT /silences/{silence_id}
        DELETE /silences/{silence_id}
        POST /silences/preview
    """,
    "alerts": """
        GET /alerts
        GET /alerts/{fingerprint}
        POST /alerts/{fingerprint}/silence
    """,
    "notifications": """
        GET /notifications
    """,
    "plan": """
        GET /plan
    """,
}
"""The operations of each noun; the noun is their tag."""


@pytest.fixture
def schema(api: TestClient) -> Any:
    return api.get("/openapi.json").json()


def operations(schema: Any) -> dict[tuple[str, str], Any]:
    """The native operations by method and path."""
    paths = {path: found for path, found in schema["paths"].items() if path.startswith("/api/v1/")}
    return {(method, path): each for path, found in paths.items() for method, each in found.items()}


def promised(noun: str) -> set[str]:
    return {line.strip() for line in PROMISED[noun].strip().splitlines()}


def test_the_native_api_stays_small(schema: Any) -> None:
    assert (len(PROMISED), len(operations(schema))) == (12, 57)


@pytest.mark.parametrize("noun", PROMISED)
def test_every_noun_has_the_operations_that_are_promised(schema: Any, noun: str) -> None:
    tagged = {key for key, operation in operations(schema).items() if operation["tags"] == [noun]}
    assert {f"{method.upper()} {path.removeprefix('/api/v1')}" for method, path in tagged} == promised(noun)


def test_no_operation_is_of_no_noun(schema: Any) -> None:
    assert {tag for operation in operations(schema).values() for tag in operation["tags"]} == set(PROMISED)


def resolved(schema: Any, part: Any) -> list[Any]:
    """The schemas a body may have: what a reference stands for, each of several alternatives."""
    if "$ref" in part:
        return resolved(schema, schema["components"]["schemas"][part["$ref"].rpartition("/")[2]])
    return [each for one in part["anyOf"] for each in resolved(schema, one)] if "anyOf" in part else [part]


def lacking(schema: Any, operation: Any) -> list[str]:
    """What an operation does not say of itself: in words, and by examples of what goes in and comes out."""
    bodies = {status: told["content"] for status, told in operation["responses"].items() if "content" in told}
    contents = [told["application/json"]["schema"] for status, told in bodies.items() if status.startswith("2")]
    contents += [told["schema"] for told in operation.get("requestBody", {}).get("content", {}).values()]
    words = [name for name in ("summary", "description", "tags") if not operation.get(name)]
    examples = [one.get("title", "a body") for each in contents for one in resolved(schema, each) if not _shown(one)]
    return words + examples + ([] if contents else ["an answer"])


def _shown(part: Any) -> bool:
    return bool([example for example in part.get("examples", ()) if example])


def test_every_operation_is_described_and_shown_by_examples(schema: Any) -> None:
    found = {key: lacking(schema, operation) for key, operation in operations(schema).items()}
    assert {key: missing for key, missing in found.items() if missing} == {}


def test_what_an_operation_lacks_is_found(schema: Any) -> None:
    bare = {"responses": {"200": {"content": {"application/json": {"schema": {"title": "Bare"}}}}}}
    assert lacking(schema, bare) == ["summary", "description", "tags", "Bare"]
    assert lacking(schema, {"responses": {}}) == ["summary", "description", "tags", "an answer"]


def models() -> list[type[BaseModel]]:
    """Every model that has an example of its own."""
    modules = [import_module(f"api.schemas.{module.name}") for module in pkgutil.iter_modules(api.schemas.__path__)]
    found = {each for module in modules for each in vars(module).values() if isinstance(each, type)}
    return sorted((each for each in found if issubclass(each, BaseModel) and example_of(each)), key=str)


@pytest.mark.parametrize("model", models(), ids=lambda model: model.__name__)
def test_an_example_is_one_that_could_be_sent_or_answered(model: type[BaseModel]) -> None:
    shown = example_of(model)
    told = model.model_validate(shown, by_alias=True)
    if issubclass(model, Output):
        again = told.model_dump(mode="json", by_alias=True)
        assert {name: again[name] for name in shown} == shown


def test_every_write_can_be_tried_first(schema: Any) -> None:
    for (method, path), operation in operations(schema).items():
        names = {parameter["name"] for parameter in operation.get("parameters", [])}
        if method in WRITES and path not in NO_WRITE:
            assert {"dry_run", "if-match"} <= names, (method, path)


def test_every_list_is_paged(schema: Any) -> None:
    lists = [
        each
        for (method, path), each in operations(schema).items()
        if method == "get" and not path.endswith("}") and path not in NO_LIST
    ]
    for operation in lists:
        names = {parameter["name"]: parameter["schema"] for parameter in operation["parameters"]}
        assert (names["limit"]["maximum"], "cursor" in names) == (1000, True)


def test_every_problem_is_in_the_schema(schema: Any) -> None:
    for operation in operations(schema).values():
        assert {"401", "404", "409", "413", "422", "503"} <= set(operation["responses"])
        told = operation["responses"]["422"]["content"]["application/problem+json"]["schema"]["$ref"]
        assert told.endswith("/ProblemDocument")


def test_rules_are_described_in_prometheus_words(schema: Any) -> None:
    rule = schema["components"]["schemas"]["RuleIn"]
    assert {"for", "keep_firing_for", "interval", "group", "limit"} <= set(rule["properties"])
    assert (rule["additionalProperties"], "hold" in rule["properties"]) == (False, False)
    assert rule["properties"]["for"]["type"] == "string"


def test_no_page_loads_anything_from_elsewhere(api: TestClient) -> None:
    assert [api.get(path).status_code for path in ("/docs", "/docs/oauth2-redirect", "/redoc")] == [200, 404, 404]


def test_metrics_are_told_as_prometheus_wants_them(api: TestClient) -> None:
    answered = api.get("/metrics")
    assert re.match(r"text/plain; version=[\d.]+; charset=utf-8$", answered.headers["Content-Type"])
    assert "tocsin_build_info" in answered.text
