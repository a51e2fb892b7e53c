"""Datasources by REST: credentials go in and never come out, and what rules ask stays."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from engine.core.failover import Server, Standing
from engine.delivery.references import Sources
from engine.delivery.sealing import Keys, fresh_key
from engine.store import datasources as store
from engine.store.database import Database
from rules.datasource import Datasource, DatasourceKind
from tests.api.stand_in import NOON, StandIn, StandInSettings
from tests.delivery.certificates import Authority

SECRET_URL = "https://tocsin:s3cr3t@mimir.example.org/prometheus?token=s3cr3t"
SHOWN_URL = "https://[redacted]@mimir.example.org/prometheus?[redacted]"
MIMIR: dict[str, Any] = {
    "urls": ["http://a.example.org:9090", "http://b.example.org:9090"],
    "kind": "mimir",
    "tenant": "shop",
    "auth": {"username": "tocsin", "password": "s3cr3t"},
    "headers": {"X-Gateway-Key": "s3cr3t"},
    "tls": {"server_name": "mimir", "insecure_skip_verify": True},
    "team": "sre",
}


def put(api: TestClient, name: str = "mimir", **changes: object) -> Any:
    answered = api.put(f"/api/v1/datasources/{name}", json={**MIMIR, **changes})
    assert answered.status_code in {200, 201}, answered.text
    return answered.json()


def stored(database: Database, name: str = "mimir") -> Datasource | None:
    with database.read() as connection:
        return store.get(connection, name)


def test_a_datasource_is_stored_as_it_was_declared(api: TestClient, database: Database) -> None:
    answered = api.post("/api/v1/datasources", json={**MIMIR, "name": "mimir"})
    assert (answered.status_code, answered.headers["ETag"]) == (201, '"1"')
    assert stored(database) == Datasource(
        name="mimir",
        urls=("http://a.example.org:9090", "http://b.example.org:9090"),
        kind=DatasourceKind.MIMIR,
        tenant="shop",
        auth={"username": "tocsin", "password": "s3cr3t"},
        headers={"X-Gateway-Key": "s3cr3t"},
        tls={"server_name": "mimir", "insecure_skip_verify": "true"},
        team="sre",
        origin="api",
    )


def test_a_datasource_is_told_without_its_secrets(api: TestClient) -> None:
    auth = {**MIMIR["auth"], "token": "env:MIMIR_TOKEN"}
    headers = {**MIMIR["headers"], "X-Other": "env:OTHER"}
    put(api, urls=[SECRET_URL, "env:MIMIR_URL"], auth=auth, headers=headers, tls={"server_name": "m"})
    told = api.get("/api/v1/datasources/mimir").json()
    assert told["headers"] == {"X-Gateway-Key": "[redacted]", "X-Other": "env:OTHER"}
    assert told["tls"] == {"server_name": "m"}
    assert told["urls"] == [SHOWN_URL, "env:MIMIR_URL"]
    assert told["auth"] == {"username": "tocsin", "password": "[redacted]", "token": "env:MIMIR_TOKEN"}
    assert {problem["field"] for problem in told["problems"]} == {"urls.0", "auth.password", "headers.X-Gateway-Key"}


def test_a_clients_key_is_kept_like_a_password_and_its_certificate_is_shown(
    api: TestClient, database: Database, tmp_path: Path
) -> None:
    issued = Authority(tmp_path).issue("tocsin")
    tls = {"ca": issued.authority, "cert": issued.certificate, "key": issued.key}
    told = put(api, tls=tls)
    assert told["tls"] == {**tls, "key": "[redacted]"}
    assert "tls.key" in {problem["field"] for problem in told["problems"]}
    assert put(api, tls=told["tls"])["version"] == told["version"]
    kept = stored(database)
    assert kept is not None
    assert kept.tls == tls


def test_no_answer_tells_a_secret(api: TestClient) -> None:
    body = {**MIMIR, "urls": [SECRET_URL]}
    path = "/api/v1/datasources/mimir"
    asked = [
        api.put(path, params={"dry_run": True}, json=body),
        api.post("/api/v1/datasources", json={**body, "name": "mimir"}),
        api.get(path),
        api.get("/api/v1/datasources"),
        api.put(path, headers={"If-Match": '"7"'}, json={**body, "urls": [f"{SECRET_URL}2"]}),
        api.put(path, json={**body, "urls": ["ftp://s3cr3t"]}),
        api.put(path, json={**body, "auth": {"password": ["s3cr3t"]}}),
        api.delete(path, params={"dry_run": True}),
    ]
    assert [answered.status_code for answered in asked] == [200, 201, 200, 200, 409, 422, 422, 200]
    assert [answered.text for answered in asked if "s3cr3t" in answered.text] == []


def test_what_was_answered_can_be_sent_back_and_keeps_the_secrets(api: TestClient, database: Database) -> None:
    put(api, urls=[SECRET_URL])
    told = api.get("/api/v1/datasources/mimir").json()
    assert api.put("/api/v1/datasources/mimir", json={**told, "tenant": "bar"}).json()["version"] == 2
    kept = stored(database)
    assert kept is not None
    assert (kept.urls, kept.auth, kept.tenant) == ((SECRET_URL,), MIMIR["auth"], "bar")


def test_sealed_secrets_are_kept_sealed_when_they_are_sent_back(engine: StandIn, database: Database) -> None:
    settings = StandInSettings(environment=Sources({}, secret_keys=Keys([fresh_key()])))
    api = TestClient(create_app(replace(engine, settings=settings)))
    told = put(api, urls=[SECRET_URL])
    sealed = stored(database)
    assert sealed is not None
    assert "s3cr3t" not in f"{sealed.urls}{sealed.auth}"
    assert (told["urls"], told["problems"]) == ([SHOWN_URL], [])
    assert api.put("/api/v1/datasources/mimir", json=told).json()["version"] == 1


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        pytest.param({"urls": ["https://evil.example.org"]}, "auth.password", id="another host"),
        pytest.param({"urls": [*MIMIR["urls"], "https://evil.example.org"]}, "auth.password", id="one more host"),
        pytest.param({"urls": ["https://[redacted]@evil.example.org"]}, "urls.0", id="kept user, another host"),
    ],
)
def test_a_kept_secret_goes_nowhere_it_was_not_given_for(
    api: TestClient, changes: dict[str, object], field: str
) -> None:
    put(api)
    auth = {"username": "tocsin", "password": "[redacted]"}
    answered = api.put("/api/v1/datasources/mimir", json={**MIMIR, "auth": auth, **changes})
    (error,) = answered.json()["errors"]
    assert (answered.status_code, error["field"]) == (422, field)


@pytest.mark.parametrize(
    ("changes", "field", "message"),
    [
        pytest.param({"urls": []}, "urls", "at least 1 item", id="no address"),
        pytest.param({"urls": ["prometheus:9090"]}, "urls.0", "must be an address such as http://", id="no scheme"),
        pytest.param({"urls": ["http://"]}, "urls.0", "must be an address", id="no host"),
        pytest.param({"kind": "graphite"}, "kind", "prometheus", id="unknown kind"),
        pytest.param({"name": "other"}, "name", "never changes", id="another name"),
        pytest.param({"auth": {"pasword": "x"}}, "auth.pasword.[key]", "'password'", id="misspelt entry"),
        pytest.param({"urls": ["env:TOCSIN_DATABASE_URL"]}, "urls.0", "no reference may read", id="our own secret"),
        pytest.param({"auth": {"password": "[redacted]"}}, "auth.password", "give the value", id="nothing to keep"),
        pytest.param({"headers": {"X-Key": "[redacted]"}}, "headers.X-Key", "give the value", id="no header to keep"),
        pytest.param({"headers": {"X Key": "k"}}, "headers.X Key.[key]", "should match pattern", id="no header's name"),
        pytest.param({"headers": {"Host": "a"}}, "headers.Host", "Tocsin's to say", id="a header that is ours"),
        pytest.param({"headers": {"authorization": "x"}}, "headers.authorization", "in auth", id="auth as a header"),
        pytest.param({"tls": {"cafile": "x"}}, "tls.cafile.[key]", "'ca_file'", id="misspelt TLS setting"),
        pytest.param({"tls": {"ca": "x"}}, "tls.ca", "no certificate in PEM form", id="no certificate"),
        pytest.param({"tls": {"ca_file": "/none.pem"}}, "tls.ca_file", "No such file", id="no file"),
        pytest.param({"tls": {"cert": "x"}}, "tls.cert", "a client shows both or none", id="a certificate alone"),
        pytest.param({"tls": {"min_version": "TLS11"}}, "tls.min_version", "TLS12 or TLS13", id="an old TLS"),
        pytest.param(
            {"tls": {"insecure_skip_verify": "maybe"}}, "tls.insecure_skip_verify", "true or false", id="maybe"
        ),
        pytest.param({"tls": {"key_file": "/root/k"}}, "tls.key_file", "TOCSIN_REFERENCES", id="a key from anywhere"),
        pytest.param(
            {"kind": "victorialogs", "tenant": "1:2:3"}, "tenant", "account or account:project", id="no tenant"
        ),
    ],
)
def test_a_datasource_that_cannot_be_asked_is_refused(
    api: TestClient, changes: dict[str, object], field: str, message: str
) -> None:
    answered = api.put("/api/v1/datasources/mimir", json={**MIMIR, **changes})
    (error,) = answered.json()["errors"]
    assert (answered.status_code, error["field"]) == (422, field)
    assert message in error["message"]


def test_a_datasource_needs_a_name(api: TestClient) -> None:
    answered = api.post("/api/v1/datasources", json=MIMIR)
    assert (answered.status_code, answered.json()["errors"][0]["fix"]) == (422, "give one, such as mimir")


@pytest.mark.parametrize(
    ("known", "status"),
    [
        pytest.param({}, {"state": "unknown", "last_error": None, "servers": []}, id="never asked"),
        pytest.param({"default": None}, {"state": "healthy", "last_error": None, "servers": []}, id="well"),
        pytest.param(
            {"default": "refused"}, {"state": "failing", "last_error": "refused", "servers": []}, id="failing"
        ),
    ],
)
def test_how_its_last_queries_went_is_told(
    engine: StandIn, known: dict[str, str | None], status: dict[str, object]
) -> None:
    api = TestClient(create_app(replace(engine, datasources=known)))
    assert api.get("/api/v1/datasources/default").json()["status"] == status
    assert [one["status"] for one in api.get("/api/v1/datasources").json()["items"]] == [status]


def test_how_each_of_its_servers_does_is_told_with_its_address(engine: StandIn) -> None:
    known = (Server(standing=Standing.AWAY, since=NOON, error="refused"), Server())
    api = TestClient(create_app(replace(engine, servers={"mimir": known})))
    put(api, urls=[SECRET_URL, "http://b.example.org"])
    assert api.get("/api/v1/datasources/mimir").json()["status"]["servers"] == [
        {"url": SHOWN_URL, "state": "away", "since": "2026-11-21T12:00:00Z", "last_error": "refused"},
        {"url": "http://b.example.org", "state": "up", "since": None, "last_error": None},
    ]


def test_an_address_that_sql_made_of_anything_is_not_shown(api: TestClient, database: Database) -> None:
    with database.write() as connection:
        store.put(connection, Datasource(name="odd", urls=("tocsin:s3cr3t@prometheus",)))
    assert api.get("/api/v1/datasources/odd").json()["urls"] == ["[redacted]"]


def test_a_datasource_nobody_asks_can_be_deleted(api: TestClient, database: Database) -> None:
    put(api)
    assert api.delete("/api/v1/datasources/mimir").status_code == 204
    assert stored(database) is None


def test_a_datasource_in_use_stays_and_its_users_are_named(api: TestClient) -> None:
    put(api)
    api.put("/api/v1/rules/r1", json={"name": "x", "expr": "up == 0", "datasource": "mimir"})
    answered = api.delete("/api/v1/datasources/mimir")
    assert (answered.status_code, answered.json()["used_by"]) == (409, ["rule r1"])
    assert api.get("/api/v1/datasources/mimir").status_code == 200


def test_datasources_are_listed_page_by_page(api: TestClient) -> None:
    put(api)
    first = api.get("/api/v1/datasources", params={"limit": 1}).json()
    rest = api.get("/api/v1/datasources", params={"limit": 1, "cursor": first["next_cursor"]}).json()
    assert [[one["name"] for one in told["items"]] for told in (first, rest)] == [["default"], ["mimir"]]
