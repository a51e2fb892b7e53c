"""The auditor finds what would have been silent for ever, mends it, and tells the outside world only when all holds."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta

import pytest

from engine.core.posting import Post
from rules.labels import Labels
from tests.scenarios.conftest import Begin
from tests.scenarios.test_firing import BREACH, HOST, rule
from tests.scenarios.world import World
from tests.servers import Request, Response, ScriptedServer


@pytest.fixture
def firing(world: World) -> World:
    """One alert that fires and was told."""
    world.broken_on_purpose = True
    rule(world)
    world.returns(BREACH, (HOST, 12))
    world.until(60)
    assert statuses(world) == ["firing"]
    return world


def statuses(world: World) -> list[str]:
    return [status for _, status in world.told("WebhookUrl")]


def problems(world: World) -> list[str]:
    return [reason for (reason,) in world.rows("SELECT reason FROM ledger WHERE kind = 'problem' ORDER BY id")]


def test_a_firing_alert_that_is_in_no_group_is_put_where_it_belongs(firing: World) -> None:
    firing.sql("DELETE FROM group_members")
    firing.returns(BREACH, (HOST, 12))
    firing.until(200)
    assert problems(firing) == ["unplaced"]
    assert firing.rows("SELECT count(*) FROM group_members WHERE left_at IS NULL") == [(1,)]
    firing.returns(BREACH)
    firing.until(300)
    assert statuses(firing)[-1] == "resolved"


def test_a_group_that_would_never_be_flushed_is_flushed(firing: World) -> None:
    firing.sql("UPDATE alert_groups SET flush_at = NULL")
    firing.returns(BREACH)
    firing.until(200)
    assert problems(firing) == ["unscheduled"]
    assert statuses(firing) == ["firing", "resolved"]


def test_what_counts_as_told_and_was_never_delivered_is_told(firing: World) -> None:
    firing.sql("DELETE FROM outbox")
    firing.sql("UPDATE group_channels SET delivered = '{}'")
    firing.until(200)
    assert problems(firing) == ["untold"]
    assert statuses(firing) == ["firing", "firing"]


def test_a_clock_that_was_set_back_delays_nothing(firing: World) -> None:
    firing.clock.moment = firing.clock.moment.replace(hour=5)
    firing.returns(BREACH)
    firing.tick()
    firing.tick()
    firing.clock.moment = firing.clock.moment.replace(hour=0, minute=10)
    firing.until(firing.now + 200)
    assert statuses(firing)[-1] == "resolved"
    late = firing.rows("SELECT 1 FROM evaluation_units WHERE due_at > :then", then=firing.clock.moment.replace(hour=1))
    assert late == []


def test_what_is_overdue_is_counted_and_told_once_and_no_heart_beats_meanwhile(begin: Begin) -> None:
    beats = threading.Semaphore(0)

    def hear(request: Request) -> Response:
        assert request.method == "GET"
        beats.release()
        return Response()

    with ScriptedServer(hear) as outside:
        world = begin(TOCSIN_HEARTBEAT_URL=f"{outside.url}/alive", TOCSIN_ROLES="evaluator")
        rule(world)
        world.until(100)
        beating = len(outside.requests)
        assert beating >= 2
        world.returns(BREACH, (HOST, 12))
        world.until(400)
        assert world.service.metrics.audit_findings.labels("flush_late")._value.get() == 1
        stopped = len(outside.requests)
        world.until(600)
        assert len(outside.requests) == stopped


def test_among_thousands_what_lost_its_next_step_is_found_within_five_minutes(begin: Begin) -> None:
    world = begin()
    world.broken_on_purpose = True
    posts = [Post(labels=Labels({"alertname": "Full", "host": f"h{number}"})) for number in range(2500)]
    until = world.clock.moment + timedelta(hours=1)
    world.service.posting.receive([replace(post, ends_at=until) for post in posts], world.clock.moment)
    world.until(120)
    assert problems(world) == []
    lost = world.rows("SELECT min(alert_id), max(alert_id) FROM group_members")[0]
    world.sql("DELETE FROM group_members WHERE alert_id IN (:first, :last)", first=lost[0], last=lost[1])
    world.until(120 + 300)
    assert problems(world) == ["unplaced"] * 2
