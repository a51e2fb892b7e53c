"""Inhibition and time intervals: what they withhold, who is named for it, and what is told when they end."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import Table

from engine.store.ledger import Entry, Kind, Subject
from engine.store.tables import inhibit_rules, routes, silences, time_intervals
from tests.scenarios.test_firing import rule
from tests.scenarios.world import START, World


@pytest.fixture
def world(world: World) -> World:
    """A world with the rules Down (critical) and Slow (warning) that both tell the webhook, each in a group of its own."""
    world.sql("UPDATE routes SET group_by = '[\"alertname\"]'")
    rule(world, id="down", name="Down", metric_name="down", severity="critical")
    rule(world, id="slow", name="Slow", metric_name="slow", severity="warning")
    return world


def fires(world: World, metric: str, *hosts: str) -> None:
    """From now on this metric is above its threshold on these hosts, and on no other."""
    world.returns(f"({metric}\n) > 10", *(({"__name__": metric, "host": host}, 12) for host in hosts))


def declare(world: World, table: Table, **columns: object) -> None:
    with world.service.database.write() as connection:
        connection.execute(table.insert().values(columns))


def inhibit(world: World, source: str, target: str, *equal: str) -> None:
    sides = {"source_matchers": [source], "target_matchers": [target]}
    declare(world, inhibit_rules, id="i", equal=list(equal), **sides)


def interval(world: World, name: str, start: str, end: str) -> None:
    """An interval of every day; the world begins at midnight."""
    periods = [{"times": [{"start_time": start, "end_time": end}]}]
    declare(world, time_intervals, name=name, time_intervals=periods)


def silence(world: World, matcher: str, *, end: float) -> None:
    times = {"starts_at": START, "ends_at": START + timedelta(seconds=end)}
    declare(world, silences, id="s", matchers=[matcher], comment="known", **times)


def route(world: World, column: str, name: str) -> None:
    """A route for Slow alone, with this interval in one of its lists."""
    declare(world, routes, id="slow", parent_id="root", matchers=["alertname=Slow"], **{column: [name]})


def told(world: World, alertname: str) -> list[tuple[float, str]]:
    """When messages of this alert's group went out, and whether they said firing or resolved."""
    return [
        (one.at, one.body["status"]) for one in world.deliveries if one.body["groupLabels"]["alertname"] == alertname
    ]


def said(world: World, alertname: str) -> list[str]:
    return [status for _, status in told(world, alertname)]


def reasons(world: World, alertname: str) -> list[str]:
    """Why the messages of this alert's group went out."""
    query = (
        "SELECT outbox.reason FROM outbox JOIN group_members ON group_members.group_id = outbox.group_id "
        "JOIN alerts ON alerts.id = group_members.alert_id JOIN alert_rules ON alert_rules.id = alerts.source "
        "WHERE alert_rules.name = :name ORDER BY outbox.id"
    )
    return list(dict.fromkeys(reason for (reason,) in world.rows(query, name=alertname)))


def mute_entries(world: World) -> list[Entry]:
    groups = [number for (number,) in world.rows("SELECT id FROM alert_groups ORDER BY id")]
    found = [entry for number in groups for entry in world.ledger(Subject.GROUP, number)]
    return [entry for entry in found if entry.kind is Kind.MUTE]


def number_of(world: World, rule_id: str) -> int:
    ((number,),) = world.rows("SELECT id FROM alerts WHERE source = :source", source=rule_id)
    return int(number)


def test_a_firing_source_keeps_its_target_quiet_and_the_ledger_names_both(world: World) -> None:
    inhibit(world, "severity=critical", "severity=warning", "host")
    fires(world, "down", "a")
    fires(world, "slow", "a")
    world.until(200)
    assert (said(world, "Down"), said(world, "Slow")) == (["firing"], [])
    (entry,) = mute_entries(world)
    assert (entry.reason, entry.detail["by"], entry.detail["until"]) == ("inhibition", "i", None)
    assert entry.detail["sources"] == {str(number_of(world, "slow")): number_of(world, "down")}


def test_when_the_source_resolves_a_target_never_told_is_told_at_the_next_flush(world: World) -> None:
    inhibit(world, "severity=critical", "severity=warning", "host")
    fires(world, "down", "a")
    fires(world, "slow", "a")
    world.until(100)
    fires(world, "down")
    world.until(200)
    ((at, status),) = told(world, "Slow")
    assert status == "firing"
    assert 100 < at <= 141
    assert reasons(world, "Slow") == ["unmuted"]
    assert [entry.reason for entry in mute_entries(world)] == ["inhibition", "ended"]


