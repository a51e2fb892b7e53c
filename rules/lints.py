"""What is odd about a rule although it can be evaluated: it can never fire, says less than it should, or needs what is not there.

A lint never keeps a rule from being evaluated. Each is told only where the expression proves it; what depends on the data is for
engine.checking, which asks Prometheus.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final

from rules import durations, label_flow, promql, query, value_range
from rules.errors import RulesError
from rules.label_flow import Carried
from rules.labels import SEVERITY
from rules.promql_tree import Aggregate, Binary, Call, Number, Selector, Subquery, Tree, filters, is_scalar, tree, walk
from rules.rule import Condition, Language, Rule
from rules.value_range import Range


class Lint(StrEnum):
    """What a lint is called where it is chosen or skipped."""

    NEVER_TRUE = "never-true"
    NO_COMPARISON = "no-comparison"
    DROPPED_LABEL = "dropped-label"
    ALERTS_SERIES = "alerts-series"
    MISSING_FOR = "missing-for"
    SHORT_RANGE = "short-range"
    DUPLICATE_RULE = "duplicate-rule"
    NO_SERIES = "no-series"
    OTHER = "other"


SURE: Final = frozenset({Lint.NEVER_TRUE, Lint.NO_COMPARISON, Lint.DROPPED_LABEL, Lint.ALERTS_SERIES})
"""Those that are told wherever a rule is declared, since with them it cannot do what it is meant to."""

SHORTEST: Final = 2
"""Scrape intervals that a range must have to hold the two samples that rate() needs (it should be four)."""
RATES: Final = frozenset({"rate", "irate", "increase", "delta", "idelta", "deriv"})
OWN_SERIES: Final = frozenset({"ALERTS", "ALERTS_FOR_STATE"})
_ACTION: Final = re.compile(r"\{\{-?(.*?)-?\}\}", re.DOTALL)
_QUOTED: Final = re.compile(r'"(?:[^"\\]|\\.)*"|`[^`]*`|/\*.*?\*/', re.DOTALL)
_LABEL: Final = re.compile(r"\$labels\.([a-zA-Z_]\w*)")
_INDEXED: Final = re.compile(r'\bindex\s+\$labels\s+"([^"\\]+)"')
_GUARD: Final = re.compile(r"\s*(?:else\s+)?(?:if|with)\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is odd: `field` is the field's name as users write it."""

    lint: Lint
    field: str
    message: str


_Checks = Mapping[Lint, Callable[[], Iterator[Finding]]]


def check(
    rule: Rule, chosen: Collection[Lint] = SURE, *, scrape_interval: timedelta | None = None
) -> tuple[Finding, ...]:
    """What is odd about the rule, of the kinds that are chosen; nothing where it does not parse as PromQL.

    `scrape_interval` is how often its series get a sample, `None` where nobody knows.
    """
    if rule.language is not Language.PROMQL:
        return ()
    try:
        expression = tree(query.query_text(rule))
    except RulesError:
        return ()
    checks: _Checks = {
        Lint.NO_COMPARISON: lambda: _no_comparison(rule, expression),
        Lint.DROPPED_LABEL: lambda: _dropped(rule, expression),
        Lint.MISSING_FOR: lambda: _missing_for(rule, expression),
    }
    own = tuple(finding for lint, found in checks.items() if lint in chosen for finding in found())
    return _of_expression(expression, chosen, scrape_interval) + own


def check_expression(
    expr: str, chosen: Collection[Lint] = SURE, *, scrape_interval: timedelta | None = None
) -> tuple[Finding, ...]:
    """What is odd about an expression alone, such as a recording rule's; nothing where it does not parse."""
    try:
        return _of_expression(tree(expr), chosen, scrape_interval)
    except RulesError:
        return ()


