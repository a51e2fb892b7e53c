"""The levels of a rule that has threshold rows: which of them each sample reaches, and which a higher one keeps quiet.

Each level is an alert of its own, with the label `severity` of the level. Prometheus has answered at the loosest of all
thresholds; what is active is decided here, by the row that governs the series.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import product

from engine.core.alert import Alert, Sample, State
from engine.core.element import Element
from engine.core.evaluation import DuplicateLabelSetError, Naming
from engine.core.vector import Vector
from rules import query, thresholds
from rules.errors import RulesError
from rules.labels import SEVERITY, Labels
from rules.promql import Comparison
from rules.rule import Condition, Rule
from rules.thresholds import Governance, Level, Sieve, Threshold


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectiveLevel:
    """What governs one series at one level now.

    `row_id` None means the rule's own threshold, `threshold` None nothing at all. `active` says whether the value is past the
    threshold, whatever `for` and a recovery make of it.
    """

    severity: str
    threshold: float | None
    recovery_threshold: float | None
    row_id: str | None
    why: str
    active: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectiveSeries:
    """One series that the rule's left side returns now, and its levels, lowest first."""

    labels: Labels
    value: float
    levels: tuple[EffectiveLevel, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Effective:
    """Every series with what governs it, the ids of the rows that govern nothing, and why there is no answer, if so."""

    series: tuple[EffectiveSeries, ...] = ()
    idle: tuple[str, ...] = ()
    error: str | None = None


def levelled(
    rule: Rule,
    samples: Iterable[Sample],
    expand: Callable[[str, Sample], str],
    *,
    condition: Condition,
    levels: Sequence[Level],
    before: Mapping[Labels, Alert],
    names: Naming | None = None,
) -> Mapping[Labels, Element]:
    """The levels the samples reach, by the labels of the alert each makes.

    A level that fires stays reached until the value is back past its recovery; one kept by `keep_firing_for` has been back.
    Raises DuplicateLabelSetError, as Prometheus does.
    """
    found: dict[Labels, Element] = {}
    names = names or Naming(rule)
    sieves = [Sieve(level) for level in levels]
    for sample, sieve in product(samples, sieves):
        governance = sieve.governing(sample.labels)
        if not thresholds.breaches(sample.value, condition, governance, firing=True):
            continue
        labels = names.labels(sample, expand, sieve.level.severity)
        if not thresholds.breaches(sample.value, condition, governance, firing=_fires(before.get(labels))):
            continue
        if labels in found:
            raise DuplicateLabelSetError(labels)
        found[labels] = _element(sample, governance)
    return found


def past(
    samples: Sequence[Sample], comparison: Comparison, rows: Iterable[Threshold], now: datetime
) -> Sequence[Sample]:
    """Of all series of a left side, those that some level may be active for: with no rows, what the comparison returns."""
    rows = tuple(rows)
    loosest = thresholds.loosest(comparison, rows, since=now, until=now) if rows else comparison.threshold
    return samples if loosest is None else Vector.of(samples).past(comparison.condition, loosest)


def overtaken(alerts: Iterable[Alert], active: Iterable[Alert], ranks: Mapping[str, int]) -> Mapping[int, int]:
    """Which of `alerts` a firing alert of a higher level of the same rule and series keeps quiet: the highest, both by id.

    Both are to be alerts of rules that have threshold rows; `active` may hold `alerts` themselves and others.
    Levels of equal rank, and those that nobody ranked, leave each other alone.
    """
    highest = _highest((alert for alert in active if alert.state is State.FIRING), ranks)
    found: dict[int, int] = {}
    for alert in alerts:
        above = highest.get(_series(alert))
        if above is not None and _rank(above, ranks) > _rank(alert, ranks):
            assert alert.id is not None
            assert above.id is not None
            found[alert.id] = above.id
    return found


def _highest(firing: Iterable[Alert], ranks: Mapping[str, int]) -> Mapping[tuple[str, Labels], Alert]:
    """The alert of the highest level of each rule and series; of equals the first."""
    highest: dict[tuple[str, Labels], Alert] = {}
    for alert in firing:
        known = highest.setdefault(_series(alert), alert)
        if _rank(alert, ranks) > _rank(known, ranks):
            highest[_series(alert)] = alert
    return highest


def effective(
    rule: Rule, rows: Sequence[Threshold], samples: Iterable[Sample], now: datetime, ranks: Mapping[str, int]
) -> Effective:
    """What governs each sample of the rule's left side at each level at `now`, and which rows govern none of them."""
    try:
        comparison = query.comparison(rule)
    except RulesError as error:
        return Effective(error=error.message)
    if comparison is None:
        return Effective(error=query.UNSPLIT)
    sieves = [Sieve(level) for level in thresholds.levels(rule, comparison, rows, now, ranks)]
    series = tuple(_effective_series(sample, comparison, sieves) for sample in samples)
    governing = {level.row_id for one in series for level in one.levels}
    return Effective(series=series, idle=tuple(row.id for row in rows if row.id not in governing))


def _effective_series(sample: Sample, comparison: Comparison, sieves: Sequence[Sieve]) -> EffectiveSeries:
    found = tuple(_effective_level(sample, comparison, sieve) for sieve in sieves)
    return EffectiveSeries(labels=sample.labels, value=sample.value, levels=found)


def _effective_level(sample: Sample, comparison: Comparison, sieve: Sieve) -> EffectiveLevel:
    governance = sieve.governing(sample.labels)
    also = f" ({', '.join(governance.tied)})" if governance.tied else ""
    return EffectiveLevel(
        severity=sieve.level.severity,
        threshold=governance.threshold,
        recovery_threshold=governance.recovery,
        row_id=None if governance.row is None else governance.row.id,
        why=f"{governance.why}{also}",
        active=thresholds.breaches(sample.value, comparison.condition, governance, firing=False),
    )


def _element(sample: Sample, governance: Governance) -> Element:
    row = governance.row
    return Element(
        sample=sample,
        threshold=governance.threshold,
        threshold_id=None if row is None else row.id,
        hold=None if row is None else row.hold,
    )


def _fires(known: Alert | None) -> bool:
    return known is not None and known.state is State.FIRING and known.keep_firing_since is None


def _series(alert: Alert) -> tuple[str, Labels]:
    return alert.source, alert.sample_labels


def _rank(alert: Alert, ranks: Mapping[str, int]) -> tuple[bool, int]:
    return thresholds.rank(alert.labels.get(SEVERITY, ""), ranks)
