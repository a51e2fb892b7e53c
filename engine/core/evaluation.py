"""One rule at one slot: what its query returned and what was active before, to what is active now and what changed.

Source: P:rules/alerting.go Eval. The slot is the `now` of all arithmetic, never the wall clock, so a late evaluation decides
as an exact one would. The answer's labels and templates are worked out first and may fail as a whole (a duplicate label set)
before any state is touched.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from engine.core.alert import Alert, Change, Sample, State, TransitionReason
from engine.core.element import Element
from engine.core.missing import kept, missing
from engine.core.remembering import Remembered
from engine.core.rule_alert import reason_of, rule_alert
from rules.labels import ALERTNAME, METRIC_NAME, SEVERITY, Labels
from rules.rule import NoData, OnError, Rule

_Gone = tuple[Alert, TransitionReason]
"""An alert that is not active any more by itself, and why it ended or is kept."""

_SERIES: Final = 100_000
"""Of so many active series of a rule the labels of their alerts are remembered."""
LONGEST_GAP = timedelta(hours=1)
"""Beyond this much time in which nobody evaluated, a pending alert's clock starts anew."""


class DuplicateLabelSetError(ValueError):
    """Two series of one answer end in the same alert, so neither can be told from the other; the labels are named."""

    def __init__(self, labels: Labels) -> None:
        super().__init__(f"vector contains metrics with the same labelset after applying alert labels: {labels}")
        self.labels = labels


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """What one evaluation leaves: the alerts active now (pending or firing), by labels, and the transitions that led there.

    `over_limit` counts the elements that were active and became no alert, because the rule is at its limit.
    """

    alerts: Mapping[Labels, Alert]
    changes: tuple[Change, ...] = field(default=())
    over_limit: int = 0


def final_labels(
    rule: Rule, sample: Sample, expand: Callable[[str, Sample], str], *, severity: str | None = None
) -> Labels:
    """The labels an alert of this sample carries: the series' own less its name, the rule's over them, alertname last.

    A label whose template renders empty is removed. The level's `severity` (`None`: the rule's own), where there is one, is
    the label `severity`.
    """
    labels = dict(sample.labels.items())
    labels.pop(METRIC_NAME, None)
    for name, text in rule.labels.items():
        labels[name] = expand(text, sample)
    level = rule.severity if severity is None else severity
    if level:
        labels[SEVERITY] = level
    labels[ALERTNAME] = rule.name
    return Labels(labels)


class Naming:
    """The labels of one rule's alerts by its series. Where no label of the rule holds a template, they are made once."""

    def __init__(self, rule: Rule) -> None:
        self._rule = rule
        self.is_plain = not any("{{" in text for text in rule.labels.values())
        """Whether the labels of an alert hang on its series alone."""
        self._known: dict[str | None, Remembered[Labels, Labels]] = {}

    def labels(self, sample: Sample, expand: Callable[[str, Sample], str], severity: str | None = None) -> Labels:
        """What `final_labels` gives."""
        if not self.is_plain:
            return final_labels(self._rule, sample, expand, severity=severity)
        known = self._known.get(severity)
        if known is None:
            known = self._known[severity] = Remembered(partial(self._made, severity), room=_SERIES)
        return known[sample.labels]

    def _made(self, severity: str | None, series: Labels) -> Labels:
        def written(text: str, _: Sample) -> str:
            return text

        return final_labels(self._rule, Sample(labels=series, value=0.0), written, severity=severity)


def labelled(
    rule: Rule, samples: Iterable[Sample], expand: Callable[[str, Sample], str], names: Naming | None = None
) -> Mapping[Labels, Element]:
    """The samples, each an active element, by the labels of the alert it makes.

    Raises DuplicateLabelSetError, as Prometheus does.
    """
    found: dict[Labels, Element] = {}
    names = names or Naming(rule)
    for sample in samples:
        labels = names.labels(sample, expand)
        if labels in found:
            raise DuplicateLabelSetError(labels)
        found[labels] = Element(sample=sample, threshold=rule.threshold)
    return found


