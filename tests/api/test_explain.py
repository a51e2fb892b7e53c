"""Why somebody was told, or was not, by REST."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient

from engine.store import ledger
from engine.store.database import Database
from engine.store.ledger import Entry, Kind, Subject
from tests.api.stand_in import NOON, alert, store_alerts

DB = alert("r1", team="db")


@pytest.fixture(autouse=True)
def _fired(database: Database) -> None:
    store_alerts(database, DB)
    detail = {"after": "firing", "value": "91.5", "rule_id": "r1", "rule_version": 2}
    common: dict[str, Any] = {"kind": Kind.TRANSITION, "subject_type": Subject.ALERT, "subject_id": "1"}
    begun = Entry(at=NOON - timedelta(hours=1), reason="condition_met", detail={**detail, "after": "pending"}, **common)
    fired = Entry(at=NOON - timedelta(minutes=55), reason="held", detail={**detail, "before": "pending"}, **common)
    with database.write() as connection:
        ledger.write(connection, [begun, fired])


def test_an_alert_is_explained_by_its_fingerprint(api: TestClient) -> None:
    told = api.get(f"/api/v1/alerts/{DB.labels.fingerprint()}/explain").json()
    assert (told["verdict"], told["next"]) == ("waiting", None)
    assert told["summary"].startswith('HighCpu{team="db"} fires since 2026-11-21 11:05:00Z')
    first = told["steps"][0]
    assert (first["at"], first["kind"]) == ("2026-11-21T11:00:00Z", "transition")
    assert first["subject"] == {"type": "rule", "id": "r1", "version": 2}


def test_an_alert_is_explained_by_its_labels(api: TestClient) -> None:
    by_labels = api.post("/api/v1/explain", json={"labels": dict(DB.labels)})
    assert by_labels.json() == api.get(f"/api/v1/alerts/{DB.labels.fingerprint()}/explain").json()


def test_a_story_is_told_as_of_a_moment(api: TestClient) -> None:
    path = f"/api/v1/alerts/{DB.labels.fingerprint()}/explain"
    told = api.get(path, params={"at": "2026-11-21T11:02:00Z"}).json()
    assert told["verdict"] == "pending"
    assert told["next"]["at"] == "2026-11-21T11:05:00Z"


def test_a_moment_ahead_is_now(api: TestClient) -> None:
    path = f"/api/v1/alerts/{DB.labels.fingerprint()}/explain"
    assert api.get(path, params={"at": "2027-01-01T00:00:00Z"}).json() == api.get(path).json()


def test_labels_nobody_has_seen_are_told_their_way(api: TestClient) -> None:
    told = api.post("/api/v1/explain", json={"labels": {"alertname": "New"}}).json()
    assert told["verdict"] == "never_seen"
    assert [step["subject"]["id"] for step in told["steps"]] == ["root"]


def test_an_unknown_fingerprint_is_not_found(api: TestClient) -> None:
    answered = api.get("/api/v1/alerts/0000000000000000/explain")
    assert (answered.status_code, answered.json()["detail"]) == (
        404,
        "there is no alert '0000000000000000'; what was never seen is explained by its labels, with POST /api/v1/explain",
    )


def test_a_moment_without_a_zone_is_refused(api: TestClient) -> None:
    answered = api.get(f"/api/v1/alerts/{DB.labels.fingerprint()}/explain", params={"at": "2026-11-21T11:02:00"})
    assert answered.status_code == 422
    assert answered.json()["errors"][0]["field"] == "at"