def _of_expression(node: Tree, chosen: Collection[Lint], scrape_interval: timedelta | None) -> tuple[Finding, ...]:
    checks: _Checks = {
        Lint.NEVER_TRUE: lambda: _never_true(node),
        Lint.ALERTS_SERIES: lambda: _own_series(node),
        Lint.SHORT_RANGE: lambda: _short_ranges(node, scrape_interval),
    }
    # A chain of `and` is looked at as a whole and in its parts, which can come to the same.
    return tuple(dict.fromkeys(finding for lint, found in checks.items() if lint in chosen for finding in found()))


# --- comparisons ---


def _never_true(expression: Tree) -> Iterator[Finding]:
    for node in walk(expression):
        if not isinstance(node, Binary):
            continue
        if node.is_filter:
            yield from _impossible(node)
        elif node.operator == "and":
            yield from _contradiction(node)


def _impossible(node: Binary) -> Iterator[Finding]:
    left, right = value_range.values(node.left), value_range.values(node.right)
    if left.is_empty or right.is_empty or not value_range.compared(node, left, right).is_empty:
        return
    sides = (
        (node.left, _named(node.left, "the left side"), left),
        (node.right, _named(node.right, "the right side"), right),
    )
    facts = [f"{name} is {_bounds(found)}" for side, name, found in sides if not isinstance(side, Number)]
    message = f"{sides[0][1]} {node.operator} {sides[1][1]} can never be true: {' and '.join(facts)}"
    yield Finding(lint=Lint.NEVER_TRUE, field="expr", message=message + _instead(node))


def _named(node: Tree, otherwise: str) -> str:
    match node:
        case Number(value):
            return promql.number(value)
        case Aggregate():
            return f"{node.operator}(…)"
        case Call():
            return f"{node.function}(…)" if node.arguments else f"{node.function}()"
        case Binary(is_bool=True):
            return "a comparison with bool"
        case Selector(name=str(name)):
            return name
        case _:
            return otherwise


def _bounds(found: Range) -> str:
    low, high = promql.number(found.low), promql.number(found.high)
    under, over = (
        promql.number(math.nextafter(found.low, -math.inf)),
        promql.number(math.nextafter(found.high, math.inf)),
    )
    if found.low == found.high:
        return f"always {low}"
    # What an open end was made of has the shorter text: above 5 is from 5.000000000000001 on.
    at_least = f"above {under}" if len(under) < len(low) else f"{low} or more"
    at_most = f"below {over}" if len(over) < len(high) else f"{high} or less"
    return " and ".join(text for text, end in ((at_least, found.low), (at_most, found.high)) if math.isfinite(end))


def _instead(node: Binary) -> str:
    """What is meant where somebody counts nothing."""
    counts = isinstance(node.left, Aggregate) and node.left.operator == "count"
    return "; count() of nothing is nothing and not 0, so ask absent(…) for that" if counts else ""


def _contradiction(node: Binary) -> Iterator[Finding]:
    """`x > 5 and x < 3`: the same series compared with numbers that leave nothing in between."""
    found: dict[Tree, Range] = {}
    for term in _terms(node):
        if not isinstance(term, Binary) or not _is_limit(term):
            continue
        possible = value_range.past(Condition(term.operator), value_range.values(term.right))
        known = found.get(term.left, value_range.values(term.left))
        found[term.left] = known.both(possible)
        if found[term.left].is_empty:
            what = _named(term.left, "one expression")
            message = f"the comparisons of {what} that are joined by and can never be true together"
            yield Finding(lint=Lint.NEVER_TRUE, field="expr", message=message)
            return


def _terms(node: Tree) -> Iterator[Tree]:
    """What is joined by `and` on all labels, from left to right."""
    if isinstance(node, Binary) and node.operator == "and" and node.on is None and not node.ignored:
        yield from _terms(node.left)
        yield from _terms(node.right)
    else:
        yield node


def _is_limit(node: Binary) -> bool:
    """Whether it compares series, which the tree tells from all others, with a number, and can be true by itself."""
    if not node.is_filter or not is_scalar(node.right) or value_range.values(node).is_empty:
        return False
    return not any(isinstance(one, Selector) and one.has_alternatives for one in walk(node.left))


