"""One world per test, on SQLite and on PostgreSQL: one suite for both."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.peers.postgres_server import PostgresServer
from tests.peers.surroundings import postgres
from tests.scenarios.world import World

Begin = Callable[..., World]


__all__ = ["postgres"]


@pytest.fixture(params=("sqlite", pytest.param("postgresql", marks=pytest.mark.peer("postgresql"))))
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/tocsin.db"
    server: PostgresServer = request.getfixturevalue("postgres")
    return server.create_database()


@pytest.fixture
def begin(database_url: str) -> Iterator[Begin]:
    """Starts a world with these environment variables; it is ended after the test."""
    worlds: list[World] = []

    def make(**environment: str) -> World:
        world = World(database_url, environment)
        worlds.append(world)
        return world

    yield make
    for world in worlds:
        world.service.stop()
    # Whatever a scenario does, nothing may have been left without a next step for the auditor to mend.
    assert [world.repairs for world in worlds if world.repairs and not world.broken_on_purpose] == []


@pytest.fixture
def world(begin: Begin) -> World:
    """A world with one webhook channel that the root route names, and quick timings."""
    made = begin(TOCSIN_EVALUATION_INTERVAL="10s")
    made.sql("INSERT INTO channels (name, kind, url) VALUES ('hook', 'webhook', 'http://127.0.0.1:1/hook')")
    made.sql(
        "UPDATE routes SET channels = '[\"hook\"]', group_wait_seconds = 5, group_interval_seconds = 30, "
        "repeat_interval_seconds = 600"
    )
    return made
