"""What an expression can be cut by, and what it looks like for several values; that it is right, a real Prometheus shows."""

from __future__ import annotations

import pytest

from rules.partition import partition
from rules.widening import alternatives


@pytest.mark.parametrize(
    ("text", "widened"),
    [
        pytest.param('m{s="a"}', 'm{s=~"x|y"}', id="selector"),
        pytest.param("{__name__='m', s='a'}", "{__name__='m', s=~\"x|y\"}", id="name in braces"),
        pytest.param('{"m.x", s="a"}', '{"m.x", s=~"x|y"}', id="quoted name"),
        pytest.param('m{s="a"} offset -5m', 'm{s=~"x|y"} offset -5m', id="offset"),
        pytest.param('m{s="a"} @ end()', 'm{s=~"x|y"} @ end()', id="at the end"),
        pytest.param('m{s="a"} @ -1.5', 'm{s=~"x|y"} @ -1.5', id="at an instant"),
        pytest.param('rate(m{s="a"}[5m])', 'rate(m{s=~"x|y"}[5m])', id="rate"),
        pytest.param('-m{s="a"} ^ 2 ^ +2', '-m{s=~"x|y"} ^ 2 ^ +2', id="signs and powers"),
        pytest.param('(m{s="a"}) # why', '(m{s=~"x|y"}) # why', id="brackets and a comment"),
        pytest.param('time() - m{s="a"}', 'time() - m{s=~"x|y"}', id="a scalar beside it"),
        pytest.param('max_over_time(m{s="a"}[1h:1m])', 'max_over_time(m{s=~"x|y"}[1h:1m])', id="subquery"),
        pytest.param('m{s="a",q!="b",s=~".+"}', 'm{s=~"x|y",q!="b",s=~".+"}', id="other matchers stay"),
        pytest.param('sum by (s) (m{s="a"})', 'sum by (s) (m{s=~"x|y"})', id="aggregated by it"),
        pytest.param('count without (i) (m{s="a"})', 'count without (i) (m{s=~"x|y"})', id="without another"),
        pytest.param('m{s="a"} / n{s="a"}', 'm{s=~"x|y"} / n{s=~"x|y"}', id="ratio"),
        pytest.param(
            'm{s="a"} / on(s) group_left n{s="a"}', 'm{s=~"x|y"} / on(s) group_left n{s=~"x|y"}', id="no list"
        ),
        pytest.param('m{s="a"} and on(s) n{s="a"}', 'm{s=~"x|y"} and on(s) n{s=~"x|y"}', id="on it"),
        pytest.param('m{s="a"} and on() n{s="a"}', 'm{s=~"x|y"} and on(s) n{s=~"x|y"}', id="on nothing"),
        pytest.param(
            'm{s="a"} / on(i) group_left("q") n{s="a"}',
            'm{s=~"x|y"} / on(s, i) group_left("q") n{s=~"x|y"}',
            id="many to one",
        ),
        pytest.param(
            'm{s="a"} / on(i) group_left (n{s="a"})',
            'm{s=~"x|y"} / on(s, i) group_left (n{s=~"x|y"})',
            id="an operand in brackets",
        ),
        pytest.param(
            'm{s="a"} > bool ignoring(i) n{s="a"}', 'm{s=~"x|y"} > bool ignoring(i) n{s=~"x|y"}', id="ignoring another"
        ),
        pytest.param(
            'histogram_quantile(0.9, m{s="a"})', 'histogram_quantile(0.9, m{s=~"x|y"})', id="a histogram of its own"
        ),
    ],
)
def test_a_label_that_survives_cuts_the_result(text: str, widened: str) -> None:
    found = partition(text)
    assert (found.values, found.dropped, found.obstacle) == ({"s": "a"}, frozenset(), "")
    assert found.widened({"s": ["x", "y"]}) == widened
    assert found.widened({}) == text


