"""Random timelines keep every promise: who must hear does so in time and once, ends are told, a mute has a name."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Final

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from engine.clock import SystemClock
from engine.store import schema
from engine.store.database import connect
from tests.peers.postgres_server import PostgresServer
from tests.timelines.machine import ALERTS, Timelines

EXAMPLES: Final = 60
EXAMPLES_ON_POSTGRESQL: Final = 10
STEPS: Final = 30


def hold(database_url: Callable[[], str], examples: int) -> None:
    """Play so many random timelines, others each time."""

    class Here(Timelines):
        def __init__(self) -> None:
            super().__init__(database_url())

    run_state_machine_as_test(
        Here,
        settings=settings(
            max_examples=examples,
            stateful_step_count=STEPS,
            suppress_health_check=list(HealthCheck),
        ),
    )


only_when_looking = pytest.mark.skipif(
    settings.get_current_profile_name() != "fuzz", reason="random timelines take minutes: run `make timelines`"
)


def test_a_story_told_by_hand_keeps_every_promise(tmp_path: Path) -> None:
    story = Timelines(f"sqlite:///{tmp_path}/tocsin.db")
    down, other = ALERTS[0], ALERTS[1]
    story.fire(down, 3600, 61)
    story.silence('host="a"', 0, 700, 12)
    story.fire(other, 3600, 61)
    story.edit_routes(3, 61)
    story.expire_silence(0, 61)
    story.restart(31)
    story.a_mute_names_its_muter()
    story.teardown()
    assert [message.reason for message in story.world.messages if down in message.firing]
    assert story.heard["hook"].firing == story.heard["pager"].firing == {}


@only_when_looking
@pytest.mark.timeout(7200)
def test_random_timelines_keep_every_promise(tmp_path: Path) -> None:
    migrated = tmp_path / "migrated.db"
    database = connect(f"sqlite:///{migrated}", SystemClock())
    schema.upgrade(database.engine)
    database.close()
    numbers = count()

    def fresh() -> str:
        path = tmp_path / f"{next(numbers)}.db"
        shutil.copy(migrated, path)
        return f"sqlite:///{path}"

    hold(fresh, EXAMPLES)


@only_when_looking
@pytest.mark.timeout(7200)
@pytest.mark.peer("postgresql")
def test_random_timelines_keep_every_promise_on_postgresql(postgres: PostgresServer) -> None:
    hold(postgres.create_database, EXAMPLES_ON_POSTGRESQL)
