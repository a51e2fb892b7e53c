"""Expressions as trees: what is kept of them, and what of the way they were written is not."""

from __future__ import annotations

from datetime import timedelta

import pytest

from rules.errors import PromqlError
from rules.promql_tree import (
    Aggregate,
    Binary,
    Call,
    Many,
    Matcher,
    Negated,
    Number,
    Selector,
    Subquery,
    Text,
    Tree,
    filters,
    is_scalar,
    tree,
    walk,
)

X, Y = Selector("x", ()), Selector("y", ())
MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("5", Number(5.0)),
        ("-5", Number(-5.0)),
        ("((x))", X),
        ("-x", Negated(X)),
        ('{__name__="x"}', X),
        ('{"a.b"}', Selector("a.b", ())),
        ('{a="b"}', Selector(None, (Matcher("a", "=", "b"),))),
        ('{__name__=~"x.*"}', Selector(None, (Matcher("__name__", "=~", "x.*"),))),
        ('x{a!="b",c!~"d|e"}', Selector("x", (Matcher("a", "!=", "b"), Matcher("c", "!~", "d|e")))),
        ('x{a="b" or c="d"}', Selector("x", (), has_alternatives=True)),
        ("x[5m]", Selector("x", (), 5 * MINUTE)),
        ("rate(x[5m])", Call("rate", (Selector("x", (), 5 * MINUTE),))),
        ('label_replace(x, "a", "", "", "")', Call("label_replace", (X, Text("a"), Text(""), Text(""), Text("")))),
        ("sum(x)", Aggregate("sum", X, None, ())),
        ("sum by (a, b) (x)", Aggregate("sum", X, None, ("a", "b"))),
        ("sum without (a) (x)", Aggregate("sum", X, None, None, ("a",))),
        ("topk(5, x)", Aggregate("topk", X, Number(5.0), ())),
        ("x > y", Binary(">", X, Y)),
        ("x > bool 1", Binary(">", X, Number(1.0), is_bool=True)),
        ("x and on (a) y", Binary("and", X, Y, on=("a",))),
        ("x / ignoring (a) y", Binary("/", X, Y, ignored=("a",))),
        ("x * on (a) group_left (b) y", Binary("*", X, Y, on=("a",), many=Many.LEFT, included=("b",))),
        ("x * on (a) group_right y", Binary("*", X, Y, on=("a",), many=Many.RIGHT)),
    ],
)
def test_an_expression_is_what_it_means(text: str, found: Tree) -> None:
    assert tree(text) == found


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("x", "x offset 5m"),
        ("x offset 5m", "x offset -5m"),
        ("x", "x @ 5"),
        ("x @ 5", "x @ end()"),
        ("max_over_time(x[5m:])", "max_over_time(x[5m:1m])"),
        ("max_over_time(x[5m:] offset 1m)", "max_over_time(x[5m:])"),
        ('x{a=~"b"}', 'x{a=~"c"}'),
    ],
)
def test_what_asks_for_other_series_or_times_is_not_equal(one: str, other: str) -> None:
    assert tree(one) != tree(other)


@pytest.mark.parametrize(
    ("text", "ahead"),
    [("x offset 5m", False), ("x offset -5m", True), ("x @ 5", True), ("x[5m:]", False), ("x[5m:] offset -1m", True)],
)
def test_what_may_look_at_later_samples_is_known(text: str, ahead: bool) -> None:
    found = tree(text)
    assert isinstance(found, Selector | Subquery)
    assert found.is_ahead is ahead


def test_a_subquery_has_its_span() -> None:
    found = tree("max_over_time(x[5m:1m])")
    assert isinstance(found, Call)
    assert isinstance(found.arguments[0], Subquery)
    assert (found.arguments[0].of, found.arguments[0].span) == (X, 5 * MINUTE)


def test_each_regex_is_the_one_that_was_written() -> None:
    found = tree('x{a=~"p"} + y{b!~"(q|)",c=~"p"}')
    selectors = [node for node in walk(found) if isinstance(node, Selector)]
    assert [[one.value for one in node.matchers] for node in selectors] == [["p"], ["(q|)", "p"]]


def test_walking_goes_from_the_node_down_and_from_left_to_right() -> None:
    found = tree('topk(5, -x) + label_join(max_over_time(y[5m:1m]), "a", "")')
    kinds = [type(node).__name__ for node in walk(found)]
    expected = ["Binary", "Aggregate", "Number", "Negated", "Selector", "Call", "Call", "Subquery", "Selector", "Text"]
    assert kinds == [*expected, "Text"]


@pytest.mark.parametrize(
    ("text", "scalar"),
    [
        ("5", True),
        ("time() - 5", True),
        ("-scalar(x)", True),
        ("pi()", True),
        ("vector(1)", False),
        ("time() - x", False),
        ("x", False),
        ("5 > bool 3", True),
    ],
)
def test_a_number_is_no_series(text: str, scalar: bool) -> None:
    assert is_scalar(tree(text)) is scalar


@pytest.mark.parametrize(
    "text", ["a > 5", "sum(a == 1)", "a and b", "a unless b", "absent(a)", "absent_over_time(a[5m])"]
)
def test_an_expression_that_can_drop_a_series_filters(text: str) -> None:
    assert filters(tree(text))


@pytest.mark.parametrize("text", ["a", "a + b", "rate(a[5m])", "a > bool 5", "a or b", "5"])
def test_an_expression_that_drops_nothing_does_not_filter(text: str) -> None:
    assert not filters(tree(text))


def test_what_does_not_parse_is_refused() -> None:
    with pytest.raises(PromqlError):
        tree("sum(")


def test_what_is_too_deep_to_reason_about_is_refused() -> None:
    assert sum(1 for _ in walk(tree(" + ".join(["x"] * 100)))) == 199
    with pytest.raises(PromqlError, match="more than 100 levels deep"):
        tree(" + ".join(["x"] * 101))
