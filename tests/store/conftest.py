"""Every test that takes `database` runs twice, on a fresh SQLite file and on a fresh database of a real PostgreSQL."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.clock import SystemClock
from engine.store import schema
from engine.store.database import Database, connect
from tests.peers.postgres_server import PostgresServer

BOTH = ("sqlite", pytest.param("postgresql", marks=pytest.mark.peer("postgresql")))


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """One server for the whole run; the tests take databases of it."""
    with PostgresServer() as server:
        yield server


@pytest.fixture(params=BOTH)
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a database nobody has migrated yet."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'tocsin.db'}"
    server: PostgresServer = request.getfixturevalue("postgres")
    return server.create_database()


@pytest.fixture
def empty(empty_url: str) -> Iterator[Database]:
    """That database, opened."""
    opened = connect(empty_url, SystemClock())
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite database to copy: the migrations themselves are test_schema.py's."""
    path = tmp_path_factory.mktemp("migrated") / "tocsin.db"
    made = connect(str(path), SystemClock())
    schema.upgrade(made.engine)
    made.close()
    return path


@pytest.fixture
def database(empty: Database, request: pytest.FixtureRequest) -> Database:
    """A freshly migrated database, as a new installation has it."""
    if empty.is_sqlite:
        shutil.copy(request.getfixturevalue("migrated_file"), str(empty.engine.url.database))
    else:
        schema.upgrade(empty.engine)
    return empty


@pytest.fixture
def sqlite(tmp_path: Path, migrated_file: Path) -> Iterator[Database]:
    """A freshly migrated SQLite database, for what only SQLite does."""
    opened = connect(str(shutil.copy(migrated_file, tmp_path / "tocsin.db")), SystemClock())
    yield opened
    opened.close()


@pytest.fixture
def postgresql(postgres: PostgresServer) -> Iterator[Database]:
    """A freshly migrated PostgreSQL database, for what only PostgreSQL does."""
    opened = connect(postgres.create_database(), SystemClock())
    schema.upgrade(opened.engine)
    yield opened
    opened.close()
