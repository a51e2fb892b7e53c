"""Files of rule unit tests: what is read, and that each mistake is told at its place."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.errors import SeriesError
from rules.formats import series_notation
from rules.formats.rule_tests import (
    AlertTest,
    ExpectedAlert,
    ExpectedSample,
    ExprTest,
    InputSeries,
    RuleTest,
    RuleTestFile,
    parse,
)
from rules.formats.series_notation import Run
from rules.labels import Labels, LabelTexts

MINUTE = timedelta(minutes=1)
PLACES = (
    "HERE",
    "tests: [HERE]",
    "tests: [{start_timestamp: HERE}]",
    "tests: [{input_series: [{series: up, values: HERE}]}]",
    "tests: [{input_series: [{series: HERE, values: 1}]}]",
    "tests: [{promql_expr_test: [{expr: a, eval_time: HERE, exp_samples: [{labels: a, value: HERE}]}]}]",
)
FULL = """
rule_files: [a.yml, "b/*.yml"]
evaluation_interval: 30s
fuzzy_compare: true
group_eval_order: [two, one]
tests:
- name: everything
  interval: 15s
  input_series:
  - {series: 'up{a="b"}', values: 1 _ stale}
  alert_rule_test:
  - eval_time: 1m
    alertname: Down
    exp_alerts:
    - exp_labels: {a: b, n: 5}
      exp_annotations: {summary: ''}
  promql_expr_test:
  - expr: up > 0
    eval_time: 2m
    exp_samples:
    - {labels: '{}', value: 1e3}
  external_labels: {site: north}
  external_url: http://p
  start_timestamp: 2026-01-31T12:00:00+01:00
