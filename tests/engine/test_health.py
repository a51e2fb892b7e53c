"""What the engine says of its parts, and when the fallback channel hears of it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from engine.core.outcome import Delivered, Outcome
from engine.fallback import Fallback
from engine.health import Vitals
from engine.store.database import Database, connect
from tests.scenarios.world import VirtualClock


class Watched:
    """Vitals over a real database, on a clock that moves when told, with a fallback that keeps what it says."""

    def __init__(self, database: Database, clock: VirtualClock) -> None:
        self.clock = clock
        self.said: list[str] = []
        fallback = Fallback(send=self._say, clock=clock)
        self.vitals = Vitals(database=database, clock=clock, fallback=fallback, timeout=timedelta(seconds=3))

    def after(self, seconds: float) -> None:
        end = self.clock.moment + timedelta(seconds=seconds)
        while self.clock.moment < end:
            self.clock.moment += timedelta(seconds=5)
            self.vitals.watch()

    def status(self, name: str) -> str:
        return next(one.status for one in self.vitals.components() if one.name == name)

    def _say(self, text: str) -> Outcome:
        self.said.append(text)
        return Delivered()


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    clock = VirtualClock()
    database = connect(str(tmp_path / "tocsin.db"), clock)
    yield Watched(database, clock)
    database.close()


def test_all_is_well_until_something_says_otherwise(watched: Watched) -> None:
    assert {one.status for one in watched.vitals.components()} == {"healthy"}


def test_a_datasource_that_stays_away_is_told_once_and_so_is_its_return(watched: Watched) -> None:
    watched.vitals.datasource("default", "refused")
    watched.after(300)
    watched.vitals.datasource("default", None)
    watched.after(60)
    assert [text.split(" (")[0] for text in watched.said] == [
        "Tocsin is blind: datasource",
        "Tocsin sees again: datasource",
    ]


def test_a_datasource_that_answers_a_probe_is_not_excused_for_its_failing_queries(watched: Watched) -> None:
    watched.vitals.datasource("default", "timeout")
    watched.vitals.probed("default", None)
    assert watched.status("prometheus") == "unhealthy"


def test_a_probe_alone_says_that_a_datasource_is_away_and_back(watched: Watched) -> None:
    watched.vitals.probed("default", "refused")
    assert watched.status("prometheus") == "unhealthy"
    watched.vitals.probed("default", None)
    assert watched.status("prometheus") == "healthy"


def test_how_each_datasource_answered_last_is_told(watched: Watched) -> None:
    assert watched.vitals.datasource_errors() == {}
    watched.vitals.datasource("default", "timeout")
    watched.vitals.probed("mimir", None)
    assert watched.vitals.datasource_errors() == {"default": "timeout", "mimir": None}


def test_a_channel_that_failed_once_long_ago_is_no_news(watched: Watched) -> None:
    watched.vitals.channel("slack", "404")
    assert watched.status("delivery") == "unhealthy"
    watched.after(700)
    assert watched.status("delivery") == "healthy"


def test_failing_loops_make_the_engine_blind(watched: Watched) -> None:
    watched.vitals.listener("evaluator")(OSError())
    watched.after(60)
    assert watched.status("evaluation") == "unhealthy"
    assert [text.split(" (")[0] for text in watched.said] == ["Tocsin is blind: database"]


def test_a_database_that_cannot_be_opened_is_unhealthy(tmp_path: Path) -> None:
    clock = VirtualClock()
    gone = Watched(connect(str(tmp_path / "no" / "such" / "folder.db"), clock), clock)
    assert gone.status("database") == "unhealthy"
    gone.after(60)
    assert [text.split(" (")[0] for text in gone.said] == ["Tocsin is blind: database"]
