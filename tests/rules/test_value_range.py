"""Between which numbers an expression's values must lie."""

from __future__ import annotations

import math

import pytest

from rules.promql_tree import tree
from rules.rule import Condition
from rules.value_range import ANY, Range, past, values

INF = math.inf


def after(number: float) -> float:
    return math.nextafter(number, INF)


def before(number: float) -> float:
    return math.nextafter(number, -INF)


@pytest.mark.parametrize(
    ("expr", "found"),
    [
        ("x", (-INF, INF)),
        ("5", (5, 5)),
        ("-clamp(x, 1, 3)", (-3, -1)),
        ("count(x)", (1, INF)),
        ("group(x)", (1, 1)),
        ("absent(x)", (1, 1)),
        ("stddev(x)", (0, INF)),
        ("sum(count(x))", (1, INF)),
        ("sum(-count(x))", (-INF, -1)),
        ("sum(x)", (-INF, INF)),
        ("max(count(x))", (1, INF)),
        ("quantile(0.5, count(x))", (-INF, INF)),
        ("max_over_time(count(x)[5m:])", (1, INF)),
        ("rate(x[5m])", (0, INF)),
        ("delta(x[5m])", (-INF, INF)),
        ("hour()", (0, 23)),
        ("vector(5)", (5, 5)),
        ("sort(absent(x))", (1, 1)),
        ("clamp(x, 1, 3)", (1, 3)),
        ("clamp_min(x, 1)", (1, INF)),
        ("clamp_max(count(x), 3)", (1, 3)),
        ("clamp_max(count(x), 0)", (0, 0)),
        ("clamp_min(x, scalar(y))", (-INF, INF)),
        ("x > bool 5", (0, 1)),
        ("x > 5", (after(5), INF)),
        ("x >= 5", (5, INF)),
        ("x < 5", (-INF, before(5))),
        ("x <= 5", (-INF, 5)),
        ("x == 5", (5, 5)),
        ("x != 5", (-INF, INF)),
        ("5 < x", (after(5), INF)),
        ("5 >= x", (-INF, 5)),
        ("x > count(y)", (after(1), INF)),
        ("x > 5 and y", (after(5), INF)),
        ("x > 5 unless y", (after(5), INF)),
        ("count(x) or vector(0)", (0, INF)),
        ("count(x) + 1", (2, INF)),
        ("1 - rate(x[5m])", (-INF, 1)),
        ("count(x) - count(y)", (-INF, INF)),
        ("count(x) * -2", (-INF, -2)),
        ("hour() * 0", (0, 0)),
        ("count(x) * 0", (-INF, INF)),
        ("clamp(x, 2, 4) / 2", (1, 2)),
        ("clamp(x, 2, 4) / 0", (-INF, INF)),
        ("2 / count(x)", (-INF, INF)),
        ("x % 5", (-INF, INF)),
        ("(count(x) < 0) + 1", (-INF, INF)),
        ("1 + (count(x) < 0)", (-INF, INF)),
    ],
)
def test_values_lie_in_between(expr: str, found: tuple[float, float]) -> None:
    assert values(tree(expr)) == found


@pytest.mark.parametrize("expr", ["count(x) < 0", "0 > count(x)", "absent(x) == 0", "(x > 5) < 3", "hour() > 23"])
def test_what_can_never_be_true_has_no_values(expr: str) -> None:
    assert values(tree(expr)).is_empty


@pytest.mark.parametrize("expr", ["count(x) <= 1", "hour() >= 23", "(x > 5) <= 6", "x > y", "absent(x) != 0"])
def test_what_can_be_true_has_values(expr: str) -> None:
    assert not values(tree(expr)).is_empty


def test_a_comparison_with_some_number_of_an_interval_is_as_loose_as_its_loosest() -> None:
    interval = Range(1.0, 3.0)
    assert past(Condition.ABOVE, interval) == (after(1), INF)
    assert past(Condition.BELOW, interval) == (-INF, before(3))
    assert past(Condition.EQUAL, interval) == interval
    assert past(Condition.NOT_EQUAL, interval) == ANY
