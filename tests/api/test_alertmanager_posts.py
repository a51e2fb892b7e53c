"""Posted alerts over HTTP: the good are stored whatever stands beside them, and the bad are named."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from fastapi.testclient import TestClient
from httpx2 import Response

from engine.store import alerts, external_expiry
from engine.store.database import Database

PATH = "/alertmanager/api/v2/alerts"


def sent(api: TestClient, body: Any) -> Response:
    return api.post(PATH, json=body)


def sent_raw(api: TestClient, body: bytes, kind: str = "application/json") -> Response:
    return api.post(PATH, content=body, headers={"Content-Type": kind})


def stored(database: Database) -> list[str]:
    with database.read() as connection:
        return [str(alert.labels) for alert in alerts.page(connection, limit=10_000)]


def test_of_five_thousand_alerts_the_good_are_stored_and_the_three_bad_are_named(
    api: TestClient, database: Database
) -> None:
    posted: list[dict[str, Any]] = [{"labels": {"alertname": "Down", "instance": str(n)}} for n in range(5000)]
    posted[7] = {"labels": {}}
    posted[4000] = {"labels": {"": "x", "alertname": "Down"}}
    times = {"startsAt": "2026-11-21T12:00:00Z", "endsAt": "2026-11-21T11:00:00Z"}
    posted[4999] = {"labels": {"alertname": "Down"}, **times}
    answer = sent(api, posted)
    assert answer.status_code == 400
    assert answer.json() == (
        "alert 7: at least one label pair required; "
        'alert 4000: invalid label set: invalid name ""; '
        "alert 4999: endsAt 2026-11-21T11:00:00+00:00 must not be before startsAt 2026-11-21T12:00:00+00:00 "
        "(the other 4997 of 5000 alerts were taken)"
    )
    assert len(stored(database)) == 4997


@pytest.mark.parametrize(
    ("item", "status", "says"),
    [
        pytest.param(None, 400, "must be an object, not null", id="null"),
        pytest.param(5, 400, "must be an object, not a number", id="a number"),
        pytest.param({}, 422, "labels in body is required", id="no labels"),
        pytest.param({"labels": []}, 400, "labels must be an object of texts, not a list", id="labels a list"),
        pytest.param({"labels": {"a": 1}}, 400, "labels.a must be a text, not a number", id="a label a number"),
        pytest.param(
            {"labels": {"a": "b"}, "annotations": {"c": {}}}, 400, "annotations.c must be a text", id="annotation"
        ),
        pytest.param(
            {"labels": {"a": "b"}, "annotations": {"": "c"}}, 400, "invalid annotations", id="annotation's name"
        ),
        pytest.param(
            {"labels": {"a": "b"}, "startsAt": True}, 400, "startsAt must be a time as text", id="a time as truth"
        ),
        pytest.param(
            {"labels": {"a": "b"}, "endsAt": "soon"}, 400, "endsAt 'soon' is no time; write it like", id="no time"
        ),
        pytest.param({"labels": {"a": "b"}, "endsAt": "2026-13-01T00:00:00Z"}, 400, "is no time", id="no such month"),
        pytest.param(
            {"labels": {"a": "b"}, "startsAt": "0001-01-01T00:00:00+10:00"}, 400, "is no time", id="before year 1"
        ),
        pytest.param({"labels": {"a": "b"}, "generatorURL": "up"}, 422, "must be of type uri: 'up'", id="no address"),
        pytest.param(
            {"labels": {"a": "b"}, "generatorURL": []}, 400, "generatorURL must be a text", id="address a list"
        ),
        pytest.param({"labels": {"a": "b\0"}}, 400, "holds a NUL", id="a NUL"),
    ],
)
def test_what_is_no_alert_is_named_and_stops_no_other(
    api: TestClient, database: Database, item: Any, status: int, says: str
) -> None:
    answer = sent(api, [{"labels": {"alertname": "Good"}}, item])
    assert answer.status_code == status
    assert says in answer.text
    assert "(the other 1 of 2 alerts were taken)" in answer.text
    assert stored(database) == ['{alertname="Good"}']


@pytest.mark.parametrize(
    ("body", "kind", "status", "says"),
    [
        pytest.param(b"", "application/json", 422, "alerts in body is required", id="nothing"),
        pytest.param(b"nope", "application/json", 400, "it is no JSON", id="no JSON"),
        pytest.param(b"{}", "application/json", 400, "must be a list of alerts, not an object", id="an object"),
        pytest.param(b"[]", "text/plain", 415, "only [application/json] are allowed", id="not announced as JSON"),
    ],
)
def test_a_body_that_is_no_list_of_alerts_is_refused(
    api: TestClient, body: bytes, kind: str, status: int, says: str
) -> None:
    answer = sent_raw(api, body, kind)
    assert (answer.status_code, says in answer.json()["message"]) == (status, True)


@pytest.mark.parametrize("body", [b"[]", b"null"])
def test_no_alerts_are_no_mistake(api: TestClient, body: bytes) -> None:
    answer = sent_raw(api, body)
    assert (answer.status_code, answer.content, answer.headers["Cache-Control"]) == (200, b"", "no-store")


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("2026-11-21T13:00:00.123456789+01:00", datetime(2026, 11, 21, 12, 0, 0, 123456, tzinfo=UTC)),
        ("2026-11-21T13:00:00", datetime(2026, 11, 21, 13, tzinfo=UTC)),
        ("2026-11-21 13:00:00", datetime(2026, 11, 21, 13, tzinfo=UTC)),
        ("2026-11-21T13:00Z", datetime(2026, 11, 21, 13, tzinfo=UTC)),
    ],
)
def test_a_time_is_read_in_every_form_that_alertmanager_reads(
    api: TestClient, database: Database, text: str, read: datetime
) -> None:
    assert sent(api, [{"labels": {"a": "b"}, "endsAt": text}]).status_code == 200
    with database.read() as connection:
        (alert,) = alerts.page(connection)
        expiry = external_expiry.of(connection, [alert.id or 0]).get(alert.id or 0)
    assert (alert.resolved_at if expiry is None else expiry.ends_at) == read


def test_text_that_is_no_utf_8_is_stored_as_go_would(api: TestClient, database: Database) -> None:
    assert sent_raw(api, b'[{"labels":{"a":"\\ud800","b":"\xff"}}]').status_code == 200
    assert stored(database) == ['{a="\ufffd", b="\ufffd"}']


def test_a_body_is_bounded_and_the_answer_says_how(api: TestClient) -> None:
    answer = sent_raw(api, b" " * (64 * 1024 * 1024 + 1))
    assert answer.status_code == 413
    assert "fewer alerts per request" in answer.json()["detail"]
