"""What is away for long: a channel for a day, whoever should evaluate, the right time. Nothing is lost, and it is loud."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import pytest
from sqlalchemy import select

from engine.core.outcome import Failed, FailureReason
from engine.store.ledger import Kind
from engine.store.tables import ledger
from tests.scenarios.conftest import Begin
from tests.scenarios.test_firing import BREACH, HOST, rule
from tests.scenarios.test_missing import live
from tests.scenarios.world import START, World

DOWN = Failed(reason=FailureReason.UNREACHABLE, retryable=True, detail="connection refused")
HOUR = 3600.0


@pytest.fixture
def slow(begin: Begin) -> World:
    """A world in which little happens: one channel for the rules, and the log for what Tocsin says of itself."""
    made = begin(TOCSIN_EVALUATION_INTERVAL="10m", TOCSIN_LEASE="10m")
    made.sql("INSERT INTO channels (name, kind, url) VALUES ('hook', 'webhook', 'http://127.0.0.1:1/hook')")
    made.sql(
        "UPDATE routes SET channels = '[\"log\"]', group_wait_seconds = 5, group_interval_seconds = 300, "
        "repeat_interval_seconds = 14400"
    )
    rule(made, notification_channels=["hook"])
    return made


def let_pass(world: World, until: float) -> None:
    """Let hours pass in steps of ten minutes, as if the machine slept in between."""
    while world.now < until:
        world.clock.moment += timedelta(seconds=min(600.0, until - world.now))
        world.tick()


def log(world: World) -> list[str]:
    return [str(one.body.get("text", "")) for one in world.deliveries if one.kind == "LogAddress"]


def statuses(world: World) -> list[str]:
    return [status for (status,) in world.rows("SELECT status FROM outbox WHERE channel = 'hook' ORDER BY id")]


def given_up_after(world: World) -> list[float]:
    """When messages were given up by their age, as the ledger has it."""
    with world.service.database.read() as connection:
        query = (
            select(ledger).where(ledger.c.kind == Kind.ATTEMPT.value, ledger.c.reason == "dead").order_by(ledger.c.id)
        )
        rows = connection.execute(query).all()
    assert {row.detail["given_up_after"] for row in rows} == {"1 day, 0:00:00"}
    return [(row.at - START).total_seconds() for row in rows]


def dead(world: World) -> float:
    return float(world.service.metrics.notifications_dead._value.get())


def test_a_channel_that_is_away_for_a_day_is_tried_ever_more_rarely_given_up_loudly_and_told_when_it_is_back(
    slow: World,
) -> None:
    if not slow.service.database.is_sqlite:
        pytest.skip("a long day, in which nothing hangs on the database")
    slow.outcomes["WebhookUrl"] = [DOWN] * 10_000
    slow.returns(BREACH, (HOST, 12))
    slow.until(1300)
    tried = [entry for entry in slow.attempts() if entry.detail["channel"] == "hook"]
    waits = [(later.at - earlier.at).total_seconds() for earlier, later in pairwise(tried)]
    assert waits[:3] == pytest.approx([1, 2, 4], rel=0.11, abs=1)
    assert max(waits) <= 331
    assert all(later >= earlier * 0.9 for earlier, later in pairwise(waits))
    assert {entry.reason for entry in tried} == {"retry"}

    # Everything that happens meanwhile waits as one message: the newest says it all.
    slow.returns(BREACH, (HOST, 12), ({**HOST, "host": "b"}, 12))
    let_pass(slow, 3 * HOUR)
    slow.returns(BREACH, (HOST, 12), ({**HOST, "host": "b"}, 12), ({**HOST, "host": "c"}, 12))
    let_pass(slow, 6 * HOUR)
    assert statuses(slow).count("pending") == 2
    assert "superseded" in statuses(slow)
    assert any("TocsinDeliveryFailing" in text for text in log(slow))
    assert dead(slow) == 0

    let_pass(slow, 26 * HOUR)
    given_up = given_up_after(slow)
    assert 23.8 * HOUR <= given_up[0] - (tried[0].at - START).total_seconds() <= 24.2 * HOUR
    assert dead(slow) == len(given_up)
    assert slow.told("WebhookUrl") == []

    slow.outcomes["WebhookUrl"] = []
    let_pass(slow, slow.now + HOUR / 2)
    (message,) = [one.body for one in slow.deliveries if one.kind == "WebhookUrl"][-1:]
    assert {alert["labels"].get("host") for alert in message["alerts"]} == {"a", "b", "c"}
    assert {alert["status"] for alert in message["alerts"]} == {"firing"}
    assert "pending" not in statuses(slow)
    let_pass(slow, slow.now + HOUR)
    assert slow.rows("SELECT state FROM alerts WHERE source = 'tocsin'") == [("inactive",)]


def test_rules_that_nobody_evaluates_are_an_alert_of_the_engine_until_somebody_does(begin: Begin) -> None:
    world = begin(TOCSIN_EVALUATION_INTERVAL="10s")
    rule(world)
    world.returns(BREACH)
    world.until(30)
    # Another process keeps its heart beating and does nothing, as one whose datasource's pool is stuck.
    far = world.clock.moment + timedelta(seconds=300)
    world.sql(
        "INSERT INTO nodes (id, epoch, lease_until, started_at, address, roles) "
        "SELECT 'stuck', 1, :far, started_at, address, roles FROM nodes WHERE id = 'here'",
        far=far,
    )
    world.sql("UPDATE evaluation_units SET holder = 'stuck/1', term = term + 1")
    world.until(240)
    assert [text for text in log(world) if "TocsinEvaluationLate" in text and "FIRING" in text.upper()]
    world.until(500)
    assert [text for text in log(world) if "TocsinEvaluationLate" in text and "RESOLVED" in text.upper()]
    assert world.rows("SELECT count(*) FROM evaluation_units WHERE holder LIKE 'here/%'") == [(1,)]


@pytest.mark.parametrize("jump", [pytest.param(5, id="forward"), pytest.param(-5, id="back")])
def test_a_message_that_waits_is_sent_soon_though_the_clock_jumps_by_hours(world: World, jump: int) -> None:
    rule(world)
    world.outcomes["WebhookUrl"] = [DOWN] * 3
    world.returns(BREACH, (HOST, 12))
    world.until(12)
    assert world.told("WebhookUrl") == []
    world.broken_on_purpose = True
    world.clock.moment += timedelta(hours=jump)
    moment = world.now
    live(world, moment + 100)
    # Forward, the repeat has fallen due as well.
    assert [status for _, status in world.told("WebhookUrl")] == ["firing"] * (2 if jump > 0 else 1)
    world.returns(BREACH)
    live(world, moment + 300)
    assert [status for _, status in world.told("WebhookUrl")][-1] == "resolved"
