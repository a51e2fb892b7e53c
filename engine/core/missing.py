"""What is not there: which alerts lost their series, why, and whether the rule keeps them or lets them end.

Data means the rule's left side, before any comparison. A rule for which nobody looks at it loses nothing.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime

from engine.core.alert import Absence, Alert, TransitionReason
from rules.labels import Labels
from rules.rule import MissingSeries, NoData, Rule


def missing(alert: Alert, present: Collection[Labels] | None) -> TransitionReason | None:
    """Why the alert's series is not among those `present`; `None` when it is, or when nobody looked (`present` None)."""
    if present is None or alert.sample_labels in present:
        return None
    return TransitionReason.SERIES_MISSING if present else TransitionReason.NO_DATA


def kept(rule: Rule, alert: Alert, reason: TransitionReason, slot: datetime) -> Alert | None:
    """The alert as it stands while its series is missing; `None` when the rule lets it end at `slot`.

    The time it may be missing counts from the slot at which this reason began. `no_data = alert` keeps what there is, too:
    an alert of the rule itself says that nobody knows any more.
    """
    known = alert.absence
    absence = known if known is not None and known.reason is reason else Absence(since=slot, reason=reason)
    if reason is TransitionReason.NO_DATA:
        keeps = rule.no_data is not NoData.OK
    else:
        keeps = rule.missing_series is MissingSeries.KEEP and slot - absence.since < rule.missing_for
    return replace(alert, absence=absence) if keeps else None
