"""The bounds on templates: how large a value is, and how many steps a template gets."""

import pytest
from gotpl import BudgetExceededError
from hypothesis import given
from hypothesis import strategies as st

from rules.template_budget import MAX_PATTERNS, MAX_VALUE, Samples, Spending, budget, check_widths, weigh


@pytest.mark.parametrize(
    ("value", "weight"),
    [
        pytest.param("", 1, id="an empty text"),
        pytest.param("abc", 4, id="a text"),
        pytest.param(5, 1, id="a number"),
        pytest.param(["ab", "c"], 6, id="a list"),
        pytest.param(("ab",), 4, id="a tuple"),
        pytest.param({"a": "bc"}, 6, id="a mapping"),
        pytest.param(Samples([{"Labels": {"a": "b" * 1000}}] * 5), 6, id="the answer of a query weighs one per series"),
    ],
)
def test_a_value_weighs_its_characters_and_parts(value: object, weight: int) -> None:
    assert weigh(value) == weight


def test_a_shared_part_weighs_each_time_and_a_giant_is_not_walked_through() -> None:
    value: object = "a"
    for _ in range(60):
        value = {"arg0": value, "arg1": value}
    assert MAX_VALUE < weigh(value) < 2 * MAX_VALUE


def test_a_value_that_has_grown_too_large_is_refused() -> None:
    spending = Spending()
    spending.charge("a" * (MAX_VALUE - 2))
    with pytest.raises(BudgetExceededError, match="grown beyond 65536 characters"):
        spending.charge("a" * MAX_VALUE)


def test_work_adds_up() -> None:
    spending = Spending()
    for _ in range(20):
        spending.charge("a" * 49_000)
    with pytest.raises(BudgetExceededError, match="more than 1000000 characters in all"):
        spending.charge("a" * 49_000)


def test_the_same_regex_counts_once() -> None:
    spending = Spending()
    for _ in range(2):
        for number in range(MAX_PATTERNS):
            spending.charge_pattern(str(number), "")
    with pytest.raises(BudgetExceededError, match="20 different regexes"):
        spending.charge_pattern("one more", "")


@pytest.mark.parametrize(
    ("layout", "values"),
    [
        ("", ()),
        ("%999d 1000 %.3f %%", (1,)),
        ("%*d", (999, 1)),
        ("100000 %s", (100_000,)),
        ("%[1]s", ("a",)),
    ],
)
def test_a_modest_printf_is_let_through(layout: str, values: tuple[object, ...]) -> None:
    check_widths(layout, values)


@pytest.mark.parametrize(
    ("layout", "values"),
    [
        ("%1000d", (1,)),
        ("%-+ #01000d", (1,)),
        ("%.1000f", (1.0,)),
        ("%5.[1]*f", (1000,)),
        ("%*d", (-1000, 1)),
        ("%[1000]d", (1,)),
    ],
)
def test_a_printf_that_pads_to_a_giant_is_refused(layout: str, values: tuple[object, ...]) -> None:
    with pytest.raises(BudgetExceededError, match="printf may pad to 999 characters at most"):
        check_widths(layout, values)


def test_a_usual_template_gets_plenty() -> None:
    limits = budget("{{ range query }}" + "x" * 83 + "{{ end }}")
    assert (limits.max_iterations, limits.max_template_depth) == (9174, 50)


@given(st.integers(min_value=0, max_value=800), st.integers(min_value=0, max_value=3000))
def test_iterations_times_executions_times_length_stay_bounded(calls: int, padding: int) -> None:
    template = '{{ template "a" }}' * calls + "x" * padding
    limits = budget(template)
    assert limits.max_iterations is not None
    assert limits.max_template_depth is not None
    assert limits.max_iterations >= 1
    if limits.max_template_depth > 1:
        assert limits.max_iterations * max(1, calls) ** limits.max_template_depth * len(template) <= 1_000_000
