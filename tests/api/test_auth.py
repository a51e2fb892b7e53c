"""Keys: with one set nothing but liveness is open; they live in the environment and the database, and sign what they change."""

from __future__ import annotations

import hashlib
from datetime import timedelta

import pytest
from fastapi.testclient import TestClient
from pydantic import SecretStr

from api.app import create_app
from api.auth import Keys
from engine.setting_texts import Listen
from engine.store import api_keys
from engine.store.api_keys import ApiKey, Scope
from engine.store.database import Database
from tests.api.stand_in import NOON, StandIn, StandInSettings, alert, store_alerts

KEY, OTHER = "0123456789abcdef-first", "0123456789abcdef-second"
LIVENESS = ["/health/live", "/health/liveness"]
CLOSED = [
    ("GET", "/api/v1/rules"),
    ("POST", "/api/v1/rules"),
    ("GET", "/api/v1/alerts"),
    ("DELETE", "/api/v1/silences/x"),
    ("GET", "/api/v1/channels"),
    ("GET", "/health"),
    ("HEAD", "/health"),
    ("GET", "/health/ready"),
    ("GET", "/ready"),
    ("GET", "/metrics"),
    ("GET", "/openapi.json"),
    ("GET", "/nothing/here"),
    ("GET", "/health/live/"),
    ("GET", "//health/live"),
]


@pytest.fixture
def locked(database: Database) -> TestClient:
    settings = StandInSettings(api_keys=(SecretStr(KEY), SecretStr(OTHER)))
    return TestClient(create_app(StandIn(database=database, settings=settings)))


@pytest.mark.parametrize(("method", "path"), CLOSED)
def test_without_a_key_nothing_is_open(locked: TestClient, method: str, path: str) -> None:
    answered = locked.request(method, path)
    assert (answered.status_code, answered.headers["WWW-Authenticate"]) == (401, 'Bearer realm="tocsin"')
    assert answered.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("path", LIVENESS)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_liveness_is_open_to_all(locked: TestClient, method: str, path: str) -> None:
    assert locked.request(method, path).status_code == 200


@pytest.mark.parametrize("key", [KEY, OTHER])
@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_every_key_opens(locked: TestClient, scheme: str, key: str) -> None:
    assert locked.get("/api/v1/rules", headers={"Authorization": f"{scheme} {key}"}).status_code == 200


@pytest.mark.parametrize(
    "header",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"Bearer", id="no key"),
        pytest.param(b"Bearer ", id="empty key"),
        pytest.param(b"Bearer wrong", id="wrong key"),
        pytest.param(KEY.encode(), id="no scheme"),
        pytest.param(b"Basic " + KEY.encode(), id="another scheme"),
        pytest.param(b"Bearer " + KEY[:-1].encode(), id="part of a key"),
        pytest.param(b"Bearer " + KEY.encode() + b"," + OTHER.encode(), id="two keys"),
        pytest.param(b"Bearer \xff\xfe", id="no text"),
    ],
)
def test_a_wrong_header_does_not_open(locked: TestClient, header: bytes) -> None:
    assert locked.get("/api/v1/rules", headers=[(b"Authorization", header)]).status_code == 401


def test_two_headers_do_not_open(locked: TestClient) -> None:
    headers = [("Authorization", f"Bearer {KEY}"), ("Authorization", f"Bearer {KEY}")]
    assert locked.get("/api/v1/rules", headers=headers).status_code == 401


def test_a_refusal_repeats_no_key(locked: TestClient) -> None:
    assert "s3cr3t" not in locked.get("/api/v1/rules", headers={"Authorization": "Bearer s3cr3t"}).text


def test_the_author_is_the_keys_short_hash(locked: TestClient, database: Database) -> None:
    rule = {"name": "Down", "expr": "up == 0"}
    locked.put("/api/v1/rules/one", json=rule, headers={"Authorization": f"Bearer {OTHER}"})
    with database.read() as connection:
        row = connection.exec_driver_sql("SELECT author FROM definition_changes WHERE row_id = 'one'").one()
    assert row[0] == f"key:{hashlib.sha256(OTHER.encode()).hexdigest()[:8]}"


