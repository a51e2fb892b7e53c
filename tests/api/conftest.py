"""A fresh database for each test, copied from one that was migrated once, and the API over it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from engine.store import schema
from engine.store.database import Database, connect
from tests.api.stand_in import NoonClock, StandIn


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("api") / "migrated.db"
    database = connect(str(path), NoonClock())
    schema.upgrade(database.engine)
    database.close()
    return path


@pytest.fixture
def database(migrated: Path, tmp_path: Path) -> Iterator[Database]:
    path = tmp_path / "tocsin.db"
    shutil.copy(migrated, path)
    opened = connect(str(path), NoonClock())
    yield opened
    opened.close()


@pytest.fixture
def engine(database: Database) -> StandIn:
    return StandIn(database=database)


@pytest.fixture
def api(engine: StandIn) -> TestClient:
    return TestClient(create_app(engine))
