"""External labels: what a system says of all its alerts on their way out, so that those of several systems are told apart.

As at Prometheus' notifier they are no part of an alert's identity. They are laid under its own labels before anything
is decided about it: routes, groups, inhibition, silences and messages see them (P:notifier/alert.go).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from engine.core.alert import Alert
from rules.labels import Labels

NONE: Final = Labels()
POSTED: Final = "external"
"""The source of alerts that others posted: they bring external labels of their own, where they have any."""


def outward(labels: Labels, source: str, external: Labels) -> Labels:
    """The labels by which an alert of this source is known outside; its own win."""
    return external.merged(labels) if external and source != POSTED else labels


def sent_out(alert: Alert, external: Labels) -> Alert:
    """The alert as it is known outside."""
    labels = outward(alert.labels, alert.source, external)
    return alert if labels is alert.labels else replace(alert, labels=labels)
