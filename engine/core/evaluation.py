"""One rule at one slot: what its query returned and what was active before, to what is active now and what changed.

Source: P:rules/alerting.go Eval. The slot is the `now` of all arithmetic, never the wall clock, so a late evaluation decides
as an exact one would. The answer's labels and templates are worked out first and may fail as a whole (a duplicate label set)
before any state is touched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from engine.core.alert import Alert, Change, Sample, State, TransitionReason
from rules.labels import ALERTNAME, METRIC_NAME, SEVERITY, Labels
from rules.rule import Rule

LONGEST_GAP = timedelta(hours=1)
"""Beyond this much time in which nobody evaluated, a pending alert's clock starts anew."""


class DuplicateLabelSetError(ValueError):
    """Two series of one answer end in the same alert, so neither can be told from the other; the labels are named."""

    def __init__(self, labels: Labels) -> None:
        super().__init__(f"vector contains metrics with the same labelset after applying alert labels: {labels}")
        self.labels = labels


@dataclass(frozen=True, slots=True, kw_only=True)
class Element:
    """One active element of the answer, with what made it active: the threshold, the row it comes from, and its `for`.

    `threshold_id` None means the rule's own threshold, `hold` None the rule's own `for`.
    """

    sample: Sample
    threshold: float | None = None
    threshold_id: str | None = None
    hold: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """What one evaluation leaves: the alerts active now (pending or firing), by labels, and the transitions that led there."""

    alerts: Mapping[Labels, Alert]
    changes: tuple[Change, ...] = field(default=())


def final_labels(
    rule: Rule, sample: Sample, expand: Callable[[str, Sample], str], *, severity: str | None = None
) -> Labels:
    """The labels an alert of this sample carries: the series' own less its name, the rule's over them, alertname last.

    A label whose template renders empty is removed. The level's `severity` (`None`: the rule's own), where there is one, is
    the label `severity`.
    """
    over = {name: expand(text, sample) for name, text in rule.labels.items()}
    level = rule.severity if severity is None else severity
    if level:
        over[SEVERITY] = level
    return sample.labels.without(METRIC_NAME).merged(over).merged({ALERTNAME: rule.name})


def labelled(rule: Rule, samples: Iterable[Sample], expand: Callable[[str, Sample], str]) -> Mapping[Labels, Element]:
    """The samples, each an active element, by the labels of the alert it makes.

    Raises DuplicateLabelSetError, as Prometheus does.
    """
    found: dict[Labels, Element] = {}
    for sample in samples:
        labels = final_labels(rule, sample, expand)
        if labels in found:
            raise DuplicateLabelSetError(labels)
        found[labels] = Element(sample=sample, threshold=rule.threshold)
    return found


def evaluate(
    rule: Rule, elements: Mapping[Labels, Element], before: Mapping[Labels, Alert], slot: datetime
) -> Evaluation:
    """Advance the rule's alerts to `slot`. Every element is active whatever its value: 0, NaN and ±Inf too.

    `before` holds the rule's pending and firing alerts by labels; `slot` is not earlier than any instant in it.
    """
    after: dict[Labels, Alert] = {}
    changes: list[Change] = []
    for labels, element in elements.items():
        known = before.get(labels)
        alert = _seen(rule, labels, element, known, slot)
        after[labels] = alert
        _note(changes, known, alert)
    for labels, known in before.items():
        if labels in elements:
            continue
        alert = _unseen(rule, known, slot)
        if alert.state is not State.INACTIVE:
            after[labels] = alert
        _note(changes, known, alert)
    return Evaluation(alerts=after, changes=tuple(changes))


def resolve_all(before: Iterable[Alert], slot: datetime, reason: TransitionReason) -> Evaluation:
    """End every alert at `slot`, because its rule was deleted or disabled."""
    changes = tuple(Change(before=alert.state, alert=_ended(alert, slot), reason=reason) for alert in before)
    return Evaluation(alerts={}, changes=changes)


def credit_gap(alerts: Mapping[Labels, Alert], gap: timedelta, slot: datetime) -> Mapping[Labels, Alert]:
    """Take time in which nobody evaluated out of the pending alerts' account, for it is no evidence that they held.

    A gap of up to an hour moves `active_at` forward by itself; after a longer one the clock starts anew at `slot`. Firing
    alerts stay as they are over any gap.
    """
    if gap <= timedelta(0):
        return alerts

    def credited(alert: Alert) -> Alert:
        if alert.state is not State.PENDING:
            return alert
        return replace(alert, active_at=slot if gap > LONGEST_GAP else min(alert.active_at + gap, slot))

    return {labels: credited(alert) for labels, alert in alerts.items()}


def _seen(rule: Rule, labels: Labels, element: Element, known: Alert | None, slot: datetime) -> Alert:
    sample = element.sample
    if known is None:
        known = Alert(
            source=rule.id,
            labels=labels,
            sample_labels=sample.labels,
            state=State.PENDING,
            value=sample.value,
            active_at=slot,
        )
    current = replace(
        known,
        value=sample.value,
        sample_labels=sample.labels,
        keep_firing_since=None,
        threshold=element.threshold,
        threshold_id=element.threshold_id,
        rule_version=rule.version,
    )
    return _held(current, rule.hold if element.hold is None else element.hold, slot)


def _unseen(rule: Rule, known: Alert, slot: datetime) -> Alert:
    if known.state is State.PENDING or rule.keep_firing_for <= timedelta(0):
        return _ended(known, slot)
    since = known.keep_firing_since or slot
    if slot - since >= rule.keep_firing_for:
        return _ended(known, slot)
    kept = replace(known, keep_firing_since=since)
    # What a row governed had that row's `for`, which nobody knows any more without a sample; the rule's own says nothing.
    return _held(kept, rule.hold, slot) if known.threshold_id is None else kept


def _held(alert: Alert, hold: timedelta, slot: datetime) -> Alert:
    long_enough = slot - alert.active_at >= hold
    if alert.state is State.PENDING and long_enough:
        return replace(alert, state=State.FIRING, fired_at=slot)
    if alert.state is State.FIRING and not long_enough:
        # `for` was raised under a firing alert: it has to earn its firing again (P: …ResetToPendingOnHoldDurationIncrease).
        return replace(alert, state=State.PENDING, fired_at=None, keep_firing_since=None)
    return alert


def _ended(alert: Alert, slot: datetime) -> Alert:
    return replace(alert, state=State.INACTIVE, resolved_at=slot, keep_firing_since=None)


def _note(changes: list[Change], known: Alert | None, alert: Alert) -> None:
    before = None if known is None else known.state
    if before is alert.state:
        return
    changes.append(Change(before=before, alert=alert, reason=_reason(before, alert.state)))


def _reason(before: State | None, after: State) -> TransitionReason:
    if after is State.INACTIVE:
        return TransitionReason.CONDITION_ENDED
    if after is State.FIRING:
        return TransitionReason.HELD
    return TransitionReason.CONDITION_MET if before is None else TransitionReason.HOLD_RAISED
