"""Time intervals: what Alertmanager's form means, on every zone's own clock, and when an interval next begins or ends."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Self

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.errors import TimeIntervalError
from rules.time_intervals import (
    MONTHS,
    WEEKDAYS,
    DayTime,
    Period,
    Span,
    TimeInterval,
    check,
    contains,
    document,
    next_change,
    parse_period,
)

MINUTE = timedelta(minutes=1)
NIGHT = [{"start_time": "22:00", "end_time": "24:00"}, {"start_time": "00:00", "end_time": "06:00"}]
FULL = {
    "times": [{"start_time": "09:00", "end_time": "24:00"}],
    "weekdays": ["Monday:friday", "sunday"],
    "days_of_month": ["1:5", "-3:-1", 7],
    "months": ["january:march", 5, "11:December"],
    "years": ["2026:2028", 2030],
    "location": "Europe/Berlin",
}


def interval(*specs: object) -> TimeInterval:
    return TimeInterval(name="i", periods=tuple(parse_period(spec) for spec in specs))


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_every_field_is_read_as_alertmanager_reads_it() -> None:
    assert parse_period(FULL) == Period(
        times=(DayTime(540, 1440),),
        weekdays=(Span(1, 5), Span(0, 0)),
        days_of_month=(Span(1, 5), Span(-3, -1), Span(7, 7)),
        months=(Span(1, 3), Span(5, 5), Span(11, 12)),
        years=(Span(2026, 2028), Span(2030, 2030)),
        location="Europe/Berlin",
    )


def test_a_period_is_written_as_alertmanager_writes_it() -> None:
    assert document(parse_period(FULL)) == {
        "times": [{"start_time": "09:00", "end_time": "24:00"}],
        "weekdays": ["monday:friday", "sunday"],
        "days_of_month": ["1:5", "-3:-1", "7"],
        "months": ["january:march", "may", "november:december"],
        "years": ["2026:2028", "2030"],
        "location": "Europe/Berlin",
    }


@pytest.mark.parametrize("spec", [{}, {"times": None, "location": None}, {"location": "UTC"}])
def test_what_means_always_is_left_out(spec: dict[str, object]) -> None:
    assert parse_period(spec) == Period()
    assert document(parse_period(spec)) == {}


@pytest.mark.parametrize(
    ("spec", "field", "said"),
    [
        pytest.param(3, "time_intervals", "3 is no period; write fields such as", id="no object"),
        pytest.param({"weekday": []}, "weekday", "did you mean 'weekdays'?", id="an unknown field"),
        pytest.param({"x": 1}, "x", "the fields are times, weekdays,", id="a field like no other"),
        pytest.param({"weekdays": "monday"}, "weekdays", "write a list, such as ['monday']", id="no list"),
        pytest.param({"months": []}, "months", "leave months out to mean always", id="an empty list"),
        pytest.param({"weekdays": ["mondya"]}, "weekdays", "did you mean 'monday'?", id="a weekday misspelt"),
        pytest.param({"weekdays": [1]}, "weekdays", "write it like monday:friday, in quotes", id="a weekday by number"),
        pytest.param({"weekdays": ["monday:"]}, "weekdays", "which is no range", id="half a range"),
        pytest.param(
            {"weekdays": ["friday:monday"]},
            "weekdays",
            "write two entries, 'friday:saturday' and 'sunday:monday'",
            id="a week that wraps",
        ),
        pytest.param({"days_of_month": ["1:2:3"]}, "days_of_month", "write it like 1:5 or -3:-1", id="three ends"),
        pytest.param({"days_of_month": [0]}, "days_of_month", "0 is no day of a month", id="day nought"),
        pytest.param({"days_of_month": ["1:32"]}, "days_of_month", "32 is no day of a month", id="day 32"),
        pytest.param({"days_of_month": ["-32"]}, "days_of_month", "-32 is no day of a month", id="day -32"),
        pytest.param(
            {"days_of_month": ["-1:1"]}, "days_of_month", "must be negative too", id="from the end to the start"
        ),
        pytest.param({"days_of_month": ["5:-28"]}, "days_of_month", "runs backwards", id="backwards in every month"),
        pytest.param({"days_of_month": [1.5]}, "days_of_month", "which is no range", id="half a day"),
        pytest.param({"months": ["octember"]}, "months", "did you mean 'october'?", id="a month misspelt"),
        pytest.param({"months": ["0:13"]}, "months", "which is no range", id="months out of bounds"),
        pytest.param(
            {"months": ["november:2"]},
            "months",
            "write two entries, 'november:december' and 'january:february'",
            id="a year that wraps",
        ),
        pytest.param({"years": ["2028:2026"]}, "years", "must run forwards", id="years backwards"),
        pytest.param({"years": [True]}, "years", "True, which is no range", id="a truth"),
        pytest.param({"years": ["20260"]}, "years", "which is no range", id="a year with five digits"),
        pytest.param({"times": ["09:00"]}, "times", "each needs start_time and end_time", id="a time alone"),
        pytest.param({"times": [{"start_time": "09:00"}]}, "times", "each needs start_time and end_time", id="no end"),
        pytest.param(
            {"times": [{"start_time": 750, "end_time": "13:00"}]}, "times", "write HH:MM in quotes", id="YAML's 12:30"
        ),
        pytest.param(
            {"times": [{"start_time": "9:00", "end_time": "13:00"}]},
            "times",
            "'9:00' is no time of day",
            id="one digit",
        ),
        pytest.param(
            {"times": [{"start_time": "09:00", "end_time": "24:01"}]}, "times", "end_time '24:01'", id="after midnight"
        ),
        pytest.param(
            {"times": [{"start_time": "22:00", "end_time": "06:00"}]},
            "times",
            "a night is two entries, 22:00 to 24:00 and 00:00 to 06:00",
            id="a night",
        ),
        pytest.param({"location": "Europe/Berln"}, "location", "did you mean 'Europe/Berlin'?", id="a zone misspelt"),
        pytest.param({"location": "Local"}, "location", "use an IANA name", id="the machine's own zone"),
        pytest.param({"location": "Europe"}, "location", "is no time zone", id="a folder of zones"),
        pytest.param({"location": "../etc/passwd"}, "location", "is no time zone", id="a path"),
        pytest.param({"location": 1}, "location", "1 is no time zone", id="a number for a zone"),
        pytest.param({"years": ["x" * 99]}, "years", "xxx...", id="a long value is cut"),
    ],
)
def test_what_says_no_time_is_refused_with_its_field_and_a_fix(spec: object, field: str, said: str) -> None:
    with pytest.raises(TimeIntervalError) as refused:
        parse_period(spec)
    assert refused.value.field == field
    assert said in refused.value.message


def test_an_interval_needs_a_name_and_a_period() -> None:
    check(interval({}))
    with pytest.raises(TimeIntervalError, match="needs a name") as refused:
        check(TimeInterval(name="", periods=(Period(),)))
    assert refused.value.field == "name"
    with pytest.raises(TimeIntervalError, match="'never' has no period") as refused:
        check(TimeInterval(name="never"))
    assert refused.value.field == "time_intervals"


@pytest.mark.parametrize(
    ("specs", "moment", "within"),
    [
        pytest.param([{}], "2026-01-01", True, id="no field is always"),
        pytest.param([{"times": NIGHT}], "2026-01-01T21:59:59", False, id="before the start"),
        pytest.param([{"times": NIGHT}], "2026-01-01T22:00", True, id="the start is part of it"),
        pytest.param([{"times": NIGHT}], "2026-01-01T23:59:59.999", True, id="24:00 is the end of the day"),
        pytest.param([{"times": NIGHT}], "2026-01-02T00:00", True, id="the next morning"),
        pytest.param([{"times": NIGHT}], "2026-01-02T06:00", False, id="the end is not part of it"),
        pytest.param([{"weekdays": ["monday:friday"]}], "2026-01-02", True, id="a friday"),
        pytest.param([{"weekdays": ["monday:friday"]}], "2026-01-03", False, id="a saturday"),
        pytest.param([{"weekdays": ["sunday"]}], "2026-01-04", True, id="a sunday"),
        pytest.param([{"days_of_month": ["1:2"]}], "2026-01-03", False, id="the third"),
        pytest.param([{"days_of_month": ["-1"]}], "2026-02-28", True, id="the last of February"),
        pytest.param([{"days_of_month": ["-1"]}], "2028-02-28", False, id="the last but one of a leap February"),
        pytest.param([{"days_of_month": ["29:31"]}], "2026-02-28", False, id="days a month has not"),
        pytest.param([{"days_of_month": ["27:31"]}], "2026-02-28", True, id="a range cut at the month's end"),
        pytest.param([{"days_of_month": ["-31:-28"]}], "2026-02-01", True, id="a range cut at the month's start"),
        pytest.param([{"months": ["2:3"]}], "2026-03-31", True, id="a month"),
        pytest.param([{"months": ["2:3"]}], "2026-04-01", False, id="another month"),
        pytest.param([{"years": ["2026"]}], "2027-01-01", False, id="another year"),
        pytest.param([{"weekdays": ["friday"], "days_of_month": ["13"]}], "2026-02-13", True, id="a friday the 13th"),
        pytest.param([{"weekdays": ["friday"], "days_of_month": ["13"]}], "2026-02-06", False, id="another friday"),
        pytest.param([{"years": ["2025"]}, {"months": ["1"]}], "2026-01-01", True, id="one period of two"),
        pytest.param([{"times": NIGHT, "location": "Europe/Berlin"}], "2026-01-01T04:59", True, id="Berlin in winter"),
        pytest.param([{"times": NIGHT, "location": "Europe/Berlin"}], "2026-07-01T04:59", False, id="Berlin in summer"),
        pytest.param(
            [{"weekdays": ["saturday"], "location": "Asia/Kolkata"}],
            "2026-01-02T18:30",
            True,
            id="India, half an hour off",
        ),
        pytest.param(
            [{"weekdays": ["saturday"], "location": "Asia/Kolkata"}],
            "2026-01-02T18:29",
            False,
            id="India, a minute before",
        ),
    ],
)
def test_an_instant_is_within_an_interval_as_alertmanager_says(specs: list[Any], moment: str, within: bool) -> None:
    assert contains(interval(*specs), at(moment)) is within


@pytest.mark.parametrize(
    ("specs", "now", "change"),
    [
        pytest.param([{"times": NIGHT}], "2026-01-01T12:00", "2026-01-01T22:00", id="it begins tonight"),
        pytest.param([{"times": NIGHT}], "2026-01-01T22:00", "2026-01-02T06:00", id="midnight is no change"),
        pytest.param([{"times": NIGHT}], "2026-01-02T05:59:59.5", "2026-01-02T06:00", id="within the last second"),
        pytest.param(
            [{"weekdays": ["saturday"]}, {"weekdays": ["sunday"]}], "2026-01-03", "2026-01-05", id="two periods touch"
        ),
        pytest.param([{}], "2026-01-01", None, id="always"),
        pytest.param([{"weekdays": ["sunday:saturday"]}], "2026-01-01", None, id="every day of the week"),
        pytest.param([{"months": ["2"], "days_of_month": ["30"]}], "2026-01-01", None, id="a day that never comes"),
        pytest.param([{"years": ["2025"]}], "2026-01-01", None, id="over for ever"),
        pytest.param([{"years": ["2025", "2040"]}], "2026-01-01", "2040-01-01", id="in many years"),
        pytest.param([{"years": ["9999"]}], "9999-05-05", None, id="the end of time is no change"),
        pytest.param([{"years": ["9999"]}], "9999-12-29", None, id="at the end of time"),
        pytest.param(
            [{"months": ["may"], "years": ["2027"]}], "2026-01-01", "2027-05-01", id="a month of another year"
        ),
        pytest.param(
            [{"months": ["2"], "days_of_month": ["29"], "weekdays": ["monday"]}],
            "2026-01-01",
            "2044-02-29",
            id="a leap day on a monday",
        ),
        pytest.param(
            [{"times": NIGHT, "location": "Europe/Berlin"}],
            "2026-03-28T21:00",
            "2026-03-29T04:00",
            id="Berlin's short night",
        ),
        pytest.param(
            [{"times": NIGHT, "location": "Europe/Berlin"}],
            "2026-10-24T20:00",
            "2026-10-25T05:00",
            id="Berlin's long night",
        ),
        pytest.param(
            [{"weekdays": ["sunday"], "location": "America/New_York"}],
            "2026-03-08T05:00",
            "2026-03-09T04:00",
            id="23 hours",
        ),
        pytest.param(
            [{"times": [{"start_time": "02:15", "end_time": "02:45"}], "location": "Europe/Berlin"}],
            "2026-03-28T12:00",
            "2026-03-30T00:15",
            id="a time the clock jumps over does not come",
        ),
        pytest.param(
            [{"times": [{"start_time": "02:30", "end_time": "03:30"}], "location": "Europe/Berlin"}],
            "2026-03-28T12:00",
            "2026-03-29T01:00",
            id="a start the clock jumps over is the jump",
        ),
        pytest.param(
            [{"times": [{"start_time": "01:15", "end_time": "01:45"}], "location": "America/New_York"}],
            "2026-11-01T05:45",
            "2026-11-01T06:15",
            id="a time the clock reads twice comes twice",
        ),
        pytest.param(
            [{"times": [{"start_time": "01:45", "end_time": "02:00"}], "location": "Australia/Lord_Howe"}],
            "2026-04-04T14:45",
            "2026-04-04T15:00",
            id="half an hour put back ends it for now",
        ),
    ],
)
def test_the_next_change_is_exact_to_the_second(specs: list[Any], now: str, change: str | None) -> None:
    assert next_change(interval(*specs), at(now)) == (None if change is None else at(change))


ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "America/Havana"]
CLOCK_CHANGES = [
    at("2026-03-29T01:00"),
    at("2026-10-25T01:00"),
    at("2026-03-08T07:00"),
    at("2026-11-01T06:00"),
    at("2026-04-04T15:00"),
    at("2026-10-03T15:30"),
    at("2026-03-08T05:00"),
    at("2026-11-01T05:00"),
]


def spans(lowest: int, highest: int) -> st.SearchStrategy[Span]:
    return st.tuples(st.integers(lowest, highest), st.integers(lowest, highest)).map(
        lambda ends: Span(min(ends), max(ends))
    )


def some(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(strategy, max_size=2).map(tuple)


DAYTIMES = st.tuples(st.integers(0, 1439), st.integers(1, 1440)).map(lambda ends: DayTime(min(ends), max(ends)))
PERIODS = st.builds(
    Period,
    times=some(DAYTIMES.filter(lambda part: part.start < part.end)),
    weekdays=some(spans(0, 6)),
    days_of_month=some(spans(1, 31) | spans(-31, -1)),
    months=some(spans(1, 12)),
    years=some(spans(2025, 2027)),
    location=st.sampled_from(ZONES),
)
# What changes within days, so that going through it minute by minute finds something.
LIVELY = st.builds(
    Period,
    times=some(DAYTIMES.filter(lambda part: part.start < part.end)),
    weekdays=some(spans(0, 6)),
    location=st.sampled_from(ZONES),
)
MOMENTS = st.builds(
    lambda change, hours, minutes: change + timedelta(hours=hours, minutes=minutes),
    st.sampled_from(CLOCK_CHANGES),
    st.integers(-30, 3),
    st.integers(0, 59),
)


@given(PERIODS)
def test_a_period_survives_being_written_and_read(period: Period) -> None:
    assert parse_period(document(period)) == period


@settings(max_examples=60)
@given(st.lists(LIVELY, min_size=1, max_size=2), MOMENTS)
def test_the_next_change_is_what_going_through_the_minutes_finds(periods: list[Period], now: datetime) -> None:
    looked_at = TimeInterval(name="i", periods=tuple(periods))
    before, minutes = contains(looked_at, now), range(1, 36 * 60)
    plain = next((now + k * MINUTE for k in minutes if contains(looked_at, now + k * MINUTE) is not before), None)
    found = next_change(looked_at, now)
    if plain is None:
        assert found is None or found >= now + 36 * 60 * MINUTE
    else:
        assert found == plain


@settings(max_examples=60)
@given(PERIODS, MOMENTS)
def test_at_its_next_change_an_interval_turns_and_not_a_moment_before(period: Period, now: datetime) -> None:
    looked_at = TimeInterval(name="i", periods=(period,))
    found = next_change(looked_at, now)
    if found is not None:
        before = contains(looked_at, now)
        assert contains(looked_at, found) is not before
        assert contains(looked_at, found - timedelta(microseconds=1)) is before


class Counted(datetime):
    """An instant that counts how often its time on some zone's clock is asked for."""

    asked = 0

    def astimezone(self, tz: tzinfo | None = None) -> Self:
        Counted.asked += 1
        return super().astimezone(tz)


@pytest.mark.parametrize("spec", [{"years": ["2026:2040"]}, {"times": [{"start_time": "00:00", "end_time": "24:00"}]}])
def test_that_an_interval_does_not_change_for_years_is_not_found_out_anew_at_every_look(spec: object) -> None:
    looked_at, hour = interval(spec), Counted(2026, 11, 21, 12, tzinfo=UTC)
    assert next_change(looked_at, hour + MINUTE) is None
    before = Counted.asked
    assert next_change(looked_at, hour + 2 * MINUTE) is None
    assert Counted.asked - before < 10


def test_the_words_are_alertmanagers() -> None:
    assert WEEKDAYS[0] == "sunday"
    assert (MONTHS[0], MONTHS[-1]) == ("january", "december")
