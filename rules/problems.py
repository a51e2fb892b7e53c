"""Lint: everything wrong with a rule, all at once, for the API, the command line, imports and the quarantine."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from rules import promql, query, templates
from rules.errors import PromqlError, RulesError
from rules.labels import METRIC_NAME, SEVERITY
from rules.rule import MissingSeries, NoData, Rule


class Severity(StrEnum):
    """How bad a problem is: with an error the rule cannot be evaluated as declared, with a warning it can."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing wrong: `field` is the field's name as users write it, `position` counts characters in its text."""

    severity: Severity
    field: str
    message: str
    position: int | None = None


def check_rule(rule: Rule) -> tuple[Problem, ...]:
    """Every problem of the rule by itself; whether its channels and its datasource exist is for others to say."""
    checks = (
        _name,
        _asked,
        _comparison,
        _source,
        _filtering,
        _missing,
        _labels,
        _annotations,
        _spans,
        _limit,
        _channels,
    )
    return tuple(problem for check in checks for problem in check(rule))


def _name(rule: Rule) -> Iterator[Problem]:
    if not rule.name.strip():
        yield _error("name", "the name is empty; it becomes the label alertname")


def _asked(rule: Rule) -> Iterator[Problem]:
    if rule.expr is None and rule.metric_name is None:
        yield _error("expr", "nothing is asked; give expr, or metric_name, condition and threshold")
    if rule.expr is not None and rule.metric_name is not None:
        yield _error("metric_name", "expr and metric_name are both given; keep one of them")


def _comparison(rule: Rule) -> Iterator[Problem]:
    """Beside an expr, condition and threshold come together or not at all; without one, both are needed."""
    alone = rule.condition is None and rule.threshold is None
    if rule.expr is not None and alone:
        return
    if rule.condition is None:
        yield _error("condition", "condition is missing; give one of > >= < <= == !=")
    if rule.threshold is None:
        yield _error("threshold", "threshold is missing; give the number to compare with")
    elif math.isnan(rule.threshold):
        yield _error("threshold", "threshold is NaN, which no value is above, below or equal to; give a number")


def _source(rule: Rule) -> Iterator[Problem]:
    if rule.expr is not None:
        yield from _refusals("expr", promql.check, rule.expr)
    if rule.metric_name is not None:
        yield from _refusals("metric_name", promql.metric, rule.metric_name)


def _filtering(rule: Rule) -> Iterator[Problem]:
    if rule.expr is None or rule.condition is not None:
        return
    try:
        if promql.filters(rule.expr):
            return
    except PromqlError:
        return  # told elsewhere
    message = "nothing in expr can drop a series, so every series fires; compare it with something, as in … > 0"
    yield Problem(severity=Severity.WARNING, field="expr", message=message)


def _missing(rule: Rule) -> Iterator[Problem]:
    """The left side says whether there is data at all, so both policies need one."""
    if rule.no_data is NoData.OK and rule.missing_series is MissingSeries.RESOLVE:
        return
    try:
        if query.left_side(rule) is not None:
            return
    except RulesError:
        return  # told elsewhere
    hint = (
        "needs an expr that ends in a comparison with a number; write one, or give condition and threshold beside expr"
    )
    if rule.no_data is not NoData.OK:
        yield _error("no_data", f"no_data = {rule.no_data} {hint}")
    if rule.missing_series is not MissingSeries.RESOLVE:
        yield _error("missing_series", f"missing_series = {rule.missing_series} {hint}")


def _labels(rule: Rule) -> Iterator[Problem]:
    yield from _templates("labels", rule.labels)
    given = rule.labels.get(SEVERITY, rule.severity)
    if rule.severity and given != rule.severity:
        message = f"the label severity is {given!r} but the rule's severity is {rule.severity!r}, which wins; drop one"
        yield Problem(severity=Severity.WARNING, field=f"labels.{SEVERITY}", message=message)


def _annotations(rule: Rule) -> Iterator[Problem]:
    yield from _templates("annotations", rule.annotations)


def _templates(field: str, texts: Mapping[str, str]) -> Iterator[Problem]:
    for name, text in texts.items():
        if name in ("", METRIC_NAME):
            yield _error(field, f"{name!r} cannot be a name here; choose another")
        elif not _is_unicode(name + text):
            yield _error(field, f"{name!r} or its text is not valid Unicode")
        yield from _refusals(f"{field}.{name}", templates.check, text)


def _spans(rule: Rule) -> Iterator[Problem]:
    spans = {
        "for": rule.hold,
        "keep_firing_for": rule.keep_firing_for,
        "missing_for": rule.missing_for,
        "query_offset": rule.query_offset,
    }
    for field, span in spans.items():
        if span is not None and span < timedelta(0):
            yield _error(field, f"{field} is {span.total_seconds():g} s; it must be 0 s or longer")
    if rule.interval is not None and rule.interval <= timedelta(0):
        yield _error("interval", f"interval is {rule.interval.total_seconds():g} s; it must be longer than 0 s")


def _limit(rule: Rule) -> Iterator[Problem]:
    if rule.limit < 0:
        yield _error("limit", f"limit is {rule.limit}; give 0 for no limit")


def _channels(rule: Rule) -> Iterator[Problem]:
    for name, times in Counter(rule.notification_channels).items():
        if times > 1:
            message = f"channel {name!r} is named {times} times; once is enough"
            yield Problem(severity=Severity.WARNING, field="notification_channels", message=message)


def _error(field: str, message: str, position: int | None = None) -> Problem:
    return Problem(severity=Severity.ERROR, field=field, message=message, position=position)


def _refusals(field: str, check: Callable[[str], object], text: str) -> Iterator[Problem]:
    try:
        check(text)
    except RulesError as error:
        yield _error(field, error.message, error.position if isinstance(error, PromqlError) else None)


def _is_unicode(text: str) -> bool:
    return not any("\ud800" <= letter <= "\udfff" for letter in text)
