"""Time intervals: named spans of recurring time, such as working hours in a zone. Source: A:timeinterval/timeinterval.go.

What is asked of one is whether an instant is within it, and when that next changes; both follow the zone's own clock, so a
night in Berlin is an hour shorter or longer twice a year.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from difflib import get_close_matches
from functools import lru_cache
from typing import Final, TypeVar
from zoneinfo import ZoneInfo

from rules.errors import TimeIntervalError
from rules.zones import is_zone, zones

WEEKDAYS: Final = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
MONTHS: Final = (
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
)  # fmt: skip
FIELDS: Final = ("times", "weekdays", "days_of_month", "months", "years", "location")
DEFAULT_LOCATION: Final = "UTC"
DAY: Final = timedelta(days=1)
_LIVE_DAYS: Final = 1500
"""Days on which a period may begin or end that next_change looks through: forty Februaries, and so every 29th on a Monday."""
_END_OF_TIME: Final = datetime(9999, 12, 25, tzinfo=UTC)

Parsed = TypeVar("Parsed")


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """Whole numbers from `first` to `last`, both included: weekdays (Sunday is 0), days of the month, months or years."""

    first: int
    last: int


@dataclass(frozen=True, slots=True, order=True)
class DayTime:
    """A part of every day in minutes since midnight on the zone's clock: `start` included, `end` (up to 1440) not."""

    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """One entry of a time interval: fields are joined by AND, the ranges of a field by OR, an empty field means always.

    A negative day of the month counts from its end, -1 being the last day. `location` is the IANA name of the zone whose
    clock and calendar are meant.
    """

    times: tuple[DayTime, ...] = ()
    weekdays: tuple[Span, ...] = ()
    days_of_month: tuple[Span, ...] = ()
    months: tuple[Span, ...] = ()
    years: tuple[Span, ...] = ()
    location: str = DEFAULT_LOCATION


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeInterval:
    """A named set of periods; an instant is within it when it is within any of them."""

    name: str
    periods: tuple[Period, ...] = ()
    team: str = ""
    origin: str = "sql"
    version: int = 1


def check(interval: TimeInterval) -> None:
    """Refuse an interval that has no name, or no period and so would never be. Raises TimeIntervalError."""
    if not interval.name:
        raise TimeIntervalError("a time interval needs a name; routes refer to it by that", field="name")
    if not interval.periods:
        message = f"time interval {interval.name!r} has no period, so it says no time; add one such as {{weekdays: ['saturday']}}"
        raise TimeIntervalError(message, field="time_intervals")


def contains(interval: TimeInterval, now: datetime) -> bool:
    """Whether `now` is within any of the interval's periods, read on each period's own clock."""
    return any(_within(period, now) for period in interval.periods)


def next_change(interval: TimeInterval, now: datetime) -> datetime | None:
    """The first instant after `now` at which the interval begins or ends, exact over clock changes; `None`: it never does.

    Every instant at which a period could turn is tried in order of time, so that periods which touch or overlap, also those
    of different zones, count as one.
    """
    turn = _first_change(interval, now.astimezone(UTC).replace(minute=0, second=0, microsecond=0))
    while turn is not None and turn <= now:
        turn = _first_change(interval, turn)
    return turn


@lru_cache(maxsize=4096)
def _first_change(interval: TimeInterval, now: datetime) -> datetime | None:
    # Every flush of a muted route asks, and where nothing changes for years the answer takes a tenth of a second to find.
    if any(period == Period(location=period.location) for period in interval.periods):
        return None
    before = contains(interval, now)
    return next((turn for turn in _turns(interval.periods, now) if contains(interval, turn) is not before), None)


def _within(period: Period, instant: datetime) -> bool:
    local = instant.astimezone(ZoneInfo(period.location))
    if not _on(period, local.date()):
        return False
    minute = local.hour * 60 + local.minute
    return not period.times or any(part.start <= minute < part.end for part in period.times)


def _on(period: Period, day: date) -> bool:
    """Whether the calendar fields take this day."""
    return (
        _in(period.years, day.year)
        and _in(period.months, day.month)
        and _in(period.weekdays, day.isoweekday() % 7)
        and (not period.days_of_month or any(_has_day(span, day) for span in period.days_of_month))
    )


def _in(spans: tuple[Span, ...], number: int) -> bool:
    return not spans or any(span.first <= number <= span.last for span in spans)


def _has_day(span: Span, day: date) -> bool:
    length = monthrange(day.year, day.month)[1]
    first, last = (length + each + 1 if each < 0 else each for each in (span.first, span.last))
    return first <= day.day <= last


def _turns(periods: Collection[Period], now: datetime) -> Iterator[datetime]:
    """Every instant after `now` at which one of the periods might begin or end, in order; days that cannot be are skipped."""
    start = now
    for _ in range(_LIVE_DAYS):
        asleep = [days for period in periods if (days := _asleep(period, start)) is not None]
        if not asleep:
            return
        start += (
            max(0, min(asleep) - 3) * DAY
        )  # A day before and a day after, and a third for what clocks do at midnight.
        if start > _END_OF_TIME:
            return
        end = start + DAY
        yield from sorted({turn for period in periods for turn in _turns_between(period, start, end)})
        start = end


