"""A rule whose notifications would not reach the people meant says so, and is evaluated all the same."""

from __future__ import annotations

from rules.labels import Labels
from rules.matchers import parse_matchers
from rules.problems import Severity
from rules.reach_problems import check_reach
from rules.routing import ROOT, Route, build
from rules.rule import Rule

TREE = build(
    [
        Route(id=ROOT),
        Route(id="db", parent_id=ROOT, matchers=parse_matchers('team="db"'), channels=("pager",)),
        Route(id="page", parent_id=ROOT, matchers=parse_matchers('severity="page"'), channels=("gone",)),
    ]
)


def told(rule: Rule, *channels: str) -> list[str]:
    problems = check_reach(rule, channels, TREE)
    assert {(problem.severity, problem.field) for problem in problems} <= {(Severity.WARNING, "notification_channels")}
    return [problem.message.partition(";")[0] for problem in problems]


def rule(*channels: str, severity: str = "", **labels: str) -> Rule:
    return Rule(id="r", name="Down", notification_channels=channels, severity=severity, labels=Labels(labels))


def test_a_rule_whose_channels_are_declared_has_no_problem() -> None:
    assert told(rule("pager", "chat"), "pager", "chat") == []


def test_each_unknown_channel_is_named_once() -> None:
    assert told(rule("pager", "x", "x", "y"), "pager") == ["no channel 'x' is declared", "no channel 'y' is declared"]


def test_the_log_channel_exists_whether_or_not_it_is_declared() -> None:
    assert told(rule("log")) == []


def test_a_rule_that_a_route_sends_to_a_channel_there_is_has_no_problem() -> None:
    assert told(rule(team="db"), "pager") == []


def test_a_rule_that_only_a_route_without_channels_takes_is_unrouted() -> None:
    assert told(rule(), "pager") == ["unrouted: 'root' names no channel there is"]


def test_a_rule_whose_route_names_only_channels_that_are_gone_is_unrouted() -> None:
    assert told(rule(severity="page"), "pager") == ["unrouted: 'page' names no channel there is"]
