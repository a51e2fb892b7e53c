"""Alertmanager's API over alerts of rules and over silences: what the comparison with a real one (tests/peers) cannot show."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from pydantic import SecretStr
from sqlalchemy import text

from api.alertmanager import status
from api.alertmanager.asked import Turns
from api.app import create_app
from engine.core.posting import Post
from engine.health import Component
from engine.importing import ImportRefusedError
from engine.store import api_keys
from engine.store.api_keys import Scope
from engine.store.database import Database
from engine.timings import Timing
from rules.labels import Labels
from tests.api.stand_in import NOON, StandIn, StandInSettings, alert, store_alerts
from tests.peers.test_alertmanager_api import Delta

V2 = "/alertmanager/api/v2"
PAGE = (Path(__file__).parents[2] / "docs" / "alertmanager-api.md").read_text()


def listed(api: TestClient, query: str = "") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = api.get(f"{V2}/alerts{query}").json()
    return found


def post(engine: StandIn, *names: str, **labels: str) -> None:
    posts = [Post(labels=Labels({"alertname": name, **labels})) for name in names]
    engine.posting.receive(posts, NOON)


def test_an_alert_of_a_rule_is_listed_as_prometheus_would_have_sent_it(
    api: TestClient, engine: StandIn, database: Database
) -> None:
    store_alerts(database, alert("r", host="a"))
    (one,) = listed(api)
    assert one == {
        "annotations": {"summary": "busy"},
        "endsAt": "2026-11-21T12:04:00.000Z",
        "fingerprint": one["fingerprint"],
        "generatorURL": f"http://tocsin.example/api/v1/alerts/{one['fingerprint']}/explain",
        "labels": {"alertname": "HighCpu", "host": "a"},
        "receivers": [{"name": "default"}],
        "startsAt": "2026-11-21T11:05:00.000Z",
        "status": {"inhibitedBy": [], "mutedBy": [], "silencedBy": [], "state": "active"},
        "updatedAt": "2026-11-21T12:00:00.000Z",
    }


def test_an_alert_of_a_rule_is_believed_for_four_of_its_intervals(
    api: TestClient, engine: StandIn, database: Database
) -> None:
    with database.write() as connection:
        connection.execute(text("INSERT INTO alert_rules (id, name, expr) VALUES ('r', 'HighCpu', 'cpu > 90')"))
    store_alerts(database, alert("r"))
    engine.clocks["r"] = Timing(last_evaluation_at=NOON - timedelta(minutes=1), interval=timedelta(minutes=5))
    (one,) = listed(api)
    assert (one["updatedAt"], one["endsAt"]) == ("2026-11-21T11:59:00.000Z", "2026-11-21T12:19:00.000Z")


def test_alerts_of_rules_have_their_external_labels_and_posted_ones_their_own(database: Database) -> None:
    engine = StandIn(database=database, settings=StandInSettings(external_labels=Labels({"region": "eu"})))
    store_alerts(database, alert("r"))
    post(engine, "Posted")
    with TestClient(create_app(engine)) as api:
        assert [one["labels"].get("region") for one in listed(api, "?filter=region%3Deu")] == ["eu"]
        assert [one["labels"]["alertname"] for one in listed(api, "?filter=region%3D")] == ["Posted"]


def test_of_two_rules_alerts_with_equal_labels_the_first_to_fire_is_listed(api: TestClient, database: Database) -> None:
    store_alerts(database, alert("r1"), alert("r2"))
    assert len(listed(api)) == 1


def test_alerts_are_listed_by_pages(api: TestClient, engine: StandIn) -> None:
    post(engine, *(f"A{number}" for number in range(450)), team="db")
    post(engine, *(f"B{number}" for number in range(30)), team="web")
    every = [one["fingerprint"] for one in listed(api)]
    assert len(every) == 480
    paged: list[str] = []
    while page := listed(api, f"?limit=100&after={paged[-1] if paged else ''}"):
        paged += [one["fingerprint"] for one in page]
    assert paged == every
    assert len(listed(api, "?limit=25&filter=team%3Dweb")) == 25
    assert api.get(f"{V2}/alerts?limit=0").status_code == 422


def test_whoever_waits_for_too_long_for_a_turn_is_told_to_come_again(engine: StandIn) -> None:
    app = create_app(engine)
    app.state.listings = Turns(at_once=0, patience=timedelta(milliseconds=10))
    with TestClient(app) as api:
        answer = api.get(f"{V2}/alerts")
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
        assert api.get(f"{V2}/silences").status_code == 200


def test_a_group_that_an_interval_mutes_says_by_which_and_can_be_left_out(
    api: TestClient, engine: StandIn, database: Database
) -> None:
    with database.write() as connection:
        connection.execute(text("INSERT INTO time_intervals (name, time_intervals) VALUES ('always', '[{}]')"))
        connection.execute(
            text(
                "INSERT INTO routes (id, parent_id, position, receiver, matchers, labels, mute_time_intervals) "
                """VALUES ('q', 'root', 1, 'quiet', '["team=db"]', '{"tier": "gold"}', '["always"]')"""
            )
        )
    post(engine, "Down", team="db")
    post(engine, "Down", team="web")
    muted, free = sorted(api.get(f"{V2}/alerts/groups").json(), key=lambda group: -len(group.get("routeLabels", ())))
    assert (muted["receiver"], muted["routeLabels"]) == ({"name": "quiet"}, {"tier": "gold"})
    assert muted["alerts"][0]["status"] == {
        "inhibitedBy": [], "mutedBy": ["always"], "silencedBy": [], "state": "suppressed",
    }  # fmt: skip
    assert free["alerts"][0]["status"]["mutedBy"] == []
    (left,) = api.get(f"{V2}/alerts/groups?muted=false").json()
    assert left == free


def grafana_silence(**more: Any) -> dict[str, Any]:
    """As Grafana's page of silences posts one."""
    return {
        "matchers": [{"name": "alertname", "value": "Down", "isRegex": False, "isEqual": True}],
        "startsAt": "2026-11-21T12:00:00.000Z",
        "endsAt": "2026-11-21T14:00:00.000Z",
        "comment": "created 2026-11-21 12:00",
        "createdBy": "Ana",
        **more,
    }


