"""Notifications by REST: what was told to whom, every attempt at it, and what is still to be tried."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient

from engine.store.database import Database
from tests.api.stand_in import alert, store_alerts
from tests.store.messages import attempt, group, message

DB = alert("r1", team="db")


def found(api: TestClient, **params: str | int) -> list[Any]:
    answered = api.get("/api/v1/notifications", params=params)
    assert answered.status_code == 200, answered.text
    items: list[Any] = answered.json()["items"]
    return items


@pytest.fixture(autouse=True)
def _messages(database: Database) -> None:
    store_alerts(database, DB)
    number = group(database, "a", [1])
    message(database, number, firing=[1])
    attempt(database, number, message(database, number, channel="log", status="dead"), "dead", failure="refused")
    message(database, number, channel="log", status="pending")


def test_a_notification_is_told_in_full(api: TestClient) -> None:
    assert found(api, channel="log", outcome="dead") == [
        {
            "id": 2,
            "channel": "log",
            "recipient": "",
            "dedup_key": "key-a",
            "reason": "first notification",
            "outcome": "dead",
            "attempts": [{"at": "2026-11-21T12:00:00Z", "outcome": "dead", "error": "refused"}],
            "next_attempt_at": None,
            "created_at": "2026-11-21T12:00:00Z",
            "finished_at": "2026-11-21T12:00:00Z",
        }
    ]


def test_what_is_still_to_be_tried_says_when(api: TestClient) -> None:
    (told,) = found(api, outcome="pending")
    assert (told["next_attempt_at"], told["finished_at"]) == ("2026-11-21T12:01:00Z", None)


def test_notifications_are_found_by_the_alert_they_tell_of(api: TestClient) -> None:
    assert [one["id"] for one in found(api, fingerprint=DB.labels.fingerprint())] == [1]
    assert found(api, fingerprint="0123456789abcdef") == []


def test_notifications_are_listed_page_by_page_newest_first(api: TestClient) -> None:
    first = api.get("/api/v1/notifications", params={"limit": 2}).json()
    rest = api.get("/api/v1/notifications", params={"limit": 2, "cursor": first["next_cursor"]}).json()
    assert [[one["id"] for one in told["items"]] for told in (first, rest)] == [[3, 2], [1]]
    assert rest["next_cursor"] is None


def test_an_outcome_that_is_none_is_refused(api: TestClient) -> None:
    answered = api.get("/api/v1/notifications", params={"outcome": "lost"})
    assert (answered.status_code, answered.json()["errors"][0]["field"]) == (422, "outcome")
