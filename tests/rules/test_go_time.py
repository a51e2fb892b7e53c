"""Times and spans in templates print, and answer, as Go's do."""

from datetime import UTC, datetime

import pytest

from rules.go_time import GoDuration, GoTime

MOMENT = GoTime(datetime(2015, 6, 3, 13, 9, 4, 128000, tzinfo=UTC))
MORNING = GoTime(datetime(2026, 12, 31, 0, 0, 0, tzinfo=UTC))


@pytest.mark.parametrize(
    ("layout", "text"),
    [
        pytest.param("2006-01-02T15:04:05Z07:00", "2015-06-03T13:09:04Z", id="RFC 3339"),
        pytest.param("Mon, 02 Jan 2006 15:04:05 MST", "Wed, 03 Jun 2015 13:09:04 UTC", id="RFC 1123"),
        pytest.param("Mon Jan _2 15:04:05 2006", "Wed Jun  3 13:09:04 2015", id="ANSI C"),
        pytest.param("Monday, January 2 06", "Wednesday, June 3 15", id="long names"),
        pytest.param("3:04PM 03:4:5 pm", "1:09PM 01:9:4 pm", id="twelve hours"),
        pytest.param("1/2 002", "6/3 154", id="bare numbers and the day of the year"),
        pytest.param("-0700 -07:00 -07", "+0000 +00:00 +00", id="offsets"),
        pytest.param("05.000 05.9 05.999999999 05,00", "04.128 04.1 04.128 04,12", id="fractions"),
        pytest.param("at the hour", "at the hour", id="plain words"),
        pytest.param("", "", id="nothing"),
    ],
)
def test_a_layout_is_filled_in(layout: str, text: str) -> None:
    assert MOMENT.format(layout) == text


def test_midnight_is_twelve_and_a_whole_second_has_no_fraction() -> None:
    assert MORNING.format("3PM 03pm .999") == "12AM 12am "
    assert str(MORNING) == "2026-12-31 00:00:00 +0000 UTC"


def test_a_layout_must_be_text() -> None:
    with pytest.raises(TypeError, match="Format wants a layout"):
        MOMENT.format(5)


@pytest.mark.parametrize(
    ("method", "answer"),
    [
        ("String", "2015-06-03 13:09:04.128 +0000 UTC"),
        ("Unix", 1433336944),
        ("Year", 2015),
        ("Month", "June"),
        ("Day", 3),
        ("Weekday", "Wednesday"),
        ("Hour", 13),
        ("Minute", 9),
        ("Second", 4),
        ("UTC", MOMENT),
    ],
)
def test_a_time_answers_templates(method: str, answer: object) -> None:
    assert MOMENT.__gotemplate_lookup__(method)() == answer


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (0, "0s"),
        (1, "1ns"),
        (1_100, "1.1µs"),
        (2_200_000, "2.2ms"),
        (999_999_999, "999.999999ms"),
        (3_300_000_000, "3.3s"),
        (245 * 10**9, "4m5s"),
        (245_001_000_000, "4m5.001s"),
        (18_367_001_000_000, "5h6m7.001s"),
        (3600 * 10**9, "1h0m0s"),
        (480_000_000_001, "8m0.000000001s"),
        (2**63 - 1, "2562047h47m16.854775807s"),
        (-1_500_000_000, "-1.5s"),
    ],
)
def test_a_span_prints_as_in_go(nanoseconds: int, text: str) -> None:
    assert str(GoDuration(nanoseconds)) == text


@pytest.mark.parametrize(
    ("method", "answer"),
    [("Hours", 1.5), ("Minutes", 90.0), ("Seconds", 5400.0), ("Milliseconds", 5_400_000), ("String", "1h30m0s")],
)
def test_a_span_answers_templates(method: str, answer: object) -> None:
    assert GoDuration(5400 * 10**9).__gotemplate_lookup__(method)() == answer


@pytest.mark.parametrize("value", [MOMENT, GoDuration(1)])
def test_there_is_no_other_method(value: GoTime | GoDuration) -> None:
    with pytest.raises(KeyError):
        value.__gotemplate_lookup__("__class__")