def test_a_silence_names_the_key_that_made_it(locked: TestClient) -> None:
    body = {"matchers": 'team="db"', "duration": "1h"}
    told = locked.post("/api/v1/silences", json=body, headers={"Authorization": f"Bearer {KEY}"}).json()
    assert told["created_by"] == f"key:{hashlib.sha256(KEY.encode()).hexdigest()[:8]}"


def test_the_schema_says_how_a_key_is_given(api: TestClient) -> None:
    schema = api.get("/openapi.json").json()
    assert schema["paths"]["/api/v1/rules"]["get"]["security"] == [{"HTTPBearer": []}]
    assert schema["components"]["securitySchemes"]["HTTPBearer"]["scheme"] == "bearer"


def test_without_keys_everything_is_open_and_the_author_is_the_api(api: TestClient) -> None:
    assert not Keys(())
    assert api.get("/api/v1/rules", headers={"Authorization": "Bearer whatever"}).status_code == 200
    body = {"matchers": 'team="db"', "duration": "1h"}
    assert api.post("/api/v1/silences", json=body).json()["created_by"] == "api"


RULE = {"name": "Down", "expr": "up == 0"}
QUIET = {"matchers": 'team="db"', "duration": "1h", "created_by": "somebody else"}
SEEN = "/api/v1/rules"


def made(
    database: Database, name: str, scope: Scope, lasting: timedelta | None = None
) -> tuple[ApiKey, dict[str, str]]:
    """A key made at noon, and the header that shows it."""
    with database.write() as connection:
        key, text = api_keys.create(
            connection, name=name, scope=scope, created_by="root", lasting=lasting, now=NOON - timedelta(hours=1)
        )
    return key, {"Authorization": f"Bearer {text}"}


def revoke(database: Database, key: ApiKey) -> None:
    with database.write() as connection:
        api_keys.revoke(connection, key.id, by="root", now=NOON)


def test_the_first_key_in_the_database_closes_the_surface(api: TestClient, database: Database) -> None:
    assert api.get(SEEN).status_code == 200
    _, shown = made(database, "ci", Scope.READ)
    assert api.get(SEEN).status_code == 401
    assert api.get(SEEN, headers=shown).status_code == 200


def test_a_revoked_key_opens_nothing_from_its_next_request_on(api: TestClient, database: Database) -> None:
    made(database, "other", Scope.READ)
    key, shown = made(database, "ci", Scope.READ)
    assert api.get(SEEN, headers=shown).status_code == 200
    revoke(database, key)
    refused = api.get(SEEN, headers=shown)
    assert refused.status_code == 401
    assert refused.json()["detail"].startswith("this key was revoked at 2026-11-21T12:00:00+00:00: ")


def test_an_expired_key_is_told_that_it_has_expired(api: TestClient, database: Database) -> None:
    made(database, "other", Scope.READ)
    _, shown = made(database, "ci", Scope.READ, lasting=timedelta(hours=1))
    refused = api.get(SEEN, headers=shown)
    assert refused.status_code == 401
    assert refused.json()["detail"].startswith("this key expired at 2026-11-21T12:00:00+00:00: ")


@pytest.mark.parametrize("scope", list(Scope))
def test_only_who_holds_the_key_learns_that_it_is_over(api: TestClient, database: Database, scope: Scope) -> None:
    made(database, "other", Scope.READ)
    key, shown = made(database, "ci", scope)
    revoke(database, key)
    guessed = {"Authorization": shown["Authorization"][:-1] + ("a" if shown["Authorization"][-1] != "a" else "b")}
    unknown = {"Authorization": f"Bearer tocsin_{'0' * 8}_{'a' * 43}"}
    answers = {api.get(SEEN, headers=headers).text for headers in (guessed, unknown, {})}
    assert len(answers) == 1
    assert "revoked" not in answers.pop()


