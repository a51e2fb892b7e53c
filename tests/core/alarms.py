"""Alerts for tests of the decisions: shorthands in which only what matters stands out."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from engine.core.alert import Alert, State
from rules.labels import Labels

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


def alert(
    number: int | None = 1,
    state: State = State.FIRING,
    *,
    labels: Mapping[str, str] | None = None,
    active_at: datetime = NOON,
) -> Alert:
    """An alert of the rule `r`, told from others by its number, unless `labels` say otherwise."""
    return Alert(
        source="r",
        labels=Labels(labels or {"alertname": "Busy", "host": f"web-{number}"}),
        sample_labels=Labels({"host": f"web-{number}"}),
        state=state,
        value=1.0,
        active_at=active_at,
        fired_at=None if state is State.PENDING else active_at,
        resolved_at=active_at if state is State.INACTIVE else None,
        id=number,
    )