def _asleep(period: Period, instant: datetime) -> int | None:
    """For how many days from that instant's on the years and months keep the period off; `None`: for ever."""
    day = instant.astimezone(ZoneInfo(period.location)).date()
    if not _in(period.years, day.year):
        later = [span.first for span in period.years if span.first > day.year]
        return (date(min(later), 1, 1) - day).days if later else None
    if not _in(period.months, day.month):
        return monthrange(day.year, day.month)[1] - day.day + 1
    return 0


def _turns_between(period: Period, start: datetime, end: datetime) -> Iterator[datetime]:
    """The instants after `start` and until `end`, a day later, at which the zone's clock reads one of the period's limits."""
    zone = ZoneInfo(period.location)
    today = start.astimezone(zone).date()
    days = [today + k * DAY for k in range(-1, 3)]
    if not any(_on(period, day) for day in days):
        return
    if start.astimezone(zone).utcoffset() != end.astimezone(zone).utcoffset():
        yield _clock_change(zone, start, end)
    yield from (turn for day in days for turn in _limits(period, day, zone) if start < turn <= end)


def _limits(period: Period, day: date, zone: ZoneInfo) -> Iterator[datetime]:
    """The instants of the day at which the zone's clock reads a limit; one that is put back reads the same twice."""
    for minute in {0} | {minute for part in period.times for minute in (part.start, part.end)}:
        reading = datetime.combine(day, time()) + timedelta(minutes=minute)
        yield from (reading.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))


def _clock_change(zone: ZoneInfo, start: datetime, end: datetime) -> datetime:
    """When the zone's offset becomes what it is at `end`: limits that the clock jumps over take effect then."""
    first, last = int(start.timestamp()), int(end.timestamp()) + 1
    after = end.astimezone(zone).utcoffset()
    while last - first > 1:
        middle = (first + last) // 2
        if datetime.fromtimestamp(middle, zone).utcoffset() == after:
            last = middle
        else:
            first = middle
    return datetime.fromtimestamp(last, UTC)


def parse_period(spec: object) -> Period:
    """The period in Alertmanager's YAML form (times, weekdays, days_of_month, months, years, location).

    Raises TimeIntervalError naming the field, the value and the fix: for an unknown field, a range that runs backwards or out
    of bounds, a time that is none, a zone that no one knows, an empty list.
    """
    if not isinstance(spec, Mapping):
        message = f"{_shown(spec)} is no period; write fields such as {{weekdays: ['monday:friday'], location: UTC}}"
        raise TimeIntervalError(message, field="time_intervals")
    for name in spec:
        if name not in FIELDS:
            known = _suggestion(name, FIELDS) or f"the fields are {', '.join(FIELDS)}"
            raise TimeIntervalError(f"{_shown(name)} is no field of a period; {known}", field=str(name))
    return Period(
        times=_listed(spec, "times", _parse_times),
        weekdays=_listed(spec, "weekdays", _parse_weekdays),
        days_of_month=_listed(spec, "days_of_month", _parse_days_of_month),
        months=_listed(spec, "months", _parse_months),
        years=_listed(spec, "years", _parse_years),
        location=_parse_location(spec.get("location")),
    )


def document(period: Period) -> dict[str, object]:
    """The period in Alertmanager's YAML form; parse_period(document(p)) == p. What means always is left out."""
    fields: dict[str, object] = {
        "times": [{"start_time": _clock(each.start), "end_time": _clock(each.end)} for each in period.times],
        "weekdays": [_span_text(each, lambda day: WEEKDAYS[day]) for each in period.weekdays],
        "days_of_month": [_span_text(each, str) for each in period.days_of_month],
        "months": [_span_text(each, lambda month: MONTHS[month - 1]) for each in period.months],
        "years": [_span_text(each, str) for each in period.years],
        "location": "" if period.location == DEFAULT_LOCATION else period.location,
    }
    return {name: content for name, content in fields.items() if content}


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


def _span_text(span: Span, name: Callable[[int], str]) -> str:
    return name(span.first) if span.first == span.last else f"{name(span.first)}:{name(span.last)}"


def _listed(spec: Mapping[str, object], name: str, parse: Callable[[object], Parsed]) -> tuple[Parsed, ...]:
    content = spec.get(name)
    if content is None:
        return ()
    if not isinstance(content, list | tuple):
        raise TimeIntervalError(f"{name} is {_shown(content)}; write a list, such as [{_shown(content)}]", field=name)
    if not content:
        message = f"{name} is an empty list, which is no time at all; leave {name} out to mean always"
        raise TimeIntervalError(message, field=name)
    return tuple(parse(each) for each in content)


def _parse_times(entry: object) -> DayTime:
    if not isinstance(entry, Mapping) or set(entry) != {"start_time", "end_time"}:
        example = "{start_time: '09:00', end_time: '17:00'}"
        message = f"times has {_shown(entry)}; each needs start_time and end_time, such as {example}"
        raise TimeIntervalError(message, field="times")
    start, end = (_minutes(name, entry[name]) for name in ("start_time", "end_time"))
    if start >= end:
        message = (
            f"times runs from {_clock(start)} to {_clock(end)}; the end must be later: a night is two entries, "
            f"{_clock(start)} to 24:00 and 00:00 to {_clock(end)}"
        )
        raise TimeIntervalError(message, field="times")
    return DayTime(start, end)


