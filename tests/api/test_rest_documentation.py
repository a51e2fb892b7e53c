"""docs/rest.md is true: it tells of every operation and of no other, and the application answers its examples as it says."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Final

import pytest
from fastapi.testclient import TestClient
from httpx2 import Response

from api.scopes import needed
from engine.core.planning import Means
from engine.plans import PlannedQuery
from tests.api.stand_in import StandIn, alert, store_alerts
from tests.store import messages

PAGE: Final = (Path(__file__).parents[2] / "docs" / "rest.md").read_text("utf-8")
EXAMPLE: Final = re.compile(r"^```http example\n(.*?)^```\n\n^```json (\d+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
OPERATION: Final = re.compile(r"^\| `([A-Z]+) (/[^`]*)` \| (\S+) \| \S", re.MULTILINE)


def seeded(engine: StandIn) -> None:
    """What the examples find: an alert that fires and was told to Slack, and two rules that share a query."""
    database = engine.database
    text = '(m{s=~"a|b"}\n) > 1'
    where = {"unit": "default/60s+0s@7.5s", "datasource": "default", "query": text}
    engine.planned.append(PlannedQuery(**where, means=Means.UNION, rules=("a", "b"), labels=("s",)))  # type: ignore[arg-type]
    store_alerts(database, alert("cpu", instance="db-1", severity="critical"))
    group = messages.group(database, "examples", [1])
    message = messages.message(database, group, firing=[1])
    messages.attempt(database, group, message, "sent")


def send(api: TestClient, written: str) -> Response:
    """The answer to a request as the page writes it: a line, headers, an empty line, JSON."""
    head, _, body = written.partition("\n\n")
    line, *headers = head.strip().splitlines()
    method, path = line.split(" ")
    given = dict(header.split(": ", 1) for header in headers)
    return api.request(method, path, json=json.loads(body) if body.strip() else None, headers=given)


def lacks(told: Any, answer: Any, place: str = "") -> list[str]:
    """Where the answer does not hold what the page tells of it."""
    if isinstance(told, dict) and isinstance(answer, dict):
        return [
            wrong for key, part in told.items() for wrong in lacks(part, answer.get(key, "nothing"), f"{place}.{key}")
        ]
    if isinstance(told, list) and isinstance(answer, list) and len(told) == len(answer):
        pairs = enumerate(zip(told, answer, strict=True))
        return [wrong for number, (part, found) in pairs for wrong in lacks(part, found, f"{place}.{number}")]
    return [] if told == answer else [f"{place}: {told!r} is {answer!r}"]


def test_every_operation_is_told_of_and_no_other(api: TestClient) -> None:
    paths = api.get("/openapi.json").json()["paths"]
    there = [(method.upper(), path) for path, operations in paths.items() for method in operations]
    assert sorted((method, path) for method, path, _ in OPERATION.findall(PAGE)) == sorted(there)


@pytest.mark.parametrize(("method", "path", "scope"), OPERATION.findall(PAGE))
def test_the_scope_of_an_operation_is_the_one_it_needs(method: str, path: str, scope: str) -> None:
    everybody = path in ("/health/live", "/health/liveness")
    assert scope == ("–" if everybody else needed(method, path))


def test_every_noun_has_an_example(api: TestClient) -> None:
    paths = api.get("/openapi.json").json()["paths"]
    tags = {tag for operations in paths.values() for operation in operations.values() for tag in operation["tags"]}
    _, *parts = re.split(r"^## (.+)$", PAGE, flags=re.MULTILINE)
    sections = dict(zip(parts[::2], parts[1::2], strict=True))
    assert sections.keys() == tags | {"Conventions"}
    assert [name for name, text in sections.items() if not EXAMPLE.search(text)] == []


def test_the_application_answers_the_examples_one_after_the_other_as_the_page_says(
    api: TestClient, engine: StandIn
) -> None:
    seeded(engine)
    wrong = []
    for written, status, told in EXAMPLE.findall(PAGE):
        answered = send(api, written)
        differing = lacks(json.loads(told), answered.json())
        if answered.status_code != int(status) or differing:
            wrong.append((written.splitlines()[0], answered.status_code, differing, answered.text))
    assert wrong == []


def test_no_request_of_the_page_goes_untried() -> None:
    assert len(EXAMPLE.findall(PAGE)) == len(re.findall(r"^```http", PAGE, re.MULTILINE))


@pytest.mark.parametrize(
    ("told", "answer", "wrong"),
    [
        ({"a": 1}, {"a": 1, "b": 2}, 0),
        ({"a": {"b": [1, 2]}}, {"a": {"b": [1, 2], "c": 0}}, 0),
        ({"a": 1, "b": 2}, {"a": 1}, 1),
        ({"a": [1]}, {"a": [1, 2]}, 1),
        ({"a": [{"b": 1}]}, {"a": [{"b": 2}]}, 1),
    ],
)
def test_an_answer_may_hold_more_than_is_told_but_nothing_else(told: Any, answer: Any, wrong: int) -> None:
    assert len(lacks(told, answer)) == wrong
