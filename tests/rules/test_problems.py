"""Lint finds everything wrong with a rule at once, and nothing in a rule that is right."""

import math
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules import problems
from rules.labels import Labels
from rules.lints import Lint
from rules.problems import Problem, Severity, check_evaluable, check_ignored, check_rule
from rules.rule import Condition, MissingSeries, NoData, OnError, Rule

GOOD = Rule(id="1", name="HighCpu", metric_name="cpu", condition=Condition.ABOVE, threshold=80)


def with_expr(expr: str | None, **fields: object) -> Rule:
    return Rule(id="1", name="r", expr=expr, **fields)  # type: ignore[arg-type] # each table gives fitting fields


def fields_of(rule: Rule, severity: Severity = Severity.ERROR) -> list[str]:
    return [problem.field for problem in check_rule(rule) if problem.severity is severity]


@pytest.mark.parametrize(
    "rule",
    [
        pytest.param(GOOD, id="a metric and a threshold"),
        pytest.param(with_expr("up == 0"), id="an expression"),
        pytest.param(with_expr("a > b", hold=timedelta(minutes=5), limit=10), id="two vectors"),
        pytest.param(with_expr("a", condition=Condition.BELOW, threshold=-math.inf), id="a threshold beside it"),
        pytest.param(with_expr('absent(up{job="x"})'), id="absent needs no comparison"),
        pytest.param(with_expr("a and on(x) b"), id="nor does and"),
        pytest.param(with_expr("a > 5", no_data=NoData.ALERT, missing_series=MissingSeries.KEEP), id="no data"),
        pytest.param(
            with_expr("a > 5", severity="page", labels=Labels({"severity": "page", "größe": "{{ $value }}"})),
            id="labels",
        ),
        pytest.param(with_expr("a > 5", annotations={"summary": "{{ $labels.x | toUpper }} 100 %"}), id="annotations"),
        pytest.param(with_expr("a > 5", interval=timedelta(seconds=1), query_offset=timedelta(0)), id="spans"),
        pytest.param(with_expr("a > 5", notification_channels=("slack", "email"), on_error=OnError.OK), id="channels"),
    ],
)
def test_a_good_rule_has_no_problem(rule: Rule) -> None:
    assert check_rule(rule) == ()


@pytest.mark.parametrize(
    ("rule", "fields"),
    [
        pytest.param(Rule(id="1", name=" ", expr="a > 5"), ["name"], id="no name"),
        pytest.param(with_expr(None), ["expr", "condition", "threshold"], id="nothing asked"),
        pytest.param(with_expr(None, metric_name="a"), ["condition", "threshold"], id="a metric alone"),
        pytest.param(with_expr(None, metric_name="a", threshold=5.0), ["condition"], id="no condition"),
        pytest.param(with_expr("a", threshold=5.0), ["condition"], id="no condition beside an expression"),
        pytest.param(with_expr("a", condition=Condition.ABOVE), ["threshold"], id="no threshold beside an expression"),
        pytest.param(
            with_expr("a", metric_name="a", condition=Condition.ABOVE, threshold=5.0), ["metric_name"], id="both asked"
        ),
        pytest.param(with_expr("a", condition=Condition.ABOVE, threshold=math.nan), ["threshold"], id="NaN"),
        pytest.param(with_expr("a >"), ["expr"], id="a bad expression"),
        pytest.param(with_expr("a[5m]"), ["expr"], id="a range vector"),
        pytest.param(
            with_expr(None, metric_name="a > 5", condition=Condition.ABOVE, threshold=5.0),
            ["metric_name"],
            id="an expression as metric",
        ),
        pytest.param(with_expr("a > b", no_data=NoData.KEEP), ["no_data"], id="no data without a left side"),
        pytest.param(
            with_expr("a > b", missing_series=MissingSeries.KEEP), ["missing_series"], id="series without a left side"
        ),
        pytest.param(with_expr("a >", no_data=NoData.KEEP), ["expr"], id="a bad expression is told once"),
        pytest.param(with_expr("a > 5", labels=Labels({"__name__": "x"})), ["labels"], id="the metric's name as label"),
        pytest.param(with_expr("a > 5", labels=Labels({"": "x"})), ["labels"], id="a label without a name"),
        pytest.param(with_expr("a > 5", labels=Labels({"a": "{{"})), ["labels.a"], id="a bad label"),
        pytest.param(
            with_expr("a > 5", annotations={"s": "\ud800"}), ["annotations"], id="an annotation that is no text"
        ),
        pytest.param(with_expr("a > 5", annotations={"s": "{{ nosuch }}"}), ["annotations.s"], id="a bad annotation"),
        pytest.param(with_expr("a > 5", annotations={"": "x"}), ["annotations"], id="an annotation without a name"),
        pytest.param(with_expr("a > 5", hold=timedelta(seconds=-1)), ["for"], id="a negative for"),
        pytest.param(with_expr("a > 5", keep_firing_for=-timedelta(1)), ["keep_firing_for"], id="negative keeping"),
        pytest.param(with_expr("a > 5", missing_for=-timedelta(1)), ["missing_for"], id="negative missing"),
        pytest.param(with_expr("a > 5", query_offset=-timedelta(1)), ["query_offset"], id="a negative offset"),
        pytest.param(with_expr("a > 5", interval=timedelta(0)), ["interval"], id="no interval"),
        pytest.param(with_expr("a > 5", limit=-1), ["limit"], id="a negative limit"),
    ],
)
def test_what_cannot_be_evaluated_is_an_error(rule: Rule, fields: list[str]) -> None:
    assert fields_of(rule) == fields