def evaluate(
    rule: Rule,
    elements: Mapping[Labels, Element],
    before: Mapping[Labels, Alert],
    slot: datetime,
    *,
    present: Collection[Labels] | None = None,
) -> Evaluation:
    """Advance the rule's alerts to `slot`. Every element is active whatever its value: 0, NaN and ±Inf too.

    `before` holds the rule's pending and firing alerts by labels; `slot` is not earlier than any instant in it. `present` are
    the series of the rule's left side, past the threshold or not; `None` when nobody looked.
    """
    silent = present is not None and not present and rule.no_data is NoData.ALERT
    wanted = {**elements, **(rule_alert(rule, TransitionReason.NO_DATA) if silent else {})}
    gone = {labels: _gone(rule, one, slot, present) for labels, one in before.items() if labels not in wanted}
    refused = _refused(rule, elements, before, gone.values())
    seen = {
        labels: _seen(rule, labels, element, before.get(labels), slot)
        for labels, element in wanted.items()
        if labels not in refused
    }
    return replace(_advanced(before, seen, gone), over_limit=len(refused))


def failed(rule: Rule, before: Mapping[Labels, Alert], slot: datetime) -> Evaluation:
    """What an evaluation that failed at `slot` makes of the rule's alerts: nothing, unless its `on_error` says otherwise.

    With `alert` the rule itself has an alert for as long as it fails; with `ok` its alerts end.
    """
    raised = rule_alert(rule, TransitionReason.EVALUATION_ERROR) if rule.on_error is OnError.ALERT else {}
    seen = {labels: _seen(rule, labels, element, before.get(labels), slot) for labels, element in raised.items()}
    left = {labels: alert for labels, alert in before.items() if labels not in seen}
    return _advanced(before, seen, {labels: _after_error(rule, alert, slot) for labels, alert in left.items()})


def resolve_all(before: Iterable[Alert], slot: datetime, reason: TransitionReason) -> Evaluation:
    """End every alert at `slot`, because its rule was deleted or disabled."""
    changes = tuple(Change(before=alert.state, alert=_ended(alert, slot), reason=reason) for alert in before)
    return Evaluation(alerts={}, changes=changes)


def credit_gap(alerts: Mapping[Labels, Alert], gap: timedelta, slot: datetime) -> Mapping[Labels, Alert]:
    """Take time in which nobody evaluated out of the pending alerts' account, for it is no evidence that they held.

    A gap of up to an hour moves `active_at` forward by itself; after a longer one the clock starts anew at `slot`. Firing
    alerts stay as they are over any gap. The time an alert is kept without its series is counted in the same way.
    """
    if gap <= timedelta(0):
        return alerts

    def later(moment: datetime) -> datetime:
        return slot if gap > LONGEST_GAP else min(moment + gap, slot)

    def credited(alert: Alert) -> Alert:
        absence = alert.absence
        if absence is not None:
            alert = replace(alert, absence=replace(absence, since=later(absence.since)))
        return replace(alert, active_at=later(alert.active_at)) if alert.state is State.PENDING else alert

    return {labels: credited(alert) for labels, alert in alerts.items()}


def _refused(
    rule: Rule, elements: Mapping[Labels, Element], before: Mapping[Labels, Alert], gone: Iterable[_Gone]
) -> Collection[Labels]:
    """The elements beyond the rule's limit. What is active already goes before what is new, and that goes by its labels."""
    new = [labels for labels in elements if labels not in before]
    if rule.limit <= 0 or not new:
        return ()
    kept_on = sum(1 for alert, _ in gone if alert.state is not State.INACTIVE)
    room = max(0, rule.limit - kept_on - (len(elements) - len(new)))
    return frozenset(sorted(new, key=lambda labels: tuple(labels.items()))[room:])


def _advanced(before: Mapping[Labels, Alert], seen: Mapping[Labels, Alert], gone: Mapping[Labels, _Gone]) -> Evaluation:
    """What is active and what changed, from the alerts that were seen and those that were not, each with why it would end."""
    after = dict(seen)
    changes: list[Change] = []
    for labels, alert in seen.items():
        changes += _noted(before.get(labels), alert, TransitionReason.DATA_RETURNED)
    for labels, (alert, reason) in gone.items():
        if alert.state is not State.INACTIVE:
            after[labels] = alert
        changes += _noted(before[labels], alert, reason)
    return Evaluation(alerts=after, changes=tuple(changes))


def _gone(rule: Rule, known: Alert, slot: datetime, present: Collection[Labels] | None) -> _Gone:
    """An alert that nothing made active at `slot`, and why it ended or is kept."""
    if reason_of(known) is not None:
        return _ended(known, slot), TransitionReason.DATA_RETURNED
    reason = missing(known, present)
    if reason is None:
        return _unseen(rule, replace(known, absence=None), slot), TransitionReason.CONDITION_ENDED
    return kept(rule, known, reason, slot) or _unseen(rule, replace(known, absence=None), slot), reason


