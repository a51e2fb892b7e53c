"""A restart is a non-event: states, timers, what was told and what still waits live in the database."""

from __future__ import annotations

from engine.core.outcome import Failed, FailureReason
from tests.scenarios.test_firing import BREACH, HOST, rule, states
from tests.scenarios.world import World

DOWN = Failed(reason=FailureReason.SERVER_ERROR, retryable=True, detail="500")


def test_a_restart_neither_repeats_nor_forgets(world: World) -> None:
    rule(world, for_seconds=60)
    world.returns(BREACH, (HOST, 12))
    for moment in (15, 35, 55, 75, 95):
        world.until(moment)
        world.restart()
    world.until(200)
    assert [status for _, status in world.told("WebhookUrl")] == ["firing"]
    world.restart()
    world.returns(BREACH)
    world.until(300)
    assert [status for _, status in world.told("WebhookUrl")] == ["firing", "resolved"]


def test_time_in_which_nobody_evaluated_is_no_evidence_for_a_pending_alert(world: World) -> None:
    rule(world, for_seconds=60)
    world.returns(BREACH, (HOST, 12))
    world.until(30)
    world.clock.moment = world.clock.moment.replace(minute=10)
    world.restart()
    world.until(620)
    assert states(world) == ["pending"]
    world.until(680)
    assert states(world) == ["firing"]


def test_after_a_gap_of_more_than_an_hour_a_pending_alert_starts_anew(world: World) -> None:
    rule(world, for_seconds=60)
    world.returns(BREACH, (HOST, 12))
    world.until(55)
    world.clock.moment = world.clock.moment.replace(hour=2)
    world.restart()
    world.until(7250)
    assert states(world) == ["pending"]
    world.until(7330)
    assert states(world) == ["firing"]


def test_a_firing_alert_stays_firing_over_any_gap(world: World) -> None:
    rule(world)
    world.returns(BREACH, (HOST, 12))
    world.until(40)
    world.clock.moment = world.clock.moment.replace(hour=9)
    world.restart()
    world.until(9 * 3600 + 60)
    assert states(world) == ["firing"]
    assert world.rows("SELECT episode FROM alerts") == [(1,)]


def test_what_waited_for_a_retry_is_sent_by_the_next_process(world: World) -> None:
    rule(world)
    world.outcomes["WebhookUrl"] = [DOWN] * 4
    world.returns(BREACH, (HOST, 12))
    world.until(20)
    world.restart()
    world.until(60)
    assert [status for _, status in world.told("WebhookUrl")] == ["firing"]


def test_missed_slots_are_skipped_and_counted(world: World) -> None:
    rule(world)
    world.until(15)
    world.clock.moment = world.clock.moment.replace(minute=5)
    world.until(320)
    ((missed,),) = world.rows("SELECT missed_slots FROM evaluation_units")
    assert 26 <= missed <= 29
