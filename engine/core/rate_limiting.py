"""How many messages a channel takes: when the next one may go, given when the last ones went."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from rules.channels import RateLimit


def within(sent: Sequence[datetime], limit: RateLimit, now: datetime) -> tuple[datetime, ...]:
    """Those of the last sends that still count, oldest first; a clock that was set back makes none of them count for ever."""
    return tuple(sorted(at for at in sent if now - limit.per < at <= now))


def next_send(sent: Sequence[datetime], limit: RateLimit, now: datetime) -> datetime:
    """When the next message may go: `now`, or when the oldest of as many as are allowed has left the period."""
    counting = within(sent, limit, now)
    return now if len(counting) < limit.messages else counting[-limit.messages] + limit.per
