"""Which labels an expression's answer can have: never fewer than there may be."""

from __future__ import annotations

import pytest

from rules.label_flow import carried
from rules.promql_tree import tree


@pytest.mark.parametrize(
    ("expr", "gone"),
    [
        ("x", ""),
        ('x{a=""}', "a"),
        ('x{a="" or b="1"}', ""),
        ("x[5m:1m]", ""),
        ("'a text'", ""),
        ("-x", ""),
        ("5", "abc"),
        ("time() - 5", "abc"),
        ("x + 5", ""),
        ("5 - sum by (a) (x)", "bc"),
        ("sum(x)", "abc"),
        ("sum by (a) (x)", "bc"),
        ("sum without (a) (x)", "a"),
        ("sum without () (x)", ""),
        ("sum without (a) (sum by (a, b) (x))", "ac"),
        ("sum by (a, b) (sum by (b, c) (x))", "ac"),
        ("topk(5, x)", ""),
        ("topk by (a) (5, sum by (b) (x))", "ac"),
        ('count_values("a", x)', "bc"),
        ('count_values by (b) ("a", x)', "c"),
        ("quantile(0.5, x)", "abc"),
        ("sum by (a) (x) > 5", "bc"),
        ("x and on (a) y", ""),
        ("sum by (a) (x) and y", "bc"),
        ("sum by (a) (x) unless y", "bc"),
        ("sum by (a) (x) or y", ""),
        ("sum by (a) (x) or sum by (b) (x)", "c"),
        ("sum without (a, b) (x) or sum without (b, c) (x)", "b"),
        ("sum without (a, b) (x) or sum by (b) (x)", "a"),
        ("x / on (a) y", "bc"),
        ("x / on (a, b) sum by (a) (y)", "bc"),
        ("x / ignoring (a) y", "a"),
        ("x == on (a) y", "bc"),
        ("x * on (a) group_left y", ""),
        ("x * on (a) group_left (b) y", ""),
        ("sum by (a) (x) * on (a) group_left (b) y", "c"),
        ("sum by (a) (x) * on (a) group_left (b) sum by (a) (y)", "bc"),
        ("x * on (a) group_left (b) sum by (a) (y)", "b"),
        ("y * on (a) group_right (b) sum by (a) (x)", "c"),
        ("absent(x)", "abc"),
        ('absent(x{a="1",b=~"2",c=""})', "bc"),
        ('absent(x{a="1",a!="2"})', "abc"),
        ('absent(x{a="1" or b="2"})', "abc"),
        ('absent(sum(x{a="1"}))', "abc"),
        ('absent_over_time(x{a="1"}[5m])', "bc"),
        ("vector(5)", "abc"),
        ("hour()", "abc"),
        ("hour(sum by (a) (x))", "bc"),
        ("rate(x[5m])", ""),
        ("max_over_time(sum by (a) (x)[5m:])", "bc"),
        ("clamp_max(sum by (a) (x), 5)", "bc"),
        ("histogram_quantile(0.9, sum by (a, le) (x))", "bc"),
        ('label_replace(sum(x), "a", "$1", "b", "(.*)")', "bc"),
        ('label_join(sum(x), "a", "-", "b")', "bc"),
        ("info(sum(x))", ""),
        ("scalar(x) + sum by (a) (y)", "bc"),
        ('sort_by_label(sum by (a) (x), "a")', "bc"),
    ],
)
def test_a_label_is_gone_only_where_it_cannot_be(expr: str, gone: str) -> None:
    found = carried(tree(expr))
    assert "".join(label for label in "abc" if not found.may_have(label)) == gone
    assert found.may_have("__name__")


def test_le_is_gone_after_a_quantile() -> None:
    assert not carried(tree("histogram_quantile(0.9, x)")).may_have("le")


@pytest.mark.parametrize(
    ("expr", "why"),
    [
        ("sum(x)", "sum without a by clause keeps no label"),
        ("sum by (b) (x)", "sum by (b) keeps no other label"),
        ("sum without (a, b) (x)", "sum without (a, b) drops it"),
        ("sum without (b) (sum by (b) (x))", "sum by (b) keeps no other label"),
        ("histogram_quantile(0.9, sum by (le) (x))", "sum by (le) keeps no other label"),
        ("sum by (a) (sum by (b) (x))", "sum by (b) keeps no other label"),
        ("x / on (b) y", "on (b) keeps no other label"),
        ("x / ignoring (a) y", "ignoring (a) drops it"),
        ("x * on (b) group_left (a) sum by (b) (y)", "group_left (a) takes it from a side that does not have it"),
        ("absent(x)", "absent() has only the labels that its selector asks for with ="),
        ("vector(1)", "vector() has no labels"),
        ("5", "a number has no labels"),
        ('x{a=""}', 'the selector asks for it to be ""'),
        ("sum by (b) (x) or sum by (c) (x)", "sum by (b) keeps no other label"),
    ],
)
def test_what_dropped_a_label_is_named(expr: str, why: str) -> None:
    found = carried(tree(expr))
    assert not found.may_have("a")
    assert found.why("a") == why
