"""Alerts on the wire, and the request to silence one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from pydantic import Field, StrictBool

from api.schemas.fields import Duration, Input, Measured, Output, Text, example
from engine.core.alert import Alert, State
from engine.core.external import NONE, outward
from engine.core.muting import Mute, Mutes
from rules.labels import Labels


class MutedBy(Output):
    """What keeps an alert quiet now; of several the first is the one to name. `until` is null when no end is known.

    `id` is that of a silence, an inhibit rule or (level) a rule, or an interval's name. Where a firing alert does it, `alert`
    is its fingerprint.
    """

    kind: str
    id: str
    until: datetime | None = None
    alert: str | None = None


EXAMPLE: Final[dict[str, Any]] = {
    "fingerprint": "3b15fd163d36582e",
    "rule_id": "cpu",
    "labels": {"alertname": "HighCpu", "instance": "db-1", "severity": "critical"},
    "annotations": {"summary": "CPU above 90 %"},
    "state": "firing",
    "value": 93.5,
    "threshold": 90.0,
    "active_at": "2026-11-21T11:55:00Z",
    "fired_at": "2026-11-21T12:00:00Z",
    "resolved_at": None,
    "reason": "held",
    "episode": 1,
    "muted_by": [{"kind": "silence", "id": "0d6d1b2f", "until": "2026-11-21T14:00:00Z", "alert": None}],
}


class AlertOut(Output):
    """One alert. `rule_id` is `external` for a posted one; reason is that of its last transition, and of one that resolved value
    and annotations too. Those of an active one are of its last evaluation.
    """

    model_config = example(EXAMPLE)
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
    reason: str | None = None
    episode: int
    muted_by: list[MutedBy] = Field(default_factory=list)

    @classmethod
    def of(
        cls,
        alert: Alert,
        mutes: Mutes | None = None,
        reasons: Mapping[int, str] | None = None,
        *,
        muters: Mapping[int, str] | None = None,
        external: Labels = NONE,
    ) -> AlertOut:
        """The alert, with what mutes it and why it is in its state, by its row number; one never stored has neither.

        `muters` are the fingerprints of the alerts that mute others; `external` labels are shown with its own, as in messages.
        """
        number = alert.id or 0
        return cls(
            fingerprint=alert.labels.fingerprint(),
            rule_id=alert.source,
            labels=dict(outward(alert.labels, alert.source, external)),
            annotations=dict(alert.annotations),
            state=alert.state,
            value=alert.value,
            threshold=alert.threshold,
            active_at=alert.active_at,
            fired_at=alert.fired_at,
            resolved_at=alert.resolved_at,
            reason=(reasons or {}).get(number),
            episode=alert.episode,
            muted_by=[_muted_by(one, muters or {}) for one in (mutes or {}).get(number, ())],
        )


def _muted_by(mute: Mute, muters: Mapping[int, str]) -> MutedBy:
    doing = None if mute.source is None else muters.get(mute.source)
    return MutedBy(kind=mute.kind, id=mute.by, until=mute.until, alert=doing)


class AlertAnswer(AlertOut):
    """One alert asked for by name; `also_from` are other rules whose alerts carry exactly these labels."""

    model_config = example({**EXAMPLE, "also_from": []})
    also_from: list[str] = Field(default_factory=list)


class QuietIn(Input):
    """A wish to silence exactly this alert's labels, from now on: for a while, or until it has resolved."""

    model_config = example({"duration": "2h", "comment": "disk is being replaced"})
    duration: Duration | None = None
    comment: Text = ""
    until_resolved: StrictBool = False
