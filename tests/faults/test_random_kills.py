"""`kill -9` at moments nobody chose. TOCSIN_FAULTS=60 kills sixty times; each run of six has a seed of its own."""

from __future__ import annotations

import os
import random
import time

import pytest

from tests.faults.verdict import assert_one_incident_told, repeats
from tests.peers.engine_process import EngineProcess
from tests.peers.surroundings import HURRY, INSERT_RULE, Outside

KILLS = 6
"""In each run: half of them while it fires, half of them while it ends."""
SEEDS = range(max(1, int(os.environ.get("TOCSIN_FAULTS", KILLS)) // KILLS))
WITHIN = 3.0
"""Seconds: evaluation, flush, send and mark of a message all happen in them."""

pytestmark = [pytest.mark.peer("prometheus"), pytest.mark.timeout(240)]


def kill_some_time(engine: EngineProcess, chance: random.Random) -> None:
    """Start it and kill it: most often at work, sometimes in the middle of its start."""
    if chance.random() < 0.25:
        engine.spawn()
    else:
        engine.start()
    time.sleep(chance.uniform(0, WITHIN))
    engine.kill()


@pytest.mark.parametrize("seed", SEEDS)
def test_no_kill_loses_an_alert_or_opens_a_second_incident(outside: Outside, seed: int) -> None:
    chance = random.Random(seed)
    with outside.engine() as engine:
        outside.sql(HURRY, INSERT_RULE)
        engine.kill()
        for error_rate, status in ((27.4, "firing"), (0.5, "resolved")):
            outside.error_rate(error_rate)
            for _ in range(KILLS // 2):
                kill_some_time(engine, chance)
            engine.start()
            outside.wait_until_all_know(status)
            engine.kill()
        engine.start()
        outside.wait_until_at_rest()
        engine.stop()
    assert_one_incident_told(outside)
    assert all(count <= KILLS // 2 + 1 for count in repeats(outside).values())
