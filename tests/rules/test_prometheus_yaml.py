"""Prometheus rule files: what is read, and that each mistake is told at its place."""

from __future__ import annotations

from datetime import timedelta

import pytest

from rules.formats import yaml_text
from rules.formats.prometheus_yaml import RuleFile, parse
from rules.labels import LabelTexts
from rules.rule import Rule

FULL = """
groups:
  - name: hosts
    interval: 30s
    query_offset: 1m
    limit: 5
    labels: {team: db, severity: info, site: north}
    rules:
      - alert: HighCpu
        expr: |
          avg by (team) (cpu) > 80
        for: 5m
        keep_firing_for: 10m
        labels:
          severity: critical
          team: "{{ $labels.team }}"
        annotations:
          summary: "at {{ $value }}"
"""


def group(rules: str) -> str:
    return f"groups:\n- name: g\n  rules:\n  - {rules}\n"


def told(text: str) -> list[str]:
    return [str(flaw) for flaw in parse(text, "f.yml").flaws]


def test_a_rule_has_everything_its_group_and_itself_say() -> None:
    assert parse(FULL) == RuleFile(
        rules=(
            Rule(
                id="",
                name="HighCpu",
                group="hosts",
                expr="avg by (team) (cpu) > 80\n",
                hold=timedelta(minutes=5),
                keep_firing_for=timedelta(minutes=10),
                interval=timedelta(seconds=30),
                query_offset=timedelta(minutes=1),
                limit=5,
                severity="critical",
                labels=LabelTexts({"team": "{{ $labels.team }}", "site": "north"}),
                annotations={"summary": "at {{ $value }}"},
            ),
        )
    )


def test_a_severity_that_is_a_template_stays_a_label() -> None:
    (rule,) = parse(group("{alert: a, expr: up > 1, labels: {severity: '{{ $value }}'}}")).rules
    assert (rule.severity, rule.labels) == ("", LabelTexts({"severity": "{{ $value }}"}))


NOTHING = ["", "{}", "groups:", "groups: []", "groups: [~]", "groups: [{name: a}]", "~", "# only a comment"]


@pytest.mark.parametrize("text", NOTHING)
def test_a_file_may_declare_nothing(text: str) -> None:
    assert parse(text) == RuleFile()


@pytest.mark.parametrize(
    ("limit", "kept"), [("-3", 0), ("0", 0), ("null", 0), ("7", 7)], ids=["negative", "zero", "null", "seven"]
)
def test_a_limit_below_one_is_none(limit: str, kept: int) -> None:
    text = f"groups: [{{name: g, limit: {limit}, rules: [{{alert: a, expr: up > 1}}]}}]"
    assert [rule.limit for rule in parse(text).rules] == [kept]


def test_nothing_and_null_leave_the_defaults() -> None:
    text = "groups: [{name: g, interval: 0s, query_offset: null, rules: [{alert: a, expr: up > 1, for: , labels: ~}]}]"
    (rule,) = parse(text).rules
    assert (rule.interval, rule.query_offset, rule.hold, rule.labels) == (None, None, timedelta(0), LabelTexts())


def test_an_offset_of_nothing_overrules_the_engine_s() -> None:
    text = "groups: [{name: g, query_offset: 0s, rules: [{alert: a, expr: up > 1}]}]"
    assert [rule.query_offset for rule in parse(text).rules] == [timedelta(0)]


def test_anchors_and_merged_keys_are_written_out_and_a_key_of_its_own_wins() -> None:
    text = """
groups:
- name: g
  rules:
  - &base {alert: a, expr: up > 1, labels: &labels {team: db}}
  - {<<: *base, alert: b}
  - {<<: [{alert: c}, *base], labels: {<<: *labels, site: x}}
"""
    found = [(rule.name, rule.expr, dict(rule.labels)) for rule in parse(text).rules]
    assert found == [
        ("a", "up > 1", {"team": "db"}),
        ("b", "up > 1", {"team": "db"}),
        ("c", "up > 1", {"site": "x", "team": "db"}),
    ]


