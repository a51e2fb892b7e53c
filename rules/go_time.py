"""Instants and spans as Go's templates know them: printed as Go prints them, with the methods templates call.

`(toTime $value).Format "15:04"` and `{{ toDuration 90 }}` work because gotpl asks `__gotemplate_lookup__` for methods.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_ZERO: Final = datetime(1, 1, 1, tzinfo=UTC)
"""The instant of a time nobody has set."""
_MONTHS: Final = (
    "January February March April May June July August September October November December".split()  # noqa: SIM905 - one line reads better
)
_DAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_LAYOUT: Final = re.compile(
    r"2006|January|Jan(?![a-z])|Monday|Mon(?![a-z])|MST|Z07:00|-07:00|-0700|-07|PM|pm|002|01|02|03|04|05|06|15|_2"
    r"|[.,]0+(?![0-9])|[.,]9+(?![0-9])|[1-5]"
)


@dataclass(frozen=True, slots=True)
class GoDuration:
    """A span in nanoseconds that prints as Go's time.Duration does: `1h2m3.5s`, `100µs`, `0s`."""

    nanoseconds: int

    def __gotemplate_lookup__(self, field: str) -> Callable[[], object]:
        methods: dict[str, Callable[[], object]] = {
            "String": self.__str__,
            "Hours": lambda: self.nanoseconds / 3600e9,
            "Minutes": lambda: self.nanoseconds / 60e9,
            "Seconds": self.seconds,
            "Milliseconds": lambda: int(self.nanoseconds / 1e6),
            "Abs": lambda: GoDuration(abs(self.nanoseconds)),
        }
        if field in ("Round", "Truncate"):
            return _Method(self.rounded if field == "Round" else self.truncated).call
        return _Method(methods[field]).call

    def truncated(self, to: object) -> GoDuration:
        """The span without what is no whole multiple of `to`."""
        size = _span(to).nanoseconds
        return (
            self
            if size <= 0
            else GoDuration(int(math.copysign(abs(self.nanoseconds) // size * size, self.nanoseconds)))
        )

    def rounded(self, to: object) -> GoDuration:
        """The nearest multiple of `to`, halves away from zero."""
        half = _span(to).nanoseconds // 2
        return GoDuration(self.nanoseconds + (half if self.nanoseconds >= 0 else -half)).truncated(to)

    def seconds(self) -> float:
        return self.nanoseconds / 1e9

    def __str__(self) -> str:
        sign, size = ("-" if self.nanoseconds < 0 else ""), abs(self.nanoseconds)
        if not size:
            return "0s"
        if size < 10**9:
            power, unit = next((power, unit) for power, unit in ((6, "ms"), (3, "µs"), (0, "ns")) if size >= 10**power)
            return f"{sign}{_decimal(size, power)}{unit}"
        minutes, rest = divmod(size, 60 * 10**9)
        hours, minutes = divmod(minutes, 60)
        text = f"{hours}h{minutes}m" if hours else f"{minutes}m" if minutes else ""
        return f"{sign}{text}{_decimal(rest, 9)}s"


@dataclass(frozen=True, slots=True)
class GoTime:
    """An instant that prints as Go's time.Time does, in the zone of `moment`: `2015-06-23 13:19:44.128 +0000 UTC`."""

    moment: datetime

    @classmethod
    def from_milliseconds(cls, milliseconds: int) -> GoTime:
        """The instant that many milliseconds after 1970; Prometheus keeps no finer ones."""
        return cls(_EPOCH + timedelta(milliseconds=milliseconds))

    def __gotemplate_lookup__(self, field: str) -> Callable[..., object]:
        moment = self.moment
        methods: dict[str, Callable[..., object]] = {
            "String": self.__str__,
            "Format": self.format,
            "Unix": lambda: (moment - _EPOCH) // timedelta(seconds=1),
            "UnixMilli": lambda: (moment - _EPOCH) // timedelta(milliseconds=1),
            "UnixNano": lambda: (moment - _EPOCH) // timedelta(microseconds=1) * 1000,
            "UTC": lambda: GoTime(moment.astimezone(UTC)),
            "Local": lambda: GoTime(moment.astimezone(UTC)),
            "IsZero": lambda: moment == _ZERO,
            "Sub": lambda other: GoDuration((moment - _time(other).moment) // timedelta(microseconds=1) * 1000),
            "Add": lambda span: GoTime(moment + timedelta(microseconds=_span(span).nanoseconds // 1000)),
            "Before": lambda other: moment < _time(other).moment,
            "After": lambda other: moment > _time(other).moment,
            "Equal": lambda other: moment == _time(other).moment,
            "YearDay": lambda: moment.timetuple().tm_yday,
            "Year": lambda: moment.year,
            "Month": lambda: _MONTHS[moment.month - 1],
            "Day": lambda: moment.day,
            "Weekday": lambda: _DAYS[moment.weekday()],
            "Hour": lambda: moment.hour,
            "Minute": lambda: moment.minute,
            "Second": lambda: moment.second,
        }
        return _Method(methods[field]).call

    def format(self, layout: object) -> str:
        """The instant in Go's layout language, where `2006-01-02 15:04:05` stands for itself."""
        if not isinstance(layout, str):
            raise TypeError(f'Format wants a layout such as "2006-01-02", got {layout!r}')
        return _LAYOUT.sub(lambda found: self._element(found[0]), layout)

    def __str__(self) -> str:
        return self.format("2006-01-02 15:04:05.999999999 -0700 MST")

    def _element(self, token: str) -> str:
        if token[0] in ".,":
            return self._fraction(token)
        return (self._date() | self._clock() | self._zone())[token]

    def _date(self) -> dict[str, str]:
        moment = self.moment
        month, day = _MONTHS[moment.month - 1], _DAYS[moment.weekday()]
        years = {"2006": f"{moment.year:04d}", "06": f"{moment.year % 100:02d}", "002": f"{moment:%j}"}
        days = {"01": f"{moment:%m}", "1": f"{moment.month}", "02": f"{moment:%d}", "2": f"{moment.day}"}
        return (
            years | days | {"_2": f"{moment.day:2d}", "January": month, "Jan": month[:3], "Monday": day, "Mon": day[:3]}
        )

    def _clock(self) -> dict[str, str]:
        moment = self.moment
        hour, half = moment.hour % 12 or 12, "PM" if moment.hour >= 12 else "AM"
        hours = {"15": f"{moment:%H}", "03": f"{hour:02d}", "3": f"{hour}", "PM": half, "pm": half.lower()}
        return hours | {"04": f"{moment:%M}", "4": f"{moment.minute}", "05": f"{moment:%S}", "5": f"{moment.second}"}

    def _zone(self) -> dict[str, str]:
        offset, named = f"{self.moment:%z}"[:5], self.moment.tzname() or ""
        apart, is_utc = f"{offset[:3]}:{offset[3:]}", offset == "+0000"
        bare = "UTC" if is_utc else offset
        name = bare if named.startswith("UTC") else named
        return {"Z07:00": "Z" if is_utc else apart, "-07:00": apart, "-0700": offset, "-07": offset[:3], "MST": name}

    def _fraction(self, token: str) -> str:
        digits = f"{self.moment.microsecond:06d}000".ljust(len(token) - 1, "0")[: len(token) - 1]
        if token[1] == "9":
            digits = digits.rstrip("0")
        return f"{token[0]}{digits}" if digits else ""


@dataclass(frozen=True, slots=True)
class _Method:
    """gotpl calls bound methods only; this makes one of any function."""

    function: Callable[..., object]

    def call(self, *arguments: object) -> object:
        return self.function(*arguments)


def _time(value: object) -> GoTime:
    if not isinstance(value, GoTime):
        raise TypeError(f"wrong type of argument; expected a time, got {value!r:.40}")
    return value


def _span(value: object) -> GoDuration:
    """A duration; a bare number counts nanoseconds, as a constant does in Go."""
    if isinstance(value, int) and not isinstance(value, bool):
        return GoDuration(value)
    if not isinstance(value, GoDuration):
        raise TypeError(f"wrong type of argument; expected a duration, got {value!r:.40}")
    return value


def _decimal(number: int, power: int) -> str:
    whole, rest = divmod(number, 10**power)
    digits = f"{rest:0{power}d}".rstrip("0") if rest else ""
    return f"{whole}.{digits}" if digits else f"{whole}"
