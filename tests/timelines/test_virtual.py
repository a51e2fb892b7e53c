"""Every scenario on the whole engine and a virtual clock: what it expects is told to the very moment."""

from __future__ import annotations

import pytest

from tests.peers.postgres_server import PostgresServer
from tests.timelines.comparing import mismatches
from tests.timelines.language import Restart, Scenario
from tests.timelines.observing import Observation
from tests.timelines.playing import together
from tests.timelines.scripts import ON_POSTGRESQL, SCENARIOS
from tests.timelines.virtual import EXACT, on_virtual_tocsin


@pytest.fixture(scope="module")
def on_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Observation:
    """All of them; those that restart the engine on one of their own."""
    found: Observation = {}
    for part in together(SCENARIOS, Restart):
        folder = tmp_path_factory.mktemp("virtual")
        found |= on_virtual_tocsin(part, folder, f"sqlite:///{folder}/tocsin.db")
    return found


@pytest.fixture(scope="module")
def on_postgresql(postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Observation:
    return on_virtual_tocsin(ON_POSTGRESQL, tmp_path_factory.mktemp("virtual"), postgres.create_database())


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda one: one.name)
def test_what_is_expected_is_told_to_the_moment(scenario: Scenario, on_sqlite: Observation) -> None:
    wrong = mismatches(scenario.expect, on_sqlite[scenario].received, EXACT)
    assert not wrong, "; ".join(wrong)


@pytest.mark.peer("postgresql")
@pytest.mark.parametrize("scenario", ON_POSTGRESQL, ids=lambda one: one.name)
def test_what_is_expected_is_told_to_the_moment_on_postgresql(scenario: Scenario, on_postgresql: Observation) -> None:
    wrong = mismatches(scenario.expect, on_postgresql[scenario].received, EXACT)
    assert not wrong, "; ".join(wrong)
