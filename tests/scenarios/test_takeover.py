"""Whoever evaluates next goes on exactly where the last one was: a world whose engines die, and are replaced by others, has the
same alerts and tells the same as one that nothing happened to.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

import pytest

from engine.core.alert import Alert, State
from engine.core.engine_alerts import SOURCE
from engine.store import alerts
from engine.store.tables import alert_rules
from tests.scenarios.conftest import Begin
from tests.scenarios.world import World

RULES: Final[tuple[Mapping[str, Any], ...]] = (
    {"id": "plain"},
    {"id": "held", "for_seconds": 30},
    {"id": "kept", "keep_firing_for_seconds": 40},
    {"id": "both", "for_seconds": 20, "keep_firing_for_seconds": 30},
    {"id": "missing", "missing_series": "keep", "missing_for_seconds": 60},
)
SLOT: Final = 10
# What the series is at each slot: above the threshold (5), below it (1), or not there (None).
COURSE: Final = (5, 6, 7, 8, 9, 1, 1, 5, None, None, None, 5, 6, 1, 1, 1, 1)
DEATHS: Final = {
    1: "here",
    3: "other",
    5: "other",
    6: "here",
    8: "here",
    9: "other",
    11: "here",
    12: "other",
    14: "here",
}
"""After which slots the engine dies, and who takes its place."""
ENVIRONMENT: Final = {"TOCSIN_EVALUATION_INTERVAL": f"{SLOT}s", "TOCSIN_LEASE": "4s", "TOCSIN_PLANNING": "off"}
"""A lease that is over before the next slot comes, so whoever takes over misses none."""
LATER: Final = 3
"""How long after a slot the engine dies."""


def prepared(world: World) -> World:
    world.sql("INSERT INTO channels (name, kind, url) VALUES ('hook', 'webhook', 'http://127.0.0.1:1/hook')")
    world.sql("UPDATE routes SET channels = '[\"hook\"]', group_wait_seconds = 5, group_interval_seconds = 25")
    with world.service.database.write() as connection:
        for one in RULES:
            row = {"name": one["id"], "expr": f"{series_of(one)} > 3", **one}
            row["annotations"] = {"value": "{{ $value }}"}
            connection.execute(alert_rules.insert(), row)
    return world


def series_of(one: Mapping[str, Any]) -> str:
    """What the rule is about; all rules ask alike, so that they share their slots."""
    return f'm{{rule="{one["id"]}"}}'


def answer(world: World, value: float | None) -> None:
    """What Prometheus has from now on: the rule `missing` asks its whole left side, where another series is always there."""
    series = [] if value is None else [({"host": "a"}, float(value))]
    for one in RULES:
        world.returns(f"{series_of(one)} > 3", *[each for each in series if each[1] > 3])
    world.returns('m{rule="missing"}', *series, ({"host": "b"}, 1.0))


def standing(world: World) -> dict[tuple[str, str], Alert]:
    """Every alert of a rule there ever was, less its row's number; that a process is gone is an alert of the engine's."""
    with world.service.database.read() as connection:
        found = alerts.page(connection, limit=1000)
    return {(one.source, str(one.labels)): replace(one, id=None) for one in found if one.source != SOURCE}


def told(world: World) -> list[tuple[float, str, str, list[tuple[str, str]]]]:
    """Every message: when, to whom, of which group, and which of its alerts fired or were over."""
    return [
        (
            one.at,
            one.recipient,
            str(one.body["groupLabels"]),
            [(each["status"], each["startsAt"]) for each in one.body["alerts"]],
        )
        for one in world.deliveries
    ]


@pytest.fixture
def calm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A world to which nothing happens."""
    world = World(f"sqlite:///{tmp_path_factory.mktemp('calm')}/tocsin.db", ENVIRONMENT)
    yield prepared(world)
    world.service.stop()


def test_processes_that_die_and_are_replaced_change_nothing(begin: Begin, calm: World) -> None:
    unlucky = prepared(begin(**ENVIRONMENT))
    seen = set()
    unlucky.tick()
    ((first,),) = unlucky.rows("SELECT phase_seconds FROM evaluation_units")
    for number, value in enumerate(COURSE, 1):
        for world in (calm, unlucky):
            answer(world, value)
            world.until(first + (number - 1) * SLOT + LATER)
        assert standing(unlucky) == standing(calm), f"after slot {number}"
        seen |= {
            (one.state, one.keep_firing_since is not None, one.absence is not None) for one in standing(calm).values()
        }
        if number in DEATHS:
            unlucky.crash(DEATHS[number])
    assert told(unlucky) == told(calm)
    # Nothing that can be restored was left out.
    kept, missing = (State.FIRING, True, False), (State.FIRING, False, True)
    assert seen >= {
        (State.PENDING, False, False),
        (State.FIRING, False, False),
        kept,
        missing,
        (State.INACTIVE, False, False),
    }
    ((slots,),) = unlucky.rows("SELECT sum(missed_slots) FROM evaluation_units")
    assert slots == 0
