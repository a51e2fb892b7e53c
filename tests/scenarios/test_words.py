"""What an alert says: rendered at each transition, with what Prometheus answers then, and told as of the last evaluation."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from engine.prometheus import QueryError, QueryErrorKind
from engine.store import alerts
from engine.store.tables import alert_rules
from tests.scenarios.test_firing import BREACH, HOST, rule
from tests.scenarios.world import World

TOTAL = 'count(up{job="a"})'
ASKING = "{{ query \"count(up{job='a'})\" | first | value }} of {{ $value }}".replace("'", '\\"')


def words(world: World) -> Mapping[str, str]:
    ((annotations,),) = world.rows("SELECT annotations FROM alerts")
    found: Mapping[str, str] = json.loads(annotations) if isinstance(annotations, str) else annotations
    return found


def present(world: World) -> list[tuple[float, Mapping[str, str]]]:
    """Value and annotations of the active alerts, as every answer tells them."""
    with world.service.database.read() as connection:
        found = world.service.present(connection, alerts.page(connection))
    return [(alert.value, dict(alert.annotations)) for alert in found]


def annotate(world: World, **texts: str) -> None:
    with world.service.database.write() as connection:
        connection.execute(alert_rules.update().values(annotations=texts))


def test_a_template_asks_the_datasource_of_its_rule_at_the_slot(world: World) -> None:
    rule(world)
    annotate(world, summary=ASKING)
    world.returns(BREACH, (HOST, 12))
    world.returns(TOTAL, ({}, 3.0))
    world.until(15)
    assert words(world) == {"summary": "3 of 12"}
    (slot,) = {at for text, at in world.prometheus.asked if text == TOTAL}
    assert slot in {at for text, at in world.prometheus.asked if text == BREACH}


def test_what_a_query_said_stays_until_the_next_transition(world: World) -> None:
    rule(world)
    annotate(world, asked=ASKING, plain="{{ $value }}")
    world.returns(BREACH, (HOST, 12))
    world.returns(TOTAL, ({}, 3.0))
    world.until(15)
    world.returns(BREACH, (HOST, 20))
    world.returns(TOTAL, ({}, 4.0))
    world.until(45)
    assert present(world) == [(20.0, {"asked": "3 of 12", "plain": "20"})]


def test_an_edit_of_the_annotations_is_told_from_the_next_evaluation_on(world: World) -> None:
    rule(world)
    world.returns(BREACH, (HOST, 12))
    world.returns(TOTAL, ({}, 3.0))
    world.until(15)
    annotate(world, asked=ASKING, plain="now {{ $value }}")
    world.until(45)
    assert words(world) == {"asked": "3 of 12", "plain": "now 12"}
    assert [status for _, status in world.told("WebhookUrl")] == ["firing"]


@pytest.mark.parametrize("kind", [QueryErrorKind.TIMEOUT, QueryErrorKind.EXECUTION])
def test_a_query_that_fails_leaves_its_error_in_the_text_and_the_rule_alone(world: World, kind: QueryErrorKind) -> None:
    rule(world)
    annotate(world, summary=ASKING, other="fine")
    world.returns(BREACH, (HOST, 12))
    world.fails(TOTAL, QueryError(kind, "it went wrong"))
    world.until(15)
    assert words(world)["summary"].endswith(">: error calling query: it went wrong>")
    assert words(world)["other"] == "fine"
    assert world.rows("SELECT health FROM rule_status") == [("ok",)]


def test_a_repeated_message_says_what_is_true_now(world: World) -> None:
    rule(world)
    annotate(world, plain="{{ $value }}", asked=ASKING)
    world.sql("UPDATE routes SET repeat_interval_seconds = 60")
    world.returns(BREACH, (HOST, 12))
    world.returns(TOTAL, ({}, 3.0))
    world.until(50)
    world.returns(BREACH, (HOST, 20))
    world.until(110)
    told = [one.body["alerts"][0]["annotations"] for one in world.deliveries if one.kind == "WebhookUrl"]
    assert told == [{"asked": "3 of 12", "plain": "12"}, {"asked": "3 of 12", "plain": "20"}]


def test_an_end_is_told_with_the_last_value_that_fired_whoever_saw_it(world: World) -> None:
    rule(world)
    annotate(world, plain="{{ $value }}")
    world.returns(BREACH, (HOST, 12))
    world.until(15)
    world.returns(BREACH, (HOST, 20))
    world.until(35)
    world.restart()
    world.returns(BREACH)
    world.until(100)
    told = [one.body["alerts"][0] for one in world.deliveries if one.kind == "WebhookUrl"]
    assert [(one["status"], one["annotations"]["plain"]) for one in told] == [("firing", "12"), ("resolved", "20")]
