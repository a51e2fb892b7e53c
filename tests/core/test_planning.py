"""Questions put together and their answers taken apart; that a server agrees, tests/peers/test_planned_queries.py shows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core import batching, planning
from engine.core.alert import Sample
from engine.core.planning import Means, Question, Shared
from rules import promql
from rules.labels import Labels
from rules.query import Asked, question
from rules.rule import Condition, MissingSeries, Rule

NOW = datetime(2026, 1, 1, tzinfo=UTC)
VALUES = [-1.0, -0.0, 0.0, 1.0, 1.5, 2.0, math.inf, -math.inf, math.nan]


def ask(rule_id: str, expr: str, *, alone: str = "", missing: MissingSeries = MissingSeries.RESOLVE) -> Question:
    rule = Rule(id=rule_id, name="n", expr=expr, missing_series=missing)
    return Question.of(rule_id, question(rule, (), since=NOW, until=NOW), alone=alone)


def together(*questions: Question, pieces: int = 1) -> tuple[Shared, ...]:
    [key] = {planning.group_key(one) for one in questions}
    return planning.shared(key, questions, pieces=pieces)


def sample(value: float, **labels: str) -> Sample:
    return Sample(labels=Labels(labels), value=value)


def found(query: Shared, *samples: Sample) -> Mapping[str, Sequence[Sample]]:
    answered = planning.answers(query, samples)
    assert answered == planning.answers_plainly(query, samples)
    return answered


def test_one_left_side_is_asked_at_the_loosest_threshold_and_compared_here() -> None:
    [query] = together(ask("a", "m > 2"), ask("b", "m >= 1"), ask("c", "m > 1"), ask("d", "3 < m"))
    assert (query.text, query.means) == ("(m\n) >= 1", Means.SHARE)
    one, two = sample(1, i="x"), sample(2.5, i="y")
    assert found(query, one, two) == {"a": [two], "b": [one, two], "c": [two]}


def test_what_is_below_is_asked_at_the_highest_threshold() -> None:
    [query] = together(ask("a", "m < 2"), ask("b", "m <= 2"), ask("c", "m < 1"))
    assert query.text == "(m\n) <= 2"
    two, less = sample(2), sample(0.5, i="x")
    assert found(query, two, less) == {"a": [less], "b": [two, less], "c": [less]}


def test_the_same_text_is_asked_as_it_is_written() -> None:
    [query] = together(ask("a", "m  > 2 # why"), ask("b", "m  > 2 # why"))
    assert query.text == "m  > 2 # why"
    assert found(query, sample(3)) == {"a": [sample(3)], "b": [sample(3)]}


def test_rules_for_several_values_are_one_query_cut_by_the_label() -> None:
    [query] = together(ask("a", 'm{s="a"} > 1'), ask("b", 'm{s="b"} > 2'), ask("c", 'm{s="b"} > 3'))
    assert (query.text, query.means) == ('(m{s=~"a|b"}\n) > 1', Means.UNION)
    a, b, other = sample(1.5, s="a"), sample(2.5, s="b"), sample(9, s="z")
    assert found(query, a, b, other) == {"a": [a], "b": [b]}


def test_a_label_that_was_added_to_an_aggregation_is_dropped_again() -> None:
    [query] = together(ask("a", 'max by (i) (m{s="a"}) > 1'), ask("b", 'max by (i) (m{s="b"}) > 2'))
    assert query.text == '(max by (s, i) (m{s=~"a|b"})\n) > 1'
    assert found(query, sample(3, s="b", i="x")) == {"b": [sample(3, i="x")]}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(ask("a", "m > 1"), ask("b", "m < 1"), id="directions"),
        pytest.param(ask("a", "m == 1"), ask("b", "m == 2"), id="equality with different numbers"),
        pytest.param(ask("a", "m > 1"), ask("b", "m > 1", missing=MissingSeries.KEEP), id="the whole left side"),
        pytest.param(ask("a", 'sum(m{s="a"}) == 1'), ask("b", 'sum(m{s="b"}) == 1'), id="equality of widened sums"),
        pytest.param(ask("a", "m > 1"), ask("b", "n > 1"), id="metrics"),
        pytest.param(ask("a", "m > 1", alone="why"), ask("b", "m > 1", alone="why"), id="alone"),
    ],
)
def test_what_is_not_the_same_is_not_asked_together(one: Question, other: Question) -> None:
    assert planning.group_key(one) != planning.group_key(other)


def test_equality_is_left_to_the_server() -> None:
    assert together(ask("a", "up == 0"))[0].means is Means.ALONE
    [query] = together(ask("a", 'up{job="a"} == 0'), ask("b", 'up{job="b"} == 0'))
    assert query.text == '(up{job=~"a|b"}\n) == 0'
    assert found(query, sample(0, job="b")) == {"b": [sample(0, job="b")]}


def test_whole_left_sides_go_together_whatever_the_thresholds() -> None:
    one = ask("a", 'm{s="a"} > 1', missing=MissingSeries.KEEP)
    [query] = together(one, ask("b", 'm{s="b"} < 2', missing=MissingSeries.KEEP))
    assert query.text == 'm{s=~"a|b"}'
    assert not query.batchable
    quiet = sample(math.nan, s="a")
    assert found(query, quiet) == {"a": [quiet]}


def test_a_scalar_is_made_a_vector() -> None:
    asked = [
        Asked(text=f"vector(time()\n) > {n}", lhs="time()", condition=Condition.ABOVE, bound=float(n)) for n in (1, 2)
    ]
    [query] = together(*(Question.of(str(number), one) for number, one in enumerate(asked)))
    assert query.text == "vector(time()\n) > 1"
    assert not query.batchable


def test_without_planning_only_the_same_text_is_one_query() -> None:
    keys = {
        planning.group_key(ask(name, expr), together=False)
        for name, expr in [("a", "m > 1"), ("b", "m > 1"), ("c", "m > 2")]
    }
    assert len(keys) == 2


def test_rules_that_differ_in_two_labels_are_not_asked_for_all_combinations() -> None:
    few = [ask(f"{s}{z}", f'm{{s="{s}",z="{z}"}} > 1') for s in "abc" for z in "xy"]
    assert [query.labels for query in together(*few)] == [("s", "z")]
    diagonal = [ask(str(n), f'm{{s="{n}",z="{n % 3}",q="{n}"}} > 1') for n in range(20)]
    queries = together(*diagonal)
    assert sorted(len(query.questions) for query in queries) == [1] * 20 or sum(len(q.questions) for q in queries) == 20
    assert len({query.key for query in queries}) == len(queries)


def test_a_query_that_would_be_too_long_is_several() -> None:
    long = "v" * 1000
    queries = together(*(ask(str(n), f'm{{s="{long}{n}"}} > 1') for n in range(400)))
    assert len(queries) == 2
    assert all(len(query.text) < planning.MAX_BYTES for query in queries)


def test_a_query_can_be_asked_in_pieces() -> None:
    queries = together(*(ask(str(n), f"m > {n}") for n in range(5)), pieces=2)
    assert [len(query.questions) for query in queries] == [3, 2]
    assert len({query.key for query in queries}) == 2
    assert {planning.group_of(query.key) for query in queries} == {queries[0].key}


def test_an_answer_with_more_than_was_asked_for_gives_nobody_more() -> None:
    [query] = together(ask("a", "m > 2"), ask("b", "m > 1"))
    assert found(query) == {}
    assert found(query, sample(1), sample(math.nan), sample(1.5)) == {"b": [sample(1.5)]}


def test_different_queries_ride_in_one_batch_and_are_told_apart() -> None:
    first, second, third = (together(ask(name, f"{name} > 1"))[0] for name in ("m", "n", "o"))
    [request] = batching.requests([first, second, third])
    assert request.text.count("label_replace") == 3
    assert request.text.count("\nor ") == 2
    promql.check(request.text)
    answer = [Sample(labels=Labels({"i": "1", batching.RESERVED: second.tag}), value=2), sample(3, i="1")]
    told = batching.unbatched(request, answer)
    assert told == {second.key: [sample(2, i="1")]}


def test_who_may_not_ride_in_a_batch_is_asked_alone() -> None:
    queries = [together(ask(name, f"{name} > 1"))[0] for name in ("m", "n", "o")]
    assert len(batching.requests(queries, batch=1)) == 3
    assert len(batching.requests(queries, apart={queries[0].key})) == 2
    assert [len(one.parts) for one in batching.requests(queries, batch=2)] == [2, 1]
    many = [together(ask(name, f"m{name} > 1"))[0] for name in map(str, range(62))]
    assert [len(one.parts) for one in batching.requests(many, batch=30)] == [21, 21, 20]
    [alone] = batching.requests(queries[:1])
    assert alone.text == queries[0].text
    assert batching.unbatched(alone, [sample(1)]) == {queries[0].key: [sample(1)]}
    assert batching.unbatched(alone, []) == {}


def test_what_cannot_be_looked_at_is_not_put_in_a_batch() -> None:
    long = "m" * 5000
    [query] = together(Question.of("a", Asked(text=long, lhs=long)))
    assert not query.batchable


CONDITIONS = st.sampled_from([Condition.ABOVE, Condition.AT_LEAST])
BELOW = st.sampled_from([Condition.BELOW, Condition.AT_MOST])
NUMBERS = st.sampled_from([value for value in VALUES if not math.isnan(value)])


@given(st.data(), st.booleans(), st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(VALUES)), max_size=8))
def test_answers_are_those_of_each_question_by_itself(
    data: st.DataObject, above: bool, series: list[tuple[str, float]]
) -> None:
    wanted = data.draw(
        st.lists(st.tuples(st.sampled_from("abc"), CONDITIONS if above else BELOW, NUMBERS), min_size=1, max_size=9)
    )
    questions = [
        ask(f"r{n}", f'm{{s="{service}"}} {condition} {promql.number(bound)}')
        for n, (service, condition, bound) in enumerate(wanted)
    ]
    samples = [sample(value, s=service, i=str(n)) for n, (service, value) in enumerate(series)]
    for query in together(*questions):
        if query.labels or query.sign:
            answered, plainly = planning.answers(query, samples), planning.answers_plainly(query, samples)
            assert {name: [one.labels for one in got] for name, got in answered.items()} == {
                name: [one.labels for one in got] for name, got in plainly.items()
            }
