"""Numbers for people, digit for digit as Prometheus' template functions write them (P:template/template.go)."""

from __future__ import annotations

import math
import re
from typing import Final

from rules.go_time import GoDuration, GoTime

_LARGE: Final = ("k", "M", "G", "T", "P", "E", "Z", "Y")
_SMALL: Final = ("m", "u", "n", "p", "f", "a", "z", "y")
_BINARY: Final = ("ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi")
_NUMBER: Final = re.compile(
    r"[+-]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|inf|infinity|nan)", re.IGNORECASE
)
_MAX_INT64: Final = 2.0**63


def to_float(value: object) -> float:
    """The number a template holds as number, duration (in seconds) or text.

    Raises ValueError with Go's words for text that is no number, TypeError for anything else.
    """
    match value:
        case bool():
            raise TypeError("can't convert bool to float")
        case int() | float():
            return float(value)
        case GoDuration():
            return value.seconds()
        case str():
            return _parsed(value)
        case _:
            raise TypeError(f"can't convert {type(value).__name__} to float")


def humanize(value: object) -> str:
    """Four digits and a metric prefix: `1.235M`, `120m`."""
    number = to_float(value)
    if number == 0 or not math.isfinite(number):
        return general(number)
    prefix = ""
    if abs(number) < 1:
        number, prefix = _small(number)
    else:
        number, prefix = _large(number, 1000, _LARGE)
    return f"{general(number)}{prefix}"


def humanize1024(value: object) -> str:
    """Four digits and a binary prefix: `1.177Mi`."""
    number = to_float(value)
    if abs(number) <= 1 or not math.isfinite(number):
        return general(number)
    number, prefix = _large(number, 1024, _BINARY)
    return f"{general(number)}{prefix}"


def humanize_duration(value: object) -> str:
    """Seconds as days to seconds, below one second with a prefix: `1d 1h 0m 0s`, `12.35s`, `100us`."""
    number = to_float(value)
    if not math.isfinite(number):
        return general(number)
    if number == 0:
        return "0s"
    if abs(number) < 1:
        number, prefix = _small(number)
        return f"{general(number)}{prefix}s"
    sign, size = ("-" if number < 0 else ""), abs(number)
    minutes, seconds = divmod(int(size), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{sign}{days}d {hours}h {minutes}m {seconds}s"
    if hours:
        return f"{sign}{hours}h {minutes}m {seconds}s"
    return f"{sign}{minutes}m {seconds}s" if minutes else f"{sign}{general(size)}s"


def humanize_percentage(value: object) -> str:
    """A ratio as percent: 0.1235 is `12.35%`."""
    return f"{general(to_float(value) * 100)}%"


def humanize_timestamp(value: object) -> str:
    """Seconds since 1970 as a time in UTC: `2015-06-23 13:19:44.128 +0000 UTC`."""
    number = to_float(value)
    return str(to_time(number)) if math.isfinite(number) else general(number)


def to_time(value: object) -> GoTime:
    """Seconds since 1970 as an instant. Raises ValueError beyond the years 1677 to 2262, which Go cannot hold."""
    nanoseconds = _nanoseconds(value, "timestamp")
    milliseconds = abs(nanoseconds) // 10**6
    return GoTime.from_milliseconds(milliseconds if nanoseconds > 0 else -milliseconds)


def to_duration(value: object) -> GoDuration:
    """Seconds as a span. Raises ValueError beyond 292 years, which Go cannot hold."""
    return GoDuration(_nanoseconds(value, "duration"))


def general(number: float) -> str:
    """Go's `%.4g`."""
    if math.isinf(number):
        return "+Inf" if number > 0 else "-Inf"
    return "NaN" if math.isnan(number) else f"{number:.4g}"


def _nanoseconds(value: object, what: str) -> int:
    seconds = to_float(value)
    if not math.isfinite(seconds):
        raise ValueError(f"{general(seconds)} is no {what}")
    if abs(seconds * 1e9) > _MAX_INT64:
        raise ValueError(f"{seconds} cannot be represented as a nanoseconds {what} since it overflows int64")
    return int(seconds * 1e9)


def _parsed(text: str) -> float:
    if len(text) > 400 or not _NUMBER.fullmatch(text):
        raise ValueError(f'strconv.ParseFloat: parsing "{text[:40]}": invalid syntax')
    number = float(text)
    if math.isinf(number) and text[-1].isdigit():
        raise ValueError(f'strconv.ParseFloat: parsing "{text[:40]}": value out of range')
    return number


def _large(number: float, step: int, prefixes: tuple[str, ...]) -> tuple[float, str]:
    prefix = ""
    for candidate in prefixes:
        if abs(number) < step:
            break
        prefix, number = candidate, number / step
    return number, prefix


def _small(number: float) -> tuple[float, str]:
    prefix = ""
    for candidate in _SMALL:
        if abs(number) >= 1:
            break
        prefix, number = candidate, number * 1000
    return number, prefix
