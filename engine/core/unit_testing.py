"""What rule unit tests come to: the series an alert shows itself by, and whether what was got is what was expected.

Source: prometheus/cmd/promtool/unittest.go (test), prometheus/rules/alerting.go (sample, forStateSample).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Final, TypeVar

from engine.core.alert import Alert, Sample
from rules.errors import PromqlError
from rules.formats.rule_tests import ExpectedAlert, ExpectedSample
from rules.labels import ALERTNAME, METRIC_NAME, SEVERITY, Labels
from rules.promql_tree import Selector, Subquery, Tree, tree, walk
from rules.rule import Rule

ALERTS: Final = "ALERTS"
ALERTS_FOR_STATE: Final = "ALERTS_FOR_STATE"
STATE: Final = "alertstate"

T = TypeVar("T")


def shown(rule: Rule, alert: Alert) -> tuple[Sample, Sample]:
    """The samples of `ALERTS` and `ALERTS_FOR_STATE` that Prometheus writes for a pending or firing alert.

    A label whose template rendered empty shows its raw text, as there.
    """
    severity = {SEVERITY: rule.severity} if rule.severity else {}
    labels = Labels({**rule.labels, **severity}).merged(alert.labels).merged({ALERTNAME: rule.name})
    return (
        Sample(labels=labels.merged({METRIC_NAME: ALERTS, STATE: alert.state.value}), value=1.0),
        Sample(labels=labels.merged({METRIC_NAME: ALERTS_FOR_STATE}), value=float(int(alert.active_at.timestamp()))),
    )


def recorded(record: str, labels: Mapping[str, str], samples: Iterable[Sample]) -> Iterator[Sample]:
    """The samples under the name that a recording rule gives them, its labels over their own.

    Source: prometheus/rules/recording.go (Eval).
    """
    for sample in samples:
        yield Sample(labels=sample.labels.merged(labels).merged({METRIC_NAME: record}), value=sample.value)


def foreseeable(exprs: Sequence[str], written: Collection[str], fed: Collection[str]) -> frozenset[int]:
    """The places of the expressions whose answers at all times are known from what is fed alone, so that one range query asks.

    `written` are the series that rules write, `fed` those of the input. Where one expression may look at later samples, none is:
    the input must not be there before its time then.
    """
    trees: list[Tree | None] = [_tree(expr) for expr in exprs]
    if not set(written).isdisjoint(fed) or any(node is None or _looks_ahead(node) for node in trees):
        return frozenset()
    return frozenset(at for at, node in enumerate(trees) if node is not None and _reads_input(node, written))


def _tree(expr: str) -> Tree | None:
    try:
        return tree(expr)
    except PromqlError:
        return None


def _looks_ahead(node: Tree) -> bool:
    return any(isinstance(one, Selector | Subquery) and one.is_ahead for one in walk(node))


def _reads_input(node: Tree, written: Collection[str]) -> bool:
    names = [one.name for one in walk(node) if isinstance(one, Selector)]
    return all(name is not None and name not in written for name in names)


def unlike(
    expected: Sequence[ExpectedAlert], got: Sequence[ExpectedAlert]
) -> tuple[tuple[ExpectedAlert, ...], tuple[ExpectedAlert, ...]]:
    """What is missing of the alerts that should fire, and what fires and should not; equals count as often as they are there."""
    return _less(expected, got), _less(got, expected)


def _less(some: Sequence[T], others: Sequence[T]) -> tuple[T, ...]:
    left = list(others)
    found = []
    for one in some:
        if one in left:
            left.remove(one)
        else:
            found.append(one)
    return tuple(found)


def answers(expected: Sequence[ExpectedSample], got: Sequence[Sample], *, fuzzy: bool) -> bool:
    """Whether an answer has exactly the samples expected, in any order; `fuzzy` lets the last bit of a value differ.

    NaN equals nothing, itself neither, as in promtool.
    """
    ordered = sorted(got, key=lambda sample: tuple(sample.labels.items()))
    wanted = sorted(expected, key=lambda sample: tuple(sample.labels.items()))
    return len(wanted) == len(ordered) and all(
        want.labels == have.labels and _same(want.value, have.value, fuzzy=fuzzy)
        for want, have in zip(wanted, ordered, strict=True)
    )


def _same(one: float, other: float, *, fuzzy: bool) -> bool:
    if one == other:
        return True
    return fuzzy and other in (math.nextafter(one, math.inf), math.nextafter(one, -math.inf))