def test_a_rule_is_evaluated_without_the_policies_it_has_no_left_side_for() -> None:
    declared = with_expr("a > b", no_data=NoData.KEEP, missing_series=MissingSeries.KEEP, limit=-1)
    assert [one.field for one in check_ignored(declared)] == ["no_data", "missing_series"]
    assert [one.field for one in check_evaluable(declared)] == ["limit"]
    assert check_ignored(GOOD) == ()


@pytest.mark.parametrize(
    ("rule", "field", "message"),
    [
        pytest.param(with_expr("a"), "expr", "every series fires", id="a metric alone"),
        pytest.param(with_expr("a > bool 5"), "expr", "compare it with something", id="bool"),
        pytest.param(with_expr("time()"), "expr", "every series fires", id="a scalar"),
        pytest.param(
            with_expr("a > 5", notification_channels=("x", "y", "x")),
            "notification_channels",
            "channel 'x' is named 2 times",
            id="a channel twice",
        ),
        pytest.param(
            with_expr("a > 5", severity="info", labels=Labels({"severity": "page"})),
            "labels.severity",
            "the label severity is 'page' but the rule's severity is 'info', which wins",
            id="two severities",
        ),
    ],
)
def test_what_is_likely_a_slip_is_a_warning(rule: Rule, field: str, message: str) -> None:
    (problem,) = check_rule(rule)
    assert (problem.severity, problem.field) == (Severity.WARNING, field)
    assert message in problem.message


def test_all_problems_are_told_at_once() -> None:
    rule = Rule(id="1", name="", expr="a >", hold=timedelta(-1), annotations={"a": "{{", "b": "{{"}, limit=-5)
    assert fields_of(rule) == ["name", "expr", "annotations.a", "annotations.b", "for", "limit"]


def test_a_problem_knows_its_place_and_the_fix() -> None:
    (problem,) = check_rule(with_expr('a{b=~"("} > 5'))
    message = "\"(\" is no regex: bad regex '(': missing ): ("
    assert problem == Problem(severity=Severity.ERROR, field="expr", message=message, position=5)


@given(
    st.text(max_size=30), st.text(max_size=30), st.floats(), st.dictionaries(st.text(max_size=5), st.text(max_size=9))
)
def test_no_rule_makes_lint_fail(expr: str, metric: str, threshold: float, texts: dict[str, str]) -> None:
    rule = Rule(
        id="1",
        name=expr,
        expr=expr or None,
        metric_name=metric or None,
        threshold=threshold,
        labels=Labels(texts),
        annotations=texts,
        no_data=NoData.KEEP,
    )
    assert all(problem.message for problem in check_rule(rule))


def test_what_is_odd_about_a_rule_is_a_warning_that_keeps_it_evaluable() -> None:
    rule = Rule(id="r", name="A", expr="absent(x) > 1")
    (problem,) = problems.check_odd(rule)
    assert problems.check_rule(rule) == (problem,)
    assert problems.check_evaluable(rule) == ()
    assert isinstance(problem, problems.Odd)
    assert (problem.lint, problem.severity, problem.field) == (Lint.NEVER_TRUE, Severity.WARNING, "expr")
