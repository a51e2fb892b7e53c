"""Rules as a rule file: what comes out reads back as the same rules, and what is lost is said."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.formats.prometheus_export import export
from rules.formats.prometheus_yaml import parse
from rules.labels import METRIC_NAME, SEVERITY, LabelTexts
from rules.rule import Condition, MissingSeries, NoData, OnError, Rule

words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0{"), max_size=20)
names = words.filter(lambda word: bool(word.strip()) and word != METRIC_NAME)
spans = st.integers(0, 10**9).map(lambda count: timedelta(milliseconds=count))
exprs = st.sampled_from(["up > 1", "  sum(x)\n\n  > 3 # high\n", "\n\tup == 0", 'up{a="ü\\n"} > 1\n\n', "up\r\n > 2"])
groups = st.tuples(st.none() | spans.filter(bool), st.none() | spans, st.integers(0, 2**31 - 1))


def _without_severity(labels: dict[str, str]) -> LabelTexts:
    return LabelTexts({name: text for name, text in labels.items() if name != SEVERITY})


rules_of_a_group = st.lists(
    st.builds(
        Rule,
        id=names,
        name=names,
        expr=exprs,
        hold=spans,
        keep_firing_for=spans,
        severity=words,
        labels=st.dictionaries(names, words, max_size=3).map(_without_severity),
        annotations=st.dictionaries(names, words, max_size=3),
    ),
    max_size=3,
)


@st.composite
def declared(draw: st.DrawFn) -> list[Rule]:
    rules: list[Rule] = []
    for name in draw(st.lists(names, max_size=3, unique=True)):
        interval, offset, limit = draw(groups)
        common = Rule(id="", name="", group=name, interval=interval, query_offset=offset, limit=limit)
        rules += [_in_group(rule, common) for rule in draw(rules_of_a_group)]
    return rules


def _in_group(rule: Rule, group: Rule) -> Rule:
    return replace(rule, group=group.group, interval=group.interval, query_offset=group.query_offset, limit=group.limit)


def exported(*rules: Rule, **thresholds: int) -> str:
    return "".join(export(rules, thresholds))


RULE = Rule(id="one", name="HighCpu", group="g", expr="up > 1")


@settings(max_examples=60)
@given(declared())
def test_what_is_exported_is_read_back_as_it_was(rules: list[Rule]) -> None:
    found = parse(exported(*rules))
    assert found.errors == ()
    assert sorted(found.rules, key=repr) == sorted((replace(rule, id="") for rule in rules), key=repr)


def test_a_rule_file_is_written_for_people_to_read() -> None:
    rule = replace(
        RULE,
        expr="sum(up)\n  > 1\n",
        interval=timedelta(seconds=30),
        query_offset=timedelta(0),
        limit=5,
        hold=timedelta(minutes=5),
        keep_firing_for=timedelta(minutes=1),
        severity="critical",
        labels=LabelTexts({"team": "db"}),
        annotations={"summary": "on: {{ $value }}"},
    )
    assert (
        exported(rule)
        == """\
# Alerting rules of Tocsin. Comments name what a rule file cannot say.
groups:
  - name: g
    interval: 30s
    query_offset: 0s
    limit: 5
    rules:
      - alert: HighCpu
        expr: |
          sum(up)
            > 1
        for: 5m
        keep_firing_for: 1m
        labels:
          team: db
          severity: critical
        annotations:
          summary: 'on: {{ $value }}'
"""
    )


def test_a_metric_and_its_threshold_become_an_expr() -> None:
    rule = Rule(id="one", name="a", metric_name="up", condition=Condition.BELOW, threshold=1.0)
    (found,) = parse(exported(rule)).rules
    assert (found.group, found.expr) == ("tocsin", "(up\n) < 1")


def test_rules_of_one_group_with_other_settings_make_a_group_of_their_own() -> None:
    text = exported(RULE, replace(RULE, name="b", limit=5), replace(RULE, name="c", limit=7))
    assert [(rule.name, rule.group, rule.limit) for rule in parse(text).rules] == [
        ("HighCpu", "g", 0),
        ("b", "g (2)", 5),
        ("c", "g (3)", 7),
    ]
    assert "# Rules of the group 'g', which may stand in a file only once.\n  - name: g (2)\n" in text


@pytest.mark.parametrize(
    ("rule", "lost"),
    [
        (replace(RULE, notification_channels=("slack", "mail")), "notification_channels 'slack, mail'"),
        (replace(RULE, no_data=NoData.ALERT), "no_data 'alert'"),
        (replace(RULE, missing_series=MissingSeries.KEEP), "missing_series 'keep'"),
        (replace(RULE, on_error=OnError.OK), "on_error 'ok'"),
        (replace(RULE, datasource="other"), "datasource 'other'"),
        (replace(RULE, team="a\nb"), "team 'a\\nb'"),
        (replace(RULE, hold=timedelta(microseconds=1500)), "for of 0.0015 s, cut to whole milliseconds"),
        (replace(RULE, interval=timedelta(microseconds=1)), "interval of 1e-06 s, cut to whole milliseconds"),
    ],
    ids=["channels", "no_data", "missing_series", "on_error", "datasource", "team", "for", "interval"],
)
def test_what_a_file_cannot_say_is_named_above_the_rule(rule: Rule, lost: str) -> None:
    text = exported(rule)
    assert f"      # Lost: {lost}.\n      - alert: HighCpu\n" in text
    assert [found.name for found in parse(text).rules] == ["HighCpu"]


@pytest.mark.parametrize(("count", "said"), [(1, "1 threshold row"), (2, "2 threshold rows")], ids=["one", "two"])
def test_threshold_rows_are_counted(count: int, said: str) -> None:
    assert f"# Lost: {said}.\n" in exported(RULE, one=count)


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        (replace(RULE, enabled=False), "is disabled, and a rule file has no word for that"),
        (replace(RULE, expr="sum("), "cannot be evaluated: 'sum(' is not PromQL"),
    ],
    ids=["disabled", "broken"],
)
def test_a_rule_that_would_mean_something_else_is_left_out_with_a_word(rule: Rule, why: str) -> None:
    text = exported(rule, replace(RULE, name="good"))
    assert f"# Left out: 'HighCpu' (id 'one'), for it {why}" in text
    assert [found.name for found in parse(text).rules] == ["good"]


def test_no_rules_make_a_file_without_groups() -> None:
    assert parse(exported()).rules == ()
