"""Routes by REST, one by one: always a tree, whatever is hung into it or taken out, and the way of an alert through it."""

from __future__ import annotations

from dataclasses import fields
from datetime import timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.schemas.routes import RouteOut
from engine.store import routes as store
from engine.store import time_intervals
from engine.store.database import Database
from rules.labels import Labels
from rules.matchers import Matcher, Operator
from rules.routing import NotifyOnUnmute, Route
from rules.time_intervals import TimeInterval, parse_period

DB: dict[str, Any] = {"receiver": "dba", "channels": ["slack"], "matchers": 'team="db"'}
FULL: dict[str, Any] = {
    "parent_id": "root",
    "position": 7,
    "receiver": "dba",
    "channels": ["slack", "log"],
    "matchers": [{"name": "team", "value": "db", "operator": "="}],
    "group_by": ["alertname", "cluster"],
    "group_wait": "10s",
    "group_interval": "1m",
    "repeat_interval": "1h",
    "continue": True,
    "notify_on_unmute": "always",
    "labels": {"tier": "data"},
    "mute_time_intervals": ["nights"],
    "active_time_intervals": [],
    "team": "sre",
}


@pytest.fixture(autouse=True)
def _nights(database: Database) -> None:
    period = parse_period({"times": [{"start_time": "00:00", "end_time": "06:00"}]})
    with database.write() as connection:
        time_intervals.put(connection, TimeInterval(name="nights", periods=(period,)))


def put(api: TestClient, route_id: str = "db", **changes: object) -> Any:
    answered = api.put(f"/api/v1/routes/{route_id}", json={**DB, **changes})
    assert answered.status_code in {200, 201}, answered.text
    return answered.json()


def stored(database: Database, route_id: str = "db") -> Route | None:
    with database.read() as connection:
        return store.get(connection, route_id)


def errors(answered: Any) -> dict[str, str]:
    """The 422's messages by field."""
    assert answered.status_code == 422, answered.text
    return {error["field"]: error["message"] for error in answered.json()["errors"]}


def test_every_field_of_a_route_can_be_declared() -> None:
    assert set(RouteOut.model_fields) == {each.name for each in fields(Route)}


def test_a_route_is_stored_as_it_was_declared(api: TestClient, database: Database) -> None:
    answered = api.post("/api/v1/routes", json={**FULL, "id": "db"})
    assert (answered.status_code, answered.headers["ETag"]) == (201, '"1"')
    assert stored(database) == Route(
        id="db",
        parent_id="root",
        position=7,
        receiver="dba",
        channels=("slack", "log"),
        matchers=(Matcher("team", Operator.EQUAL, "db"),),
        group_by=("alertname", "cluster"),
        group_wait=timedelta(seconds=10),
        group_interval=timedelta(minutes=1),
        repeat_interval=timedelta(hours=1),
        continue_=True,
        notify_on_unmute=NotifyOnUnmute.ALWAYS,
        labels=Labels({"tier": "data"}),
        mute_time_intervals=("nights",),
        team="sre",
        origin="api",
    )


def test_a_route_is_answered_as_it_was_declared_and_can_be_sent_back(api: TestClient) -> None:
    told = api.put("/api/v1/routes/db", json=FULL).json()
    assert {name: told[name] for name in FULL} == FULL
    assert api.get("/api/v1/routes/db").json() == told
    assert api.put("/api/v1/routes/db", json=told).json()["version"] == 1


def test_a_route_hangs_on_the_root_behind_its_siblings_and_keeps_its_place(api: TestClient) -> None:
    assert [put(api, name)["position"] for name in ("a", "b")] == [0, 1]
    told = put(api, "a", group_wait="5s")
    assert (told["parent_id"], told["position"], told["channels"]) == ("root", 0, ["slack"])


def test_what_is_not_given_is_inherited(api: TestClient) -> None:
    told = api.post("/api/v1/routes", json={"matchers": 'team="db"'}).json()
    inherited = ("channels", "group_by", "group_wait", "group_interval", "repeat_interval", "notify_on_unmute")
    assert {told[name] for name in inherited} == {None}


