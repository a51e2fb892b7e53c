"""The engine dies at the worst points of a message's way, and the next one makes good: nothing lost, one incident."""

from __future__ import annotations

import signal

import pytest

from tests.faults.crashing_engine import CrashPoint
from tests.faults.verdict import assert_one_incident_told, repeats
from tests.peers.surroundings import HURRY, INSERT_RULE, SOON, Outside

pytestmark = pytest.mark.peer("prometheus")

POINTS = [
    pytest.param(point, id=point.value)
    for point in (CrashPoint.BEFORE_COMMIT, CrashPoint.BEFORE_SEND, CrashPoint.BEFORE_MARK)
]


def crashing(point: CrashPoint) -> tuple[str, ...]:
    """What Python runs to have an engine that ends there."""
    return ("-m", "tests.faults.crashing_engine", point.value)


def assert_made_good(outside: Outside, point: CrashPoint) -> None:
    """Repeated is what was sent and not marked, once; what was not sent is not."""
    assert_one_incident_told(outside)
    assert all(count <= 1 for count in repeats(outside).values())
    assert (sum(repeats(outside).values()) > 0) == (point is CrashPoint.BEFORE_MARK)


@pytest.mark.parametrize("point", POINTS)
def test_a_trigger_outlives_the_crash(outside: Outside, point: CrashPoint) -> None:
    with outside.engine(crashing(point)) as engine:
        outside.sql(HURRY, INSERT_RULE)
        outside.error_rate(27.4)
        assert engine.wait(SOON) == -signal.SIGKILL
    with outside.engine():
        outside.wait_until_all_know("firing")
        outside.error_rate(0.5)
        outside.wait_until_all_know("resolved")
        outside.wait_until_at_rest()
    assert_made_good(outside, point)


@pytest.mark.parametrize("point", POINTS)
def test_a_resolve_outlives_the_crash(outside: Outside, point: CrashPoint) -> None:
    with outside.engine() as engine:
        outside.sql(HURRY, INSERT_RULE)
        outside.error_rate(27.4)
        outside.wait_until_all_know("firing")
        engine.stop()
    with outside.engine(crashing(point)) as engine:
        outside.error_rate(0.5)
        assert engine.wait(SOON) == -signal.SIGKILL
    with outside.engine():
        outside.wait_until_all_know("resolved")
        outside.wait_until_at_rest()
    assert_made_good(outside, point)


def test_a_first_start_that_dies_in_its_migration_leaves_what_the_next_one_can_use(outside: Outside) -> None:
    broken = outside.engine(crashing(CrashPoint.BEFORE_MIGRATED))
    broken.spawn()
    assert broken.wait(SOON) == -signal.SIGKILL
    with outside.engine():
        outside.sql(HURRY, INSERT_RULE)
        outside.error_rate(27.4)
        outside.wait_until_all_know("firing")
