"""Alerts by REST: which there are, who keeps them quiet, and quiet for one of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from fastapi.testclient import TestClient

from engine.core.alert import State
from engine.store.database import Database
from tests.api.stand_in import alert, store_alerts

DB, WEB, PENDING, OLD = (
    alert("r1", team="db"),
    alert("r2", team="web"),
    alert("r1", State.PENDING, team="api"),
    alert("r1", State.INACTIVE, team="old"),
)


@pytest.fixture(autouse=True)
def _alerts(database: Database) -> None:
    store_alerts(database, DB, WEB, PENDING, OLD)


def teams(api: TestClient, **params: object) -> list[str]:
    answered = api.get("/api/v1/alerts", params=params)  # type: ignore[arg-type]  # Lists repeat a parameter.
    assert answered.status_code == 200, answered.text
    return [each["labels"]["team"] for each in answered.json()["items"]]


def one(api: TestClient, fingerprint: str) -> Any:
    return api.get(f"/api/v1/alerts/{fingerprint}").json()


@pytest.mark.parametrize(
    ("params", "found"),
    [
        pytest.param({}, ["db", "web", "api"], id="active ones"),
        pytest.param({"state": "inactive"}, ["old"], id="one state"),
        pytest.param({"state": ["inactive", "pending"]}, ["api", "old"], id="two states"),
        pytest.param({"rule_id": "r2"}, ["web"], id="one rule"),
        pytest.param({"filter": 'team=~"db|web"'}, ["db", "web"], id="a matcher"),
        pytest.param({"filter": ['team!="db"', 'team!="web"']}, ["api"], id="two filters"),
        pytest.param({"filter": '{alertname="HighCpu",team="db"}'}, ["db"], id="two matchers"),
        pytest.param({"rule_id": "none"}, [], id="none"),
    ],
)
def test_alerts_are_found_by_state_rule_and_labels(
    api: TestClient, params: dict[str, object], found: list[str]
) -> None:
    assert teams(api, **params) == found


@pytest.mark.parametrize(
    ("params", "field"),
    [({"filter": "team"}, "filter"), ({"state": "burning"}, "state.0"), ({"cursor": str(10**30)}, "cursor")],
)
def test_a_question_that_makes_no_sense_is_refused(api: TestClient, params: dict[str, str], field: str) -> None:
    answered = api.get("/api/v1/alerts", params=params)
    assert (answered.status_code, answered.json()["errors"][0]["field"]) == (422, field)


def test_pages_are_filled_with_matching_alerts(api: TestClient) -> None:
    first = api.get("/api/v1/alerts", params={"limit": 1, "filter": 'team!="web"'}).json()
    assert [each["labels"]["team"] for each in first["items"]] == ["db"]
    assert teams(api, limit=1, filter='team!="web"', cursor=first["next_cursor"]) == ["api"]


def test_more_alerts_than_are_fetched_at_once_are_all_looked_at(api: TestClient, database: Database) -> None:
    store_alerts(database, *(alert("many", team=str(number)) for number in range(1200)), alert("many", team="last"))
    assert teams(api, filter='team=~"last|db"') == ["db", "last"]


def test_an_alert_is_told_in_full(api: TestClient) -> None:
    assert one(api, DB.labels.fingerprint()) == {
        "fingerprint": DB.labels.fingerprint(),
        "rule_id": "r1",
        "labels": {"alertname": "HighCpu", "team": "db"},
        "annotations": {"summary": "busy"},
        "state": "firing",
        "value": 91.5,
        "threshold": 90.0,
        "active_at": "2026-11-21T11:00:00Z",
        "fired_at": "2026-11-21T11:05:00Z",
        "resolved_at": None,
        "reason": "condition_met",
        "episode": 1,
        "muted_by": [],
        "also_from": [],
    }


@pytest.mark.parametrize(
    ("value", "told"), [(float("nan"), "NaN"), (float("inf"), "+Inf"), (float("-inf"), "-Inf"), (0.0, 0.0)]
)
def test_a_value_json_has_no_number_for_is_a_text(
    api: TestClient, database: Database, value: float, told: object
) -> None:
    store_alerts(database, alert("r9", value=value, team="nan"))
    fingerprint = alert("r9", team="nan").labels.fingerprint()
    assert one(api, fingerprint)["value"] == told
    assert api.get("/api/v1/alerts", params={"rule_id": "r9"}).json()["items"][0]["value"] == told


def test_of_alerts_with_the_same_labels_the_most_alarming_is_told(api: TestClient, database: Database) -> None:
    store_alerts(database, replace(PENDING, source="r5"), replace(PENDING, source="r6", state=State.FIRING))
    told = one(api, PENDING.labels.fingerprint())
    assert (told["rule_id"], told["state"], told["also_from"]) == ("r6", "firing", ["r5", "r1"])


def test_an_unknown_alert_is_not_found(api: TestClient) -> None:
    body = {"duration": "1h"}
    assert api.get("/api/v1/alerts/0123456789abcdef").status_code == 404
    assert api.post("/api/v1/alerts/0123456789abcdef/silence", json=body).status_code == 404


def test_silencing_an_alert_mutes_exactly_its_labels(api: TestClient) -> None:
    path = f"/api/v1/alerts/{DB.labels.fingerprint()}/silence"
    answered = api.post(path, json={"duration": "1h", "comment": "known"})
    told = answered.json()
    assert (answered.status_code, told["comment"], told["matched_alerts"]) == (201, "known", 1)
    assert {(each["name"], each["operator"], each["value"]) for each in told["matchers"]} == {
        ("alertname", "=", "HighCpu"),
        ("team", "=", "db"),
    }
    muted = [{"kind": "silence", "id": told["id"], "until": "2026-11-21T13:00:00Z", "alert": None}]
    assert one(api, DB.labels.fingerprint())["muted_by"] == muted
    assert [each["muted_by"] for each in api.get("/api/v1/alerts").json()["items"]] == [muted, [], []]


def put(database: Database, statement: str) -> None:
    with database.write() as connection:
        connection.exec_driver_sql(statement)


def test_an_inhibited_alert_names_the_rule_and_the_alert_that_inhibits_it(api: TestClient, database: Database) -> None:
    rules = "INSERT INTO inhibit_rules (id, source_matchers, target_matchers) VALUES "
    put(database, rules + """('quiet-web', '["team=db"]', '["team=web"]')""")
    muted = [{"kind": "inhibition", "id": "quiet-web", "until": None, "alert": DB.labels.fingerprint()}]
    assert one(api, WEB.labels.fingerprint())["muted_by"] == muted
    assert [each["muted_by"] for each in api.get("/api/v1/alerts").json()["items"]] == [[], muted, []]


def test_an_alert_muted_by_an_interval_names_it_and_when_it_ends(api: TestClient, database: Database) -> None:
    intervals = "INSERT INTO time_intervals (name, time_intervals) VALUES "
    put(
        database,
        intervals + """('saturday', '[{"weekdays": ["saturday"]}]'), ('monday', '[{"weekdays": ["monday"]}]')""",
    )
    routes = "INSERT INTO routes (id, parent_id, matchers, mute_time_intervals, active_time_intervals) VALUES "
    put(database, routes + """('db', 'root', '["team=db"]', '["saturday"]', '["monday"]')""")
    assert one(api, DB.labels.fingerprint())["muted_by"] == [
        {"kind": "active_time_interval", "id": "monday", "until": "2026-11-23T00:00:00Z", "alert": None},
        {"kind": "mute_time_interval", "id": "saturday", "until": "2026-11-22T00:00:00Z", "alert": None},
    ]
    assert one(api, WEB.labels.fingerprint())["muted_by"] == []


def test_silencing_can_be_tried_first(api: TestClient) -> None:
    path = f"/api/v1/alerts/{DB.labels.fingerprint()}/silence"
    answered = api.post(path, params={"dry_run": True}, json={"duration": "1h"})
    assert (answered.status_code, answered.json()["result"]["matched_alerts"]) == (200, 1)
    assert api.get("/api/v1/silences").json()["items"] == []


def test_silencing_needs_to_know_for_how_long(api: TestClient) -> None:
    answered = api.post(f"/api/v1/alerts/{DB.labels.fingerprint()}/silence", json={"comment": "x"})
    assert (answered.status_code, answered.json()["errors"][0]["field"]) == (422, "duration")