@pytest.mark.parametrize(
    ("changes", "field", "message"),
    [
        pytest.param({"parent_id": "none"}, "parent_id", "its parent 'none' does not exist", id="no such parent"),
        pytest.param({"parent_id": "db"}, "parent_id", "round in a circle", id="its own parent"),
        pytest.param({"parent_id": "below"}, "parent_id", "round in a circle", id="a circle"),
        pytest.param({"group_by": ["...", "a"]}, "group_by", "stands alone", id="grouping"),
        pytest.param({"group_interval": "0s"}, "group_interval", "longer than 0", id="timing"),
        pytest.param(
            {"channels": ["slak"]}, "channels", "no channel 'slak' is declared; known are email", id="channel"
        ),
        pytest.param(
            {"mute_time_intervals": ["night"]},
            "mute_time_intervals",
            "no time interval 'night' is declared; known are nights",
            id="mute interval",
        ),
        pytest.param({"active_time_intervals": ["day"]}, "active_time_intervals", "'day'", id="active interval"),
        pytest.param({"id": "other"}, "id", "never changes", id="another id"),
        pytest.param({"matchers": "team"}, "matchers", "operator", id="no matcher"),
        pytest.param({"labels": {"": "x"}}, "labels..[key]", "at least 1", id="no label"),
    ],
)
def test_a_route_that_leaves_no_tree_is_refused(
    api: TestClient, database: Database, changes: dict[str, object], field: str, message: str
) -> None:
    put(api)
    put(api, "below", parent_id="db")
    before = stored(database)
    answered = api.put("/api/v1/routes/db", json={**DB, **changes})
    assert message in errors(answered)[field]
    assert stored(database) == before


def test_everything_wrong_with_a_route_is_told_at_once(api: TestClient) -> None:
    timings = {"group_interval": "0s", "repeat_interval": "0s"}
    body = {**DB, "parent_id": "none", "channels": ["slak"], "group_by": ["team", "team"], **timings}
    wrong = {"parent_id", "channels", "group_by", *timings}
    assert set(errors(api.post("/api/v1/routes", json=body))) == wrong


@pytest.mark.parametrize(
    ("changes", "field"), [({"matchers": 'team="db"'}, "matchers"), ({"parent_id": "db"}, "parent_id")]
)
def test_the_root_takes_every_alert(api: TestClient, changes: dict[str, object], field: str) -> None:
    put(api)
    assert field in errors(api.put("/api/v1/routes/root", json={"channels": ["slack"], **changes}))


def test_the_root_can_be_changed_and_not_deleted(api: TestClient) -> None:
    assert api.put("/api/v1/routes/root", json={"channels": ["log"], "group_wait": "1s"}).json()["group_wait"] == "1s"
    answered = api.delete("/api/v1/routes/root")
    assert (answered.status_code, "not deleted" in answered.json()["detail"]) == (409, True)


def test_a_route_with_children_stays_and_they_are_named(api: TestClient) -> None:
    put(api)
    put(api, "below", parent_id="db")
    answered = api.delete("/api/v1/routes/db")
    assert (answered.status_code, answered.json()["used_by"]) == (409, ["route below"])
    assert [api.delete(f"/api/v1/routes/{name}").status_code for name in ("below", "db")] == [204, 204]


def test_a_route_that_sql_cut_off_is_mended_or_deleted_by_rest(api: TestClient, database: Database) -> None:
    put(api, "a")
    put(api, "b")
    with database.write() as connection:
        connection.exec_driver_sql(
            "UPDATE routes SET parent_id = CASE id WHEN 'a' THEN 'b' ELSE 'a' END WHERE id <> 'root'"
        )
    assert "round in a circle" in errors(api.put("/api/v1/routes/new", json=DB))["parent_id"]
    assert put(api, "a")["parent_id"] == "root"


def test_routes_are_listed_page_by_page_under_the_etag_of_the_tree(api: TestClient) -> None:
    put(api)
    first = api.get("/api/v1/routes", params={"limit": 1})
    rest = api.get("/api/v1/routes", params={"limit": 1, "cursor": first.json()["next_cursor"]})
    assert [[one["id"] for one in told.json()["items"]] for told in (first, rest)] == [["db"], ["root"]]
    assert first.headers["ETag"] == rest.headers["ETag"]
    put(api, group_wait="5s")
    assert api.get("/api/v1/routes").headers["ETag"] != first.headers["ETag"]


def test_the_way_of_an_alert_is_told_with_every_reason(api: TestClient) -> None:
    put(api, "web", matchers='team="web"')
    put(api, "db", group_wait="5s")
    put(api, "pages", parent_id="db", matchers='severity="critical"')
    put(api, "rest", matchers=[])
    told = api.post("/api/v1/routes/test", json={"labels": {"alertname": "HighCpu", "team": "db"}}).json()
    (policy,) = told["policies"]
    assert (policy["route_id"], policy["group_wait"], policy["group_labels"]) == ("db", "5s", {"alertname": "HighCpu"})
    assert [(step["route_id"], step["depth"], step["verdict"]) for step in told["tried"]] == [
        ("root", 0, "passed on"),
        ("web", 1, "not matched"),
        ("db", 1, "taken"),
        ("pages", 2, "not matched"),
        ("rest", 1, "not tried"),
    ]
    assert told["tried"][1]["why"] == "team=\"web\" does not match: the alert has team='db'"


def test_labels_that_no_alert_can_have_are_refused(api: TestClient) -> None:
    answered = api.post("/api/v1/routes/test", json={"labels": {"": "x"}})
    assert answered.status_code == 422