_TIME: Final = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])|(24):(00)", re.ASCII)


def _minutes(name: str, content: object) -> int:
    found = _TIME.fullmatch(content) if isinstance(content, str) else None
    if found is None:
        message = f"{name} {_shown(content)} is no time of day; write HH:MM in quotes, from '00:00' to '24:00'"
        raise TimeIntervalError(message, field="times")
    hours, minutes = (int(part) for part in found.groups() if part is not None)
    return hours * 60 + minutes


def _parse_weekdays(entry: object) -> Span:
    span = _span("weekdays", entry, lambda text: _named(text, WEEKDAYS, first=0), "monday:friday")
    if span.first > span.last:
        message = (
            f"weekdays {_shown(entry)} runs backwards, a week begins on sunday; write two entries, "
            f"'{WEEKDAYS[span.first]}:saturday' and 'sunday:{WEEKDAYS[span.last]}'"
        )
        raise TimeIntervalError(message, field="weekdays")
    return span


_SHORTEST_MONTH: Final = 28


def _parse_days_of_month(entry: object) -> Span:
    span = _span("days_of_month", entry, _whole, "1:5 or -3:-1")
    for day in (span.first, span.last):
        if day == 0 or abs(day) > 31:
            message = (
                f"days_of_month {_shown(entry)}: {day} is no day of a month; use 1 to 31, or -31 to -1 from its end"
            )
            raise TimeIntervalError(message, field="days_of_month")
    if span.first < 0 < span.last:
        message = f"days_of_month {_shown(entry)} begins at the end of the month; its last day must be negative too"
        raise TimeIntervalError(message, field="days_of_month")
    # The same sum as Alertmanager's: what is backwards even in the shortest month is a mistake; the rest is clamped.
    first, last = (_SHORTEST_MONTH + day if day < 0 else day for day in (span.first, span.last))
    if first > last:
        message = f"days_of_month {_shown(entry)} runs backwards; write the earlier day first"
        raise TimeIntervalError(message, field="days_of_month")
    return span


def _parse_months(entry: object) -> Span:
    span = _span("months", entry, _month, "january:march or 1:3")
    if span.first > span.last:
        message = (
            f"months {_shown(entry)} runs backwards; write two entries, "
            f"'{MONTHS[span.first - 1]}:december' and 'january:{MONTHS[span.last - 1]}'"
        )
        raise TimeIntervalError(message, field="months")
    return span


def _parse_years(entry: object) -> Span:
    span = _span("years", entry, _whole, "2026:2028")
    if not 1 <= span.first <= span.last <= 9999:
        message = f"years {_shown(entry)} must run forwards within 1 and 9999, such as 2026:2028"
        raise TimeIntervalError(message, field="years")
    return span


def _parse_location(content: object) -> str:
    if content is None:
        return DEFAULT_LOCATION
    if isinstance(content, str) and is_zone(content):
        return content
    known = _suggestion(content, zones())
    fix = known or "use an IANA name such as Europe/Berlin"
    raise TimeIntervalError(f"location {_shown(content)} is no time zone; {fix}", field="location")


def _span(name: str, entry: object, number: Callable[[str], int | None], example: str) -> Span:
    """The range an entry stands for: one word or number, or two with a colon between."""
    ends = _written(entry).split(":")
    numbers = [number(end) for end in ends]
    for end, found in zip(ends, numbers, strict=True):
        if found is None or len(ends) > 2:
            words = {"weekdays": WEEKDAYS, "months": MONTHS}.get(name, ())
            fix = _suggestion(end, words) or f"write it like {example}, in quotes"
            raise TimeIntervalError(f"{name} has {_shown(entry)}, which is no range; {fix}", field=name)
    first, *last = (found for found in numbers if found is not None)
    return Span(first, last[0] if last else first)


def _written(entry: object) -> str:
    if isinstance(entry, str):
        return entry.lower()
    return _shown(entry) if isinstance(entry, int) and not isinstance(entry, bool) else ""


def _whole(text: str) -> int | None:
    return int(text) if re.fullmatch("-?[0-9]{1,4}", text) else None


def _named(text: str, names: tuple[str, ...], *, first: int) -> int | None:
    return names.index(text) + first if text in names else None


def _month(text: str) -> int | None:
    number = _whole(text)
    return number if number is not None and 1 <= number <= 12 else _named(text, MONTHS, first=1)


def _suggestion(content: object, words: tuple[str, ...]) -> str:
    close = get_close_matches(content[:60] if isinstance(content, str) else "", words, n=1)
    return f"did you mean {close[0]!r}?" if close else ""


def _shown(content: object) -> str:
    try:
        text = repr(content)
    except ValueError:  # There is an integer in it of more digits than Python prints.
        return f"a {type(content).__name__} beyond any size"
    return text if len(text) <= 60 else f"{text[:57]}..."
