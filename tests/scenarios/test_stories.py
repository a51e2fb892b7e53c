"""Whole stories as `tocsin explain` tells them, one for each reason why nobody was told; read them as who should have been."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from engine.core.outcome import Failed, FailureReason
from engine.store.tables import channels, inhibit_rules, routes, silences, time_intervals
from tests.api.commands.asking import answer, serving, tocsin
from tests.scenarios.test_explaining import LABELS, declare, fires
from tests.scenarios.test_firing import rule
from tests.scenarios.world import START, World

STORIES: Final = Path(__file__).with_name("stories")
TROUBLE: Final = Failed(reason=FailureReason.UNREACHABLE, retryable=True, detail="connection refused")


def pending(world: World) -> None:
    fires(world, for_seconds=300)
    world.until(60)


def no_data(world: World) -> None:
    rule(world)
    world.until(30)


def unrouted(world: World) -> None:
    world.sql("UPDATE routes SET channels = '[]'")
    declare(world, routes, id="lab", parent_id="root", matchers=["host=~a|b"], channels=[])
    fires(world)
    world.until(60)


def silenced(world: World) -> None:
    times = {"starts_at": START, "ends_at": START + timedelta(hours=2)}
    declare(world, silences, id="s", matchers=["host=a"], created_by="ann", comment="disk swap", **times)
    fires(world)
    world.until(60)


def inhibited(world: World) -> None:
    declare(
        world, inhibit_rules, id="i", source_matchers=["alertname=Down"], target_matchers=["alertname=Errors"],
        equal=["host"],
    )  # fmt: skip
    rule(world, id="down", name="Down", metric_name="down")
    world.returns("(down\n) > 10", ({"host": "a"}, 12))
    fires(world)
    world.until(60)


def interval(world: World) -> None:
    night = [{"times": [{"start_time": "00:00", "end_time": "06:00"}]}]
    declare(world, time_intervals, name="night", time_intervals=night)
    declare(world, routes, id="db", parent_id="root", matchers=["alertname=Errors"], mute_time_intervals=["night"])
    fires(world)
    world.until(60)


def already_told(world: World) -> None:
    fires(world)
    world.until(100)


def rate_limited(world: World) -> None:
    away = Failed(
        reason=FailureReason.RATE_LIMITED, retryable=True, detail="HTTP 429", retry_after=timedelta(minutes=5)
    )
    world.outcomes["WebhookUrl"] = [away] * 5
    fires(world)
    world.until(60)


def channel_down(world: World) -> None:
    world.outcomes["WebhookUrl"] = [TROUBLE] * 50
    fires(world)
    world.until(60)


def quarantined(world: World) -> None:
    world.sql("INSERT INTO alert_rules (id, name, expr) VALUES ('bad', 'Errors', 'sum(')")
    world.until(30)


CASES: Final[tuple[Callable[[World], None], ...]] = (
    pending,
    no_data,
    unrouted,
    silenced,
    inhibited,
    interval,
    already_told,
    rate_limited,
    channel_down,
    quarantined,
)


def told(happen: Callable[[World], None], path: Path) -> str:
    """What the command prints, at a terminal as wide as it likes."""
    world = World(f"sqlite:///{path}/tocsin.db", {"TOCSIN_EVALUATION_INTERVAL": "10s"})
    declare(world, channels, name="hook", kind="webhook", url="http://127.0.0.1:1/hook")
    world.sql("UPDATE routes SET channels = '[\"hook\"]', group_wait_seconds = 5, group_interval_seconds = 30")
    happen(world)
    client = TestClient(create_app(world.service), client=("127.0.0.1", 1), base_url="http://127.0.0.1:9099")
    answered: Any = client.post("/api/v1/explain", json={"labels": LABELS})
    world.service.stop()
    with serving({"POST /explain": answer(answered.json())}) as server:
        return tocsin("explain", "Errors", "host=a", url=server.url).out


@pytest.mark.parametrize("happen", CASES, ids=lambda one: one.__name__)
def test_each_reason_why_nobody_was_told_makes_a_story_of_its_own(
    happen: Callable[[World], None], tmp_path: Path
) -> None:
    assert told(happen, tmp_path) == (STORIES / f"{happen.__name__}.txt").read_text("utf-8")
