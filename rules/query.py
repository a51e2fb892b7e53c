"""What a rule asks Prometheus: its left side, its threshold, and the query that joins them."""

from __future__ import annotations

from rules import promql
from rules.errors import RuleError
from rules.promql import Comparison
from rules.rule import Rule


def comparison(rule: Rule) -> Comparison | None:
    """The rule as `left side, condition, threshold`; `None` for an expression that cannot be cut at a number.

    Raises RuleError for a rule without anything to ask, PromqlError for an expression that does not parse.
    """
    if rule.condition is None or rule.threshold is None:
        return promql.split(_source(rule))
    return Comparison(lhs=_source(rule), condition=rule.condition, threshold=rule.threshold)


def left_side(rule: Rule) -> str | None:
    """The query whose values are compared with the threshold; `None` when the expression does not split.

    Raises RuleError and PromqlError as `comparison` does.
    """
    cut = comparison(rule)
    return None if cut is None else cut.lhs


def query_text(rule: Rule) -> str:
    """The query that returns exactly the series for which the rule is active: an `expr` alone as it was written.

    Raises RuleError and PromqlError as `comparison` does.
    """
    if rule.condition is None or rule.threshold is None:
        promql.check(_source(rule))
        return _source(rule)
    return promql.compared(_source(rule), rule.condition, rule.threshold)


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
