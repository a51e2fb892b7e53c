"""Threshold rows by REST: rows of one rule, what is wrong with them, and which of them governs which series."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from api.schemas.thresholds import ThresholdOut
from engine.core.levels import Effective, EffectiveLevel, EffectiveSeries
from engine.store import thresholds as store
from engine.store.database import Database
from rules.labels import Labels
from rules.matchers import Matcher, Operator
from rules.thresholds import Threshold
from tests.api.stand_in import StandIn

CPU: dict[str, Any] = {"name": "HighCpu", "metric_name": "cpu_usage", "condition": ">", "threshold": 90}
ROW: dict[str, Any] = {"matchers": 'team="db"', "threshold": 95}
PATH = "/api/v1/rules/cpu/thresholds"


@pytest.fixture(autouse=True)
def _rules(api: TestClient) -> None:
    api.put("/api/v1/rules/cpu", json=CPU)
    api.put("/api/v1/rules/down", json={"name": "Down", "expr": "absent(up)"})


def put(api: TestClient, threshold_id: str = "db", **changes: object) -> Any:
    answered = api.put(f"{PATH}/{threshold_id}", json={**ROW, **changes})
    assert answered.status_code in {200, 201}, answered.text
    return answered.json()


def test_every_field_of_a_threshold_row_is_told() -> None:
    assert set(ThresholdOut.model_fields) == {each.name for each in fields(Threshold)} | {"problems"}


def test_a_threshold_row_is_stored_as_it_was_declared(api: TestClient, database: Database) -> None:
    body = {
        **ROW,
        "recovery_threshold": 85,
        "severity": "critical",
        "for": "10m",
        "valid_from": "2026-11-21T12:00:00+02:00",
        "valid_to": "2027-01-01T00:00:00Z",
        "priority": 3,
        "reason": "migration",
        "team": "sre",
    }
    answered = api.post(PATH, json={**body, "id": "db"})
    assert (answered.status_code, answered.headers["ETag"]) == (201, '"1"')
    with database.read() as connection:
        assert store.get(connection, "db") == Threshold(
            id="db",
            rule_id="cpu",
            matchers=(Matcher("team", Operator.EQUAL, "db"),),
            threshold=95,
            recovery_threshold=85,
            severity="critical",
            hold=timedelta(minutes=10),
            valid_from=datetime(2026, 11, 21, 10, tzinfo=UTC),
            valid_to=datetime(2027, 1, 1, tzinfo=UTC),
            priority=3,
            reason="migration",
            team="sre",
            origin="api",
        )


def test_what_was_answered_can_be_sent_back(api: TestClient) -> None:
    put(api, **{"for": "10m", "valid_to": "2027-01-01T00:00:00Z", "threshold": "+Inf"})
    told = api.get(f"{PATH}/db").json()
    assert (told["rule_id"], told["for"], told["threshold"]) == ("cpu", "10m", "+Inf")
    assert put(api, **{**told, "matchers": told["matchers"]})["version"] == 1


@pytest.mark.parametrize(
    ("changes", "field", "message"),
    [
        pytest.param({"threshold": "NaN"}, "threshold", "NaN", id="no number"),
        pytest.param({"threshold": None}, "threshold", "must be a number", id="no threshold"),
        pytest.param(
            {"valid_from": "2027-01-01T00:00:00Z", "valid_to": "2027-01-01T00:00:00Z"},
            "valid_to",
            "not after",
            id="no time",
        ),
        pytest.param({"for": 300}, "for", "as text", id="bare number"),
        pytest.param({"priority": "high"}, "priority", "integer", id="priority"),
        pytest.param({"treshold": 1}, "treshold", "unknown field", id="misspelt"),
        pytest.param({"id": "other"}, "id", "never changes", id="another id"),
    ],
)
def test_a_threshold_row_that_governs_nothing_is_refused(
    api: TestClient, changes: dict[str, object], field: str, message: str
) -> None:
    answered = api.put(f"{PATH}/db", json={**ROW, **changes})
    found = {error["field"]: error["message"] for error in answered.json()["errors"]}
    assert (answered.status_code, set(found)) == (422, {field})
    assert message in found[field]
    assert api.get(f"{PATH}/db").status_code == 404


def test_a_rule_that_compares_with_no_number_takes_no_threshold_row(api: TestClient) -> None:
    answered = api.post("/api/v1/rules/down/thresholds", json=ROW)
    (error,) = answered.json()["errors"]
    assert (answered.status_code, error["field"]) == (422, "threshold")
    assert "cannot have threshold rows" in error["message"]


def test_the_word_that_asks_which_rows_govern_is_no_id(api: TestClient) -> None:
    for answered in (api.put(f"{PATH}/effective", json=ROW), api.post(PATH, json={**ROW, "id": "effective"})):
        assert (answered.status_code, answered.json()["errors"][0]["field"]) == (422, "id")


def test_the_rows_of_another_rule_are_not_found_and_not_taken(api: TestClient) -> None:
    put(api)
    api.put("/api/v1/rules/other", json=CPU)
    path = "/api/v1/rules/other/thresholds"
    assert [api.request(method, f"{path}/db").status_code for method in ("GET", "DELETE")] == [404, 404]
    answered = api.put(f"{path}/db", json=ROW)
    assert (answered.status_code, answered.json()["errors"][0]["message"]) == (
        422,
        "rule 'cpu' has a threshold with this id",
    )
    assert (api.get(path).json()["items"], api.get(f"{PATH}/db").status_code) == ([], 200)


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", ""), ("POST", ""), ("GET", "/effective"), ("GET", "/x"), ("PUT", "/x"), ("DELETE", "/x")],
)
def test_an_unknown_rule_is_not_found(api: TestClient, method: str, path: str) -> None:
    answered = api.request(method, f"/api/v1/rules/none/thresholds{path}", json=ROW)
    assert (answered.status_code, answered.json()["detail"]) == (404, "there is no rule 'none'")


def test_a_row_that_is_tied_with_another_says_so(api: TestClient) -> None:
    put(api, "a")
    assert [problem["field"] for problem in put(api, "b")["problems"]] == ["priority"]
    told = api.get(PATH).json()["items"]
    assert [[problem["severity"] for problem in one["problems"]] for one in told] == [["warning"], ["warning"]]
    assert put(api, "b", priority=1)["problems"] == []


def test_threshold_rows_are_listed_page_by_page_and_deleted(api: TestClient) -> None:
    for place, name in enumerate(("a", "b", "c")):
        put(api, name, priority=place)
    assert api.delete(f"{PATH}/b").status_code == 204
    first = api.get(PATH, params={"limit": 1}).json()
    rest = api.get(PATH, params={"limit": 1, "cursor": first["next_cursor"]}).json()
    assert [[one["id"] for one in told["items"]] for told in (first, rest)] == [["a"], ["c"]]


def test_a_deleted_rule_takes_its_threshold_rows_with_it(api: TestClient, database: Database) -> None:
    put(api)
    assert api.delete("/api/v1/rules/cpu").status_code == 204
    with database.read() as connection:
        assert store.page(connection) == []


def test_which_row_governs_which_series_is_told(engine: StandIn) -> None:
    level = EffectiveLevel(
        severity="", threshold=95.0, recovery_threshold=95.0, row_id="db", why="the only row that matches", active=False
    )
    series = [EffectiveSeries(labels=Labels({"host": name}), value=float("nan"), levels=(level,)) for name in "ab"]
    api = TestClient(create_app(replace(engine, governed=Effective(series=tuple(series), idle=("web",)))))
    told = api.get(f"{PATH}/effective", params={"limit": 1}).json()
    assert (told["series_count"], told["idle"], told["error"]) == (2, ["web"], None)
    (shown,) = told["series"]
    assert (shown["labels"], shown["value"]) == ({"host": "a"}, "NaN")
    assert shown["levels"] == [
        {
            "severity": "",
            "threshold": 95.0,
            "recovery_threshold": 95.0,
            "threshold_id": "db",
            "why": "the only row that matches",
            "active": False,
        }
    ]


def test_why_there_is_no_answer_is_told(engine: StandIn) -> None:
    api = TestClient(create_app(replace(engine, governed=Effective(error="connection refused"))))
    told = api.get(f"{PATH}/effective").json()
    assert (told["series"], told["error"]) == ([], "connection refused")
