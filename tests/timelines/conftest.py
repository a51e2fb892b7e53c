"""Every scenario played once per stage, all stages at the same time; the tests look at what came of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from tests.peers.postgres_server import PostgresServer
from tests.peers.require import require_peer
from tests.peers.surroundings import postgres
from tests.timelines.language import Configure, Restart, Scenario, Told
from tests.timelines.observing import Observation, observe, on_alertmanager
from tests.timelines.process import on_process, on_sqlite
from tests.timelines.scripts import ON_POSTGRESQL, SCENARIOS

__all__ = ["postgres"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """What came of the scenarios on each stage."""

    alertmanager: Observation
    sqlite: Observation
    postgresql: Observation


@pytest.fixture(scope="session")
def played(postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    """All scenarios on Alertmanager and on Tocsin, side by side, for they mostly wait."""
    require_peer("prometheus-alertmanager")
    folder = tmp_path_factory.mktemp("timelines")

    def on_postgresql(scenarios: Sequence[Scenario], home: Path, second: timedelta) -> Observation:
        return on_process(scenarios, home, second, postgres.create_database())

    with ThreadPoolExecutor(3) as pool:
        theirs = pool.submit(
            observe,
            on_alertmanager,
            [one for one in SCENARIOS if one.expected_of_alertmanager is not None],
            folder / "alertmanager",
            expected=_theirs,
            apart=(Restart, Configure),
        )
        ours = pool.submit(observe, on_sqlite, SCENARIOS, folder / "sqlite", expected=_ours, apart=(Restart,))
        also = pool.submit(
            observe, on_postgresql, ON_POSTGRESQL, folder / "postgresql", expected=_ours, apart=(Restart,)
        )
        yield Played(alertmanager=theirs.result(), sqlite=ours.result(), postgresql=also.result())


def _theirs(scenario: Scenario) -> tuple[Told, ...]:
    return scenario.expected_of_alertmanager or ()


def _ours(scenario: Scenario) -> tuple[Told, ...]:
    return scenario.expect
