"""Alerts that others post: stored, merged, told like those of rules, and over when they are said to be or nobody posts them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from engine.core.posting import Post
from engine.posting import LAG
from engine.store.ledger import Kind, Subject
from rules.labels import Labels
from tests.scenarios.world import START, World

DOWN = {"alertname": "Down", "instance": "a"}
HOOK = "WebhookUrl"


def lag(world: World) -> float:
    return 0 if world.service.database.is_sqlite else LAG.total_seconds()


def transitions(world: World) -> list[tuple[float, str]]:
    ((number,),) = world.rows("SELECT id FROM alerts")
    found = [entry for entry in world.ledger(Subject.ALERT, number) if entry.kind is Kind.TRANSITION]
    return [((entry.at - START).total_seconds(), entry.reason) for entry in found]


def test_a_posted_alert_is_told_after_group_wait_and_ends_when_its_time_is_over(world: World) -> None:
    world.until(1)
    world.post(DOWN, summary="no answer")
    world.until(400)
    firing, resolved = (one.body for one in world.deliveries)
    assert (firing["alerts"][0]["annotations"], firing["status"]) == ({"summary": "no answer"}, "firing")
    assert resolved["alerts"][0]["endsAt"] == "2026-01-01T00:05:01Z"
    assert transitions(world) == [(1, "posted"), (301 + lag(world), "expired")]
    assert [at for at, _ in world.told(HOOK)] == pytest.approx([6, 306 if lag(world) == 0 else 336])


def test_an_alert_that_is_posted_again_goes_on_and_a_post_that_ends_it_ends_it_at_once(world: World) -> None:
    for second in range(0, 600, 60):
        world.until(second)
        world.post(DOWN)
    world.until(550)
    world.post(DOWN, end=549)
    world.until(600)
    assert world.told(HOOK)[-1] == (575, "resolved")
    assert transitions(world) == [(0, "posted"), (550, "resolved_by_sender")]


def test_nothing_is_lost_and_nothing_ends_too_soon_over_a_restart_in_which_nobody_could_post(world: World) -> None:
    world.post(DOWN, start=0, end=120)
    world.until(60)
    world.service.stop()
    world.clock.moment = START + timedelta(seconds=900)
    world.service = world._start()
    world.until(930)
    world.post(DOWN, start=0, end=1050)
    world.until(1000)
    assert [status for _, status in world.told(HOOK)] == ["firing", "firing"]
    world.until(1200)
    assert transitions(world) == [(0, "posted"), (1050 + lag(world), "expired")]


def test_an_alert_that_nobody_posts_after_a_restart_ends_when_it_said_once_there_was_time_to_post_it(
    world: World,
) -> None:
    world.post(DOWN, start=0, end=120)
    world.until(60)
    world.restart()
    world.until(400)
    assert transitions(world) == [(0, "posted"), (180 + lag(world), "expired")]
    assert world.deliveries[-1].body["alerts"][0]["endsAt"] == "2026-01-01T00:02:00Z"


def test_an_alert_that_has_fired_for_long_is_told_at_once(world: World) -> None:
    world.until(100)
    world.post(DOWN, start=50)
    world.until(101)
    assert world.told(HOOK) == [(100, "firing")]


def test_posted_alerts_are_grouped_silenced_and_inhibited_like_those_of_rules(world: World) -> None:
    world.sql(
        "INSERT INTO inhibit_rules (id, source_matchers, target_matchers, equal) "
        "VALUES ('i', '[\"alertname=Down\"]', '[\"alertname=Slow\"]', '[\"instance\"]')"
    )
    world.sql(
        "INSERT INTO silences (id, matchers, starts_at, ends_at) VALUES ('s', '[\"instance=b\"]', :start, :end)",
        start=START,
        end=START + timedelta(hours=1),
    )
    for alertname, instance in (("Down", "a"), ("Slow", "a"), ("Down", "b"), ("Slow", "c")):
        world.post({"alertname": alertname, "instance": instance})
    world.until(10)
    told = [alert["labels"] for one in world.deliveries for alert in one.body["alerts"]]
    assert sorted(told, key=str) == [
        {"alertname": "Down", "instance": "a"},
        {"alertname": "Slow", "instance": "c"},
    ]


def test_one_batch_may_tell_of_the_same_alert_twice(world: World) -> None:
    post = Post(labels=Labels(DOWN))
    over = Post(labels=Labels(DOWN), ends_at=START)
    world.service.posting.receive([post, over, post], world.clock.now())
    assert [reason for _, reason in transitions(world)] == ["posted", "resolved_by_sender", "posted"]
    assert world.rows("SELECT state, episode FROM alerts") == [("firing", 2)]


def test_an_alert_that_has_waited_hurries_a_group_that_still_waits_and_no_other(world: World) -> None:
    world.post(DOWN)
    world.until(2)
    world.post({**DOWN, "instance": "b"}, start=-60, end=3600)
    world.until(3)
    assert [at for at, _ in world.told(HOOK)] == [2]
    world.post({**DOWN, "instance": "c"}, start=-60, end=3600)
    world.until(40)
    assert [at for at, _ in world.told(HOOK)] == [2, 32]
