"""Which labels the series of an expression's answer can have, as far as the expression alone tells.

What is not provable counts as possible, so nobody is told that a label is gone while it may be there. The metric's name is left
out of account: whether it survives depends on Prometheus' version. Source: prometheus/promql/engine.go (resultMetric).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from rules.labels import METRIC_NAME
from rules.promql_tree import Aggregate, Binary, Call, Many, Matcher, Negated, Selector, Subquery, Text, Tree, is_scalar

_PICKING: Final = frozenset({"topk", "bottomk", "limitk", "limit_ratio"})
"""Aggregations that return some of the series as they are."""
_ABSENT: Final = frozenset({"absent", "absent_over_time"})
_UNKNOWN: Final = frozenset({"info"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """The labels there can be: those of `only` (`None` for any) less those of `gone`, which says of each why.

    `because` says why there are only those.
    """

    only: frozenset[str] | None = None
    because: str = ""
    gone: Mapping[str, str] = field(default_factory=dict)

    def may_have(self, label: str) -> bool:
        """Whether a series of the answer can have this label."""
        return label == METRIC_NAME or (label not in self.gone and (self.only is None or label in self.only))

    def why(self, label: str) -> str:
        """Why there cannot be this label."""
        return self.gone.get(label, self.because)

    def keeping(self, labels: Iterable[str], because: str) -> Carried:
        """Only those of these labels; one that was gone already is so for its own reason."""
        return Carried(only=frozenset(labels), because=because, gone={**self._reasons(labels), **self.gone})

    def dropping(self, labels: Iterable[str], because: str) -> Carried:
        """All but these labels."""
        return replace(self, gone={**dict.fromkeys(labels, because), **self.gone})

    def adding(self, labels: Iterable[str]) -> Carried:
        """These labels besides."""
        new = frozenset(labels)
        kept = {label: why for label, why in self.gone.items() if label not in new}
        return replace(self, only=None if self.only is None else self.only | new, gone=kept)

    def joined(self, other: Carried) -> Carried:
        """What this or the other can have."""
        named = {*self.gone, *other.gone, *(self.only or ()), *(other.only or ())}
        gone = {label: self.why(label) for label in named if not (self.may_have(label) or other.may_have(label))}
        if self.only is None or other.only is None:
            return Carried(gone=gone)
        return Carried(only=self.only | other.only, because=self.because, gone=gone)

    def _reasons(self, labels: Iterable[str]) -> Mapping[str, str]:
        return {label: self.because for label in labels if not self.may_have(label)}


ANY: Final = Carried()


def carried(node: Tree) -> Carried:
    """The labels that the node's answer can have; a scalar has none."""
    if is_scalar(node):
        return Carried(only=frozenset(), because="a number has no labels")
    match node:
        case Selector():
            return ANY.dropping(_asked_away(node), 'the selector asks for it to be ""')
        case Subquery() | Negated():
            return carried(node.of)
        case Aggregate():
            return _aggregate(node)
        case Binary():
            return _binary(node)
        case Call():
            return _call(node)
        case _:
            return ANY


def _asked_away(node: Selector) -> list[str]:
    """The labels that no series of the selector has."""
    matchers = () if node.has_alternatives else node.matchers
    return [one.label for one in matchers if one.operator == "=" and not one.value]


def _aggregate(node: Aggregate) -> Carried:
    inner = carried(node.of)
    if node.operator in _PICKING:
        return inner
    if node.keeps is None:
        kept = inner.dropping(node.drops, f"{node.operator} without ({', '.join(node.drops)}) drops it")
    else:
        clause = (
            f" by ({', '.join(node.keeps)}) keeps no other label"
            if node.keeps
            else " without a by clause keeps no label"
        )
        kept = inner.keeping(node.keeps, node.operator + clause)
    return kept.adding([node.parameter.value]) if isinstance(node.parameter, Text) else kept


def _binary(node: Binary) -> Carried:
    left, right = carried(node.left), carried(node.right)
    if node.operator in ("and", "unless"):
        return left
    if node.operator == "or":
        return left.joined(right)
    if is_scalar(node.left) or is_scalar(node.right):
        return right if is_scalar(node.left) else left
    return _matched(node, left, right) if node.many is Many.NEITHER else _grouped(node, left, right)


def _grouped(node: Binary, left: Carried, right: Carried) -> Carried:
    """Many series with one: those of the many, and what `group_left` or `group_right` takes from the one."""
    many, one = (left, right) if node.many is Many.LEFT else (right, left)
    missing = [label for label in node.included if not one.may_have(label)]
    because = f"group_{node.many} ({', '.join(node.included)}) takes it from a side that does not have it"
    return many.adding(node.included).dropping(missing, because)


def _matched(node: Binary, left: Carried, right: Carried) -> Carried:
    """One series with one other: what `on` names, or all but what `ignoring` names, and both have."""
    if node.on is None:
        return left.dropping(node.ignored, f"ignoring ({', '.join(node.ignored)}) drops it")
    both = [label for label in node.on if right.may_have(label)]
    return left.keeping(both, f"on ({', '.join(node.on)}) keeps no other label")


def _call(node: Call) -> Carried:
    name, given = node.function, node.arguments
    if name in _ABSENT:
        return Carried(only=_asked(given[0]), because=f"{name}() has only the labels that its selector asks for with =")
    if name in _UNKNOWN:
        return ANY
    if not given or name == "vector":
        return Carried(only=frozenset(), because=f"{name}() has no labels")
    inner = carried(next(filter(_is_vector, given), given[0]))
    if name in ("label_replace", "label_join"):
        return inner.adding([given[1].value]) if isinstance(given[1], Text) else ANY
    return inner.dropping(["le"], f"{name}() drops it") if name == "histogram_quantile" else inner


def _is_vector(node: Tree) -> bool:
    return not isinstance(node, Text) and not is_scalar(node)


def _asked(node: Tree) -> frozenset[str]:
    """The labels that the answer of `absent` takes over from a selector (P:promql/functions.go createLabelsForAbsentFunction)."""
    matchers: tuple[Matcher, ...] = node.matchers if isinstance(node, Selector) and not node.has_alternatives else ()
    named = [one.label for one in matchers]
    return frozenset(one.label for one in matchers if one.operator == "=" and one.value and named.count(one.label) == 1)
