"""Time zones by their IANA names, as the zone database of this machine has them."""

from __future__ import annotations

from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones


def is_zone(name: str) -> bool:
    """Whether there is a zone of this name."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # A folder of the zone database, Europe say, is an OSError.
        return False
    return True


@lru_cache(maxsize=1)
def zones() -> tuple[str, ...]:
    """All names there are, sorted. They do not change while we run, and to list them is to walk through the database."""
    return tuple(sorted(available_timezones()))