@pytest.mark.parametrize(
    ("text", "widened"),
    [
        pytest.param('sum(m{s="a"})', 'sum by (s) (m{s=~"x|y"})', id="no list"),
        pytest.param('sum(m{s="a"}) by ()', 'sum(m{s=~"x|y"}) by (s)', id="an empty list behind it"),
        pytest.param('avg by (i) (m{s="a"})', 'avg by (s, i) (m{s=~"x|y"})', id="a list before it"),
        pytest.param('quantile by (i) (0.5, m{s="a"})', 'quantile by (s, i) (0.5, m{s=~"x|y"})', id="with a parameter"),
        pytest.param(
            'sum(m{s="a"}) / sum(n{s="a"})', 'sum by (s) (m{s=~"x|y"}) / sum by (s) (n{s=~"x|y"})', id="ratio of sums"
        ),
        pytest.param('m{s="a"} * on(i) n{s="a"}', 'm{s=~"x|y"} * on(s, i) n{s=~"x|y"}', id="one to one on another"),
        pytest.param(
            'sum(m{s="a"}) * on() group_right() sum by (i) (n{s="a"})',
            'sum by (s) (m{s=~"x|y"}) * on(s) group_right() sum by (s, i) (n{s=~"x|y"})',
            id="one to many",
        ),
        pytest.param('sum(max by (s) (m{s="a"}))', 'sum by (s) (max by (s) (m{s=~"x|y"}))', id="aggregated twice"),
    ],
)
def test_a_label_that_would_be_summed_away_is_kept_and_dropped_later(text: str, widened: str) -> None:
    found = partition(text)
    assert (found.values, found.dropped) == ({"s": "a"}, frozenset({"s"}))
    assert found.widened({"s": ["x", "y"]}).replace("  ", " ") == widened


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("m", id="nothing asked for"),
        pytest.param('m{s=""}', id="the empty value"),
        pytest.param('m{s="a",s="a"}', id="asked for twice"),
        pytest.param('m{s=~"a"}', id="a regex"),
        pytest.param('m{"s.x"="a"}', id="a name that needs quotes"),
        pytest.param('m{s="a"} / n', id="one selector asks for everything"),
        pytest.param('m{s="a"} / n{s="b"}', id="two values"),
        pytest.param('sum without (s) (m{s="a"})', id="summed away by name"),
        pytest.param('m{s="a"} / ignoring(s) n{s="a"}', id="ignored by name"),
        pytest.param('m{s="a"} / sum(n{s="a"})', id="on one side only"),
        pytest.param('m{s="a"} or on(i) sum by (i) (n{s="a"})', id="on one side of or"),
        pytest.param('sum(m{s="a"}) / on(s) n{s="a"}', id="compared where one side lacks it"),
        pytest.param('m{s="a"} / on(i) group_left(s) n{s="a"}', id="taken over from the other side"),
        pytest.param('sum(m{s="a"}) == 1', id="equality of a sum within"),
        pytest.param('histogram_quantile(0.9, m{le="a"})', id="the buckets' own label"),
        pytest.param('topk(1, m{s="a"})', id="topk"),
        pytest.param('absent(m{s="a"})', id="absent"),
        pytest.param('label_replace(m{s="a"}, "s", "b", "", "")', id="label_replace"),
        pytest.param('abs(vector(1)) + m{s="a"}', id="vector"),
        pytest.param("day_of_month()", id="a function of nothing"),
        pytest.param("1 + 2", id="scalar"),
        pytest.param("sum(1, 2)", id="sum of scalars"),
        pytest.param("sum()", id="sum of nothing"),
        pytest.param("(m", id="a bracket left open"),
        pytest.param("m)", id="a bracket too many"),
        pytest.param("m offset x", id="no offset"),
        pytest.param("m @ start m", id="no call"),
        pytest.param("m{s}", id="no matcher"),
        pytest.param("m{s=", id="the end of a matcher"),
        pytest.param('m{s="\\q"}', id="a string nobody reads"),
        pytest.param("sum by (1) (m)", id="no label"),
        pytest.param("m + *", id="no operand"),
        pytest.param("m{s='a'", id="braces left open"),
        pytest.param("m" * 5000, id="too long"),
    ],
)
def test_what_is_not_proven_is_not_taken_apart_and_says_why(text: str) -> None:
    found = partition(text)
    assert found.values == {}
    assert found.obstacle


def test_a_widened_sum_is_not_compared_for_equality() -> None:
    assert partition('sum(m{s="a"})', exact=True).values == {}
    assert partition('max(m{s="a"})', exact=True).values == {"s": "a"}


def test_expressions_that_differ_in_values_have_the_same_key() -> None:
    one, other = partition('sum(m{s="a", i = "1"})'), partition("sum(m{s='b',i='2'})  # too")
    assert one.key == other.key
    assert one.selectors == 2
    assert one.widened({"s": ["a", "b"], "i": ["1"]}).replace("  ", " ") == 'sum by (i, s) (m{s=~"a|b", i =~"1"})'
    assert partition('sum(m{s="a", j="1"})').key != one.key


def test_every_value_is_matched_as_it_is() -> None:
    assert alternatives(["a.b", "c|d", "é", "\\"]) == r"a\.b|c\|d|é|\\"
