"""Edits of the tree over firing alerts: told state goes along, and nobody is told twice or left with an open incident."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, text

from engine.core.outcome import Failed, FailureReason
from engine.core.posting import Post
from engine.replacing import CHUNK
from engine.store.ledger import Entry, Kind, Subject
from engine.store.tables import alert_groups, routes
from rules.labels import Labels
from tests.peers.postgres_server import PostgresServer
from tests.scenarios.conftest import Begin
from tests.scenarios.test_explaining import explain
from tests.scenarios.test_firing import BREACH, HOST, rule
from tests.scenarios.world import START, World

OTHER = {"__name__": "errors", "host": "b"}


@pytest.fixture
def busy(world: World) -> World:
    """Beside the webhook of the root an incident service, and an alert that both were told of."""
    world.sql(
        "INSERT INTO channels (name, kind, url) VALUES ('pager', 'pagerduty', 'https://k@127.0.0.1:1/v2/enqueue')"
    )
    world.sql('UPDATE routes SET channels = \'["hook", "pager"]\', group_by = \'["alertname"]\'')
    rule(world)
    world.returns(BREACH, (HOST, 12))
    world.until(40)
    return world


def route(
    world: World, key: str, matchers: str = "alertname=Errors", *, hands_on: bool = False, **columns: Any
) -> None:
    values = {"id": key, "parent_id": "root", "matchers": [matchers], "continue": hands_on, **columns}
    with world.service.database.write() as connection:
        connection.execute(routes.insert().values(values))


def hooks(world: World) -> list[str]:
    return [status for _, status in world.told("WebhookUrl")]


def pages(world: World) -> list[tuple[str, str]]:
    """What the incident service was told: the action and the first letters of the key."""
    sent = [one.body for one in world.deliveries if one.kind == "PagerDutyKey"]
    return [(str(body["event_action"]), str(body["dedup_key"])[:6]) for body in sent]


def placements(world: World) -> list[Entry]:
    ((number,),) = world.rows("SELECT id FROM alerts WHERE source = 'r' AND state = 'firing' ORDER BY id LIMIT 1")
    return [one for one in world.ledger(Subject.ALERT, number) if one.kind is Kind.PLACEMENT]


def ends(world: World, at: float = 400) -> None:
    world.returns(BREACH)
    world.until(at)


def test_an_alert_whose_new_route_tells_the_same_channels_is_not_told_again(busy: World) -> None:
    ((_, key),) = pages(busy)
    route(busy, "errors")
    busy.until(300)
    assert hooks(busy) == ["firing"]
    assert [(one.reason, one.detail["route_id"]) for one in placements(busy)] == [
        ("routed", "root"),
        ("moved", "errors"),
    ]
    ends(busy)
    assert hooks(busy) == ["firing", "resolved"]
    assert pages(busy) == [("trigger", key), ("resolve", key)]


def test_the_same_over_a_restart_between_the_edit_and_what_follows(busy: World) -> None:
    ((_, key),) = pages(busy)
    route(busy, "errors")
    busy.restart()
    busy.until(300)
    busy.restart()
    ends(busy)
    assert hooks(busy) == ["firing", "resolved"]
    assert pages(busy) == [("trigger", key), ("resolve", key)]


def test_a_channel_that_no_route_reaches_any_more_hears_an_end(busy: World) -> None:
    ((_, key),) = pages(busy)
    route(busy, "errors", channels=["hook"])
    busy.until(100)
    assert hooks(busy) == ["firing"]
    assert pages(busy) == [("trigger", key), ("resolve", key)]
    assert busy.rows("SELECT reason FROM outbox WHERE channel = 'pager' ORDER BY id") == [
        ("first notification",),
        ("moved",),
    ]


def test_a_channel_that_the_new_route_names_is_told_soon(busy: World) -> None:
    busy.sql(
        "INSERT INTO channels (name, kind, url) VALUES ('chat', 'slack', 'https://hooks.slack.com/services/T/B/x')"
    )
    route(busy, "errors", channels=["hook", "pager", "chat"])
    busy.until(48)
    assert [at for at, _ in busy.told("SlackWebhook")] != []
    assert hooks(busy) == ["firing"]


def test_an_alert_that_now_takes_a_further_route_is_told_there_and_stays_where_it_was(busy: World) -> None:
    busy.sql(
        "INSERT INTO channels (name, kind, url) VALUES ('chat', 'slack', 'https://hooks.slack.com/services/T/B/x')"
    )
    route(busy, "errors", hands_on=True)
    busy.until(100)
    route(busy, "chatting", channels=["chat"])
    busy.until(110)
    assert len(busy.told("SlackWebhook")) == 1
    ends(busy)
    assert hooks(busy) == ["firing", "resolved"]
    assert [action for action, _ in pages(busy)] == ["trigger", "resolve"]
    assert len(busy.told("SlackWebhook")) == 2


def test_editing_the_text_of_a_route_neither_tells_again_nor_leaves_an_incident_open(busy: World) -> None:
    ((_, key),) = pages(busy)
    route(busy, "errors")
    busy.until(100)
    busy.sql("UPDATE routes SET matchers = '[\"alertname=~Err.*\"]', group_by = '[\"host\"]' WHERE id = 'errors'")
    busy.until(300)
    assert hooks(busy) == ["firing"]
    ends(busy)
    assert hooks(busy) == ["firing", "resolved"]
    assert pages(busy) == [("trigger", key), ("resolve", key)]


def test_a_deleted_route_gives_its_alerts_back_without_a_word(busy: World) -> None:
    route(busy, "errors")
    busy.until(100)
    busy.sql("DELETE FROM routes WHERE id = 'errors'")
    busy.until(300)
    assert hooks(busy) == ["firing"]
    ends(busy)
    assert [action for action, _ in pages(busy)] == ["trigger", "resolve"]
    assert len({key for _, key in pages(busy)}) == 1


def test_there_and_back_again_changes_no_key(busy: World) -> None:
    for at in (100, 200, 300):
        route(busy, "errors")
        busy.until(at)
        busy.sql("DELETE FROM routes WHERE id = 'errors'")
        busy.until(at + 50)
    ends(busy, 500)
    assert hooks(busy) == ["firing", "resolved"]
    assert [action for action, _ in pages(busy)] == ["trigger", "resolve"]
    assert len({key for _, key in pages(busy)}) == 1


def test_a_group_that_is_torn_apart_tells_nobody_twice_and_ends_each_incident(busy: World) -> None:
    busy.returns(BREACH, (HOST, 12), (OTHER, 13))
    busy.until(80)
    assert hooks(busy) == ["firing", "firing"]
    route(busy, "a", matchers="host=a")
    busy.until(300)
    assert hooks(busy) == ["firing", "firing"]  # The webhook knows both alerts; nothing is new to it.
    assert [action for action, _ in pages(busy)][:2] == ["trigger", "trigger"]
    ends(busy, 500)
    last = {key: action for action, key in pages(busy)}
    assert set(last.values()) == {"resolve"}
    assert len(last) == 2
    first = {key: action for action, key in reversed(pages(busy))}
    assert set(first.values()) == {"trigger"}  # An incident cannot be ended under a key that never opened one.
    resolved = [one.body for one in busy.deliveries if one.kind == "WebhookUrl" and one.body["status"] == "resolved"]
    assert {alert["labels"]["host"] for body in resolved for alert in body["alerts"]} == {"a", "b"}


def test_what_never_arrived_does_not_count_as_told_when_an_alert_moves(world: World) -> None:
    world.sql("UPDATE routes SET group_by = '[\"alertname\"]'")
    world.outcomes["WebhookUrl"] = [Failed(reason=FailureReason.UNREACHABLE, retryable=True, detail="away")] * 8
    rule(world)
    world.returns(BREACH, (HOST, 12), (OTHER, 13))
    world.until(40)
    assert hooks(world) == []
    route(world, "a", matchers="host=a")
    world.until(900)
    told = {
        alert["labels"]["host"] for one in world.deliveries if one.kind == "WebhookUrl" for alert in one.body["alerts"]
    }
    assert told == {"a", "b"}


def test_a_rule_given_its_own_channels_leaves_the_tree_and_comes_back_when_they_are_taken_away(busy: World) -> None:
    ((_, key),) = pages(busy)
    busy.sql("UPDATE alert_rules SET notification_channels = '[\"pager\"]' WHERE id = 'r'")
    busy.until(100)
    assert busy.rows("SELECT route_id FROM alert_groups WHERE flush_at IS NOT NULL") == [("rule:r",)]
    assert hooks(busy) == ["firing", "resolved"]
    assert pages(busy) == [("trigger", key)]
    busy.sql("UPDATE alert_rules SET notification_channels = '[]' WHERE id = 'r'")
    busy.until(200)
    assert busy.rows("SELECT route_id FROM alert_groups WHERE flush_at IS NOT NULL") == [("root",)]
    assert hooks(busy) == ["firing", "resolved", "firing"]
    ends(busy)
    assert pages(busy) == [("trigger", key), ("resolve", key)]
    assert hooks(busy)[-1] == "resolved"


def test_a_rule_given_its_own_channels_while_the_engine_was_away_is_found_at_the_start(busy: World) -> None:
    busy.service.stop()
    with busy.service.database.write() as connection:
        connection.execute(text("UPDATE alert_rules SET notification_channels = '[\"pager\"]' WHERE id = 'r'"))
    busy.restart()
    busy.until(46)
    assert busy.rows("SELECT route_id FROM alert_groups WHERE flush_at IS NOT NULL") == [("rule:r",)]


def test_every_member_is_placed_by_the_configuration_in_force(busy: World) -> None:
    ((before,),) = busy.rows("SELECT max(id) FROM configurations")
    route(busy, "nothing", matchers="team=nobody")
    busy.until(60)
    ((after,),) = busy.rows("SELECT max(id) FROM configurations")
    assert after == before + 1
    assert busy.rows("SELECT placed_version FROM group_members WHERE left_at IS NULL") == [(after,)]
    assert hooks(busy) == ["firing"]


def test_a_decision_names_the_configuration_and_the_route_it_went_by(busy: World) -> None:
    route(busy, "errors", channels=["hook"])
    busy.until(100)
    ((group,),) = busy.rows("SELECT id FROM alert_groups WHERE flush_at IS NOT NULL")
    decisions = [one.detail for one in busy.ledger(Subject.GROUP, group) if one.kind is Kind.DECISION]
    assert (decisions[0]["route_id"], decisions[0]["configuration"]) == ("root", 1)
    assert {(one["route_id"], one["configuration"]) for one in decisions[2:]} == {("errors", 2)}


@pytest.mark.parametrize("ended", [True, False], ids=["ended in between", "never ended"])
def test_an_alert_that_fires_again_right_after_an_edit_of_group_by_is_in_one_group(world: World, ended: bool) -> None:
    world.sql("UPDATE routes SET group_by = '[\"alertname\"]'")
    labels = {"alertname": "Errors", "host": "a"}
    world.post(labels, end=3600)
    world.until(65)
    world.sql("UPDATE routes SET group_by = '[\"host\"]'")
    if ended:
        world.post(labels, end=65)
        world.until(66)
    world.post(labels, end=3600)
    world.until(66)
    assert world.rows("SELECT count(*) FROM group_members WHERE left_at IS NULL") == [(1,)]
    world.until(300)
    assert hooks(world) == ["firing"]
    world.post(labels, end=300)
    world.until(600)
    assert hooks(world) == ["firing", "resolved"]
    world.post(labels, end=3600)
    world.until(700)
    with world.service.database.read() as connection:
        busy_groups = select(alert_groups.c.labels).where(alert_groups.c.flush_at.is_not(None))
        assert [dict(found) for found in connection.execute(busy_groups).scalars()] == [{"host": "a"}]


def test_who_moves_to_a_group_that_was_told_later_waits_no_longer_for_its_repeat(world: World) -> None:
    world.sql(
        "UPDATE routes SET group_by = '[\"host\"]', group_wait_seconds = 10, group_interval_seconds = 30,"
        " repeat_interval_seconds = 600"
    )
    world.post({"alertname": "Errors", "host": "a"}, end=3600)
    world.until(300)
    world.post({"alertname": "Errors", "host": "b"}, end=3600)
    world.until(400)
    route(world, "errors", group_by=["alertname"])
    world.until(1230)
    repeats = [one for one in world.deliveries if one.body["notification_reason"] == "repeat interval elapsed"]
    assert [len(one.body["alerts"]) for one in repeats] == [2, 2]
    assert [600 <= one.at - due <= 640 for one, due in zip(repeats, (0, 600), strict=True)] == [True, True]


def test_a_channel_hears_no_end_from_its_old_group_before_an_edit_was_followed_to_its_new_one(world: World) -> None:
    world.sql("INSERT INTO channels (name, kind, url) VALUES ('chat', 'webhook', 'http://127.0.0.1:1/chat')")
    world.sql("UPDATE routes SET group_by = '[\"alertname\"]', group_wait_seconds = 10, group_interval_seconds = 30")
    route(world, "first", hands_on=True)
    route(world, "second", channels=["chat"], position=1)
    world.until(1)
    many = [{"alertname": "Many", "host": str(host)} for host in range(CHUNK + 1)]
    both = [
        Post(labels=Labels(one), annotations={}, starts_at=START, ends_at=START + timedelta(hours=1)) for one in many
    ]
    world.service.posting.receive(both, world.clock.now())
    world.post({"alertname": "Errors", "host": "a"}, end=3600)
    world.until(40)
    world.sql("UPDATE routes SET channels = '[\"chat\"]' WHERE id = 'first'")
    world.sql("DELETE FROM routes WHERE id = 'second'")
    route(world, "third", channels=["hook"], position=1)
    world.clock.moment += timedelta(seconds=5)
    world.tick()  # All groups are due, and one look is not enough to find who has to go.
    world.until(200)
    assert world.rows("SELECT channel, reason FROM outbox ORDER BY channel, id") == [
        ("chat", "first notification"),
        ("hook", "first notification"),
        ("hook", "first notification"),
    ]


def test_while_a_message_is_on_its_way_the_new_group_of_an_alert_says_that_it_waits_for_that(world: World) -> None:
    world.sql("UPDATE routes SET group_by = '[\"alertname\"]'")
    world.outcomes["WebhookUrl"] = [Failed(reason=FailureReason.UNREACHABLE, retryable=True, detail="away")] * 8
    rule(world)
    world.returns(BREACH, (HOST, 12), (OTHER, 13))
    world.until(40)
    route(world, "a", matchers="host=a")
    world.until(100)
    waits = (
        "hook is not told again: nothing is new since the message of 2026-01-01 00:00:11Z, which has not arrived yet"
    )
    assert [one.reason for one in explain(world).steps].count(waits) == 2


@pytest.mark.parametrize("mode", ["send", "record"])
def test_who_wants_no_ends_is_not_told_again_when_an_edit_is_taken_back(begin: Begin, mode: str) -> None:
    world = begin(TOCSIN_EVALUATION_INTERVAL="10s", TOCSIN_DELIVERY=mode)
    world.sql(
        "INSERT INTO channels (name, kind, send_resolved) VALUES ('quiet', 'log', :off), ('other', 'log', true)",
        off=False,
    )
    world.sql("UPDATE routes SET channels = '[\"quiet\"]'")
    rule(world)
    world.returns(BREACH, (HOST, 12))
    world.until(60)
    route(world, "errors", channels=["other"])
    world.until(200)
    world.sql("DELETE FROM routes WHERE id = 'errors'")
    world.until(400)
    groups = [number for (number,) in world.rows("SELECT id FROM alert_groups")]
    decided = [one for number in groups for one in world.ledger(Subject.GROUP, number) if one.kind is Kind.DECISION]
    assert [one.reason for one in decided if one.detail["channel"] == "quiet" and one.detail["firing"]] == [
        "first notification"
    ]


@pytest.fixture
def contended(postgres: PostgresServer) -> Iterator[World]:
    """Two groups of the root, one for each host, which an edit sends to a route of their own."""
    world = World(postgres.create_database(), {"TOCSIN_EVALUATION_INTERVAL": "10s"})
    world.sql("UPDATE routes SET channels = '[\"log\"]', group_by = '[\"host\"]'")
    rule(world)
    world.returns(BREACH, (HOST, 12), (OTHER, 12))
    world.until(60)
    yield world
    world.service.stop()


def where(world: World) -> dict[str, str]:
    """The route that has each group with members, by its host."""
    found = world.rows(
        "SELECT labels, route_id FROM alert_groups g "
        "WHERE EXISTS (SELECT 1 FROM group_members m WHERE m.group_id = g.id AND m.left_at IS NULL)"
    )
    return {labels["host"]: route_id for labels, route_id in found}


@pytest.mark.peer("postgresql")
def test_a_place_that_others_hold_keeps_nobody_else_from_being_moved(contended: World) -> None:
    held = {"route_id": "errors", "labels_hash": Labels({"host": "a"}).key(), "labels": {"host": "a"}, "dedup_key": "k"}
    with contended.service.database.write() as other:
        other.execute(alert_groups.insert().values(created_at=START, **held))
        with contended.service.database.write() as connection:
            connection.execute(
                routes.insert().values(id="errors", parent_id="root", matchers=["alertname=Errors"], channels=["log"])
            )
        contended.until(contended.now + 15)
        assert where(contended) == {"a": "root", "b": "errors"}
        other.rollback()
    contended.until(contended.now + 3)
    assert where(contended) == {"a": "errors", "b": "errors"}


@pytest.mark.peer("postgresql")
def test_that_others_are_in_the_way_of_a_due_group_for_long_is_said(contended: World) -> None:
    held = {"route_id": "errors", "labels_hash": Labels({"host": "a"}).key(), "labels": {"host": "a"}, "dedup_key": "k"}
    contended.sql("UPDATE routes SET group_interval_seconds = 1")
    contended.sql("UPDATE alert_groups SET flush_at = :at", at=START + timedelta(seconds=contended.now))
    with contended.service.database.write() as other:
        other.execute(alert_groups.insert().values(created_at=START, **held))
        route(contended, "errors", channels=["log"], group_interval_seconds=1)
        contended.until(contended.now + 5)
        assert failures(contended) == 0
        contended.until(contended.now + 15)
        assert failures(contended) > 0
        other.rollback()


def failures(world: World) -> float:
    """How often the dispatcher has said that something failed."""
    samples = (sample for metric in world.service.metrics.loop_failures.collect() for sample in metric.samples)
    return sum(one.value for one in samples if one.name.endswith("_total") and one.labels["loop"] == "dispatcher")
