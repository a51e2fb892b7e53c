"""What happens between a decision and its arrival: failures, retries, order, channels that lead nowhere."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

from engine.core.outcome import Failed, FailureReason
from engine.store.ledger import Kind, Subject
from tests.scenarios.conftest import Begin
from tests.scenarios.test_firing import BREACH, HOST, rule
from tests.scenarios.world import World

DOWN = Failed(reason=FailureReason.SERVER_ERROR, retryable=True, detail="500")
REFUSED = Failed(reason=FailureReason.CLIENT_ERROR, retryable=False, detail="404")
BUSY = Failed(reason=FailureReason.RATE_LIMITED, retryable=True, detail="429", retry_after=timedelta(seconds=100))


def test_a_failed_delivery_is_tried_again_until_it_arrives(world: World) -> None:
    rule(world)
    world.outcomes["WebhookUrl"] = [DOWN, DOWN, DOWN]
    world.returns(BREACH, (HOST, 12))
    world.until(60)
    assert [status for _, status in world.told("WebhookUrl")] == ["firing"]
    assert world.rows("SELECT status, attempts FROM outbox") == [("sent", 4)]


def test_a_retry_after_is_obeyed_by_every_message_of_the_channel(world: World) -> None:
    rule(world)
    rule(world, id="other", name="Other")
    world.outcomes["WebhookUrl"] = [BUSY]
    world.returns(BREACH, (HOST, 12))
    world.until(200)
    failed, *later = [entry.at for entry in world.attempts() if entry.reason in {"retry", "sent"}]
    assert all(at == failed or at - failed >= timedelta(seconds=100) for at in later)


def test_a_resolve_never_overtakes_its_trigger(world: World) -> None:
    rule(world)
    world.outcomes["WebhookUrl"] = [DOWN] * 8
    world.returns(BREACH, (HOST, 12))
    world.until(20)
    world.returns(BREACH)
    world.until(600)
    assert [status for _, status in world.told("WebhookUrl")] == ["firing", "resolved"]


def test_a_refused_message_is_told_again_at_the_next_flush(world: World) -> None:
    rule(world)
    world.outcomes["WebhookUrl"] = [REFUSED]
    world.returns(BREACH, (HOST, 12))
    world.until(100)
    assert [status for _, status in world.told("WebhookUrl")] == ["firing"]
    assert world.rows("SELECT status FROM outbox ORDER BY id") == [("dead",), ("sent",)]


def test_the_end_of_an_incident_is_told_even_when_its_first_telling_of_the_end_was_refused(world: World) -> None:
    rule(world)
    world.returns(BREACH, (HOST, 12))
    world.until(40)
    world.outcomes["WebhookUrl"] = [REFUSED]
    world.returns(BREACH)
    world.until(900)
    assert [status for _, status in world.told("WebhookUrl")] == ["firing", "resolved"]


def test_an_unknown_channel_falls_back_to_the_default_route(world: World) -> None:
    rule(world, notification_channels=["nowhere"])
    world.returns(BREACH, (HOST, 12))
    world.until(60)
    assert len(world.told("WebhookUrl")) == 1
    ((group,),) = world.rows("SELECT id FROM alert_groups")
    decision = next(entry for entry in world.ledger(Subject.GROUP, group) if entry.kind is Kind.DECISION)
    assert "nowhere" in decision.detail["problems"]


def test_known_channels_beside_an_unknown_one_are_used(world: World) -> None:
    rule(world, notification_channels=["nowhere", "hook"])
    world.returns(BREACH, (HOST, 12))
    world.until(60)
    assert len(world.told("WebhookUrl")) == 1


def test_with_nothing_configured_an_alert_goes_to_the_log(begin: Begin) -> None:
    world = begin(TOCSIN_EVALUATION_INTERVAL="10s")
    rule(world, notification_channels=["slack", "email"])
    world.returns(BREACH, (HOST, 12))
    world.until(120)
    assert len(world.told("LogAddress")) == 1
    assert world.rows("SELECT channel, state FROM channel_state WHERE state = 'unconfigured' ORDER BY 1") == [
        ("email", "unconfigured"),
        ("slack", "unconfigured"),
    ]


def test_in_record_mode_everything_is_decided_and_nothing_is_sent(begin: Begin) -> None:
    world = begin(TOCSIN_EVALUATION_INTERVAL="10s", TOCSIN_DELIVERY="record")
    rule(world)
    world.returns(BREACH, (HOST, 12))
    world.until(400)
    assert world.deliveries == []
    ((group,),) = world.rows("SELECT id FROM alert_groups")
    assert [entry.reason for entry in world.ledger(Subject.GROUP, group)] == ["first notification", "already told"]


def test_an_alert_is_repeated_when_its_repeat_interval_has_passed_and_not_before(world: World) -> None:
    rule(world)
    world.returns(BREACH, (HOST, 12))
    world.until(1300)
    times = [at for at, _ in world.told("WebhookUrl")]
    assert [round(later - earlier) for earlier, later in pairwise(times)] == [600, 600]


def test_a_message_nobody_has_tried_is_superseded_by_a_newer_one(world: World) -> None:
    rule(world)
    world.outcomes["WebhookUrl"] = [BUSY]
    world.returns(BREACH, (HOST, 12))
    world.until(15)
    rule(world, id="later", name="Later", metric_name="others")
    world.returns("(others\n) > 10", (HOST, 12))
    world.until(24)
    world.returns("(others\n) > 10", (HOST, 12), ({**HOST, "host": "b"}, 12))
    world.until(200)
    statuses = [status for (status,) in world.rows("SELECT status FROM outbox ORDER BY id")]
    assert statuses == ["sent", "superseded", "sent"]


def test_an_end_nobody_wants_told_does_not_come_back_as_told_when_a_later_message_dies(world: World) -> None:
    world.sql("UPDATE channels SET send_resolved = :off WHERE name = 'hook'", off=False)
    rule(world)
    world.returns(BREACH, (HOST, 12))
    world.until(40)
    world.returns(BREACH)
    world.until(100)
    world.outcomes["WebhookUrl"] = [REFUSED]
    world.returns(BREACH, (HOST, 12))
    world.until(500)
    assert [status for _, status in world.told("WebhookUrl")] == ["firing", "firing"]


def test_a_channel_with_a_long_queue_leaves_room_for_the_others(world: World) -> None:
    world.sql("INSERT INTO channels (name, kind) VALUES ('other', 'log')")
    for number in range(60):
        rule(world, id=f"r{number}", name=f"Rule {number}", notification_channels=["hook"])
    rule(world, id="last", name="Last", notification_channels=["other"])
    world.outcomes["WebhookUrl"] = [DOWN] * 200
    world.returns(BREACH, (HOST, 12))
    world.until(20)
    assert len(world.told("LogAddress")) == 1
