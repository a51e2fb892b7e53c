"""Prometheus durations (`1h30m`) as spans and back; the grammar is that of prometheus/common model.ParseDuration."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Final

from rules.errors import DurationError

_MILLISECOND: Final = timedelta(milliseconds=1)
_LONGEST: Final = (2**63 - 1) // 1_000_000 * _MILLISECOND
"""Go holds a duration in 64 bits of nanoseconds: a little over 292 years."""

_UNITS: Final = (
    ("y", timedelta(days=365)),
    ("w", timedelta(weeks=1)),
    ("d", timedelta(days=1)),
    ("h", timedelta(hours=1)),
    ("m", timedelta(minutes=1)),
    ("s", timedelta(seconds=1)),
    ("ms", _MILLISECOND),
)
_ONLY_WHOLE: Final = frozenset({"y", "w"})
"""Units Prometheus prints only when nothing smaller remains: 365d is 1y, but 366d stays 366d."""

# Eighteen digits are more than any unit can use within 292 years, and keep hostile text from becoming huge integers.
_GRAMMAR: Final = re.compile("".join(f"(?:0*([0-9]{{1,18}}){unit})?" for unit, _ in _UNITS))


def parse(text: str) -> timedelta:
    """The span that `5m`, `1h30m`, `2w` or `0` stands for; a year is 365 days, a day 24 hours.

    Units go from large to small, each at most once; fractions, spaces and signs are refused, as in Prometheus.
    Raises DurationError naming the value.
    """
    if text == "0":
        return timedelta(0)
    found = _GRAMMAR.fullmatch(text)
    if not text or found is None:
        message = (
            f"{text[:40]!r} is not a duration; write it like 30s, 5m or 1h30m (units y w d h m s ms, large to small)"
        )
        raise DurationError(message)
    counts = (int(digits or 0) for digits in found.groups())
    milliseconds = sum(count * (unit // _MILLISECOND) for count, (_, unit) in zip(counts, _UNITS, strict=True))
    if milliseconds > _LONGEST // _MILLISECOND:
        raise DurationError(f"{text[:40]!r} is longer than the 292 years Prometheus can count; use less, such as 1y")
    return milliseconds * _MILLISECOND


def format(span: timedelta) -> str:  # noqa: A001 - read as durations.format, the twin of durations.parse
    """The span as Prometheus prints it: `5m`, `1h30m`, `0s`; parts of a millisecond are cut off.

    Raises DurationError for a negative span, which Prometheus has no text for.
    """
    if span < timedelta(0):
        raise DurationError(f"{span.total_seconds():g} seconds is negative; a duration must be 0s or longer")
    rest, text = span // _MILLISECOND, ""
    for unit, length in _UNITS:
        count, remainder = divmod(rest, length // _MILLISECOND)
        if count and not (remainder and unit in _ONLY_WHOLE):
            text, rest = f"{text}{count}{unit}", remainder
    return text or "0s"
