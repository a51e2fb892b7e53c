"""Every scenario on the real Alertmanager and on Tocsin as a process: each tells what the scenario expects, in the same words."""

from __future__ import annotations

import pytest

from tests.timelines.comparing import Pace, in_pairs, mismatches, unlike
from tests.timelines.conftest import Played
from tests.timelines.language import Scenario
from tests.timelines.observing import REAL, Observed
from tests.timelines.scripts import ON_POSTGRESQL, SCENARIOS

pytestmark = [pytest.mark.peer("alertmanager"), pytest.mark.peer("postgresql"), pytest.mark.timeout(400)]

AGREED = [one for one in SCENARIOS if one.alertmanager is None]
TAKEN = [one for one in SCENARIOS if one.expected_of_alertmanager is not None]


def named(scenario: Scenario) -> str:
    return scenario.name


def pace(observed: Observed) -> Pace:
    return Pace(begin=observed.begin, second=observed.second)


def test_at_least_sixty_scenarios_agree() -> None:
    assert len(AGREED) >= 60
    assert len({one.name for one in SCENARIOS}) == len(SCENARIOS)


@pytest.mark.parametrize("scenario", TAKEN, ids=named)
def test_alertmanager_tells_what_is_expected_of_it(scenario: Scenario, played: Played) -> None:
    wrong = mismatches(scenario.expected_of_alertmanager or (), played.alertmanager[scenario].received, REAL)
    assert not wrong, "; ".join(wrong)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=named)
def test_tocsin_on_sqlite_tells_what_is_expected(scenario: Scenario, played: Played) -> None:
    wrong = mismatches(scenario.expect, played.sqlite[scenario].received, REAL)
    assert not wrong, "; ".join(wrong)


@pytest.mark.parametrize("scenario", ON_POSTGRESQL, ids=named)
def test_tocsin_on_postgresql_tells_what_is_expected(scenario: Scenario, played: Played) -> None:
    wrong = mismatches(scenario.expect, played.postgresql[scenario].received, REAL)
    assert not wrong, "; ".join(wrong)


@pytest.mark.parametrize("scenario", [one for one in AGREED if one.expect], ids=named)
def test_both_say_it_in_the_same_words(scenario: Scenario, played: Played) -> None:
    ours, theirs = played.sqlite[scenario], played.alertmanager[scenario]
    pairs = in_pairs(scenario.expect, ours.received, theirs.received, REAL)
    assert len(pairs) == len(scenario.expect)
    assert [wrong for one, other in pairs for wrong in unlike(one, other, pace(ours), pace(theirs))] == []
