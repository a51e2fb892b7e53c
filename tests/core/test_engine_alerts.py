"""The engine's own alerts: each begins, waits, is told and ends with what it tells of."""

from __future__ import annotations

from engine.core.alert import Alert, State
from engine.core.engine_alerts import (
    SOURCE,
    Trouble,
    datasource_down,
    delivery_failing,
    evaluation_late,
    over_limit,
    quarantined,
    replica_lost,
    rule_failing,
    rules_failing,
    settle,
)
from rules.labels import Labels
from rules.rule import Rule
from tests.core.alarms import MINUTE, NOON, SECOND

DOWN = datasource_down("mimir", "refused")
FULL = over_limit(Rule(id="r", name="Busy", limit=5))
Alerts = dict[Labels, Alert]


def states(alerts: object) -> list[str]:
    assert isinstance(alerts, dict)
    return [alert.state.value for alert in alerts.values()]


def after(*troubles: Trouble, minutes: int = 0) -> Alerts:
    """What is active when these troubles have lasted so many minutes."""
    known: Alerts = {}
    for minute in range(minutes + 1):
        known = dict(settle(known, troubles, NOON + minute * MINUTE).alerts)
    return known


def test_a_datasource_is_away_for_a_minute_before_anybody_is_told() -> None:
    assert states(after(DOWN)) == ["pending"]
    assert states(after(DOWN, minutes=1)) == ["firing"]
    (alert,) = after(DOWN).values()
    assert (alert.source, alert.labels["datasource"]) == (SOURCE, "mimir")


def test_a_rule_at_its_limit_is_told_of_at_once_by_name_and_id() -> None:
    (change,) = settle({}, [FULL], NOON).changes
    assert change.alert.state is State.FIRING
    assert change.alert.labels["alertname"] == "TocsinAlertLimit"
    assert (change.alert.labels["rule"], change.alert.labels["rule_id"]) == ("Busy", "r")
    assert change.alert.annotations["summary"].startswith("rule 'Busy' is at its limit of 5 alerts")


def test_what_is_over_ends() -> None:
    evaluation = settle(after(DOWN, minutes=1), [], NOON + 2 * MINUTE)
    assert evaluation.alerts == {}
    assert [change.alert.state for change in evaluation.changes] == [State.INACTIVE]


def test_what_was_said_of_a_datasource_that_was_not_asked_yet_stands() -> None:
    assert settle(after(DOWN, minutes=1), [], NOON + 2 * MINUTE, unknown=["mimir"]).changes == ()
    assert settle(after(DOWN, minutes=1), [], NOON + 2 * MINUTE, unknown=["other"]).changes != ()


def test_after_a_start_what_was_pending_begins_anew_and_what_fires_goes_on() -> None:
    later = NOON + 2 * MINUTE
    again = settle(after(DOWN), [DOWN], later, first=True)
    assert [alert.active_at for alert in again.alerts.values()] == [later]
    assert states(dict(settle(dict(again.alerts), [DOWN], later + MINUTE - SECOND).alerts)) == ["pending"]
    assert states(dict(settle(after(DOWN, minutes=1), [DOWN], later, first=True).alerts)) == ["firing"]


def test_each_trouble_has_a_name_of_its_own_and_says_what_it_is_about() -> None:
    troubles = [
        rule_failing("r", "Busy", "bad_data"),
        rules_failing(3),
        quarantined(2),
        delivery_failing("slack", "500"),
        evaluation_late(4),
        replica_lost("b"),
        DOWN,
        FULL,
    ]
    assert len({one.labels for one in troubles}) == len(troubles)
    words = ("bad_data", "3", "2", "500", "4", "'b'")
    assert [word for one, word in zip(troubles, words, strict=False) if word not in one.summary] == []