def test_a_target_told_before_is_not_told_when_the_source_resolves_and_repeats_begin_anew(world: World) -> None:
    inhibit(world, "severity=critical", "severity=warning", "host")
    fires(world, "slow", "a")
    world.until(40)
    fires(world, "down", "a")
    world.until(900)
    fires(world, "down")
    world.until(1400)
    assert said(world, "Slow") == ["firing"]
    world.until(1600)
    assert said(world, "Slow") == ["firing", "firing"]
    assert 1500 <= told(world, "Slow")[-1][0] <= 1541
    assert reasons(world, "Slow") == ["first notification", "repeat interval elapsed"]


def test_a_target_that_was_told_still_tells_its_end_while_it_is_inhibited(world: World) -> None:
    inhibit(world, "severity=critical", "severity=warning", "host")
    fires(world, "slow", "a")
    world.until(40)
    fires(world, "down", "a")
    world.until(100)
    fires(world, "slow")
    world.until(200)
    assert said(world, "Slow") == ["firing", "resolved"]


def test_a_target_that_came_and_went_while_it_was_inhibited_is_never_told(world: World) -> None:
    inhibit(world, "severity=critical", "severity=warning", "host")
    fires(world, "down", "a")
    fires(world, "slow", "a")
    world.until(100)
    fires(world, "slow")
    world.until(300)
    assert said(world, "Slow") == []


def test_only_what_has_the_equal_labels_is_inhibited(world: World) -> None:
    inhibit(world, "severity=critical", "severity=warning", "host")
    fires(world, "down", "a")
    fires(world, "slow", "a", "b")
    world.until(100)
    (message,) = [one for one in world.deliveries if one.body["groupLabels"]["alertname"] == "Slow"]
    assert [alert["labels"]["host"] for alert in message.body["alerts"]] == ["b"]


def test_alerts_that_both_sides_match_do_not_inhibit_each_other_or_themselves(world: World) -> None:
    inhibit(world, "host=a", "host=a")
    fires(world, "down", "a")
    fires(world, "slow", "a")
    world.until(100)
    assert (said(world, "Down"), said(world, "Slow")) == (["firing"], ["firing"])


def test_a_silenced_source_still_inhibits(world: World) -> None:
    inhibit(world, "severity=critical", "severity=warning", "host")
    silence(world, "alertname=Down", end=5000)
    fires(world, "down", "a")
    fires(world, "slow", "a")
    world.until(200)
    assert world.deliveries == []


def test_while_another_source_lives_the_end_of_one_lets_nothing_go(world: World) -> None:
    inhibit(world, "severity=critical", "severity=warning")
    fires(world, "down", "a", "b")
    fires(world, "slow", "a")
    world.until(60)
    fires(world, "down", "b")
    world.until(300)
    assert said(world, "Slow") == []
    fires(world, "down")
    world.until(400)
    assert said(world, "Slow") == ["firing"]


def test_an_inhibition_survives_a_restart(world: World) -> None:
    inhibit(world, "severity=critical", "severity=warning", "host")
    fires(world, "down", "a")
    fires(world, "slow", "a")
    world.until(60)
    world.restart()
    world.until(200)
    assert said(world, "Slow") == []


def test_a_target_is_told_when_its_inhibit_rule_is_deleted(world: World) -> None:
    inhibit(world, "severity=critical", "severity=warning", "host")
    fires(world, "down", "a")
    fires(world, "slow", "a")
    world.until(100)
    world.sql("DELETE FROM inhibit_rules")
    world.until(200)
    assert said(world, "Slow") == ["firing"]


def test_all_that_mutes_an_alert_is_in_the_ledger_and_its_change_too(world: World) -> None:
    inhibit(world, "severity=critical", "severity=warning", "host")
    silence(world, "alertname=Slow", end=100)
    fires(world, "down", "a")
    fires(world, "slow", "a")
    world.until(300)
    both, alone = mute_entries(world)
    assert (both.reason, both.detail["also"]) == ("inhibition", [{"kind": "silence", "by": "s"}])
    assert (alone.reason, "also" in alone.detail) == ("inhibition", False)


