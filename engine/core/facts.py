"""What one notification says, frozen at the flush that decided it: the sender renders from these facts and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from rules.labels import Labels


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertFacts:
    """One alert as the message tells it. `starts_at` is when it began to fire; `ends_at` is `None` while it fires.

    `value` is the current value (firing) or the last firing one (resolved), `None` when unknown. `threshold` is the
    comparison as text, `> 80`, `None` for an expression with no single threshold.
    """

    status: Literal["firing", "resolved"]
    fingerprint: str
    source: str
    labels: Labels
    annotations: Mapping[str, str]
    starts_at: datetime
    ends_at: datetime | None = None
    value: float | None = None
    threshold: str | None = None
    generator_url: str = ""
    number: int | None = None
    """The alert's row, where it has one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """One notification: the group, why it is sent now, and its alerts (firing first).

    `dedup_key` is the key that leaves the system (PagerDuty dedup key, email thread): stable for the group's life.
    `reason` is a notifying Reason's text, e.g. `first notification`. `status` is firing if any alert fires.
    """

    group_key: str
    dedup_key: str
    receiver: str
    reason: str
    flush_at: datetime
    group_labels: Labels
    alerts: tuple[AlertFacts, ...]
    external_url: str = ""
    notes: tuple[str, ...] = field(default=())
    """Things the reader must know about the message itself, e.g. that a template failed."""
    route_labels: Labels = field(default_factory=Labels)
    """The labels of the route, as templates over this group: a message renders them."""

    @property
    def firing(self) -> tuple[AlertFacts, ...]:
        return tuple(alert for alert in self.alerts if alert.status == "firing")

    @property
    def resolved(self) -> tuple[AlertFacts, ...]:
        return tuple(alert for alert in self.alerts if alert.status == "resolved")

    @property
    def status(self) -> Literal["firing", "resolved"]:
        return "firing" if self.firing else "resolved"
