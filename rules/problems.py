"""Lint: everything wrong with a rule, with a threshold row or with the routes, all at once.

The API, the command line, imports and the quarantine all ask here.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from rules import languages, lints, promql, query, route_labels, routing, templates
from rules.errors import PromqlError, RouteError, RulesError
from rules.labels import METRIC_NAME, SEVERITY
from rules.lints import Finding, Lint
from rules.routing import ROOT, Route
from rules.rule import Condition, Language, MissingSeries, NoData, Rule
from rules.thresholds import Governance, Threshold, Why, breaches


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Odd(Problem):
    """A warning that stands for a lint."""

    lint: Lint


def check_rule(rule: Rule, lint: Callable[[Rule], Iterable[Finding]] = lints.check) -> tuple[Problem, ...]:
    """Every problem of the rule by itself; whether its channels and its datasource exist is for others to say.

    `lint` finds what is odd about it.
    """
    return (*_declared(rule), *map(odd, lint(rule)))


def odd(finding: Finding) -> Odd:
    """The finding as a problem, which stops nothing."""
    return Odd(severity=Severity.WARNING, field=finding.field, message=finding.message, lint=finding.lint)


def check_odd(rule: Rule) -> tuple[Problem, ...]:
    """What is surely odd about the rule, which is evaluated nevertheless."""
    return tuple(map(odd, lints.check(rule)))


def _declared(rule: Rule) -> tuple[Problem, ...]:
    checks = (
        _name,
        _asked,
        _comparison,
        _source,
        _missing,
        _labels,
        _annotations,
        _spans,
        _limit,
        _channels,
    )
    return tuple(problem for check in checks for problem in check(rule))


def check_evaluable(rule: Rule) -> tuple[Problem, ...]:
    """Every problem of the rule but those it is evaluated with nevertheless, which `check_ignored` and `check_odd` tell."""
    ignored = check_ignored(rule)
    return tuple(problem for problem in _declared(rule) if problem not in ignored)


def check_ignored(rule: Rule) -> tuple[Problem, ...]:
    """What the rule declares and goes on without: policies that look at a left side, where the expression has none."""
    return tuple(_missing(rule))


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
        yield from _refusals("expr", lambda text: languages.check(text, rule.language), rule.expr)
    if rule.metric_name is not None:
        if rule.language is not Language.PROMQL:
            yield _error("language", f"metric_name is a metric's, and {rule.language} asks logs; give expr instead")
        yield from _refusals("metric_name", promql.metric, rule.metric_name)


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


def _warning(field: str, message: str) -> Problem:
    return Problem(severity=Severity.WARNING, field=field, message=message)


def _refusals(field: str, check: Callable[[str], object], text: str) -> Iterator[Problem]:
    try:
        check(text)
    except RulesError as error:
        yield _error(field, error.message, error.position if isinstance(error, PromqlError) else None)


def _is_unicode(text: str) -> bool:
    return text.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in text)


def check_routes(routes: Sequence[Route]) -> tuple[Problem, ...]:
    """Everything that keeps these routes from being a tree; a field begins with its route's place: `3.group_wait`.

    A problem of no one route (the root is missing, parents go round in a circle) has a field without a place.
    """
    return (*_each_route(routes), *_all_routes(routes))


def _each_route(routes: Sequence[Route]) -> Iterator[Problem]:
    """What is wrong with each route by itself, and with its id and its parent beside the others'."""
    first: dict[str, int] = {}
    for place, route in enumerate(routes):
        first.setdefault(route.id, place)
    for place, route in enumerate(routes):
        for fault in routing.faults(route):
            yield _error(f"{place}.{fault.field}", fault.message)
        yield from _mislabelled(route, f"{place}.")
        if first[route.id] != place:
            yield _error(f"{place}.id", f"route {route.id!r} is there twice; give one of them another id")
        if _is_orphan(route, first):
            yield _error(f"{place}.parent_id", f"route {route.id!r}: its parent {route.parent_id!r} does not exist")


def _mislabelled(route: Route, prefix: str) -> Iterator[Problem]:
    try:
        route_labels.check(route.labels)
    except RouteError as error:
        yield _error(f"{prefix}{error.field}", error.message)


def _is_orphan(route: Route, known: Mapping[str, int]) -> bool:
    return route.id != ROOT and route.parent_id is not None and route.parent_id not in known


