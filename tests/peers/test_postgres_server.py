"""The throw-away PostgreSQL does what the tests of the stores rely on."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import psycopg
import pytest

from tests.peers.postgres_server import PostgresServer

pytestmark = pytest.mark.peer("postgres")


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with PostgresServer() as server:
        yield server


def tables(url: str) -> list[str]:
    with psycopg.connect(url) as connection:
        return [name for (name,) in connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]


def test_each_database_is_fresh_and_its_own(server: PostgresServer) -> None:
    first, second = server.create_database(), server.create_database()
    with psycopg.connect(first) as connection:
        connection.execute("CREATE TABLE rule (id integer)")
    assert (tables(first), tables(second)) == (["rule"], [])


@pytest.fixture
def ours(server: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[PostgresServer]:
    monkeypatch.delenv("TOCSIN_TEST_POSTGRES_URL", raising=False)
    with PostgresServer() as ours:
        yield ours


@pytest.mark.parametrize("end", [PostgresServer.kill, PostgresServer.stop])
def test_what_was_committed_survives_its_end_and_open_connections_do_not(
    ours: PostgresServer, end: Callable[[PostgresServer], None]
) -> None:
    url = ours.create_database()
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE rule (id integer)")
    cut = psycopg.connect(url)
    end(ours)
    with pytest.raises(psycopg.OperationalError):
        cut.execute("SELECT 1")
    cut.close()
    ours.start()
    assert tables(url) == ["rule"]


def test_a_given_server_is_used_and_left_as_it_was(server: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCSIN_TEST_POSTGRES_URL", server.url)
    with PostgresServer() as given:
        url = given.create_database()
        assert tables(url) == []
        with pytest.raises(RuntimeError, match="not ours"):
            given.kill()
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        psycopg.connect(url)
    assert tables(server.url) == []
