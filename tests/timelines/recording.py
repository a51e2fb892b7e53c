"""A world whose webhooks are kept as what each channel has been told, and may fail when they are asked to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from engine.core.outcome import Outcome
from engine.delivery.addresses import Address, WebhookUrl
from rules.labels import Labels
from tests.scenarios.world import World

HOUSEKEEPING: Final = frozenset({"watch", "janitor"})
"""Loops that tell nobody of alerts; they have something to do every second."""
LONGEST: Final = 20
"""How often the loops may go on at one moment."""
RARELY: Final = {"TOCSIN_LEASE": "1h", "TOCSIN_EVALUATION_INTERVAL": "1h"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message that arrived; the alerts by their labels, each with its start or its end."""

    at: float
    channel: str
    group: str
    reason: str
    firing: Mapping[Labels, str]
    resolved: Mapping[Labels, str]


@dataclass
class RecordingWorld(World):
    """Times are seconds since the beginning; `planned` are failures to come, `failed_at` the last one of each channel."""

    messages: list[Message] = field(default_factory=list)
    planned: dict[str, list[Outcome]] = field(default_factory=dict)
    failed_at: dict[str, float] = field(default_factory=dict)

    def tick(self) -> datetime | None:
        """Every loop that tells, until none of them has anything left to do at this moment."""
        for _ in range(LONGEST):
            moments = [loop.tick() for loop in self.service.loops if loop.name not in HOUSEKEEPING]
            due = min((moment for moment in moments if moment is not None), default=None)
            if due is None or due > self.clock.moment:
                break
        return due

    def _deliver(self, address: Address, body: bytes, recipient: str, deadline: timedelta) -> Outcome:
        if not isinstance(address, WebhookUrl):
            return super()._deliver(address, body, recipient, deadline)
        channel = address.url.rpartition("/")[2]
        if self.planned.get(channel):
            self.failed_at[channel] = self.now
            return self.planned[channel].pop(0)
        self.messages.append(_message(self.now, channel, json.loads(body)))
        return super()._deliver(address, body, recipient, deadline)


def _message(at: float, channel: str, body: Mapping[str, Any]) -> Message:
    def by_labels(status: str, instant: str) -> dict[Labels, str]:
        return {Labels(one["labels"]): one[instant] for one in body["alerts"] if one["status"] == status}

    return Message(
        at=at,
        channel=channel,
        group=body["groupKey"],
        reason=body["notification_reason"],
        firing=by_labels("firing", "startsAt"),
        resolved=by_labels("resolved", "endsAt"),
    )
