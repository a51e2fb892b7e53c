"""Silences: what they withhold, who is named for it, and what is told when they end."""

from __future__ import annotations

from datetime import timedelta

from engine.store.ledger import Kind, Subject
from tests.scenarios.test_firing import BREACH, HOST, rule
from tests.scenarios.world import START, World


def silence(world: World, *, start: float, end: float) -> None:
    world.sql(
        "INSERT INTO silences (id, matchers, starts_at, ends_at, comment) "
        "VALUES ('s', '[\"alertname=Errors\"]', :start, :end, 'known')",
        start=START + timedelta(seconds=start),
        end=START + timedelta(seconds=end),
    )


def test_a_silence_withholds_the_notification_and_the_ledger_says_by_what(world: World) -> None:
    silence(world, start=0, end=500)
    rule(world)
    world.returns(BREACH, (HOST, 12))
    world.until(120)
    assert world.deliveries == []
    ((group,),) = world.rows("SELECT id FROM alert_groups")
    (mute,) = [entry for entry in world.ledger(Subject.GROUP, group) if entry.kind is Kind.MUTE]
    assert (mute.reason, mute.detail["by"]) == ("silence", "s")


def test_when_a_silence_ends_over_a_firing_alert_it_is_told_at_the_next_flush(world: World) -> None:
    silence(world, start=0, end=100)
    rule(world)
    world.returns(BREACH, (HOST, 12))
    world.until(200)
    ((at, status),) = world.told("WebhookUrl")
    assert status == "firing"
    assert 100 < at <= 131
    assert world.rows("SELECT reason FROM outbox") == [("unmuted",)]


def test_an_alert_told_before_it_was_silenced_still_tells_its_end(world: World) -> None:
    rule(world)
    world.returns(BREACH, (HOST, 12))
    world.until(40)
    silence(world, start=40, end=5000)
    world.until(100)
    world.returns(BREACH)
    world.until(200)
    assert [status for _, status in world.told("WebhookUrl")] == ["firing", "resolved"]


def test_a_silenced_alert_is_not_repeated(world: World) -> None:
    rule(world)
    world.returns(BREACH, (HOST, 12))
    world.until(40)
    silence(world, start=40, end=5000)
    world.until(1500)
    assert [status for _, status in world.told("WebhookUrl")] == ["firing"]


def test_an_alert_that_came_and_went_under_a_silence_is_never_told(world: World) -> None:
    silence(world, start=0, end=5000)
    rule(world)
    world.returns(BREACH, (HOST, 12))
    world.until(100)
    world.returns(BREACH)
    world.until(300)
    assert world.deliveries == []
    assert world.rows("SELECT flush_at FROM alert_groups") == [(None,)]
