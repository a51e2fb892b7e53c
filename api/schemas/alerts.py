"""Alerts on the wire, and the request to silence one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from pydantic import Field

from api.schemas.fields import Duration, Input, Measured, Output, Text
from engine.core.alert import Alert, State
from engine.core.muting import Mute


class MutedBy(Output):
    """What keeps an alert quiet now; `until` is null when no end is known."""

    kind: str
    id: str
    until: datetime | None = None


class AlertOut(Output):
    """One alert. `rule_id` is `external` for a posted one; value and annotations are those of its last transition."""

    fingerprint: str
    rule_id: str
    labels: dict[str, str]
    annotations: dict[str, str]
    state: State
    value: Measured
    threshold: Measured | None
    active_at: datetime
    fired_at: datetime | None
    resolved_at: datetime | None
    episode: int
    muted_by: list[MutedBy] = Field(default_factory=list)

    @classmethod
    def of(cls, alert: Alert, mutes: Mapping[int, Mute] | None = None) -> AlertOut:
        """The alert, with what mutes it by its row number; one that was never stored is muted by nothing."""
        mute = None if mutes is None or alert.id is None else mutes.get(alert.id)
        return cls(
            fingerprint=alert.labels.fingerprint(),
            rule_id=alert.source,
            labels=dict(alert.labels),
            annotations=dict(alert.annotations),
            state=alert.state,
            value=alert.value,
            threshold=alert.threshold,
            active_at=alert.active_at,
            fired_at=alert.fired_at,
            resolved_at=alert.resolved_at,
            episode=alert.episode,
            muted_by=[] if mute is None else [MutedBy(kind=mute.kind, id=mute.by, until=mute.until)],
        )


class AlertAnswer(AlertOut):
    """One alert asked for by name; `also_from` are other rules whose alerts carry exactly these labels."""

    also_from: list[str] = Field(default_factory=list)


class QuietIn(Input):
    """A wish to silence exactly this alert's labels, from now on."""

    duration: Duration
    comment: Text = ""
