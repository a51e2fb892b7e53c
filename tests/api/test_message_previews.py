"""A message seen before it is sent: of an example, of a live alert with its group, with templates that are nobody's yet."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient

from engine.core.alert import State
from engine.core.grouping import Placement
from engine.store import alerts, groups
from engine.store.database import Database
from rules.labels import Labels
from rules.routing import Policy
from tests.api.stand_in import NOON, StandIn, alert, store_alerts

SLACK = {
    "name": "ops",
    "kind": "slack",
    "url": "env:SLACK_WEBHOOK_URL",
    "templates": {"title": "T {{ .CommonLabels.alertname }}"},
}


@pytest.fixture
def ops(api: TestClient) -> TestClient:
    assert api.post("/api/v1/channels", json=SLACK).status_code == 201
    return api


def preview(api: TestClient, status: int = 200, channel: str = "ops", **body: Any) -> Any:
    answer = api.post(f"/api/v1/channels/{channel}/preview", json=body)
    assert answer.status_code == status, answer.text
    return answer.json()


def test_without_an_alert_there_is_an_example(ops: TestClient, engine: StandIn) -> None:
    shown = preview(ops)
    assert (shown["kind"], shown["alerts"], shown["problems"]) == ("slack", 1, [])
    assert shown["payload"]["attachments"][0]["title"] == "T HighCpu"
    assert "▌ T HighCpu [danger]" in shown["text"]
    assert engine.tested == []


def test_the_end_can_be_seen_too(ops: TestClient) -> None:
    (attachment,) = preview(ops, resolved=True)["payload"]["attachments"]
    assert (attachment["color"], attachment["footer"].split(" · ")[2]) == ("good", "all alerts resolved")


def test_a_template_can_be_tried_before_it_is_anybodys(ops: TestClient) -> None:
    (attachment,) = preview(ops, templates={"title": "{{ .Status }}"})["payload"]["attachments"]
    assert attachment["title"] == "firing"
    assert ops.get("/api/v1/channels/ops").json()["templates"] == SLACK["templates"]


def test_a_bad_template_is_refused_with_its_line_and_the_fix(ops: TestClient) -> None:
    (error,) = preview(ops, 422, templates={"text": "a\nb {{ toUper .Status }}"})["errors"]
    assert error["field"] == "templates.text"
    assert "line 2, column 6: function 'toUper' not defined; did you mean 'toUpper'?" in error["message"]


def test_one_that_fails_only_at_work_is_a_problem_beside_the_default(ops: TestClient) -> None:
    shown = preview(ops, templates={"title": "{{ .Nope }}"})
    assert shown["payload"]["attachments"][0]["title"] == "[FIRING:1] HighCpu (critical)"
    assert "line 1, column 4: can't evaluate field Nope" in shown["problems"][0]


def test_a_bad_template_cannot_be_stored_by_rest(api: TestClient) -> None:
    answer = api.put("/api/v1/channels/ops", json={**SLACK, "templates": {"titel": "x"}})
    assert answer.status_code == 422
    assert "has no part 'titel'" in answer.json()["errors"][0]["message"]


def test_a_bad_template_of_plain_sql_is_a_problem_of_the_channel(api: TestClient, database: Database) -> None:
    with database.write() as connection:
        connection.exec_driver_sql(
            "INSERT INTO channels (name, kind, templates) VALUES ('sql', 'slack', '{\"title\": \"{{ if }}\"}')"
        )
    (problem,) = api.get("/api/v1/channels/sql").json()["problems"]
    assert problem["field"] == "templates.title"
    assert "line 1, column 7" in problem["message"]


def test_a_live_alert_is_shown_with_all_that_fires_in_its_group(ops: TestClient, database: Database) -> None:
    both = alert("r", host="a"), alert("r", host="b")
    store_alerts(database, *both)
    policy = Policy(route_id="root", receiver="default", channels=("ops",))
    placement = Placement(policy=policy, labels=Labels({"alertname": "HighCpu"}))
    with database.write() as connection:
        stored = [alerts.by_fingerprint(connection, one.labels.fingerprint())[0] for one in both]
        groups.join(connection, [(one.id or 0, placement) for one in stored], NOON)
    shown = preview(ops, fingerprint=both[0].labels.fingerprint())
    assert shown["alerts"] == 2
    assert "host=a" in shown["text"]
    assert "host=b" in shown["text"]
    assert f"/alerts/{both[0].labels.fingerprint()}#explain" in shown["text"]


def test_an_alert_without_a_group_is_shown_alone(ops: TestClient, database: Database) -> None:
    one = alert("r", State.PENDING)
    store_alerts(database, one)
    assert preview(ops, fingerprint=one.labels.fingerprint())["alerts"] == 1


def test_what_nobody_knows_is_not_found(ops: TestClient) -> None:
    preview(ops, 404, fingerprint="0123456789abcdef")
    preview(ops, 404, channel="nobody")


@pytest.mark.parametrize(
    ("kind", "begins"),
    [
        pytest.param(
            "pagerduty",
            "trigger: [FIRING:1] HighCpu (critical): CPU of db-1 above 90 %\nseverity: critical",
            id="pagerduty",
        ),
        pytest.param("email", "Subject: [FIRING:1] HighCpu (db-1 critical data)\n\n[FIRING:1]", id="email"),
        pytest.param("webhook", '{\n  "version": "4",', id="webhook"),
        pytest.param("apprise", "[FIRING:1] HighCpu (critical)\n\nCPU of db-1 above 90 % | ", id="apprise"),
        pytest.param("log", "[FIRING:1] HighCpu (critical) | CPU of db-1", id="log"),
    ],
)
def test_every_kind_reads_well(api: TestClient, kind: str, begins: str) -> None:
    assert api.post("/api/v1/channels", json={"name": "x", "kind": kind}).status_code == 201
    assert preview(api, channel="x")["text"].startswith(begins)