"""


def told(text: str) -> list[str]:
    return [str(flaw) for flaw in parse(text, "t.yml").flaws]


def a_test(text: str) -> str:
    return f"tests:\n- {text}\n"


def test_a_file_has_everything_it_says() -> None:
    assert parse(FULL) == RuleTestFile(
        rule_files=("a.yml", "b/*.yml"),
        evaluation_interval=timedelta(seconds=30),
        fuzzy_compare=True,
        group_eval_order=("two", "one"),
        tests=(
            RuleTest(
                name="everything",
                interval=timedelta(seconds=15),
                series=(
                    InputSeries(
                        labels=Labels({"__name__": "up", "a": "b"}),
                        runs=(Run(begin=0, length=1, first=1.0), Run(begin=2, length=1, first=None)),
                    ),
                ),
                alert_tests=(
                    AlertTest(
                        eval_time=MINUTE,
                        alertname="Down",
                        alerts=(
                            ExpectedAlert(
                                labels=LabelTexts({"a": "b", "n": "5", "alertname": "Down"}),
                                annotations=LabelTexts({"summary": ""}),
                            ),
                        ),
                        line=12,
                    ),
                ),
                expr_tests=(
                    ExprTest(
                        eval_time=2 * MINUTE,
                        expr="up > 0",
                        samples=(ExpectedSample(labels=Labels(), value=1000.0),),
                        line=18,
                    ),
                ),
                external_labels=Labels({"site": "north"}),
                external_url="http://p",
                start=datetime(2026, 1, 31, 11, tzinfo=UTC),
                line=7,
            ),
        ),
    )


def test_a_test_lasts_until_its_latest_expectation() -> None:
    assert [test.lasts for test in parse(FULL).tests] == [2 * MINUTE]
    assert parse(a_test("{name: nothing}")).tests[0].lasts == timedelta(0)


@pytest.mark.parametrize("text", ["", "{}", "tests:", "rule_files: ~"])
def test_what_is_left_out_has_its_default(text: str) -> None:
    assert parse(text) == RuleTestFile(evaluation_interval=MINUTE)


def test_a_tests_interval_is_that_of_the_evaluations_unless_given() -> None:
    assert parse("evaluation_interval: 5m\n" + a_test("{name: a}")).tests[0].interval == 5 * MINUTE


def test_start_timestamp_may_be_seconds() -> None:
    (test,) = parse(a_test("{start_timestamp: 1800000000.5}")).tests
    assert test.start == datetime(2027, 1, 15, 8, 0, 0, 500_000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "value"),
    [("5", 5.0), ("-1.5e3", -1500.0), (".inf", float("inf")), ("-.inf", float("-inf")), ("0x1F", 31.0)],
)
def test_a_value_is_a_number_as_yaml_writes_it(text: str, value: float) -> None:
    (test,) = parse(a_test(f"{{promql_expr_test: [{{expr: a, exp_samples: [{{labels: a, value: {text}}}]}}]}}")).tests
    assert test.expr_tests[0].samples[0].value == value


def test_a_missing_value_is_zero() -> None:
    (test,) = parse(a_test("{promql_expr_test: [{expr: a, exp_samples: [{labels: a}]}]}")).tests
    assert test.expr_tests[0].samples == (ExpectedSample(labels=Labels({"__name__": "a"}), value=0.0),)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tests: {}", "t.yml:1:8: tests is a mapping and not a list; begin each item with -"),
        ("test: []", "t.yml:1:1: the file: there is no field 'test'; known are rule_files, evaluation_interval, "),
        ("tests: []\ntests: []", "t.yml:2:1: the file: 'tests' is given already on line 1; keep one of them"),
        ("tests: [", "t.yml:2:1: is no YAML: "),
        ("evaluation_interval: 1.5m", "t.yml:1:22: evaluation_interval: '1.5m' is not a duration"),
        ("fuzzy_compare: maybe", "t.yml:1:16: fuzzy_compare is 'maybe'; give true or false"),
        ("fuzzy_compare: 'true'", "t.yml:1:16: fuzzy_compare is 'true'; give true or false"),
        ("group_eval_order: [a, a]", "t.yml:1:19: group_eval_order names a group twice; keep one of them"),
        (a_test("{nme: a}"), "t.yml:2:4: test 1: there is no field 'nme'"),
        (a_test("{input_series: [{values: 1}]}"), "t.yml:2:19: test 1: series: '' is no series"),
        (a_test("{input_series: [{series: up, values: 1 x}]}"), "t.yml:2:40: test 1: values: 'x' is no value"),
        (a_test("{input_series: [{series: {a: b}}]}"), "t.yml:2:28: test 1: series: '' is no series"),
        (
            a_test("{name: n, input_series: [{series: h, values: '{{sum:1}}'}]}"),
            "t.yml:2:48: test 1 (n): values: native histograms are not supported",
        ),
        (a_test("{alert_rule_test: [{eval_time: 1m}]}"), "t.yml:2:22: test 1: alertname is missing"),
        (
            a_test("{alert_rule_test: [{alertname: a, eval_time: soon}]}"),
            "t.yml:2:48: test 1: eval_time: 'soon' is not a",
        ),
        (
            a_test("{promql_expr_test: [{eval_time: 1m}]}"),
            "t.yml:2:23: test 1: expr is missing; give the PromQL to ask",
        ),
        (
            a_test("{promql_expr_test: [{expr: a, exp_samples: [{labels: a, value: '1'}]}]}"),
            "t.yml:2:66: test 1: value is '1'; give a number, such as 0.5, .inf or .nan",
        ),
        (
            a_test("{promql_expr_test: [{expr: a, exp_samples: [{labels: a, value: ._}]}]}"),
            "t.yml:2:66: test 1: value is '._'; give a number",
        ),
        (
            a_test("{promql_expr_test: [{expr: a, exp_samples: [{labels: a, histogram: '{{}}'}]}]}"),
            "t.yml:2:70: test 1: histogram: native histograms are not supported",
        ),
        (
            a_test("{promql_expr_test: [{expr: a, exp_samples: [{labels: a, value: 0x" + "f" * 400 + "}]}]}"),
            "t.yml:2:66: test 1: value is '0xfff",
        ),
        (
            a_test("{alert_rule_test: [{alertname: a, eval_time: 2y}]}"),
            "t.yml:2:3: test 1: evaluates more than 1000000 times; give a longer evaluation_interval, or an earlier",
        ),
        (a_test("{start_timestamp: '2201-01-01T00:00:00Z'}"), "t.yml:2:21: test 1: start_timestamp is '2201-01-01T00"),
        (a_test("{start_timestamp: '0001-01-01T00:00:00+23:00'}"), "t.yml:2:21: test 1: start_timestamp is '0001-01-"),
        (a_test("{start_timestamp: noon}"), "t.yml:2:21: test 1: start_timestamp is 'noon'; give seconds since 1970"),
        (a_test("{start_timestamp: '2026-01-01T00:00:00'}"), "t.yml:2:21: test 1: start_timestamp is '2026-01-01T00:"),
    ],
)
def test_a_mistake_is_told_at_its_place(text: str, message: str) -> None:
    found = told(text)
    assert found
    assert found[0].startswith(message)
    assert parse(text).errors
    assert parse(text).tests == ()


def test_a_series_given_twice_is_a_warning_and_the_last_counts() -> None:
    file = parse(a_test("{input_series: [{series: up, values: 1}, {series: 'up{}', values: 2}]}"))
    assert [str(flaw) for flaw in file.flaws] == [
        'tests.yml:2:44: warning: test 1: the series {__name__="up"} is given twice; only the last counts, so drop the others'
    ]
    assert [series.runs[0].first for series in file.tests[0].series] == [2.0]


@given(st.text(alphabet=st.sampled_from("{}[]:,-+x_ .\n'\"0159aefilnstuv"), max_size=40), st.sampled_from(PLACES))
def test_any_text_anywhere_is_read_or_told(text: str, place: str) -> None:
    file = parse(place.replace("HERE", text))
    assert isinstance(file, RuleTestFile)


@given(st.text(alphabet=st.sampled_from("{}=,\"'`~! \\abx_:019+-.einfsta"), max_size=40))
def test_any_text_is_a_series_or_refused(text: str) -> None:
    for read in (series_notation.labels, series_notation.values):
        with suppress(SeriesError):
            read(text)
