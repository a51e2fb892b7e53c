"""On a real PostgreSQL: what it alone refuses, and writers that come between each other."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from api.v1 import edits
from api.v1.calls import Write
from api.v1.rules import RULES
from engine.store import rules as store
from engine.store import schema
from engine.store.api_keys import Scope
from engine.store.database import Database, connect
from engine.store.door import OUT_OF_REACH, Connection
from tests.api.stand_in import NoonClock, StandIn, alert, store_alerts
from tests.peers.postgres_server import PostgresServer

pytestmark = pytest.mark.peer("postgresql")

RULE = {"name": "Down", "expr": "up == 0"}


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    with PostgresServer() as server:
        yield server


@pytest.fixture
def database(postgres: PostgresServer) -> Iterator[Database]:
    opened = connect(postgres.create_database(), NoonClock())
    schema.upgrade(opened.engine)
    yield opened
    opened.close()


def test_every_noun_goes_in_and_out(api: TestClient, database: Database) -> None:
    store_alerts(database, alert("one", team="db"))
    assert api.put("/api/v1/rules/one", json=RULE).json()["status"]["state"] == "firing"
    assert api.put("/api/v1/channels/one", json={"kind": "log"}).status_code == 201
    assert api.post("/api/v1/silences", json={"matchers": 'team="db"', "duration": "1h"}).json()["matched_alerts"] == 1
    (told,) = api.get("/api/v1/alerts").json()["items"]
    assert [mute["kind"] for mute in told["muted_by"]] == ["silence"]
    everything(api)


def everything(api: TestClient) -> None:
    """The other nouns, each in the way that a database could take differently."""
    interval = {"time_intervals": [{"weekdays": ["sunday"]}]}
    assert (
        api.put("/api/v1/time_intervals/sundays", json=interval).json()["time_intervals"] == interval["time_intervals"]
    )
    sides = {"source_matchers": 'severity="critical"', "target_matchers": 'severity="info"'}
    assert api.put("/api/v1/inhibit_rules/one", json=sides).status_code == 201
    assert api.put("/api/v1/datasources/two", json={"urls": ["http://127.0.0.1:9090"]}).status_code == 201
    items = [{"id": "root", "channels": ["one"]}, {"id": "db", "mute_time_intervals": ["sundays"]}]
    assert api.put("/api/v1/routes", json={"items": items}).status_code == 200
    row = {"threshold": 1, "valid_to": "2027-01-01T00:00:00+02:00"}
    told = api.put("/api/v1/rules/one/thresholds/two", json=row).json()
    assert told["valid_to"] == "2026-12-31T22:00:00Z"
    assert api.put("/api/v1/rules/one", json={**RULE, "severity": "page"}).json()["version"] == 2
    assert api.post("/api/v1/rules/one/restore", json={"version": 1}).json()["severity"] == ""
    assert [one["version"] for one in api.get("/api/v1/rules/one/versions").json()["items"]] == [3, 2, 1]
    found = api.get("/api/v1/rules", params={"name": "DOWN", "health": "unknown"}).json()["items"]
    assert [one["id"] for one in found] == ["one"]
    assert len(api.get("/api/v1/silences", params={"state": "active"}).json()["items"]) == 1
    assert api.get("/api/v1/notifications", params={"outcome": "dead"}).json()["items"] == []


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/rules/%00",
        "/api/v1/channels/%00",
        "/api/v1/silences/%00",
        "/api/v1/routes/%00",
        "/api/v1/rules/%00/versions",
        "/api/v1/notifications?fingerprint=%00",
        "/api/v1/rules?name=%00",
        "/api/v1/alerts/%00",
        "/api/v1/rules?cursor=%00",
        "/api/v1/alerts?rule_id=%00",
    ],
)
def test_a_nul_in_an_address_is_the_askers_mistake(api: TestClient, path: str) -> None:
    answered = api.get(path)
    assert (answered.status_code, answered.json()["type"]) == (422, "urn:tocsin:problem:invalid")


def test_of_writers_who_read_the_same_version_one_wins(engine: StandIn) -> None:
    api = TestClient(create_app(engine))
    api.put("/api/v1/rules/one", json=RULE)
    writers, barrier = 6, Barrier(6)

    def write(number: int) -> int:
        barrier.wait(30)
        headers = {"If-Match": '"1"'}
        return api.put("/api/v1/rules/one", json={**RULE, "limit": number + 1}, headers=headers).status_code

    with ThreadPoolExecutor(writers) as pool:
        statuses = sorted(pool.map(write, range(writers)))
    assert statuses == [200] + [409] * (writers - 1)
    assert api.get("/api/v1/rules/one").json()["version"] == 2


def test_of_writers_who_create_the_same_one_wins(engine: StandIn) -> None:
    api = TestClient(create_app(engine))
    writers, barrier = 6, Barrier(6)

    def write(number: int) -> int:
        barrier.wait(30)
        return api.post("/api/v1/rules", json={**RULE, "id": "one", "limit": number + 1}).status_code

    with ThreadPoolExecutor(writers) as pool:
        statuses = sorted(pool.map(write, range(writers)))
    assert statuses == [201] + [409] * (writers - 1)


def test_a_database_that_nobody_serves_is_out_of_reach(engine: StandIn) -> None:
    away = connect("postgresql://user:s3cr3t@127.0.0.1:1/none", NoonClock())
    answered = TestClient(create_app(StandIn(database=away))).get("/api/v1/rules")
    assert (answered.status_code, "s3cr3t" in answered.text) == (503, False)
    away.close()


@pytest.mark.parametrize("statement", ["UPDATE alert_rules SET severity = 'page'", "DELETE FROM alert_rules"])
def test_nobody_comes_between_the_last_look_at_a_definition_and_its_end(
    engine: StandIn, api: TestClient, database: Database, statement: str
) -> None:
    """Else an edit that came between would be deleted unseen, or what was deleted come back."""
    api.put("/api/v1/rules/one", json=RULE)

    def delete(connection: Connection, key: str) -> bool:
        with database.engine.connect() as other:
            other.exec_driver_sql("SET lock_timeout = '100ms'")
            with pytest.raises(OUT_OF_REACH):
                other.exec_driver_sql(statement)
            other.invalidate()
        return store.delete(connection, key)

    noun = edits.Noun(word="rule", get=store.get, put=store.put, delete=delete, document=RULES.document)
    service: Any = engine
    write = Write(service=service, author="api", scope=Scope.ADMIN, dry_run=False, if_match=None)
    edits.commit(write, edits.plan(write, noun, "one", lambda *_: (None, ())))
    assert api.get("/api/v1/rules/one").status_code == 404
