"""Inhibit rules by REST."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient

from engine.store import inhibit_rules as store
from engine.store.database import Database
from rules.inhibition import InhibitRule
from rules.matchers import Matcher, Operator

RULE: dict[str, Any] = {
    "name": "critical over warning",
    "source_matchers": 'severity="critical"',
    "target_matchers": [{"name": "severity", "value": "warning|info", "operator": "=~"}],
    "equal": ["alertname", "instance"],
    "team": "sre",
}
PATH = "/api/v1/inhibit_rules"


def stored(database: Database, rule_id: str) -> InhibitRule | None:
    with database.read() as connection:
        return store.get(connection, rule_id)


def test_an_inhibit_rule_is_stored_as_it_was_declared(api: TestClient, database: Database) -> None:
    answered = api.post(PATH, json=RULE)
    rule_id = answered.json()["id"]
    assert (answered.status_code, answered.headers["ETag"]) == (201, '"1"')
    assert stored(database, rule_id) == InhibitRule(
        id=rule_id,
        name="critical over warning",
        source_matchers=(Matcher("severity", Operator.EQUAL, "critical"),),
        target_matchers=(Matcher("severity", Operator("=~"), "warning|info"),),
        equal=("alertname", "instance"),
        team="sre",
        origin="api",
    )


def test_what_was_answered_can_be_sent_back(api: TestClient) -> None:
    told = api.put(f"{PATH}/one", json=RULE).json()
    assert api.get(f"{PATH}/one").json() == told
    assert told["source_matchers"] == [{"name": "severity", "value": "critical", "operator": "="}]
    assert api.put(f"{PATH}/one", json=told).json()["version"] == 1


@pytest.mark.parametrize(
    ("changes", "field", "message"),
    [
        pytest.param({"source_matchers": []}, "source_matchers", "takes every alert", id="no source"),
        pytest.param({"target_matchers": ""}, "target_matchers", "takes every alert", id="no target"),
        pytest.param({"equal": ["a", "a"]}, "equal", "twice", id="a label twice"),
        pytest.param({"equal": [""]}, "equal", "no alert has", id="no label"),
        pytest.param({"id": "other"}, "id", "never changes", id="another id"),
        pytest.param({"sourc_matchers": []}, "sourc_matchers", "unknown field", id="misspelt"),
    ],
)
def test_an_inhibit_rule_that_makes_no_sense_is_refused(
    api: TestClient, changes: dict[str, object], field: str, message: str
) -> None:
    answered = api.put(f"{PATH}/one", json={**RULE, **changes})
    (error,) = answered.json()["errors"]
    assert (answered.status_code, error["field"]) == (422, field)
    assert message in error["message"]
    assert api.get(f"{PATH}/one").status_code == 404


def test_inhibit_rules_are_listed_page_by_page_and_deleted(api: TestClient) -> None:
    for name in ("a", "b", "c"):
        api.put(f"{PATH}/{name}", json=RULE)
    assert api.delete(f"{PATH}/b").status_code == 204
    first = api.get(PATH, params={"limit": 1}).json()
    rest = api.get(PATH, params={"limit": 1, "cursor": first["next_cursor"]}).json()
    assert [[one["id"] for one in told["items"]] for told in (first, rest)] == [["a"], ["c"]]


def test_an_unknown_inhibit_rule_is_not_found(api: TestClient) -> None:
    assert [api.request(method, f"{PATH}/none").status_code for method in ("GET", "DELETE")] == [404, 404]
