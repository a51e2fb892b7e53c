"""Notifications on the wire: what was sent to whom and why, and every attempt at it."""

from __future__ import annotations

from datetime import datetime

from api.schemas.fields import Output, example
from engine.store.notifications import Notification
from engine.store.outbox import Status


class AttemptOut(Output):
    """One attempt to deliver: sent, retry (it will be tried again), dead (given up), or sent late (and sent twice)."""

    at: datetime
    outcome: str
    error: str | None = None


class NotificationOut(Output):
    """One message for one addressee; `next_attempt_at` is null once nothing more will be tried."""

    model_config = example(
        {
            "id": 17,
            "channel": "slack",
            "recipient": "",
            "dedup_key": "tocsin-5c1f0a9e",
            "reason": "first notification",
            "outcome": "sent",
            "attempts": [
                {"at": "2026-11-21T12:00:31Z", "outcome": "retry", "error": "rate_limited: HTTP 429"},
                {"at": "2026-11-21T12:01:02Z", "outcome": "sent", "error": None},
            ],
            "next_attempt_at": None,
            "created_at": "2026-11-21T12:00:30Z",
            "finished_at": "2026-11-21T12:01:02Z",
        }
    )
    id: int
    channel: str
    recipient: str
    dedup_key: str
    reason: str
    outcome: Status
    attempts: list[AttemptOut]
    next_attempt_at: datetime | None
    created_at: datetime
    finished_at: datetime | None

    @classmethod
    def of(cls, notification: Notification) -> NotificationOut:
        """The notification as it is shown."""
        attempts = [AttemptOut(at=one.at, outcome=one.outcome, error=one.error) for one in notification.attempts]
        values = {name: getattr(notification, name) for name in cls.model_fields if name not in ("outcome", "attempts")}
        return cls.model_construct(**values, outcome=notification.status, attempts=attempts)
