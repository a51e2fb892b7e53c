"""What a rule asks Prometheus: its left side, its threshold, and the query that joins them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from rules import languages, promql, thresholds
from rules.errors import RuleError
from rules.promql import Comparison
from rules.rule import Condition, Language, MissingSeries, NoData, Rule
from rules.thresholds import Threshold

UNSPLIT: Final = (
    "expr does not end in a comparison with a number, so its values can be compared with no other number; "
    "write one, or give condition and threshold beside expr"
)
"""Why a rule cannot have threshold rows."""


def comparison(rule: Rule) -> Comparison | None:
    """The rule as `left side, condition, threshold`; `None` for an expression that cannot be cut at a number.

    An expression in another language than PromQL is one that cannot be cut.

    Raises RuleError for a rule without anything to ask, PromqlError for an expression that does not parse.
    """
    if rule.condition is None or rule.threshold is None:
        return languages.split(rule, _source(rule))
    return Comparison(lhs=_source(rule), condition=rule.condition, threshold=rule.threshold)


def left_side(rule: Rule) -> str | None:
    """The query whose values are compared with the threshold; `None` when the expression does not split.

    Raises RuleError and PromqlError as `comparison` does.
    """
    cut = comparison(rule)
    return None if cut is None else cut.lhs


def watched(rule: Rule) -> bool:
    """Whether the rule needs all that its left side returns, past the threshold or not: to know which series there are, or
    because the server cannot compare them with its threshold.
    """
    return _unasked(rule) or rule.no_data is not NoData.OK or rule.missing_series is not MissingSeries.RESOLVE


def asks_all(rule: Rule) -> bool:
    """Whether what is asked for it is its whole left side, because it is watched and splits.

    Raises RuleError and PromqlError as `comparison` does.
    """
    return watched(rule) and comparison(rule) is not None


def query_text(rule: Rule) -> str:
    """The query that returns exactly the series for which the rule is active: an `expr` alone as it was written.

    In LogsQL, which cannot compare what it returned with a number, it returns all series of which those are some.

    Raises RuleError and PromqlError as `comparison` does.
    """
    if rule.condition is None or rule.threshold is None:
        languages.check(_source(rule), rule.language)
        return _source(rule)
    return languages.compared(_source(rule), rule.condition, rule.threshold, rule.language) or _source(rule)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is asked for a rule: the series of `lhs` that are past `bound`, all of them where there is no `condition`.

    `text` is that as one query by itself; a rule's `expr` that stands alone is in it as it was written.
    """

    text: str
    lhs: str
    condition: Condition | None = None
    bound: float | None = None
    whole: bool = False
    """Whether the left side is asked for whatever its values, so that the answer may be large."""


def question(rule: Rule, rows: Iterable[Threshold], *, since: datetime, until: datetime) -> Asked:
    """The question whose answer is every series that may be active at some level from `since` until before `until`.

    Without rows, and for an expression that does not split, it is the rule's own query; else it asks at the loosest of all
    thresholds and recoveries, or for the whole left side where the condition has no direction. A rule that is `watched` asks
    for the whole left side in any case.

    Raises RuleError and PromqlError as `comparison` does.
    """
    rows = tuple(rows)
    cut = comparison(rule)
    if cut is None:
        text = query_text(rule)
        return Asked(text=text, lhs=text)
    loosest = None if watched(rule) else _bound(cut, rows, since=since, until=until)
    if loosest is None:
        return Asked(text=cut.lhs, lhs=cut.lhs, whole=True)
    # A rule whose server cannot compare is watched, so there is such a query.
    compared = languages.compared(cut.lhs, cut.condition, loosest, rule.language) if rows else None
    text = compared or query_text(rule)
    return Asked(text=text, lhs=cut.lhs, condition=cut.condition, bound=loosest)


def asked(rule: Rule, rows: Iterable[Threshold], *, since: datetime, until: datetime) -> str:
    """The `question` as one query. Raises RuleError and PromqlError as `comparison` does."""
    return question(rule, rows, since=since, until=until).text


def _unasked(rule: Rule) -> bool:
    return rule.language is Language.LOGSQL and rule.condition is not None


def _bound(cut: Comparison, rows: Sequence[Threshold], *, since: datetime, until: datetime) -> float | None:
    return thresholds.loosest(cut, rows, since=since, until=until) if rows else cut.threshold


def at_threshold(rule: Rule, threshold: float) -> Rule:
    """The rule with this number in place of its own: what an alert governed by a threshold row looks like by itself.

    Raises RuleError and PromqlError as `comparison` does; a rule that does not split stays as it is.
    """
    cut = comparison(rule)
    if cut is None:
        return rule
    source = None if rule.expr is None else cut.lhs
    return replace(rule, expr=source, condition=cut.condition, threshold=threshold)


def threshold_text(rule: Rule) -> str | None:
    """The comparison for people, `> 80`; `None` for an expression with no single threshold.

    Raises RuleError and PromqlError as `comparison` does.
    """
    cut = comparison(rule)
    return None if cut is None else f"{cut.condition} {promql.number(cut.threshold)}"


def _source(rule: Rule) -> str:
    """The expression, or the metric's selector; a metric alone is no rule, since it would fire for every series."""
    if rule.expr is not None:
        return rule.expr
    if rule.metric_name is None or rule.condition is None or rule.threshold is None:
        message = f"rule {rule.name!r} asks nothing; give it an expr, or metric_name, condition and threshold"
        raise RuleError(message, field="expr")
    return promql.metric(rule.metric_name)
