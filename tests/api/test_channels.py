"""Channels by REST: secrets go in and never come out, and a message can be tried."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from engine.core.outcome import Delivered, Failed, FailureReason, Outcome
from engine.delivery.addresses import Unconfigured
from engine.delivery.references import Sources
from engine.delivery.sealing import Keys, fresh_key
from engine.store import channel_state, definitions
from engine.store import channels as store
from engine.store.database import Database
from rules.channels import Channel, ChannelKind
from tests.api.stand_in import NOON, StandIn, StandInSettings

SECRET = "https://hooks.example.org/services/T0AB/B0CD/s3cr3t-t0k3n"
HOOK: dict[str, Any] = {"kind": "webhook", "url": SECRET}


def put(api: TestClient, name: str = "hook", **changes: object) -> Any:
    answered = api.put(f"/api/v1/channels/{name}", json={**HOOK, **changes})
    assert answered.status_code in {200, 201}, answered.text
    return answered.json()


def stored(database: Database, name: str = "hook") -> Channel | None:
    with database.read() as connection:
        return store.get(connection, name)


def test_a_channel_is_stored_as_it_was_declared(api: TestClient, database: Database) -> None:
    body = {**HOOK, "name": "hook", "settings": {"authorization": "Bearer abc"}, "send_resolved": False, "team": "sre"}
    answered = api.post("/api/v1/channels", json=body)
    assert (answered.status_code, answered.headers["ETag"]) == (201, '"1"')
    assert stored(database) == Channel(
        name="hook",
        kind=ChannelKind.WEBHOOK,
        url=SECRET,
        settings={"authorization": "Bearer abc"},
        send_resolved=False,
        team="sre",
        origin="api",
    )


def test_a_secret_is_never_told(api: TestClient) -> None:
    settings = {"authorization": "Bearer s3cr3t-t0k3n", "password": "s3cr3t-t0k3n"}
    asked = [
        api.put("/api/v1/channels/hook", params={"dry_run": True}, json={**HOOK, "settings": settings}),
        api.post("/api/v1/channels", json={**HOOK, "name": "hook", "settings": settings}),
        api.get("/api/v1/channels/hook"),
        api.get("/api/v1/channels"),
        api.put("/api/v1/channels/hook", headers={"If-Match": '"7"'}, json={**HOOK, "url": f"{SECRET}2"}),
        api.delete("/api/v1/channels/hook", params={"dry_run": True}),
    ]
    assert [answered.status_code for answered in asked] == [200, 201, 200, 200, 409, 200]
    assert [answered.text for answered in asked if "s3cr3t" in answered.text] == []


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({**HOOK, "url": [SECRET]}, id="address of the wrong type"),
        pytest.param({**HOOK, "url": f"{SECRET}\x00"}, id="address that cannot be stored"),
        pytest.param({**HOOK, "url": "s3cr3t-t0k3n"}, id="address that is none"),
        pytest.param({**HOOK, "urll": SECRET}, id="address in a field that does not exist"),
        pytest.param({**HOOK, "settings": {"authorization": ["s3cr3t"]}}, id="setting of the wrong type"),
        pytest.param({**HOOK, "settings": "s3cr3t"}, id="settings that are none"),
        pytest.param([SECRET], id="no object"),
    ],
)
def test_a_refusal_does_not_repeat_a_secret(api: TestClient, body: object) -> None:
    answered = api.put("/api/v1/channels/hook", json=body)
    assert answered.status_code == 422
    assert "s3cr3t" not in answered.text


def test_references_are_told_and_whether_they_lead_anywhere(engine: StandIn) -> None:
    settings = StandInSettings(environment={"HOOK": SECRET})
    api = TestClient(create_app(replace(engine, settings=settings)))
    told = put(api, url="env:HOOK", settings={"ca_file": "/etc/ca.pem", "authorization": "env:HOOK_KEY"})
    assert told["url"] == "env:HOOK"
    assert told["settings"] == {"ca_file": "/etc/ca.pem", "authorization": "env:HOOK_KEY"}
    assert (told["status"]["state"], told["status"]["configured"], told["status"]["problem"]) == ("unknown", True, None)


def test_a_channel_whose_variable_is_unset_is_unconfigured(api: TestClient) -> None:
    status = api.get("/api/v1/channels/slack").json()["status"]
    assert (status["state"], status["configured"]) == ("unconfigured", False)
    assert "env:SLACK_WEBHOOK_URL is unset" in status["problem"]


def test_how_a_channel_did_last_is_told(api: TestClient, database: Database) -> None:
    put(api)
    with database.write() as connection:
        channel_state.succeeded(connection, "hook", NOON)
        channel_state.failed(connection, "hook", NOON, error="server_error", next_send_at=NOON)
    noon = "2026-11-21T12:00:00Z"
    for status in (put(api)["status"], api.get("/api/v1/channels/hook").json()["status"]):
        assert (status["state"], status["last_error"]) == ("failing", "server_error")
        assert {status[name] for name in ("last_success_at", "last_error_at", "next_send_at")} == {noon}


def test_a_channel_that_has_got_its_address_is_unconfigured_no_more(api: TestClient, database: Database) -> None:
    with database.write() as connection:
        channel_state.unconfigured(connection, "hook", "no address", NOON)
    assert put(api)["status"]["state"] == "unknown"


def test_what_was_answered_can_be_sent_back_and_keeps_the_secrets(api: TestClient, database: Database) -> None:
    put(api, settings={"authorization": "Bearer abc"})
    told = api.get("/api/v1/channels/hook").json()
    assert (told["url"], told["settings"]) == (None, {"authorization": "[redacted]"})
    assert api.put("/api/v1/channels/hook", json={**told, "team": "sre"}).json()["version"] == 2
    kept = stored(database)
    assert kept is not None
    assert (kept.url, kept.settings, kept.team) == (SECRET, {"authorization": "Bearer abc"}, "sre")


KEY = Keys([fresh_key()])
MOVED = [
    pytest.param({**HOOK, "url": "https://evil.example/x", "settings": {"authorization": "[redacted]"}}, id="url"),
    pytest.param({"kind": "webhook", "settings": {"authorization": "[redacted]", "api_url": "http://evil/"}}, id="API"),
]


@pytest.fixture
def locked(engine: StandIn) -> TestClient:
    """The API of an engine that has a key for secrets."""
    settings = StandInSettings(environment=Sources({}, secret_keys=KEY))
    return TestClient(create_app(replace(engine, settings=settings)))


def test_with_a_key_a_secret_is_stored_encrypted(locked: TestClient, database: Database) -> None:
    told = put(locked, settings={"authorization": "Bearer abc", "ca_file": "/etc/ca.pem"})
    kept = stored(database)
    assert kept is not None
    assert (KEY.opened(kept.url), KEY.opened(kept.settings["authorization"])) == (SECRET, "Bearer abc")
    assert "s3cr3t" not in repr(kept)
    assert (told["url"], told["settings"]) == (None, {"authorization": "[redacted]", "ca_file": "/etc/ca.pem"})
    assert (told["status"]["configured"], told["problems"]) == (True, [])
    assert "enc:" not in locked.get("/api/v1/channels/hook").text


def test_the_same_secret_again_is_no_change(locked: TestClient) -> None:
    assert put(locked)["version"] == put(locked)["version"] == 1
    assert locked.put("/api/v1/channels/hook", json={**HOOK, "url": f"{SECRET}2"}).json()["version"] == 2


def test_without_a_key_a_secret_in_clear_is_warned_of(api: TestClient) -> None:
    for told in (put(api, settings={"authorization": "Bearer abc"}), api.get("/api/v1/channels/hook").json()):
        assert [problem["field"] for problem in told["problems"]] == ["url", "settings.authorization"]
        assert "set TOCSIN_SECRET_KEY" in told["problems"][0]["message"]
    dry = api.put("/api/v1/channels/dry", params={"dry_run": True}, json=HOOK).json()
    assert [(problem["severity"], problem["field"]) for problem in dry["problems"]] == [("warning", "url")]


def test_a_secret_whose_key_is_gone_makes_the_channel_unusable_and_is_replaced(
    locked: TestClient, api: TestClient, database: Database
) -> None:
    put(locked)
    status = api.get("/api/v1/channels/hook").json()["status"]
    assert status["configured"] is False
    assert "is encrypted, and there is no key to open it: set TOCSIN_SECRET_KEY" in status["problem"]
    assert put(api)["status"]["configured"] is True


@pytest.mark.parametrize("body", [{**HOOK, "url": "enc:x"}, {**HOOK, "settings": {"authorization": "enc:x"}}])
def test_a_token_brought_from_elsewhere_is_refused(locked: TestClient, body: dict[str, object]) -> None:
    answered = locked.put("/api/v1/channels/hook", json=body)
    assert answered.status_code == 422
    assert "begins with enc:" in answered.json()["errors"][0]["message"]


@pytest.mark.parametrize("body", MOVED)
def test_a_secret_that_is_only_kept_goes_nowhere_new(locked: TestClient, body: dict[str, object]) -> None:
    put(locked, settings={"authorization": "Bearer abc"})
    answered = locked.put("/api/v1/channels/hook", json=body)
    assert answered.status_code == 422
    assert "give it again" in answered.json()["errors"][0]["message"]


def test_a_secret_is_kept_when_the_same_address_is_given_again(locked: TestClient, database: Database) -> None:
    put(locked, settings={"authorization": "Bearer abc"})
    put(locked, settings={"authorization": "[redacted]"}, team="sre")
    kept = stored(database)
    assert kept is not None
    assert KEY.opened(kept.settings["authorization"]) == "Bearer abc"


def test_an_address_is_not_kept_for_another_kind_of_service(api: TestClient, database: Database) -> None:
    put(api)
    api.put("/api/v1/channels/hook", json={"kind": "slack"})
    kept = stored(database)
    assert kept is not None
    assert (kept.kind, kept.url) == (ChannelKind.SLACK, "")


def test_a_redacted_setting_needs_a_stored_one(api: TestClient) -> None:
    answered = api.put("/api/v1/channels/hook", json={**HOOK, "settings": {"authorization": "[redacted]"}})
    (error,) = answered.json()["errors"]
    assert (answered.status_code, error["field"]) == (422, "settings.authorization")


@pytest.mark.parametrize(
    ("body", "field", "message"),
    [
        pytest.param({"kind": "webhook", "url": "ftp://host/x"}, "url", "must be a URL", id="address of another kind"),
        pytest.param({"kind": "fax"}, "kind", "slack", id="unknown kind"),
        pytest.param({}, "kind", "Field required", id="no kind"),
        pytest.param({**HOOK, "name": "other"}, "name", "never changes", id="another name"),
    ],
)
def test_a_channel_that_cannot_work_is_refused(
    api: TestClient, body: dict[str, object], field: str, message: str
) -> None:
    answered = api.put("/api/v1/channels/hook", json=body)
    (error,) = answered.json()["errors"]
    assert (answered.status_code, error["field"]) == (422, field)
    assert message in error["message"]


@pytest.mark.parametrize("name", ["a/b", "", "x" * 201, None])
def test_a_channel_needs_a_name_that_can_stand_in_a_path(api: TestClient, name: str | None) -> None:
    answered = api.post("/api/v1/channels", json={**HOOK, "name": name})
    assert (answered.status_code, answered.json()["errors"][0]["field"]) == (422, "name")


def test_a_channel_is_created_once(api: TestClient) -> None:
    put(api)
    assert api.post("/api/v1/channels", json={**HOOK, "name": "hook"}).status_code == 409


def test_channels_are_listed_page_by_page(api: TestClient) -> None:
    first = api.get("/api/v1/channels", params={"limit": 3}).json()
    rest = api.get("/api/v1/channels", params={"limit": 3, "cursor": first["next_cursor"]}).json()
    assert [one["name"] for one in first["items"]] == ["email", "log", "pagerduty"]
    assert ([one["name"] for one in rest["items"]], rest["next_cursor"]) == (["slack"], None)


def test_a_channel_nobody_uses_can_be_deleted(api: TestClient, database: Database) -> None:
    put(api)
    assert api.delete("/api/v1/channels/hook").status_code == 204
    assert stored(database) is None


def test_a_channel_in_use_stays_and_its_users_are_named(api: TestClient, database: Database) -> None:
    api.put("/api/v1/rules/r1", json={"name": "x", "expr": "up == 0", "notification_channels": ["slack"]})
    answered = api.delete("/api/v1/channels/slack")
    assert (answered.status_code, answered.json()["used_by"]) == (409, ["rule r1", "route root"])
    assert stored(database, "slack") is not None


def test_the_log_channel_stays(api: TestClient) -> None:
    answered = api.delete("/api/v1/channels/log")
    assert (answered.status_code, answered.json()["uses"]) == (409, 1)


@pytest.mark.parametrize(
    ("outcome", "told"),
    [
        pytest.param(Delivered(detail="ok"), (True, "delivered", "ok", False), id="delivered"),
        pytest.param(
            Failed(reason=FailureReason.RATE_LIMITED, retryable=True, detail="429"),
            (False, "rate_limited", "429", True),
            id="failed",
        ),
        pytest.param(
            Unconfigured(reason="url is not set"), (False, "unconfigured", "url is not set", False), id="unset"
        ),
    ],
)
def test_a_test_message_tells_what_came_of_it(
    engine: StandIn, outcome: Outcome | Unconfigured, told: tuple[bool, str, str, bool]
) -> None:
    api = TestClient(create_app(replace(engine, outcome=outcome)))
    answered = api.post("/api/v1/channels/slack/test").json()
    assert tuple(answered[name] for name in ("delivered", "outcome", "detail", "retryable")) == told
    assert [channel.name for channel in engine.tested] == ["slack"]


@pytest.mark.parametrize(("method", "path"), [("GET", ""), ("DELETE", ""), ("POST", "/test")])
def test_an_unknown_channel_is_not_found(api: TestClient, method: str, path: str) -> None:
    assert api.request(method, f"/api/v1/channels/none{path}").json()["detail"] == "there is no channel 'none'"


def test_the_engine_follows_what_was_declared(api: TestClient, engine: StandIn) -> None:
    put(api)
    with engine.database.read() as connection:
        known: definitions.Definitions = engine.feed.refresh(connection)
    assert known.channels["hook"].url == SECRET