def test_what_a_mute_interval_withholds_is_told_in_the_morning(world: World) -> None:
    interval(world, "night", "00:00", "00:02")
    route(world, "mute_time_intervals", "night")
    fires(world, "down", "a")
    fires(world, "slow", "a")
    world.until(300)
    ((at, status),) = told(world, "Slow")
    assert status == "firing"
    assert 120 <= at <= 151
    assert reasons(world, "Slow") == ["unmuted"]
    assert said(world, "Down") == ["firing"]
    begun, ended = mute_entries(world)
    assert (begun.reason, begun.detail["by"]) == ("mute_time_interval", "night")
    assert begun.detail["until"] == (START + timedelta(minutes=2)).isoformat()
    assert ended.reason == "ended"


def test_outside_its_active_interval_a_route_is_quiet(world: World) -> None:
    interval(world, "office", "00:02", "00:05")
    route(world, "active_time_intervals", "office")
    fires(world, "slow", "a")
    world.until(300)
    ((at, _),) = told(world, "Slow")
    assert 120 <= at <= 151
    assert [entry.reason for entry in mute_entries(world)] == ["active_time_interval", "ended"]


def test_an_end_within_a_mute_interval_is_told_to_who_was_told(world: World) -> None:
    interval(world, "night", "00:01", "01:00")
    route(world, "mute_time_intervals", "night")
    fires(world, "slow", "a")
    world.until(90)
    fires(world, "slow")
    world.until(150)
    assert said(world, "Slow") == ["firing", "resolved"]
    assert 90 < told(world, "Slow")[-1][0] <= 131


def test_a_repeat_that_fell_due_within_a_mute_interval_is_told_when_it_ends(world: World) -> None:
    interval(world, "night", "00:01", "00:12")
    route(world, "mute_time_intervals", "night")
    fires(world, "slow", "a")
    world.until(800)
    assert said(world, "Slow") == ["firing", "firing"]
    assert 720 <= told(world, "Slow")[-1][0] <= 751
    assert reasons(world, "Slow") == ["first notification", "unmuted"]


def test_an_interval_nobody_defined_mutes_nothing(world: World) -> None:
    route(world, "active_time_intervals", "nobody's")
    fires(world, "slow", "a")
    world.until(100)
    assert said(world, "Slow") == ["firing"]


def test_intervals_of_a_route_above_do_not_count(world: World) -> None:
    interval(world, "night", "00:00", "12:00")
    route(world, "mute_time_intervals", "night")
    declare(world, routes, id="slower", parent_id="slow", matchers=["host=a"])
    fires(world, "slow", "a")
    world.until(100)
    assert said(world, "Slow") == ["firing"]


def test_a_group_is_flushed_on_its_grid_for_as_long_as_it_is_muted(world: World) -> None:
    interval(world, "night", "00:00", "12:00")
    route(world, "mute_time_intervals", "night")
    fires(world, "slow", "a")
    world.until(40)
    ((first,),) = world.rows("SELECT flush_at FROM alert_groups")
    world.until(400)
    ((later,),) = world.rows("SELECT flush_at FROM alert_groups")
    assert first < later
    assert world.deliveries == []


def mute(world: World, kind: str) -> None:
    """From now on Slow on host b is kept quiet, or by an interval all of Slow."""
    match kind:
        case "silence":
            silence(world, "host=b", end=5000)
        case "inhibition":
            inhibit(world, "alertname=Down", "alertname=Slow", "host")
            fires(world, "down", "b")
        case _:
            interval(world, "night", "00:00", "06:00")
            world.sql("UPDATE routes SET mute_time_intervals = '[\"night\"]' WHERE id = 'slow'")


@pytest.mark.parametrize("kind", ["silence", "inhibition", "interval"])
def test_what_was_told_and_is_muted_keeps_its_group_alive_until_it_ends(world: World, kind: str) -> None:
    declare(world, routes, id="slow", parent_id="root", matchers=["alertname=Slow"])
    fires(world, "slow", "a", "b")
    world.until(40)
    mute(world, kind)
    world.until(100)
    fires(world, "slow", "b")
    world.until(200)
    assert [status for _, status in told(world, "Slow")] == ["firing", "firing"]
    fires(world, "slow")
    world.until(300)
    assert [status for _, status in told(world, "Slow")] == ["firing", "firing", "resolved"]