def _after_error(rule: Rule, known: Alert, slot: datetime) -> _Gone:
    raised = reason_of(known)
    if rule.on_error is OnError.OK:
        ended = _ended(known, slot) if raised else _unseen(rule, replace(known, absence=None), slot)
        return ended, TransitionReason.EVALUATION_ERROR
    if raised is TransitionReason.EVALUATION_ERROR:
        # Nobody wants it any more, or it goes by other labels now.
        return _ended(known, slot), TransitionReason.CONDITION_ENDED
    return known, TransitionReason.CONDITION_ENDED


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
    return _held(_current(rule, element, known), rule.hold if element.hold is None else element.hold, slot)


def _current(rule: Rule, element: Element, known: Alert) -> Alert:
    """The alert with what its element says now; most often that is the value alone."""
    sample = element.sample
    governed = element.threshold, element.threshold_id, rule.version
    is_kept = known.keep_firing_since is not None or known.absence is not None
    if (
        not is_kept
        and (known.threshold, known.threshold_id, known.rule_version) == governed
        and known.sample_labels == sample.labels
    ):
        # A zero has a sign that no comparison sees.
        same = known.value == sample.value and sample.value != 0
        return known if same else known.at(sample.value)
    return replace(
        known,
        value=sample.value,
        sample_labels=sample.labels,
        keep_firing_since=None,
        absence=None,
        threshold=element.threshold,
        threshold_id=element.threshold_id,
        rule_version=rule.version,
    )


def _unseen(rule: Rule, known: Alert, slot: datetime) -> Alert:
    if known.state is State.PENDING or rule.keep_firing_for <= timedelta(0):
        return _ended(known, slot)
    since = min(known.keep_firing_since or slot, slot)
    if slot - since >= rule.keep_firing_for:
        return _ended(known, slot)
    kept = replace(known, keep_firing_since=since)
    # What a row governed had that row's `for`, which nobody knows any more without a sample; the rule's own says nothing.
    return _held(kept, rule.hold, slot) if known.threshold_id is None else kept


def _held(alert: Alert, hold: timedelta, slot: datetime) -> Alert:
    if alert.state is State.PENDING and slot < alert.active_at:
        # A clock that was set back has taken the time it held: it is counted from here on, not from when that comes again.
        alert = replace(alert, active_at=slot)
    long_enough = slot - alert.active_at >= hold
    if alert.state is State.PENDING and long_enough:
        return replace(alert, state=State.FIRING, fired_at=slot)
    if alert.state is State.FIRING and not long_enough and not _is_before_its_time(alert, slot):
        # `for` was raised under a firing alert: it has to earn its firing again (P: …ResetToPendingOnHoldDurationIncrease).
        return replace(alert, state=State.PENDING, fired_at=None, keep_firing_since=None)
    return alert


def _is_before_its_time(alert: Alert, slot: datetime) -> bool:
    """Whether the clock was set back to before it fired, so that how long it has held says nothing."""
    return alert.fired_at is not None and slot < alert.fired_at


def _ended(alert: Alert, slot: datetime) -> Alert:
    return replace(alert, state=State.INACTIVE, resolved_at=slot, keep_firing_since=None, absence=None)


def _noted(known: Alert | None, alert: Alert, reason: TransitionReason) -> Iterator[Change]:
    """The transition, if there is one. `reason` says why it ended, is kept, or has its data back."""
    before = None if known is None else known.state
    if before is not alert.state:
        yield Change(before=before, alert=alert, reason=_reason(before, alert, reason))
    elif _why_absent(known) is not _why_absent(alert):
        yield Change(before=before, alert=alert, reason=_why_absent(alert) or TransitionReason.DATA_RETURNED)


def _why_absent(alert: Alert | None) -> TransitionReason | None:
    return None if alert is None or alert.absence is None else alert.absence.reason


def _reason(before: State | None, alert: Alert, reason: TransitionReason) -> TransitionReason:
    if alert.state is State.INACTIVE:
        return reason
    raised = reason_of(alert)
    if raised is not None:
        return raised
    if alert.state is State.FIRING:
        return TransitionReason.HELD
    return TransitionReason.CONDITION_MET if before is None else TransitionReason.HOLD_RAISED
