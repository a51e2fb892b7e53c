"""When a failed delivery is tried again."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from engine.core.outcome import Failed

FIRST_WAIT: Final = timedelta(seconds=1)
LONGEST_WAIT: Final = timedelta(minutes=5)
GIVE_UP_AFTER: Final = timedelta(days=1)
"""The age at which an undeliverable notification is given up, loudly: told by the fallback channel, the ledger and a metric."""


def next_attempt(failed: Failed, *, attempts: int, created_at: datetime, now: datetime) -> datetime | None:
    """The time of the next attempt after `attempts` failed ones, or `None` to give up.

    Waits double from a second to five minutes, spread by a tenth so that channels that failed together do not come back
    together; a Retry-After of the service is obeyed when it is longer. Permanent failures are given up at once, and so is
    a notification that would reach its greatest age before it could be tried again.
    """
    if not failed.retryable:
        return None
    wait = min(FIRST_WAIT * 2 ** min(attempts - 1, 20), LONGEST_WAIT)
    wait += wait * ((created_at.microsecond + attempts * 7919) % 1000) / 10_000
    wait = max(wait, failed.retry_after or timedelta(0))
    # Spans are compared, not instants: a service may ask for a wait that ends beyond the calendar.
    return now + wait if wait < created_at + GIVE_UP_AFTER - now else None
