"""The alert of a rule itself: that its evaluation fails, or that it has no data. It is about no series.

Its label `reason` tells it from the alerts of the rule's series; a mark in its sample labels, which no series has, tells which
alert it is, whatever becomes of the rule's labels.
"""

from __future__ import annotations

import math
from typing import Final

from engine.core.alert import Alert, Sample, TransitionReason
from engine.core.element import Element
from rules.labels import ALERTNAME, SEVERITY, Labels
from rules.rule import Rule
from rules.thresholds import own_severity

REASON: Final = "reason"
MARK: Final = "__rule_reason__"


def rule_alert(rule: Rule, reason: TransitionReason) -> dict[Labels, Element]:
    """The active element of the rule itself, by the labels of its alert; it has no value.

    The labels are the rule's static ones: a template has no series to speak of, so it is left out.
    """
    static = {name: text for name, text in rule.labels.items() if "{{" not in text}
    over = {SEVERITY: own_severity(rule), ALERTNAME: rule.name, REASON: reason.value}
    mark = Sample(labels=Labels({MARK: reason.value}), value=math.nan)
    return {Labels({**static, **over}): Element(sample=mark)}


def reason_of(alert: Alert) -> TransitionReason | None:
    """Why the rule itself raised this alert; `None` for the alert of a series."""
    mark = alert.sample_labels.get(MARK)
    return None if mark is None else TransitionReason(mark)


def told(rule: Rule, reason: TransitionReason, error: str | None) -> dict[str, str]:
    """What its message says: the rule's annotations that need no series, under what happened."""
    static = {name: text for name, text in rule.annotations.items() if "{{" not in text}
    if reason is TransitionReason.NO_DATA:
        happened = f"rule {rule.name!r} has no data: its left side returns no series"
    else:
        happened = f"rule {rule.name!r} cannot be evaluated: {error or 'it failed before'}"
    return {**static, "summary": happened}