def test_grafana_lists_silences_edits_and_ends_them(api: TestClient, engine: StandIn) -> None:
    post(engine, "Down")
    made = api.post(f"{V2}/silences", json=grafana_silence(id="")).json()["silenceID"]
    (shown,) = api.get(f"{V2}/silences").json()
    assert (shown["id"], shown["status"], shown["createdBy"]) == (made, {"state": "active"}, "Ana")
    (covered,) = listed(api, "?filter=alertname%3D%22Down%22&silenced=true&active=true&inhibited=true")
    assert covered["status"]["silencedBy"] == [made]
    edited = api.post(f"{V2}/silences", json={**shown, "endsAt": "2026-11-21T15:00:00.000Z"}).json()
    assert edited == {"silenceID": made}
    assert api.delete(f"{V2}/silence/{made}").status_code == 200
    assert api.get(f"{V2}/silence/{made}").json()["status"] == {"state": "expired"}
    assert api.get(f"{V2}/status").json()["cluster"]["status"] == "disabled"


def test_a_silence_declared_in_sql_is_found_by_its_own_id_and_old_ones_are_not_listed(
    api: TestClient, database: Database
) -> None:
    with database.write() as connection:
        for name, days in (("night", -1), ("ancient", 6)):
            connection.execute(
                text("INSERT INTO silences (id, matchers, starts_at, ends_at) VALUES (:id, '[\"a=b\"]', :start, :end)"),
                {
                    "id": name,
                    "start": (NOON - timedelta(days=9)).isoformat(),
                    "end": (NOON - timedelta(days=days)).isoformat(),
                },
            )
    assert [one["id"] for one in api.get(f"{V2}/silences").json()] == ["night"]
    assert api.get(f"{V2}/silence/ancient").status_code == 200