MISTAKES = {
    "no mapping": ("[]", "f.yml:1:1: the file is a list and not a mapping"),
    "unknown at the top": ("grups: []", "f.yml:1:1: the file: there is no field 'grups'; known are groups"),
    "groups no list": ("groups: x", "f.yml:1:9: groups is a text and not a list; begin each item with -"),
    "name missing": ("groups: [{rules: []}]", "f.yml:1:10: group 1: the name is empty; give the group one"),
    "name twice": (
        "groups: [{name: a}, {name: a}]",
        "f.yml:1:28: group 'a': the name is there twice in this file; rename one of the groups",
    ),
    "key twice": (
        "groups: []\ngroups: []",
        "f.yml:2:1: the file: 'groups' is given already on line 1; keep one of them",
    ),
    "key a list": ("groups: [{name: a, [x]: 1}]", "f.yml:1:20: group 1: a list cannot be a name"),
    "both": (
        group("{alert: a, record: b, expr: up > 1}"),
        "f.yml:4:24: group 'g': rule 1 (a): both alert and record are given; keep one",
    ),
    "neither": (group("{expr: up}"), "f.yml:4:5: group 'g': rule 1: neither alert nor record is given"),
    "no expr": (
        group("{alert: a}"),
        "f.yml:4:5: group 'g': rule 1 (a): expr is missing; give the PromQL to evaluate",
    ),
    "a list for a text": (group("{alert: a, expr: [up]}"), "group 'g': rule 1 (a): expr is a list and not a text"),
    "labels no mapping": (
        group("{alert: a, expr: up > 1, labels: [x]}"),
        "f.yml:4:38: group 'g': rule 1 (a): labels is a list and not a mapping",
    ),
    "nested label": (
        group("{alert: a, expr: up > 1, labels: {x: {y: z}}}"),
        "f.yml:4:42: group 'g': rule 1 (a): labels.x is a mapping and not a text",
    ),
    "metric name as label": (
        group("{alert: a, expr: up > 1, labels: {__name__: z}}"),
        "f.yml:4:38: group 'g': rule 1 (a): labels: '__name__' cannot be a name here; choose another",
    ),
    "template": (group('{alert: a, expr: up > 1, annotations: {s: "{{ nope"}}'), "f.yml:4:47: group 'g': rule 1 (a): "),
    "duration": (group("{alert: a, expr: up > 1, for: 5}"), "f.yml:4:35: group 'g': rule 1 (a): for: '5' is not a dur"),
    "duration a list": (group("{alert: a, expr: up > 1, for: [5m]}"), "rule 1 (a): for is a list and not a text"),
    "promql": (group("{alert: a, expr: sum(}"), "f.yml:4:22: group 'g': rule 1 (a): expr: "),
    "range vector": (group("{alert: a, expr: 'up[5m]'}"), "is a range vector or a string"),
    "limit a text": ("groups: [{name: a, limit: '5'}]", "f.yml:1:27: group 'a': limit is '5'; give a whole number"),
    "limit too large": ("groups: [{name: a, limit: 99999999999}]", "limit is '99999999999'"),
    "limit a list": ("groups: [{name: a, limit: [5]}]", "group 'a': limit is ''"),
    "recorded braces": (group("{record: 'a{}', expr: up}"), "record 'a{}' has braces; they belong into expr"),
    "recorded for": (group("{record: a, expr: up, for: 5m}"), "rule 1 (a): a recording rule has no for; take it out"),
    "recorded annotations": (
        group("{record: a, expr: up, annotations: {a: b}}"),
        "a recording rule has no annotations",
    ),
    "recorded promql": (group("{record: a, expr: sum(}"), "f.yml:4:23: group 'g': rule 1 (a): expr: "),
    "recorded nothing": (group("{record: a}"), "expr is missing"),
    "no yaml": ("groups: [", "f.yml:2:1: is no YAML: "),
    "odd character": ("groups: \x01", "is no YAML: "),
    "half a character": ("groups: \ud800", "f.yml:1:1: is no Unicode text"),
    "tag": ("groups: !!python/object:os.system []", "has no meaning here; leave it out"),
    "no anchor": ("groups: *a", "f.yml:1:9: "),
    "anchor in itself": ("groups: &a [*a]", "f.yml:1:13: &a contains itself"),
    "merged text": ("groups: [{name: a, <<: b}]", "f.yml:1:24: << takes a mapping, or a list of mappings"),
}


@pytest.mark.parametrize(("text", "message"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_told_at_its_place_and_spoils_the_file(text: str, message: str) -> None:
    found = parse(text, "f.yml")
    assert found.rules == ()
    assert any(message in str(flaw) for flaw in found.errors), told(text)


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file() -> None:
    text = group("{alert: a, expr: sum(, for: x, labels: {__name__: b}, anotations: {}}\n  - {alert: b}")
    assert [(flaw.line, flaw.problem.field) for flaw in parse(text).flaws] == [
        (4, "expr"),
        (4, "for"),
        (4, "labels"),
        (4, "anotations"),
        (5, "expr"),
    ]


def test_a_recording_rule_stays_in_prometheus_and_that_is_told() -> None:
    found = parse(group("{record: a:b, expr: sum(up)}\n  - {alert: a, expr: up > 1}"), "f.yml")
    (flaw,) = found.flaws
    assert str(flaw).startswith("f.yml:4:5: warning: group 'g': rule 1 (a:b): the recording rule 'a:b' stays in Prom")
    assert [rule.name for rule in found.rules] == ["a"]


def test_a_second_document_is_left_out_and_that_is_told() -> None:
    found = parse(group("{alert: a, expr: up > 1}") + "---\ngroups: nonsense\n", "f.yml")
    assert [rule.name for rule in found.rules] == ["a"]
    (flaw,) = found.flaws
    assert str(flaw).startswith("f.yml:5:1: warning: only the first YAML document is read, as in Prometheus; put the")


def test_a_bomb_of_aliases_is_refused_before_it_is_written_out() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{at}: &a{at} [{', '.join([f'*a{at - 1}'] * 10)}]" for at in range(1, 30)]
    (flaw,) = parse("\n".join(lines)).flaws
    assert "says more than 5000000 things" in flaw.problem.message


@pytest.mark.parametrize("opening", ["[", "{a: ", "- "], ids=["lists", "mappings", "items"])
def test_deep_nesting_is_refused(opening: str) -> None:
    (flaw,) = parse(opening * 100_000).flaws
    assert "nested more than 50 levels" in flaw.problem.message


def test_a_long_chain_of_merged_keys_is_refused() -> None:
    chain = ["- &a0 {alert: a}", *(f"- &a{at} {{<<: *a{at - 1}}}" for at in range(1, 60))]
    text = "groups:\n- name: g\n  rules:\n" + "\n".join(f"  {line}" for line in chain)
    assert "<< goes more than 50 levels deep" in "".join(told(text))


def test_a_number_in_quotes_is_text_and_so_is_one_with_a_tag() -> None:
    document = yaml_text.compose("[5, '5', !!str 5, !!null '', 'null']")
    assert document.root is not None
    assert [(node.quoted, node.is_null) for node in document.root.items] == [
        (False, False),
        (True, False),
        (True, False),
        (True, True),
        (True, False),
    ]