def _all_routes(routes: Sequence[Route]) -> Iterator[Problem]:
    """What is wrong with how they hang together, whatever else is wrong with each."""
    parents = {route.id: route.parent_id for route in routes if route.id != ROOT}
    if len(parents) == len({route.id for route in routes}):
        yield _error("id", "the tree needs one route with id 'root' and no parent")
    known = {ROOT, *parents}
    bare = [Route(id=id_, parent_id=parent if parent in known else ROOT) for id_, parent in parents.items()]
    yield from _untenable([Route(id=ROOT), *bare], "")


def _untenable(routes: Iterable[Route], prefix: str) -> Iterator[Problem]:
    try:
        routing.build(routes)
    except RouteError as error:
        yield _error(f"{prefix}{error.field}", error.message)


def check_threshold(row: Threshold, rule: Rule, others: Iterable[Threshold]) -> tuple[Problem, ...]:
    """Every problem of a threshold row of this rule; `others` are the rule's other rows."""
    checks = (_compared(rule), _numbers(row), _validity(row), _recovery(row, rule), _ties(row, rule, others))
    return tuple(problem for check in checks for problem in check)


def check_thresholds(
    rows: Iterable[Threshold], rule: Rule, every: Iterable[Threshold]
) -> dict[str, tuple[Problem, ...]]:
    """Every problem of each of these threshold rows, by id; `every` are all rows of the rule, of which there may be many."""
    alike: dict[tuple[object, ...], list[Threshold]] = {}
    for row in every:
        alike.setdefault(_place(row, rule), []).append(row)
    return {row.id: check_threshold(row, rule, alike.get(_place(row, rule), ())) for row in rows}


def _compared(rule: Rule) -> Iterator[Problem]:
    """A number can only take the place of another."""
    try:
        if query.comparison(rule) is None:
            yield _error("threshold", f"rule {rule.id!r} cannot have threshold rows: {query.UNSPLIT}")
    except RulesError as error:
        yield _error("threshold", f"rule {rule.id!r} cannot be evaluated, so mend it first: {error.message}")


def _numbers(row: Threshold) -> Iterator[Problem]:
    for field, number in (("threshold", row.threshold), ("recovery_threshold", row.recovery_threshold)):
        if number is not None and math.isnan(number):
            yield _error(field, f"{field} is NaN, which no value is above, below or equal to; give a number")


def _validity(row: Threshold) -> Iterator[Problem]:
    if row.valid_from is not None and row.valid_to is not None and row.valid_to <= row.valid_from:
        message = f"valid_to {row.valid_to.isoformat()} is not after valid_from {row.valid_from.isoformat()}"
        yield _error("valid_to", message)


def _recovery(row: Threshold, rule: Rule) -> Iterator[Problem]:
    """A recovery that is itself past the threshold, or where there is no side to be back on, is never looked at."""
    try:
        cut = query.comparison(rule)
    except RulesError:
        return
    if cut is None or row.recovery_threshold is None:
        return
    if cut.condition in (Condition.EQUAL, Condition.NOT_EQUAL):
        message = f"a comparison with {cut.condition} has no side to recover to: leave recovery_threshold out"
        yield _warning("recovery_threshold", message)
    elif breaches(row.recovery_threshold, cut.condition, _governed(row), firing=False):
        past = f"{row.recovery_threshold:g} is itself {cut.condition} {row.threshold:g}"
        yield _warning("recovery_threshold", f"recovery_threshold {past}, so it has no effect")


def _governed(row: Threshold) -> Governance:
    return Governance(why=Why.ONLY_ROW, threshold=row.threshold, row=row)


def _ties(row: Threshold, rule: Rule, others: Iterable[Threshold]) -> Iterator[Problem]:
    """Rows of one level with the same matchers and the same priority: only their ids tell which one governs."""
    for other in others:
        if other.id != row.id and _place(other, rule) == _place(row, rule) and _overlap(row, other):
            same = f"threshold {other.id!r} has the same matchers and the same priority"
            yield _warning("priority", f"{same}: give one of them another priority")


def _place(row: Threshold, rule: Rule) -> tuple[object, ...]:
    """What must differ for one row to go before another."""
    return row.severity or rule.severity, frozenset(row.matchers), row.priority


def _overlap(one: Threshold, other: Threshold) -> bool:
    """Whether there is a time at which both are valid."""
    starts = [row.valid_from for row in (one, other) if row.valid_from is not None]
    ends = [row.valid_to for row in (one, other) if row.valid_to is not None]
    return not starts or not ends or max(starts) < min(ends)
