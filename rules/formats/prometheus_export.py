"""Rules as a Prometheus rule file that `promtool check rules` takes, and reading it back gives the same rules.

What such a file cannot say stands as a comment above the rule it is missing from; a rule that would mean something else there
is left out, and a comment says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from itertools import groupby
from typing import Any, Final

from rules import durations, problems, query
from rules.datasource import DEFAULT_DATASOURCE
from rules.formats import yaml_text
from rules.labels import SEVERITY
from rules.problems import Severity
from rules.rule import Language, MissingSeries, NoData, OnError, Rule

NO_GROUP: Final = "tocsin"
"""The group of rules that name none; Prometheus needs a name."""
_MILLISECOND: Final = timedelta(milliseconds=1)


def export(rules: Iterable[Rule], thresholds: Mapping[str, int] | None = None) -> Iterator[str]:
    """The file piece by piece. `thresholds` has the number of threshold rows by rule id."""
    yield "# Alerting rules of Tocsin. Comments name what a rule file cannot say.\ngroups:\n"
    names: set[str] = set()
    counts = thresholds or {}
    for (name, *_), together in groupby(sorted(rules, key=_place), key=_common):
        members = list(together)
        yield from _group(_unused(name or NO_GROUP, names), members, counts)


def _place(rule: Rule) -> tuple[Any, ...]:
    return (*_common(rule), rule.name, rule.id)


def _common(rule: Rule) -> tuple[Any, ...]:
    """What the rules of one group share in a file; `None` goes before every span."""
    offset = timedelta(-1) if rule.query_offset is None else rule.query_offset
    return rule.group, rule.interval or timedelta(0), offset, rule.limit


def _unused(name: str, names: set[str]) -> str:
    """The group's name, with a number where a group of that name and other settings stands in the file already."""
    found, times = name, 1
    while found in names:
        times += 1
        found = f"{name} ({times})"
    names.add(found)
    return found


def _group(name: str, rules: list[Rule], thresholds: Mapping[str, int]) -> Iterator[str]:
    first = rules[0]
    head: dict[str, object] = {"name": name}
    if first.interval is not None and first.interval >= _MILLISECOND:
        head["interval"] = durations.format(first.interval)
    if first.query_offset is not None:
        head["query_offset"] = durations.format(first.query_offset)
    if first.limit:
        head["limit"] = first.limit
    if name != first.group:
        yield _comment(f"Rules of the group {first.group!r}, which may stand in a file only once.", "  ")
    yield _item(head, "  ") + "    rules:\n"
    for rule in rules:
        yield from _rule(rule, thresholds.get(rule.id, 0))


def _rule(rule: Rule, thresholds: int) -> Iterator[str]:
    why = _unfit(rule)
    if why is not None:
        yield _comment(f"Left out: {rule.name!r} (id {rule.id!r}), for it {why}.", "      ")
        return
    for lost in _lost(rule, thresholds):
        yield _comment(f"Lost: {lost}.", "      ")
    labels = dict(rule.labels) | ({SEVERITY: rule.severity} if rule.severity else {})
    fields: dict[str, object] = {"alert": rule.name, "expr": query.query_text(rule)}
    for name, span in (("for", rule.hold), ("keep_firing_for", rule.keep_firing_for)):
        if span >= _MILLISECOND:
            fields[name] = durations.format(span)
    if labels:
        fields["labels"] = labels
    if rule.annotations:
        fields["annotations"] = dict(rule.annotations)
    yield _item(fields, "      ")


def _unfit(rule: Rule) -> str | None:
    """Why the rule has no place in a rule file."""
    if not rule.enabled:
        return "is disabled, and a rule file has no word for that"
    if rule.language is not Language.PROMQL:
        return f"is written in {rule.language}, and a rule file of Prometheus holds promql"
    errors = [problem for problem in problems.check_rule(rule) if problem.severity is Severity.ERROR]
    return f"cannot be evaluated: {errors[0].message}" if errors else None


def _lost(rule: Rule, thresholds: int) -> Iterator[str]:
    """What the rule says and the file does not."""
    spans = {"for": rule.hold, "keep_firing_for": rule.keep_firing_for, "interval": rule.interval}
    for name, span in {**spans, "query_offset": rule.query_offset}.items():
        if span is not None and span % _MILLISECOND:
            yield f"{name} of {span.total_seconds():g} s, cut to whole milliseconds"
    said_and_usual: dict[str, tuple[str, str]] = {
        "notification_channels": (", ".join(rule.notification_channels), ""),
        "no_data": (rule.no_data, NoData.OK),
        "missing_series": (rule.missing_series, MissingSeries.RESOLVE),
        "on_error": (rule.on_error, OnError.KEEP),
        "datasource": (rule.datasource, DEFAULT_DATASOURCE),
        "team": (rule.team, ""),
    }
    yield from (f"{name} {str(said)!r}" for name, (said, usual) in said_and_usual.items() if said != usual)
    if thresholds:
        yield f"{thresholds} threshold row{'s' if thresholds > 1 else ''}"


def _comment(text: str, indent: str) -> str:
    """One line, whatever the text holds."""
    shown = "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)
    return f"{indent}# {shown}\n"


def _item(fields: Mapping[str, object], indent: str) -> str:
    """The mapping as an item of a list, each line moved to its place; empty lines stay empty."""
    lines = yaml_text.dump([dict(fields)]).removesuffix("\n").split("\n")
    return "".join(f"{indent}{line}\n" if line else "\n" for line in lines)
