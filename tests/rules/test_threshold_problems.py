"""Everything wrong with a threshold row, told at once."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from rules.matchers import parse_matchers
from rules.problems import Severity, check_threshold, check_thresholds
from rules.rule import Condition, Rule
from rules.thresholds import Threshold

CPU = Rule(id="cpu", name="HighCpu", metric_name="cpu", condition=Condition.ABOVE, threshold=90, severity="page")
ROW = Threshold(id="a", rule_id="cpu", threshold=95, matchers=parse_matchers('team="db", site="x"'))
JULY, AUGUST = datetime(2026, 7, 1, tzinfo=UTC), datetime(2026, 8, 1, tzinfo=UTC)


def found(row: Threshold = ROW, rule: Rule = CPU, *others: Threshold) -> list[tuple[str, str]]:
    return [(problem.field, problem.severity.value) for problem in check_threshold(row, rule, others)]


def test_a_row_that_can_govern_has_no_problems() -> None:
    assert found() == []
    assert found(replace(ROW, recovery_threshold=85, valid_from=JULY, valid_to=AUGUST)) == []


@pytest.mark.parametrize(
    ("changes", "field", "severity"),
    [
        pytest.param({"threshold": math.nan}, "threshold", "error", id="no number"),
        pytest.param({"recovery_threshold": math.nan}, "recovery_threshold", "error", id="no recovery"),
        pytest.param({"valid_from": AUGUST, "valid_to": JULY}, "valid_to", "error", id="ends before it begins"),
        pytest.param({"valid_from": JULY, "valid_to": JULY}, "valid_to", "error", id="no time at all"),
        pytest.param({"recovery_threshold": 96}, "recovery_threshold", "warning", id="recovery on the firing side"),
    ],
)
def test_a_row_that_governs_nothing_says_why(changes: dict[str, Any], field: str, severity: str) -> None:
    assert found(replace(ROW, **changes)) == [(field, severity)]


@pytest.mark.parametrize(
    ("condition", "recovery", "problems"),
    [
        pytest.param(Condition.BELOW, 96, [], id="below, recovers above"),
        pytest.param(Condition.BELOW, 94, [("recovery_threshold", "warning")], id="below, recovers below"),
        pytest.param(Condition.AT_LEAST, 95, [("recovery_threshold", "warning")], id="at least, recovers there"),
        pytest.param(Condition.EQUAL, 80, [("recovery_threshold", "warning")], id="equal"),
        pytest.param(Condition.NOT_EQUAL, 80, [("recovery_threshold", "warning")], id="not equal"),
    ],
)
def test_a_recovery_lies_on_the_quiet_side(
    condition: Condition, recovery: float, problems: list[tuple[str, str]]
) -> None:
    assert found(replace(ROW, recovery_threshold=recovery), replace(CPU, condition=condition)) == problems


@pytest.mark.parametrize(
    ("expr", "message"),
    [("absent(up)", "cannot have threshold rows"), ("sum(", "mend it first")],
    ids=["unsplit", "broken"],
)
def test_a_rule_without_a_number_takes_no_row(expr: str, message: str) -> None:
    row = replace(ROW, recovery_threshold=80)
    (problem,) = check_threshold(row, Rule(id="r", name="x", expr=expr), ())
    assert (problem.field, problem.severity) == ("threshold", Severity.ERROR)
    assert message in problem.message


SAME = replace(ROW, id="b", matchers=tuple(reversed(ROW.matchers)))


@pytest.mark.parametrize(
    ("other", "tied"),
    [
        pytest.param(SAME, True, id="same matchers in another order"),
        pytest.param(replace(SAME, severity="page"), True, id="the rule's own level by name"),
        pytest.param(replace(SAME, valid_from=JULY), True, id="still valid together"),
        pytest.param(replace(SAME, id="a"), False, id="itself"),
        pytest.param(replace(SAME, severity="info"), False, id="another level"),
        pytest.param(replace(SAME, priority=1), False, id="another priority"),
        pytest.param(replace(SAME, matchers=()), False, id="other matchers"),
    ],
)
def test_rows_that_only_their_ids_tell_apart_are_tied(other: Threshold, *, tied: bool) -> None:
    assert found(ROW, CPU, other) == ([("priority", "warning")] if tied else [])


def test_rows_that_follow_each_other_are_not_tied() -> None:
    assert found(replace(ROW, valid_to=JULY), CPU, replace(SAME, valid_from=JULY)) == []
    assert found(replace(ROW, valid_to=AUGUST), CPU, replace(SAME, valid_from=JULY)) == [("priority", "warning")]


def test_the_problems_of_many_rows_are_those_of_each() -> None:
    every = [ROW, SAME, replace(ROW, id="c", threshold=math.nan), replace(SAME, id="d", priority=1)]
    one_by_one = {row.id: check_threshold(row, CPU, every) for row in every}
    assert check_thresholds(every, CPU, every) == one_by_one
    assert [len(problems) for problems in one_by_one.values()] == [2, 2, 3, 0]
    assert check_thresholds(every[:1], CPU, []) == {"a": ()}