def _no_comparison(rule: Rule, expression: Tree) -> Iterator[Finding]:
    if rule.condition is not None or filters(expression):
        return
    message = "nothing in expr can drop a series, so every series fires; compare it with something, as in … > 0"
    yield Finding(lint=Lint.NO_COMPARISON, field="expr", message=message)


# --- templates ---


def _dropped(rule: Rule, expression: Tree) -> Iterator[Finding]:
    possible = label_flow.carried(expression)
    for field, texts in (("labels", rule.labels), ("annotations", rule.annotations)):
        for name, text in texts.items():
            for label in _labels_of(text):
                if not possible.may_have(label):
                    why = possible.why(label) if (field, name) == ("labels", label) else _why(rule, possible, label)
                    message = f"$labels.{label} is always empty: {why}"
                    yield Finding(lint=Lint.DROPPED_LABEL, field=f"{field}.{name}", message=message)


def _why(rule: Rule, possible: Carried, label: str) -> str:
    if label in rule.labels or (label == SEVERITY and rule.severity):
        return "$labels has the labels of the series and not those of the rule; write the text itself"
    return possible.why(label)


def _labels_of(text: str) -> Iterator[str]:
    """The labels that a template shows, each once; not those it first asks for, as in `{{ if $labels.x }}`."""
    if "$labels" not in text:
        return
    actions = _ACTION.findall(text)
    asked = {label for action in actions if _GUARD.match(action) for label in _named_in(action)}
    shown = dict.fromkeys(label for action in actions for label in _named_in(action))
    yield from (label for label in shown if label not in asked)


def _named_in(action: str) -> Iterator[str]:
    yield from _INDEXED.findall(action)
    yield from _LABEL.findall(_QUOTED.sub('""', action))


# --- time ---


def _missing_for(rule: Rule, expression: Tree) -> Iterator[Finding]:
    spans = [node.span for node in walk(expression) if isinstance(node, Selector | Subquery)]
    if rule.hold or rule.keep_firing_for or not spans or any(spans):
        return
    message = (
        "there is no for, so one sample past the threshold fires at once, a short peak too; give for: 5m, or look at a "
        "span of time, as in avg_over_time(…[5m])"
    )
    yield Finding(lint=Lint.MISSING_FOR, field="for", message=message)


def _short_ranges(expression: Tree, scrape_interval: timedelta | None) -> Iterator[Finding]:
    if scrape_interval is None:
        return
    every, better = durations.format(scrape_interval), durations.format(4 * scrape_interval)
    for function, span in _rated(expression):
        if span < SHORTEST * scrape_interval:
            message = (
                f"{function}(…[{durations.format(span)}]) needs two samples in its range and there is one "
                f"every {every}, so it may answer nothing; give [{better}]"
            )
            yield Finding(lint=Lint.SHORT_RANGE, field="expr", message=message)


def _rated(expression: Tree) -> Iterator[tuple[str, timedelta]]:
    """Each function that takes a rate, with the range it looks at."""
    for node in walk(expression):
        if isinstance(node, Call) and node.function in RATES:
            spans = (one.span for one in node.arguments if isinstance(one, Selector))
            yield from ((node.function, span) for span in spans if span is not None)


# --- Prometheus' own series ---


def _own_series(expression: Tree) -> Iterator[Finding]:
    named = dict.fromkeys(node.name for node in walk(expression) if isinstance(node, Selector))
    for name in named:
        if name in OWN_SERIES:
            message = (
                f"{name} has the alerts that Prometheus itself evaluates, and those of Tocsin's rules are not among "
                "them; keep the rules it looks at in Prometheus, have Prometheus scrape Tocsin's /metrics/alerts, or look "
                "at the series that they look at"
            )
            yield Finding(lint=Lint.ALERTS_SERIES, field="expr", message=message)