def test_a_silence_is_signed_with_the_name_of_its_key(database: Database) -> None:
    with database.write() as connection:
        _, key = api_keys.create(
            connection, name="oncall", scope=Scope.SILENCE, created_by="root", lasting=None, now=NOON
        )
    settings = StandInSettings(api_keys=(SecretStr("0123456789abcdef-admin"),))
    with TestClient(create_app(StandIn(database=database, settings=settings))) as api:
        for given, signed in ((key, "key:oncall"), ("0123456789abcdef-admin", "Ana")):
            headers = {"Authorization": f"Bearer {given}"}
            made = api.post(f"{V2}/silences", json=grafana_silence(), headers=headers).json()["silenceID"]
            assert api.get(f"{V2}/silence/{made}", headers=headers).json()["createdBy"] == signed


def test_what_cannot_be_stored_is_refused_with_its_reason(api: TestClient) -> None:
    answer = api.post(f"{V2}/silences", json=grafana_silence(comment="a\0b"))
    assert (answer.status_code, answer.json()) == (
        400,
        "silence invalid: comment holds 'a\\x00b'; take out NUL and broken Unicode",
    )


def test_refusals_are_plain_json_which_amtool_reads(database: Database) -> None:
    settings = StandInSettings(api_keys=(SecretStr("0123456789abcdef"),))
    with TestClient(create_app(StandIn(database=database, settings=settings))) as api:
        answer = api.get(f"{V2}/alerts")
    assert (answer.status_code, answer.headers["Content-Type"]) == (401, "application/json")


@pytest.mark.parametrize("path", ["/-/healthy", "/-/ready"])
def test_it_is_healthy_and_ready(api: TestClient, path: str) -> None:
    assert (api.get(f"/alertmanager{path}").text, api.head(f"/alertmanager{path}").status_code) == ("OK", 200)


def test_it_is_not_ready_without_its_database(database: Database) -> None:
    engine = StandIn(database=database, components=(Component(name="database", status="unhealthy"),))
    engine.failed.set()
    with TestClient(create_app(engine)) as api:
        answer = api.get("/alertmanager/-/ready")
    assert (answer.status_code, answer.text) == (503, "not ready: waiting for database, loops")


def test_reloading_reads_the_rule_files_and_says_why_not(api: TestClient, engine: StandIn, database: Database) -> None:
    assert api.post("/alertmanager/-/reload").status_code == 200
    assert engine.reloads == [False]
    refused = StandIn(database=database, reloaded=ImportRefusedError("two files say otherwise"))
    with TestClient(create_app(refused)) as other:
        answer = other.post("/alertmanager/-/reload")
    assert (answer.status_code, answer.text) == (500, "failed to reload config: two files say otherwise")


def test_the_page_names_every_request_and_every_difference() -> None:
    served = {route.path for route in status.router.routes if hasattr(route, "path")}
    for path in ("/-/ready", "/-/healthy", "/-/reload", "/api/v2/status", "/api/v2/receivers"):
        assert path in served
        assert f"/alertmanager{path}`" in PAGE
    words = {
        Delta.UTF8: "UTF-8 (0.27)",
        Delta.NO_PANIC: "is `null`",
        Delta.NEIGHBOURS: "one alert of the wrong shape",
        Delta.NUL: "a NUL",
        Delta.TRAILING: "what follows the list",
        Delta.DELETED: "404 (0.26)",
        Delta.STATES: "(0.34)",
        Delta.GONE: "v1 API is gone (0.27)",
    }
    assert words.keys() == set(Delta)
    assert [word for word in words.values() if word not in PAGE] == []
