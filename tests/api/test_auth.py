"""Keys: with one set nothing but liveness is open, and who changed what is told by the key's hash."""

from __future__ import annotations

import hashlib

import pytest
from fastapi.testclient import TestClient
from pydantic import SecretStr

from api.app import create_app
from api.auth import Keys
from engine.store.database import Database
from tests.api.stand_in import StandIn, StandInSettings

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


def test_the_schema_says_that_a_key_is_asked_for(locked: TestClient, api: TestClient) -> None:
    headers = {"Authorization": f"Bearer {KEY}"}
    schema = locked.get("/openapi.json", headers=headers).json()
    assert schema["paths"]["/api/v1/rules"]["get"]["security"] == [{"HTTPBearer": []}]
    assert "security" not in api.get("/openapi.json").json()["paths"]["/api/v1/rules"]["get"]


def test_without_keys_everything_is_open_and_the_author_is_the_api(api: TestClient) -> None:
    assert not Keys(())
    assert api.get("/api/v1/rules", headers={"Authorization": "Bearer whatever"}).status_code == 200
    body = {"matchers": 'team="db"', "duration": "1h"}
    assert api.post("/api/v1/silences", json=body).json()["created_by"] == "api"