def test_a_key_that_is_over_does_not_open_what_is_open_to_all(api: TestClient, database: Database) -> None:
    key, shown = made(database, "ci", Scope.READ)
    revoke(database, key)
    assert api.get(SEEN).status_code == 200
    assert api.get(SEEN, headers=shown).status_code == 401


def test_keys_of_both_places_open_beside_each_other(locked: TestClient, database: Database) -> None:
    _, shown = made(database, "ci", Scope.WRITE)
    for headers in (shown, {"Authorization": f"Bearer {KEY}"}):
        assert locked.put("/api/v1/rules/one", json=RULE, headers=headers).status_code in (200, 201)


def test_an_address_that_others_can_reach_is_never_open_to_all(database: Database) -> None:
    settings = StandInSettings(listen=Listen(host="0.0.0.0", port=9099))
    reachable = TestClient(create_app(StandIn(database=database, settings=settings)))
    assert reachable.get(SEEN).status_code == 401
    assert reachable.get(SEEN, headers=made(database, "ci", Scope.READ)[1]).status_code == 200


def test_what_is_beyond_a_keys_scope_names_both_scopes(api: TestClient, database: Database) -> None:
    _, shown = made(database, "ci", Scope.SILENCE)
    refused = api.put("/api/v1/rules/one", json=RULE, headers=shown)
    assert (refused.status_code, refused.headers["Content-Type"]) == (403, "application/problem+json")
    problem = refused.json()
    assert problem["detail"] == "this needs a key of scope write, and yours has silence"
    assert (problem["needed"], problem["held"]) == ("write", "silence")
    assert 'error="insufficient_scope", scope="write"' in refused.headers["WWW-Authenticate"]
    assert api.get("/api/v1/rules/one", headers=shown).status_code == 404


def test_a_change_is_signed_with_the_keys_name(api: TestClient, database: Database) -> None:
    _, shown = made(database, "ci", Scope.WRITE)
    api.put("/api/v1/rules/one", json=RULE, headers=shown)
    with database.read() as connection:
        row = connection.exec_driver_sql("SELECT author FROM definition_changes WHERE row_id = 'one'").one()
    assert row[0] == "key:ci"


@pytest.mark.parametrize(
    ("scope", "signed"),
    [
        pytest.param(Scope.SILENCE, "key:ci", id="silence"),
        pytest.param(Scope.WRITE, "key:ci", id="write"),
        pytest.param(Scope.ADMIN, "somebody else", id="admin"),
    ],
)
def test_only_an_admin_silences_in_anothers_name(
    api: TestClient, database: Database, scope: Scope, signed: str
) -> None:
    _, shown = made(database, "ci", scope)
    answers = [
        api.post("/api/v1/silences", json=QUIET, headers=shown),
        api.put("/api/v1/silences/one", json=QUIET, headers=shown),
        api.post("/api/v1/silences?dry_run=true", json=QUIET, headers=shown),
    ]
    told = [answer.json().get("result", answer.json()) for answer in answers]
    assert [each["created_by"] for each in told] == [signed] * 3


def test_who_replaces_a_silence_signs_it_and_who_ends_it_does_not(api: TestClient, database: Database) -> None:
    _, first = made(database, "first", Scope.SILENCE)
    _, second = made(database, "second", Scope.SILENCE)
    api.put("/api/v1/silences/one", json=QUIET, headers=first)
    longer = api.put("/api/v1/silences/one", json={**QUIET, "duration": "2h"}, headers=second).json()
    ended = api.delete("/api/v1/silences/one", headers=first).json()
    assert (longer["created_by"], ended["created_by"]) == ("key:second", "key:second")


def test_a_silence_made_from_an_alert_is_signed_with_the_keys_name(api: TestClient, database: Database) -> None:
    _, shown = made(database, "ci", Scope.SILENCE)
    store_alerts(database, alert("one"))
    fingerprint = api.get("/api/v1/alerts", headers=shown).json()["items"][0]["fingerprint"]
    told = api.post(f"/api/v1/alerts/{fingerprint}/silence", json={"duration": "1h"}, headers=shown).json()
    assert told["created_by"] == "key:ci"
