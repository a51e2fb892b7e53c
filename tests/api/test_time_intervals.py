"""Time intervals by REST, in Alertmanager's form; one that a route names stays."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient

from engine.store import time_intervals as store
from engine.store.database import Database
from rules.time_intervals import TimeInterval, parse_period

OFFICE: dict[str, Any] = {
    "times": [{"start_time": "09:00", "end_time": "17:00"}],
    "weekdays": ["monday:friday"],
    "location": "Europe/Berlin",
}
BODY: dict[str, Any] = {"time_intervals": [OFFICE, {"days_of_month": ["-1"]}], "team": "sre"}
PATH = "/api/v1/time_intervals"


def stored(database: Database, name: str = "office") -> TimeInterval | None:
    with database.read() as connection:
        return store.get(connection, name)


def test_a_time_interval_is_stored_as_it_was_declared(api: TestClient, database: Database) -> None:
    answered = api.post(PATH, json={**BODY, "name": "office"})
    assert (answered.status_code, answered.headers["ETag"]) == (201, '"1"')
    periods = (parse_period(OFFICE), parse_period({"days_of_month": ["-1"]}))
    assert stored(database) == TimeInterval(name="office", periods=periods, team="sre", origin="api")


def test_a_time_interval_is_told_as_it_was_declared_and_can_be_sent_back(api: TestClient) -> None:
    told = api.put(f"{PATH}/office", json=BODY).json()
    assert told["time_intervals"] == BODY["time_intervals"]
    assert api.get(f"{PATH}/office").json() == told
    assert api.put(f"{PATH}/office", json=told).json()["version"] == 1


@pytest.mark.parametrize(
    ("changes", "field", "message"),
    [
        pytest.param({"time_intervals": []}, "time_intervals", "says no time", id="no period"),
        pytest.param(
            {"time_intervals": [OFFICE, {"weekdays": ["friday:monday"]}]},
            "time_intervals.1",
            "runs backwards",
            id="backwards",
        ),
        pytest.param({"time_intervals": [{"weekday": ["monday"]}]}, "time_intervals.0", "weekday", id="misspelt"),
        pytest.param({"time_intervals": ["monday"]}, "time_intervals.0", "is no period", id="no object"),
        pytest.param({"time_intervals": [{"location": "Berlin"}]}, "time_intervals.0", "Berlin", id="no zone"),
        pytest.param({"name": "other"}, "name", "never changes", id="another name"),
    ],
)
def test_a_time_interval_that_does_not_say_when_is_refused(
    api: TestClient, changes: dict[str, object], field: str, message: str
) -> None:
    answered = api.put(f"{PATH}/office", json={**BODY, **changes})
    (error,) = answered.json()["errors"]
    assert (answered.status_code, error["field"]) == (422, field)
    assert message in error["message"]


def test_every_period_that_makes_no_sense_is_told_at_once(api: TestClient) -> None:
    answered = api.put(f"{PATH}/office", json={"time_intervals": [{"months": []}, OFFICE, {"years": ["x"]}]})
    assert [error["field"] for error in answered.json()["errors"]] == ["time_intervals.0", "time_intervals.2"]


def test_a_time_interval_needs_a_name(api: TestClient) -> None:
    answered = api.post(PATH, json=BODY)
    assert (answered.status_code, answered.json()["errors"][0]["field"]) == (422, "name")


@pytest.mark.parametrize("field", ["mute_time_intervals", "active_time_intervals"])
def test_a_time_interval_in_use_stays_and_its_users_are_named(api: TestClient, database: Database, field: str) -> None:
    api.put(f"{PATH}/office", json=BODY)
    api.put("/api/v1/routes/db", json={"receiver": "dba", "matchers": 'team="db"', field: ["office"]})
    answered = api.delete(f"{PATH}/office")
    assert (answered.status_code, answered.json()["used_by"]) == (409, ["route db"])
    assert api.delete("/api/v1/routes/db").status_code == 204
    assert api.delete(f"{PATH}/office").status_code == 204
    assert stored(database) is None


def test_time_intervals_are_listed_page_by_page(api: TestClient) -> None:
    for name in ("nights", "office"):
        api.put(f"{PATH}/{name}", json=BODY)
    first = api.get(PATH, params={"limit": 1}).json()
    rest = api.get(PATH, params={"limit": 1, "cursor": first["next_cursor"]}).json()
    assert [[one["name"] for one in told["items"]] for told in (first, rest)] == [["nights"], ["office"]]
