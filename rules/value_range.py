"""Between which numbers the values of an expression's answer must lie, as far as the expression alone tells.

An interval and no more: whatever is not provable may be any number. NaN is in no interval, because a comparison drops it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from operator import add, mul, sub, truediv
from typing import Final, NamedTuple, assert_never

from rules.promql import FLIPPED
from rules.promql_tree import Aggregate, Binary, Call, Negated, Number, Subquery, Tree, is_scalar
from rules.rule import Condition


class Range(NamedTuple):
    """All numbers from `low` to `high`, both included; none at all where `low` is above `high`."""

    low: float = -math.inf
    high: float = math.inf

    @property
    def is_empty(self) -> bool:
        return not self.low <= self.high

    def both(self, other: Range) -> Range:
        """What is in this and in the other."""
        return Range(max(self.low, other.low), min(self.high, other.high))


ANY: Final = Range()
_POSITIVE: Final = Range(0.0)
_COUNT: Final = Range(1.0)
_ONE: Final = Range(1.0, 1.0)
_BOOL: Final = Range(0.0, 1.0)

_ARITHMETIC: Final[Mapping[str, Callable[[float, float], float]]] = {"+": add, "-": sub, "*": mul, "/": truediv}
_AGGREGATES: Final[Mapping[str, Range]] = {
    "count": _COUNT,
    "count_values": _COUNT,
    "group": _ONE,
    "stddev": _POSITIVE,
    "stdvar": _POSITIVE,
}
_CALLS: Final[Mapping[str, Range]] = {
    "absent": _ONE,
    "absent_over_time": _ONE,
    "present_over_time": _ONE,
    "count_over_time": _COUNT,
    "rate": _POSITIVE,
    "irate": _POSITIVE,
    "increase": _POSITIVE,
    "changes": _POSITIVE,
    "resets": _POSITIVE,
    "stddev_over_time": _POSITIVE,
    "stdvar_over_time": _POSITIVE,
    "abs": _POSITIVE,
    "sqrt": _POSITIVE,
    "exp": _POSITIVE,
    "time": _POSITIVE,
    "sgn": Range(-1.0, 1.0),
    "sin": Range(-1.0, 1.0),
    "cos": Range(-1.0, 1.0),
    "hour": Range(0.0, 23.0),
    "minute": Range(0.0, 59.0),
    "month": Range(1.0, 12.0),
    "day_of_month": Range(1.0, 31.0),
    "day_of_week": Range(0.0, 6.0),
    "day_of_year": Range(1.0, 366.0),
    "days_in_month": Range(28.0, 31.0),
}
"""rate and its like are meant for counters, which only grow."""
_SAME: Final = frozenset({"avg", "min", "max", "topk", "bottomk", "limitk", "limit_ratio"})
_SAME_CALLS: Final = frozenset(
    {
        "avg_over_time",
        "min_over_time",
        "max_over_time",
        "last_over_time",
        "first_over_time",
        "label_replace",
        "label_join",
    }
    | {"vector", "scalar", "sort", "sort_desc", "sort_by_label", "sort_by_label_desc"}
)


def values(node: Tree) -> Range:
    """The interval of the values that the node's answer can have."""
    match node:
        case Number():
            return Range(node.value, node.value)
        case Negated():
            low, high = values(node.of)
            return Range(-high, -low)
        case Subquery():
            return values(node.of)
        case Aggregate():
            return _aggregate(node)
        case Binary():
            return _binary(node)
        case Call():
            return _call(node)
        case _:
            return ANY


def compared(node: Binary, left: Range, right: Range) -> Range:
    """The values that a comparison of these leaves: of the left side, or of the right one where the left is a number."""
    condition = Condition(node.operator)
    if is_scalar(node.left):
        return right.both(past(FLIPPED[condition], left))
    return left.both(past(condition, right))


def past(condition: Condition, threshold: Range) -> Range:
    """The numbers for which a comparison with some number of this interval can hold."""
    match condition:
        case Condition.ABOVE:
            return Range(low=math.nextafter(threshold.low, math.inf))
        case Condition.AT_LEAST:
            return Range(low=threshold.low)
        case Condition.BELOW:
            return Range(high=math.nextafter(threshold.high, -math.inf))
        case Condition.AT_MOST:
            return Range(high=threshold.high)
        case Condition.EQUAL:
            return threshold
        case Condition.NOT_EQUAL:
            return ANY
        case _:
            assert_never(condition)


def _aggregate(node: Aggregate) -> Range:
    if node.operator in _AGGREGATES:
        return _AGGREGATES[node.operator]
    inner = values(node.of)
    if node.operator == "sum":
        # A sum has at least one element, so what none of them can be below, it cannot be below, if that is not negative.
        return Range(inner.low if inner.low >= 0 else -math.inf, inner.high if inner.high <= 0 else math.inf)
    return inner if node.operator in _SAME else ANY


def _call(node: Call) -> Range:
    given = node.arguments
    if node.function in _CALLS:
        return _CALLS[node.function]
    if node.function in _SAME_CALLS:
        return values(given[0])
    if node.function == "clamp_min":
        return _clamped(given[0], low=given[1])
    if node.function == "clamp_max":
        return _clamped(given[0], high=given[1])
    return _clamped(given[0], low=given[1], high=given[2]) if node.function == "clamp" else ANY


def _clamped(node: Tree, low: Tree | None = None, high: Tree | None = None) -> Range:
    inner = values(node)
    least = values(low).low if low is not None else -math.inf
    most = values(high).high if high is not None else math.inf
    return Range(min(max(inner.low, least), most), max(min(inner.high, most), least))


def _binary(node: Binary) -> Range:
    left, right = values(node.left), values(node.right)
    if node.is_bool:
        return _BOOL
    if node.is_filter:
        return compared(node, left, right)
    if node.operator in ("and", "unless"):
        return left
    if node.operator == "or":
        return Range(min(left.low, right.low), max(left.high, right.high))
    return _computed(node.operator, left, right)


def _computed(operator: str, left: Range, right: Range) -> Range:
    """Interval arithmetic, where rounding cannot leave the interval: each end is computed as Prometheus computes it."""
    compute = _ARITHMETIC.get(operator)
    if compute is None or left.is_empty or right.is_empty:
        return ANY
    if operator == "/" and not (right.low > 0 and math.isfinite(right.high)):
        return ANY
    return _ends(compute, left, right)


def _ends(compute: Callable[[float, float], float], left: Range, right: Range) -> Range:
    found = [compute(one, other) for one in left for other in right]
    # ∞ - ∞ and 0·∞ say nothing about the numbers in between.
    return ANY if any(map(math.isnan, found)) else Range(min(found), max(found))
