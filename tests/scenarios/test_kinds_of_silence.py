"""Silences that recur, that end with their alerts, and those that would hide everything."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from engine.store.tables import silences, time_intervals
from tests.scenarios.test_firing import BREACH, HOST, rule
from tests.scenarios.world import START, World

OTHER = {"__name__": "errors", "host": "b"}


def silence(world: World, *, start: float = 0, end: float = 5000, **columns: Any) -> None:
    times = {"starts_at": START + timedelta(seconds=start), "ends_at": START + timedelta(seconds=end)}
    values = {"id": "s", "matchers": ["alertname=Errors"], **times, **columns}
    with world.service.database.write() as connection:
        connection.execute(silences.insert().values(values))


def statuses(world: World) -> list[str]:
    return [status for _, status in world.told("WebhookUrl")]


def test_a_recurring_silence_holds_within_its_interval_only(world: World) -> None:
    minute = [{"times": [{"start_time": "00:00", "end_time": "00:01"}, {"start_time": "00:04", "end_time": "00:06"}]}]
    with world.service.database.write() as connection:
        connection.execute(time_intervals.insert().values(name="early", time_intervals=minute))
    silence(world, time_intervals=["early"])
    rule(world)
    world.returns(BREACH, (HOST, 12))
    world.until(59)
    assert statuses(world) == []
    world.until(100)
    assert statuses(world) == ["firing"]
    world.returns(BREACH, (HOST, 12), (OTHER, 13))
    world.until(245)
    assert statuses(world) == ["firing", "firing"]  # The group of host b, which fired at 00:01:40 and was told at once.
    world.returns(BREACH, (HOST, 12), (OTHER, 13), ({"__name__": "errors", "host": "c"}, 14))
    world.until(355)
    told = [alert["labels"]["host"] for one in world.deliveries for alert in one.body["alerts"]]
    assert "c" not in told


def test_a_silence_over_an_interval_nobody_defined_holds_never_and_is_a_problem(world: World) -> None:
    silence(world, time_intervals=["nobody's"])
    rule(world)
    world.returns(BREACH, (HOST, 12))
    world.until(40)
    assert statuses(world) == ["firing"]
    with world.service.database.read() as connection:
        (problem,) = world.service.feed.refresh(connection).problems
    assert problem.startswith(
        "silences 's': time_intervals names the time interval \"nobody's\", which does not exist;"
    )


def test_a_silence_until_resolved_ends_with_its_alerts_and_what_comes_back_is_told(world: World) -> None:
    rule(world)
    world.returns(BREACH, (HOST, 12), (OTHER, 13))
    world.until(8)
    silence(world, start=8, until_resolved=True)
    world.until(100)
    assert statuses(world) == []
    world.returns(BREACH, (HOST, 12))
    world.until(200)
    assert world.rows("SELECT count(*) FROM silences WHERE ends_at > starts_at AND version = 1") == [(1,)]
    world.restart()
    world.returns(BREACH)
    world.until(220)
    changes = world.rows("SELECT author FROM definition_changes WHERE table_name = 'silences' ORDER BY id")
    assert changes[-1] == ("tocsin",)
    world.returns(BREACH, (HOST, 12))
    world.until(300)
    assert statuses(world) == ["firing"]


def test_an_alert_that_comes_back_does_not_keep_a_silence_that_waited_for_others(world: World) -> None:
    rule(world)
    world.returns(BREACH, (HOST, 12), (OTHER, 13))
    world.until(8)
    silence(world, start=8, until_resolved=True)
    world.until(60)
    world.returns(BREACH, (HOST, 12))
    world.until(100)
    world.returns(BREACH, (HOST, 12), (OTHER, 13))
    world.until(150)
    assert statuses(world) == []
    world.returns(BREACH, (OTHER, 13))
    world.until(250)
    told = [(alert["labels"]["host"], alert["status"]) for one in world.deliveries for alert in one.body["alerts"]]
    assert ("b", "firing") in told
    assert ("a", "firing") not in told


def test_a_silence_by_sql_that_only_leaves_some_out_is_a_problem_and_hides_nothing_without_force(world: World) -> None:
    silence(world, matchers=['team!="db"', "alertname=~.+"])
    rule(world)
    world.returns(BREACH, (HOST, 12))
    world.until(40)
    assert statuses(world) == ["firing"]
    with world.service.database.read() as connection:
        (problem,) = world.service.feed.refresh(connection).problems
    assert "would silence nearly everything" in problem
    world.sql("UPDATE silences SET force = true")
    world.returns(BREACH, (HOST, 12), (OTHER, 13))
    world.until(200)
    assert statuses(world) == ["firing"]
