"""What a rule asks, for each of the three ways to declare one."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from rules import query
from rules.errors import PromqlError, RuleError
from rules.rule import Condition, MissingSeries, NoData, Rule
from rules.thresholds import Threshold


def rule(
    expr: str | None = None,
    metric_name: str | None = None,
    condition: Condition | None = None,
    threshold: float | None = None,
) -> Rule:
    return Rule(id="1", name="r", expr=expr, metric_name=metric_name, condition=condition, threshold=threshold)


@pytest.mark.parametrize(
    ("declared", "left", "text", "threshold"),
    [
        pytest.param(
            rule(metric_name="cpu", condition=Condition.ABOVE, threshold=80),
            "cpu",
            "(cpu\n) > 80",
            "> 80",
            id="a metric",
        ),
        pytest.param(
            rule(metric_name="a.b", condition=Condition.BELOW, threshold=0.5),
            '{"a.b"}',
            '({"a.b"}\n) < 0.5',
            "< 0.5",
            id="a metric in UTF-8",
        ),
        pytest.param(rule(expr="rate(a[5m]) > 5"), "rate(a[5m])", "rate(a[5m]) > 5", "> 5", id="an expression"),
        pytest.param(rule(expr="5 < a"), "a", "5 < a", "> 5", id="an expression, the number first"),
        pytest.param(rule(expr="a > b"), None, "a > b", None, id="an expression that cannot be cut"),
        pytest.param(
            rule(expr="a > 1", condition=Condition.AT_LEAST, threshold=5),
            "a > 1",
            "(a > 1\n) >= 5",
            ">= 5",
            id="an expression with a threshold beside it",
        ),
        pytest.param(
            rule(expr="time()", condition=Condition.ABOVE, threshold=5),
            "time()",
            "vector(time()\n) > 5",
            "> 5",
            id="a scalar with a threshold beside it",
        ),
    ],
)
def test_a_rule_has_a_left_side_a_query_and_a_threshold(
    declared: Rule, left: str | None, text: str, threshold: str | None
) -> None:
    assert query.left_side(declared) == left
    assert query.query_text(declared) == text
    assert query.threshold_text(declared) == threshold


@pytest.mark.parametrize(
    "declared",
    [
        rule(),
        rule(metric_name="a"),
        rule(metric_name="a", condition=Condition.ABOVE),
        rule(metric_name="a", threshold=5),
        rule(condition=Condition.ABOVE, threshold=5),
    ],
)
def test_a_rule_that_asks_nothing_is_refused(declared: Rule) -> None:
    with pytest.raises(RuleError, match="give it an expr, or metric_name, condition and threshold"):
        query.query_text(declared)
    with pytest.raises(RuleError):
        query.left_side(declared)


@pytest.mark.parametrize("declared", [rule(expr="a >"), rule(expr="a[5m]"), rule(expr="")])
def test_a_rule_whose_expression_is_bad_is_refused(declared: Rule) -> None:
    with pytest.raises(PromqlError):
        query.query_text(declared)


NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
BUSY = rule(metric_name="cpu", condition=Condition.ABOVE, threshold=80)
HOLDING = Threshold(id="a", rule_id="1", threshold=90, recovery_threshold=70)


@pytest.mark.parametrize(
    ("declared", "rows", "text"),
    [
        pytest.param(BUSY, [], "(cpu\n) > 80", id="no row: the rule's own query"),
        pytest.param(BUSY, [HOLDING], "(cpu\n) > 70", id="a recovery is the loosest"),
        pytest.param(
            replace(BUSY, condition=Condition.BELOW), [HOLDING], "(cpu\n) < 90", id="the other way, a threshold is"
        ),
        pytest.param(replace(BUSY, condition=Condition.EQUAL), [HOLDING], "cpu", id="no direction: the left side"),
        pytest.param(rule(expr="80 < rate(a[5m])"), [HOLDING], "(rate(a[5m])\n) > 70", id="an expression is cut"),
        pytest.param(
            rule(expr="time()", condition=Condition.ABOVE, threshold=80),
            [HOLDING],
            "vector(time()\n) > 70",
            id="a scalar is made a vector",
        ),
        pytest.param(rule(expr="a > b"), [HOLDING], "a > b", id="what does not split is asked as it stands"),
    ],
)
def test_a_rule_with_rows_asks_for_all_that_any_of_them_may_need(
    declared: Rule, rows: list[Threshold], text: str
) -> None:
    assert query.asked(declared, rows, since=NOON, until=NOON + timedelta(minutes=1)) == text


@pytest.mark.parametrize("rows", [[], [HOLDING]], ids=["no row", "a row"])
@pytest.mark.parametrize(
    ("declared", "text", "whole"),
    [
        pytest.param(replace(BUSY, no_data=NoData.KEEP), "cpu", True, id="no_data"),
        pytest.param(replace(BUSY, no_data=NoData.ALERT), "cpu", True, id="no_data, with an alert"),
        pytest.param(replace(BUSY, missing_series=MissingSeries.KEEP), "cpu", True, id="missing_series"),
        pytest.param(replace(rule(expr="80 < a"), no_data=NoData.KEEP), "a", True, id="an expression is cut"),
        pytest.param(replace(rule(expr="a > b"), no_data=NoData.KEEP), "a > b", False, id="what does not split is not"),
    ],
)
def test_a_rule_that_looks_for_missing_data_asks_for_its_whole_left_side(
    declared: Rule, text: str, whole: bool, rows: list[Threshold]
) -> None:
    assert query.asked(declared, rows, since=NOON, until=NOON + timedelta(minutes=1)) == text
    assert query.asks_all(declared) is whole
    assert query.watched(declared)
    assert not query.asks_all(BUSY)


def test_a_row_that_is_not_valid_before_the_next_slot_changes_no_query() -> None:
    later = replace(HOLDING, valid_from=NOON + timedelta(minutes=1))
    assert query.asked(BUSY, [later], since=NOON, until=NOON + timedelta(minutes=1)) == query.query_text(BUSY)


@pytest.mark.parametrize(
    ("declared", "text"),
    [
        pytest.param(BUSY, "(cpu\n) > 95", id="a metric"),
        pytest.param(rule(expr="80 < rate(a[5m])"), "(rate(a[5m])\n) > 95", id="an expression is cut"),
        pytest.param(rule(expr="a > b"), "a > b", id="what does not split stays"),
    ],
)
def test_a_rule_can_be_shown_at_the_threshold_of_a_row(declared: Rule, text: str) -> None:
    assert query.query_text(query.at_threshold(declared, 95)) == text
