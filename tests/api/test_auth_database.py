"""Keys and a database that is away, hangs, or is not to be written to at every request."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from fastapi.testclient import TestClient
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.middleware import Middleware

from api.app import create_app
from api.auth import Authentication, Gate, Keys
from api.problems import ApiProblem
from engine.store import api_keys
from engine.store.api_keys import ApiKey, Scope
from engine.store.database import Database
from engine.store.door import OUT_OF_REACH, Connection
from tests.api.stand_in import NOON, NoonClock, StandIn, StandInSettings
from tests.api.test_auth import KEY, SEEN, made


def used(database: Database, key: ApiKey) -> object:
    with database.read() as connection:
        found = api_keys.get(connection, key.id)
    return found and found.last_used_at


def test_the_use_of_a_key_is_noted(api: TestClient, database: Database) -> None:
    key, shown = made(database, "ci", Scope.READ)
    assert used(database, key) is None
    api.get(SEEN, headers=shown)
    assert used(database, key) == NOON


def test_a_use_that_is_refused_is_not_noted(api: TestClient, database: Database) -> None:
    key, shown = made(database, "ci", Scope.READ)
    api.delete("/api/v1/rules/one", headers=shown)
    assert used(database, key) is None


class Away(Database):
    """A database that answers only as long as it is there."""

    there = True

    @contextmanager
    def read(self) -> Iterator[Connection]:
        self._answer()
        with super().read() as connection:
            yield connection

    @contextmanager
    def write(self, author: str | None = None) -> Iterator[Connection]:
        self._answer()
        with super().write(author) as connection:
            yield connection

    def _answer(self) -> None:
        if not self.there:
            raise OUT_OF_REACH[0]("away", None, Exception("away"))


@pytest.fixture
def leaving(database: Database) -> Away:
    return Away(database.engine, database.clock)


def client(database: Database, *keys: str) -> TestClient:
    settings = StandInSettings(api_keys=tuple(map(SecretStr, keys)))
    return TestClient(create_app(StandIn(database=database, settings=settings)))


def test_without_the_database_only_the_keys_of_the_environment_open(leaving: Away) -> None:
    api = client(leaving, KEY)
    _, shown = made(leaving, "ci", Scope.READ)
    leaving.there = False
    refused = api.get("/metrics", headers=shown)
    assert (refused.status_code, refused.json()["type"]) == (503, "urn:tocsin:problem:database-away")
    assert refused.headers["Retry-After"] == "5"
    assert api.get("/metrics", headers={"Authorization": f"Bearer {KEY}"}).status_code == 200
    assert api.get("/metrics").status_code == 401


def test_without_the_database_what_was_open_goes_on_to_tell_how_it_is(leaving: Away) -> None:
    api = client(leaving)
    assert api.get("/health").status_code == 200
    leaving.there = False
    assert (api.get("/health").status_code, api.get("/metrics").status_code) == (200, 200)
    assert api.get("/api/v1/rules").status_code == 503


def test_without_the_database_what_was_closed_stays_closed(leaving: Away) -> None:
    api = client(leaving)
    api.get("/health")
    made(leaving, "ci", Scope.READ)
    assert api.get("/health").status_code == 401
    leaving.there = False
    assert api.get("/health").status_code == 503


def test_an_engine_that_never_reached_its_database_is_closed(leaving: Away) -> None:
    leaving.there = False
    assert client(leaving).get("/health").status_code == 503


class Hanging(Database):
    """A database that, once told to, lets nobody read before `released`."""

    def __init__(self, database: Database) -> None:
        super().__init__(database.engine, database.clock)
        self.released = threading.Event()
        self.released.set()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        self.released.wait()
        with super().read() as connection:
            yield connection


@pytest.mark.parametrize(("was_open", "status"), [(True, 404), (False, 503)])
def test_a_database_that_hangs_counts_as_out_of_reach(database: Database, was_open: bool, status: int) -> None:
    hanging = Hanging(database)
    gate = Gate(keys=Keys(()), database=hanging, clock=NoonClock(), loopback=True, patience=timedelta(milliseconds=1))
    if was_open:
        gate.look_up(b"")
    hanging.released.clear()
    try:
        empty = Starlette(middleware=[Middleware(Authentication, gate=gate)])
        assert TestClient(empty).get("/nothing/here").status_code == status
    finally:
        hanging.released.set()


def test_a_request_does_not_fail_because_its_use_could_not_be_noted(leaving: Away) -> None:
    key, _ = made(leaving, "ci", Scope.READ)
    gate = Gate(keys=Keys(()), database=leaving, clock=NoonClock(), loopback=True)
    leaving.there = False
    gate.note_use(key)
    leaving.there = True
    assert used(leaving, key) is None


class Ticking(NoonClock):
    """A clock that is moved by hand."""

    seconds = 0.0

    def monotonic(self) -> float:
        return self.seconds


class Counting(Database):
    """Counts the transactions that write."""

    writes = 0

    @contextmanager
    def write(self, author: str | None = None) -> Iterator[Connection]:
        self.writes += 1
        with super().write(author) as connection:
            yield connection


def test_the_use_of_a_key_is_written_at_most_once_a_minute(database: Database) -> None:
    key, _ = made(database, "ci", Scope.READ)
    counting, clock = Counting(database.engine, database.clock), Ticking()
    gate = Gate(keys=Keys(()), database=counting, clock=clock, loopback=True)
    written = []
    for clock.seconds in (0.0, 59.9, 60.0, 61.0):
        gate.note_use(key)
        written.append(counting.writes)
    assert written == [1, 1, 2, 2]


def test_a_key_of_the_environment_needs_no_look_at_the_database(leaving: Away) -> None:
    gate = Gate(keys=Keys([KEY]), database=leaving, clock=NoonClock(), loopback=True)
    leaving.there = False
    caller = gate.at_once(KEY.encode())
    assert caller is not None
    assert caller.scope is Scope.ADMIN
    with pytest.raises(ApiProblem):
        gate.at_once(b"no key of the database by its looks")
    assert gate.at_once(f"tocsin_{'0' * 8}_{'a' * 43}".encode()) is None
