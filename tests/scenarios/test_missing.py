"""What is not there: no data, a series gone, an evaluation that fails; kept, ended or told as the rule says."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import pytest

from engine.prometheus import QueryError, QueryErrorKind
from engine.store.ledger import Subject
from tests.scenarios.test_firing import BREACH, HOST, rule, states
from tests.scenarios.world import World

LEFT: Final = "errors"
OTHER: Final = {"__name__": "errors", "host": "b"}
TIMEOUT: Final = QueryError(QueryErrorKind.TIMEOUT, "query timed out")
HOURS: Final = timedelta(hours=1)


def live(world: World, until: float) -> None:
    """Let time pass so slowly that no slot is missed, whatever else is due."""
    while world.now < until:
        world.until(min(world.now + 5, until))


def told(world: World) -> list[str]:
    return [status for _, status in world.told("WebhookUrl")]


def reasons(world: World, number: int = 1) -> list[str]:
    return [str(entry.reason) for entry in world.ledger(Subject.ALERT, number)]


def own(world: World) -> list[tuple[str, str]]:
    """State and reason of the alerts that the rule itself raised."""
    found = world.rows("SELECT state, reason, labels FROM alerts ORDER BY id")
    return [(state, reason) for state, reason, labels in found if '"reason"' in str(labels).replace("'", '"')]


def test_no_data_keeps_an_alert_over_a_restart_and_a_gap_and_says_why(world: World) -> None:
    rule(world, no_data="keep")
    world.returns(LEFT, (HOST, 12))
    world.until(40)
    world.returns(LEFT)
    world.until(60)
    world.restart()
    world.clock.moment += 2 * HOURS
    world.until(7400)
    assert world.rows("SELECT state, reason FROM alerts") == [("firing", "no_data")]
    assert "resolved" not in told(world)
    world.returns(LEFT, (HOST, 5))
    world.until(7500)
    assert reasons(world) == ["held", "routed", "no_data", "condition_ended"]
    assert told(world)[-1] == "resolved"


def test_by_default_an_alert_without_data_ends_as_prometheus_ends_it(world: World) -> None:
    rule(world)
    world.returns(BREACH, (HOST, 12))
    world.until(40)
    world.returns(BREACH)
    world.until(100)
    assert told(world) == ["firing", "resolved"]
    assert {text for text, _ in world.prometheus.asked} == {BREACH}


def test_a_rule_without_data_has_an_alert_of_its_own_after_its_hold(world: World) -> None:
    rule(world, no_data="alert", for_seconds=60, labels={"team": "ops"}, severity="page")
    world.until(45)
    assert own(world) == [("pending", "no_data")]
    world.restart()
    world.until(120)
    assert own(world) == [("firing", "no_data")]
    (message,) = world.deliveries
    (alert,) = message.body["alerts"]
    assert alert["labels"] == {"alertname": "Errors", "team": "ops", "severity": "page", "reason": "no_data"}
    assert alert["annotations"]["summary"] == "rule 'Errors' has no data: its left side returns no series"
    world.returns(LEFT, (HOST, 3))
    world.until(200)
    assert own(world) == [("inactive", "data_returned")]
    assert told(world) == ["firing", "resolved"]


def test_time_in_which_nobody_evaluated_is_no_evidence_that_there_is_no_data(world: World) -> None:
    rule(world, no_data="alert", for_seconds=60)
    world.until(30)
    world.clock.moment += timedelta(minutes=10)
    world.restart()
    world.until(650)
    assert own(world) == [("pending", "no_data")]
    world.until(700)
    assert own(world) == [("firing", "no_data")]


def test_a_missing_series_is_kept_for_its_time_over_restarts(world: World) -> None:
    rule(world, missing_series="keep", missing_for_seconds=300)
    world.returns(LEFT, (HOST, 12), (OTHER, 3))
    live(world, 40)
    world.returns(LEFT, (OTHER, 3))
    live(world, 200)
    world.restart()
    live(world, 330)
    assert world.rows("SELECT state, reason FROM alerts") == [("firing", "series_missing")]
    world.restart()
    live(world, 450)
    assert world.rows("SELECT state, reason FROM alerts") == [("inactive", "series_missing")]
    assert reasons(world) == ["held", "routed", "series_missing", "series_missing"]
    assert told(world) == ["firing", "resolved"]


def test_time_in_which_nobody_looked_does_not_end_a_missing_series(world: World) -> None:
    rule(world, missing_series="keep", missing_for_seconds=300)
    world.returns(LEFT, (HOST, 12), (OTHER, 3))
    live(world, 40)
    world.returns(LEFT, (OTHER, 3))
    live(world, 60)
    world.clock.moment += timedelta(minutes=20)
    world.restart()
    live(world, 1400)
    assert states(world) == ["firing"]
    live(world, 1600)
    assert states(world) == ["inactive"]


def test_a_series_that_comes_back_is_told_of_no_further(world: World) -> None:
    rule(world, missing_series="keep")
    world.returns(LEFT, (HOST, 12), (OTHER, 3))
    world.until(40)
    world.returns(LEFT, (OTHER, 3))
    world.until(80)
    world.restart()
    world.returns(LEFT, (HOST, 14), (OTHER, 3))
    world.until(200)
    assert world.rows("SELECT state, reason, episode FROM alerts") == [("firing", "data_returned", 1)]
    assert reasons(world) == ["held", "routed", "series_missing", "data_returned"]
    assert told(world) == ["firing"]


def test_keeping_writes_nothing_more_while_it_lasts(world: World) -> None:
    rule(world, no_data="keep")
    world.returns(LEFT, (HOST, 12))
    world.until(40)
    world.returns(LEFT)
    world.until(80)
    before = world.rows("SELECT count(*) FROM ledger")
    world.until(300)
    assert world.rows("SELECT count(*) FROM ledger") == before


def test_the_levels_of_a_rule_are_kept_without_data_too(world: World) -> None:
    rule(world, no_data="keep", severity="warning")
    world.sql("INSERT INTO thresholds (id, rule_id, threshold, severity) VALUES ('t', 'r', 20, 'critical')")
    world.returns(LEFT, (HOST, 30))
    world.until(40)
    world.returns(LEFT)
    world.until(100)
    assert states(world) == ["firing", "firing"]
    world.returns(LEFT, (HOST, 15))
    world.until(140)
    assert sorted(states(world)) == ["firing", "inactive"]


def test_policies_without_a_left_side_do_not_stop_a_rule_declared_in_sql(world: World) -> None:
    world.sql("INSERT INTO alert_rules (id, name, expr, no_data) VALUES ('r', 'R', 'a > b', 'keep')")
    world.returns("a > b", (HOST, 12))
    world.until(40)
    world.returns("a > b")
    world.until(100)
    assert told(world) == ["firing", "resolved"]
    ((health, problems),) = world.rows("SELECT health, problem FROM rule_status")
    assert health == "ok"
    assert "no_data = keep needs an expr that ends in a comparison" in str(problems)


@pytest.mark.parametrize("declared", [BREACH, LEFT], ids=["the query", "the left side"])
def test_errors_raise_an_alert_of_the_rule_after_its_hold_and_leave_the_others(world: World, declared: str) -> None:
    policy = {"missing_series": "keep"} if declared == LEFT else {}
    rule(world, on_error="alert", for_seconds=60, **policy)
    world.returns(declared, (HOST, 12))
    world.until(100)
    world.fails(declared, TIMEOUT)
    world.until(130)
    assert own(world) == [("pending", "evaluation_error")]
    world.restart()
    world.until(260)
    assert own(world) == [("firing", "evaluation_error")]
    assert states(world) == ["firing", "firing"]
    assert world.rows("SELECT health, last_error FROM rule_status") == [("err", "query timed out")]
    world.returns(declared, (HOST, 12))
    world.until(320)
    assert own(world) == [("inactive", "data_returned")]
    assert states(world) == ["firing", "inactive"]


def test_the_alert_of_an_error_says_what_failed(world: World) -> None:
    rule(world, on_error="alert")
    world.fails(BREACH, TIMEOUT)
    world.until(60)
    (alert,) = world.deliveries[0].body["alerts"]
    assert alert["labels"] == {"alertname": "Errors", "reason": "evaluation_error"}
    assert alert["annotations"]["summary"] == "rule 'Errors' cannot be evaluated: query timed out"


def test_errors_that_are_well_end_the_alerts_and_the_health_still_says_err(world: World) -> None:
    rule(world, on_error="ok")
    world.returns(BREACH, (HOST, 12))
    world.until(40)
    world.fails(BREACH, TIMEOUT)
    world.until(100)
    assert world.rows("SELECT state, reason FROM alerts WHERE source = 'r'") == [("inactive", "evaluation_error")]
    assert reasons(world)[-1] == "evaluation_error"
    assert told(world) == ["firing", "resolved"]
    assert world.rows("SELECT health FROM rule_status") == [("err",)]


def test_a_rule_whose_left_side_never_had_data_says_so_without_being_counted(world: World) -> None:
    rule(world, no_data="keep")
    world.until(30)
    assert world.rows("SELECT health FROM rule_status") == [("never_had_data",)]
    world.returns(LEFT, (HOST, 3))
    world.until(60)
    assert world.rows("SELECT health FROM rule_status") == [("ok",)]
    assert {text for text, _ in world.prometheus.asked} == {LEFT}


def test_an_empty_label_of_a_rule_removes_the_label_of_the_series(world: World) -> None:
    rule(world, labels={"pod": "", "team": "ops"})
    world.returns(BREACH, ({**HOST, "pod": "a-17"}, 12))
    world.until(60)
    (alert,) = world.deliveries[0].body["alerts"]
    assert alert["labels"] == {"alertname": "Errors", "host": "a", "team": "ops"}
