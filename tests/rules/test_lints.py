"""What is odd about a rule: told where it is sure, and never where it may be meant."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import pytest

from rules import lints
from rules.labels import LabelTexts
from rules.lints import Lint
from rules.rule import Condition, Rule

EVERY = frozenset(Lint)
SCRAPE = timedelta(seconds=15)


def a_rule(expr: str, annotations: Mapping[str, str] | None = None, **labels: str) -> Rule:
    return Rule(id="r", name="A", expr=expr, annotations=annotations or {}, labels=LabelTexts(labels))


def told(rule: Rule, lint: Lint) -> list[str]:
    return [finding.message for finding in lints.check(rule, {lint}, scrape_interval=SCRAPE)]


@pytest.mark.parametrize(
    ("expr", "message"),
    [
        (
            "count(x) < 0",
            "count(…) < 0 can never be true: count(…) is 1 or more; count() of nothing is nothing and not 0",
        ),
        ("0 > rate(x[5m])", "0 > rate(…) can never be true: rate(…) is 0 or more"),
        ("absent(x) > 1", "absent(…) > 1 can never be true: absent(…) is always 1"),
        (
            "(x > bool 1) > 1",
            "a comparison with bool > 1 can never be true: a comparison with bool is 0 or more and 1 or less",
        ),
        ("x > 5 < 3", "the left side < 3 can never be true: the left side is above 5"),
        ("x < 5 > 7", "the left side > 7 can never be true: the left side is below 5"),
        ("hour() > 23", "hour() > 23 can never be true: hour() is 0 or more and 23 or less"),
        (
            "absent(x) > count(y)",
            "absent(…) > count(…) can never be true: absent(…) is always 1 and count(…) is 1 or more",
        ),
        ("sum(x) > 0 and rate(x[5m]) < 0", "rate(…) < 0 can never be true: rate(…) is 0 or more"),
        ("x > 5 and x < 3", "the comparisons of x that are joined by and can never be true together"),
        (
            "sum(x) > 5 and y > 0 and sum(x) == 4",
            "the comparisons of sum(…) that are joined by and can never be true together",
        ),
        ("-x > 5 and -x < 3", "the comparisons of one expression that are joined by and can never be true together"),
    ],
)
def test_a_comparison_that_can_never_be_true_is_told_with_the_reason(expr: str, message: str) -> None:
    (found,) = told(a_rule(expr), Lint.NEVER_TRUE)
    assert found.startswith(message)


@pytest.mark.parametrize(
    "expr",
    [
        "x > 5",
        "x > 5 and x < 9",
        "x > 5 and y < 3",
        "x > 5 and x offset 1h < 3",
        'x{a=~"b"} > 5 and x{a=~"c"} < 3',
        'x{a="1" or b="1"} > 5 and x{a="2" or b="2"} < 3',
        "x > 5 and on (a) x < 3",
        "x > 5 and ignoring (a) x < 3",
        "x > y and x < 3",
        "x > 5 and x > bool 3",
        "x > 5 or x < 3",
        "count(x) or vector(0) == 0",
        "count(x) == bool 0",
        "count(x) + 5",
    ],
)
def test_what_can_be_true_is_not_told(expr: str) -> None:
    assert told(a_rule(expr), Lint.NEVER_TRUE) == []


def test_one_impossible_comparison_is_told_once() -> None:
    assert len(told(a_rule("(count(x) < 0) > 5 and (count(x) < 0) < 3"), Lint.NEVER_TRUE)) == 1


def test_comparisons_that_exclude_each_other_are_told_once_whatever_else_is_joined() -> None:
    assert len(told(a_rule("x > 5 and x < 3 and y > 0"), Lint.NEVER_TRUE)) == 1


def test_a_condition_beside_the_expression_is_a_comparison() -> None:
    rule = Rule(id="r", name="A", expr="count(x)", condition=Condition.BELOW, threshold=0.0)
    assert len(told(rule, Lint.NEVER_TRUE)) == 1
    assert told(rule, Lint.NO_COMPARISON) == []


def test_a_metric_with_a_threshold_is_a_comparison() -> None:
    rule = Rule(id="r", name="A", metric_name="x", condition=Condition.ABOVE, threshold=0.0)
    assert lints.check(rule) == ()


@pytest.mark.parametrize(("expr", "count"), [("x", 1), ("sum(x)", 1), ("x > 5", 0), ("absent(x)", 0), ("x and y", 0)])
def test_a_rule_that_drops_no_series_is_told(expr: str, count: int) -> None:
    assert len(told(a_rule(expr), Lint.NO_COMPARISON)) == count


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("{{ $labels.a }}", ["a"]),
        ("{{$labels.a}} {{ $labels.a }} {{ $labels.b | title }}", ["a", "b"]),
        ('{{ printf "%s" $labels.a }}', ["a"]),
        ('{{ index $labels "a" }}', ["a"]),
        ("{{- $labels.a -}}", ["a"]),
        ("{{ if $labels.a }}on {{ $labels.a }}{{ else if $labels.b }}{{ $labels.b }}{{ end }}", []),
        ("{{ with $labels.a }}{{ . }}{{ end }}", []),
        ("{{/* $labels.a */}}{{ `$labels.a` }}{{ \"$labels.a\" }}", []),
        ("$labels.a", []),
        ("{{ $value }}", []),
        ("{{ $labels.kept }} {{ $labels.__name__ }}", []),
    ],
)  # fmt: skip
def test_a_label_that_the_expression_drops_is_told_where_a_template_shows_it(text: str, shown: list[str]) -> None:
    found = told(a_rule("sum by (kept) (x) > 5", {"summary": text}), Lint.DROPPED_LABEL)
    assert found == [f"$labels.{label} is always empty: sum by (kept) keeps no other label" for label in shown]


def test_a_template_of_a_label_is_looked_at_too() -> None:
    (finding,) = lints.check(a_rule("sum(x) > 5", where="{{ $labels.a }}"), {Lint.DROPPED_LABEL})
    assert finding.field == "labels.where"


def test_a_label_of_the_rule_itself_is_told_to_be_no_label_of_the_series() -> None:
    own = "$labels has the labels of the series and not those of the rule; write the text itself"
    rule = a_rule("sum(x) > 5", {"summary": "{{ $labels.team }}"}, team="db")
    assert told(rule, Lint.DROPPED_LABEL) == [f"$labels.team is always empty: {own}"]
    severe = Rule(id="r", name="A", expr="sum(x) > 5", severity="page", annotations={"s": "{{ $labels.severity }}"})
    assert told(severe, Lint.DROPPED_LABEL) == [f"$labels.severity is always empty: {own}"]


def test_a_label_that_is_made_of_itself_is_told_what_dropped_it() -> None:
    rule = a_rule("sum(x) > 5", team="{{ $labels.team }}")
    assert told(rule, Lint.DROPPED_LABEL) == ["$labels.team is always empty: sum without a by clause keeps no label"]


@pytest.mark.parametrize(
    ("expr", "names"),
    [
        ("ALERTS > 0", ["ALERTS"]),
        ('count(ALERTS{alertname="x"}) > 3 or ALERTS_FOR_STATE > 5', ["ALERTS", "ALERTS_FOR_STATE"]),
        ("ALERTS_total > 0", []),
    ],
)
def test_a_rule_that_reads_prometheus_own_alerts_is_told_what_becomes_of_them(expr: str, names: list[str]) -> None:
    found = told(a_rule(expr), Lint.ALERTS_SERIES)
    assert [message.split()[0] for message in found] == names
    assert all("keep the rules it looks at in Prometheus" in message for message in found)


@pytest.mark.parametrize(
    ("expr", "count"), [("x > 5", 1), ("rate(x[5m]) > 5", 0), ("max_over_time(x[5m:]) > 5", 0), ("vector(1)", 0)]
)
def test_a_rule_that_fires_at_once_is_told_unless_it_looks_back(expr: str, count: int) -> None:
    assert len(told(a_rule(expr), Lint.MISSING_FOR)) == count


def test_a_rule_with_a_for_or_that_keeps_firing_is_not_told() -> None:
    minute = timedelta(minutes=1)
    assert told(Rule(id="r", name="A", expr="x > 5", hold=minute), Lint.MISSING_FOR) == []
    assert told(Rule(id="r", name="A", expr="x > 5", keep_firing_for=minute), Lint.MISSING_FOR) == []


@pytest.mark.parametrize(
    ("expr", "count"),
    [
        ("rate(x[29s]) > 5", 1),
        ("rate(x[30s]) > 5", 0),
        ("increase(x[20s]) + rate(y[10s]) > 5", 2),
        ("max_over_time(x[1s]) > 5", 0),
        ("rate(x[10s:1s]) > 5", 0),
    ],
)
def test_a_rate_over_fewer_than_two_samples_is_told(expr: str, count: int) -> None:
    assert len(told(a_rule(expr), Lint.SHORT_RANGE)) == count


def test_without_a_scrape_interval_no_range_is_too_short() -> None:
    assert lints.check(a_rule("rate(x[1s]) > 5"), {Lint.SHORT_RANGE}) == ()


def test_only_what_is_chosen_is_looked_for() -> None:
    rule = a_rule("count(x) < 0", {"summary": "{{ $labels.a }}"})
    assert lints.check(rule, ()) == ()
    assert {finding.lint for finding in lints.check(rule, EVERY)} == {
        Lint.NEVER_TRUE,
        Lint.DROPPED_LABEL,
        Lint.MISSING_FOR,
    }
    assert {finding.lint for finding in lints.check(rule)} == {Lint.NEVER_TRUE, Lint.DROPPED_LABEL}


@pytest.mark.parametrize("expr", ["sum(", "", "x" * 5000])
def test_of_what_does_not_parse_nothing_is_told(expr: str) -> None:
    assert lints.check(a_rule(expr), EVERY) == ()
    assert lints.check_expression(expr, EVERY) == ()


def test_an_expression_alone_is_looked_at_without_what_only_alerts_have() -> None:
    found = lints.check_expression("count(x) < 0 or ALERTS or rate(y[1s])", EVERY, scrape_interval=SCRAPE)
    assert [finding.lint for finding in found] == [Lint.NEVER_TRUE, Lint.ALERTS_SERIES, Lint.SHORT_RANGE]
