"""From a breach to a message and back, and what may not be mistaken for an end."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select

from engine.prometheus import QueryError, QueryErrorKind
from engine.store.ledger import Kind, Subject
from engine.store.tables import alert_rules, evaluation_units
from tests.scenarios.world import World

BREACH: Final = "(errors\n) > 10"
HOST: Final = {"__name__": "errors", "host": "a"}


def rule(world: World, **columns: object) -> None:
    given = {"id": "r", "name": "Errors", "metric_name": "errors", "condition": ">", "threshold": 10, **columns}
    with world.service.database.write() as connection:
        connection.execute(alert_rules.insert().values(given))


def states(world: World) -> list[str]:
    return [state for (state,) in world.rows("SELECT state FROM alerts WHERE source <> 'tocsin' ORDER BY id")]


def test_a_breach_is_pending_for_its_hold_then_told_after_group_wait(world: World) -> None:
    rule(world, for_seconds=20)
    world.returns(BREACH, (HOST, 12))
    world.until(15)
    assert states(world) == ["pending"]
    world.until(60)
    assert states(world) == ["firing"]
    (told,) = world.told("WebhookUrl")
    assert told[1] == "firing"
    assert 25 <= told[0] <= 45


def test_the_end_is_told_at_the_next_flush_and_only_once(world: World) -> None:
    rule(world)
    world.returns(BREACH, (HOST, 12))
    world.until(40)
    world.returns(BREACH)
    world.until(200)
    assert [status for _, status in world.told("WebhookUrl")] == ["firing", "resolved"]
    assert world.rows("SELECT flush_at FROM alert_groups") == [(None,)]


def test_a_failing_query_keeps_a_firing_alert_firing_for_as_long_as_it_lasts(world: World) -> None:
    rule(world)
    world.returns(BREACH, (HOST, 12))
    world.until(30)
    world.fails(BREACH, QueryError(QueryErrorKind.TIMEOUT, "query timed out"))
    world.until(500)
    assert states(world) == ["firing"]
    assert world.told("WebhookUrl")[-1][1] == "firing"
    assert world.rows("SELECT health, last_error FROM rule_status") == [("err", "query timed out")]


def test_a_rule_whose_metric_never_existed_says_so(world: World) -> None:
    rule(world)
    world.until(30)
    assert world.rows("SELECT health FROM rule_status") == [("never_had_data",)]


def test_a_rule_with_data_below_its_threshold_is_well(world: World) -> None:
    rule(world)
    world.returns("count(errors\n)", ({}, 3))
    world.until(30)
    assert world.rows("SELECT health FROM rule_status") == [("ok",)]


def test_once_data_was_seen_nobody_counts_it_again(world: World) -> None:
    rule(world)
    world.returns("count(errors\n)", ({}, 3))
    world.until(100)
    assert sum(text.startswith("count(") for text, _ in world.prometheus.asked) == 1


def test_two_series_that_make_one_alert_fail_the_evaluation_and_change_nothing(world: World) -> None:
    rule(world, labels={"host": "same"})
    world.returns(BREACH, (HOST, 12))
    world.until(30)
    world.returns(BREACH, (HOST, 12), ({**HOST, "host": "b"}, 13))
    world.until(60)
    ((health, error),) = world.rows("SELECT health, last_error FROM rule_status")
    assert health == "err"
    assert "same labelset" in error
    assert states(world) == ["firing"]


def test_nan_and_infinity_fire_like_any_value(world: World) -> None:
    rule(world)
    world.returns(BREACH, ({"host": "a"}, float("nan")), ({"host": "b"}, float("inf")))
    world.until(30)
    assert states(world) == ["firing", "firing"]
    assert world.rows("SELECT value FROM alerts ORDER BY id") == [("nan",), ("inf",)]


def test_a_deleted_rule_ends_its_alerts_and_says_why(world: World) -> None:
    rule(world)
    world.returns(BREACH, (HOST, 12))
    world.until(40)
    world.sql("DELETE FROM alert_rules")
    world.until(100)
    assert [status for _, status in world.told("WebhookUrl")] == ["firing", "resolved"]
    ((number,),) = world.rows("SELECT id FROM alerts")
    assert world.ledger(Subject.ALERT, number)[-1].reason == "rule_deleted"


def test_a_disabled_rule_ends_its_alerts_and_asks_nothing_more(world: World) -> None:
    rule(world)
    world.returns(BREACH, (HOST, 12))
    world.until(40)
    world.sql("UPDATE alert_rules SET enabled = :off", off=False)
    world.until(60)
    asked = len(world.prometheus.asked)
    world.until(100)
    assert len(world.prometheus.asked) == asked
    assert states(world) == ["inactive"]
    ((number,),) = world.rows("SELECT id FROM alerts")
    assert world.ledger(Subject.ALERT, number)[-1].reason == "rule_disabled"


def test_annotations_are_rendered_with_the_sample_that_fired(world: World) -> None:
    rule(world, annotations={"summary": "{{ $labels.host }} has {{ $value | humanize }} errors"})
    world.returns(BREACH, (HOST, 12345))
    world.until(40)
    (told,) = world.deliveries
    assert told.body["alerts"][0]["annotations"]["summary"] == "a has 12.35k errors"


def test_every_transition_and_placement_of_an_alert_stands_in_the_ledger(world: World) -> None:
    rule(world, for_seconds=20)
    world.returns(BREACH, (HOST, 12))
    world.until(60)
    world.returns(BREACH)
    world.until(120)
    ((number,),) = world.rows("SELECT id FROM alerts")
    story = [(entry.kind, entry.reason) for entry in world.ledger(Subject.ALERT, number)]
    assert story == [
        (Kind.TRANSITION, "condition_met"),
        (Kind.TRANSITION, "held"),
        (Kind.PLACEMENT, "routed"),
        (Kind.TRANSITION, "condition_ended"),
    ]


def test_an_alert_that_comes_back_begins_a_new_episode(world: World) -> None:
    rule(world)
    for start in (0, 200):
        world.returns(BREACH, (HOST, 12))
        world.until(start + 60)
        world.returns(BREACH)
        world.until(start + 150)
    assert world.rows("SELECT episode FROM alerts") == [(2,)]
    assert [status for _, status in world.told("WebhookUrl")] == ["firing", "resolved"] * 2


def test_a_steady_cycle_writes_one_row_per_unit_and_nothing_else(world: World) -> None:
    rule(world)
    world.returns(BREACH, (HOST, 12))
    world.until(60)
    before = world.rows("SELECT (SELECT count(*) FROM ledger), (SELECT max(id) FROM outbox)")
    slots = world.rows("SELECT last_slot FROM evaluation_units")
    world.until(300)
    assert world.rows("SELECT (SELECT count(*) FROM ledger), (SELECT max(id) FROM outbox)")[0][1] == before[0][1]
    assert world.rows("SELECT last_slot FROM evaluation_units") != slots


def test_a_bad_rule_is_set_aside_alone(world: World) -> None:
    rule(world)
    world.sql("INSERT INTO alert_rules (id, name, expr) VALUES ('bad', 'Bad', 'sum(')")
    world.returns(BREACH, (HOST, 12))
    world.until(40)
    assert states(world) == ["firing"]
    assert world.rows("SELECT health FROM rule_status WHERE rule_id = 'bad'") == [("quarantined",)]
    told = "SELECT kind, reason FROM ledger WHERE subject_type = 'rule' AND subject_id = 'bad'"
    assert world.rows(told) == [("problem", "quarantined")]


def test_a_rule_whose_channel_does_not_exist_fires_and_the_default_route_hears(world: World) -> None:
    rule(world)
    world.sql("""UPDATE alert_rules SET notification_channels = '["nobody"]'""")
    world.returns(BREACH, (HOST, 12))
    world.until(60)
    assert states(world) == ["firing"]
    with world.service.database.read() as connection:
        problems = world.service.feed.refresh(connection).problems
    assert [problem for problem in problems if "'nobody'" in problem]


def test_a_rule_knows_when_it_was_last_evaluated_and_when_it_is_next(world: World) -> None:
    rule(world)
    world.returns(BREACH, (HOST, 12), ({**HOST, "host": "b"}, 13))
    world.until(60)
    with world.service.database.read() as connection:
        known = world.service.feed.refresh(connection).rules["r"]
        timing = world.service.timings(connection, [known])["r"]
    assert timing.last_evaluation_at is not None
    assert timing.next_evaluation_at == timing.last_evaluation_at + timedelta(seconds=10)
    assert timing.last_sample_count == 2


def test_a_rule_nobody_evaluates_has_no_clock(world: World) -> None:
    rule(world, enabled=False)
    world.until(30)
    with world.service.database.read() as connection:
        known = world.service.feed.refresh(connection).rules["r"]
        assert world.service.timings(connection, [known]) == {}


def test_while_a_slot_is_evaluated_the_next_one_is_known(world: World) -> None:
    """Nothing wakes the loop for a slot: what it does not answer, it sleeps through."""
    rule(world)
    rule(world, id="other", name="Other", metric_name="other", interval_seconds=7)
    world.until(20)
    evaluator = next(loop for loop in world.service.loops if loop.name == "evaluator")

    def slots() -> list[datetime]:
        with world.service.database.read() as connection:
            return sorted(connection.execute(select(evaluation_units.c.due_at)).scalars())

    for _ in range(8):
        world.clock.moment = slots()[0]
        answered = evaluator.tick()
        assert answered is not None
        assert world.clock.moment < answered <= slots()[0]
