"""What a rule asks, for each of the three ways to declare one."""

import pytest

from rules import query
from rules.errors import PromqlError, RuleError
from rules.rule import Condition, Rule


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
