"""Durations are Prometheus': what it reads, we read; what it prints, we print; and the two fit together."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules import durations
from rules.errors import DurationError

MILLISECONDS = st.integers(min_value=0, max_value=(2**63 - 1) // 10**6)


@pytest.mark.parametrize(
    ("text", "span"),
    [
        pytest.param("0", timedelta(0), id="a bare zero"),
        pytest.param("0s", timedelta(0), id="zero with a unit"),
        pytest.param("500ms", timedelta(milliseconds=500), id="milliseconds"),
        pytest.param("90s", timedelta(seconds=90), id="more seconds than a minute has"),
        pytest.param("5m", timedelta(minutes=5), id="m is minutes"),
        pytest.param("1h30m", timedelta(minutes=90), id="two units"),
        pytest.param("1d", timedelta(hours=24), id="a day has 24 hours"),
        pytest.param("2w", timedelta(days=14), id="weeks"),
        pytest.param("1y", timedelta(days=365), id="a year has 365 days"),
        pytest.param("1y2w3d4h5m6s7ms", timedelta(382, 14706, 7000), id="every unit"),
        pytest.param("0005m", timedelta(minutes=5), id="leading zeros"),
    ],
)
def test_a_duration_is_read_as_prometheus_reads_it(text: str, span: timedelta) -> None:
    assert durations.parse(text) == span


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("5", id="no unit"),
        pytest.param("m", id="no number"),
        pytest.param("1m1h", id="small before large"),
        pytest.param("1h1h", id="a unit twice"),
        pytest.param("1.5h", id="a fraction"),
        pytest.param("-5m", id="a sign"),
        pytest.param("5 m", id="a space inside"),
        pytest.param(" 5m", id="a space before"),
        pytest.param("5m\n", id="a line feed after"),
        pytest.param("5M", id="a capital"),
        pytest.param("٥m", id="digits of another script"),
        pytest.param("9" * 30 + "s", id="more digits than any unit can use"),
    ],
)
def test_what_is_no_duration_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(DurationError, match="is not a duration; write it like 30s, 5m or 1h30m") as caught:
        durations.parse(text)
    assert repr(text[:40]) in caught.value.message


@pytest.mark.parametrize("text", ["293y", "292y99999w", "9" * 18 + "ms"])
def test_what_go_cannot_count_is_refused(text: str) -> None:
    with pytest.raises(DurationError, match="longer than the 292 years"):
        durations.parse(text)


def test_a_hostile_duration_is_not_repeated_whole() -> None:
    with pytest.raises(DurationError) as caught:
        durations.parse("9" * 1_000_000)
    assert len(caught.value.message) < 200


@pytest.mark.parametrize(
    ("span", "text"),
    [
        pytest.param(timedelta(0), "0s", id="nothing"),
        pytest.param(timedelta(milliseconds=1), "1ms", id="the smallest"),
        pytest.param(timedelta(microseconds=999), "0s", id="less than a millisecond is cut off"),
        pytest.param(timedelta(seconds=324), "5m24s", id="minutes and seconds"),
        pytest.param(timedelta(hours=3), "3h", id="no empty units"),
        pytest.param(timedelta(days=4), "4d", id="days"),
        pytest.param(timedelta(days=4, hours=1), "4d1h", id="days and hours"),
        pytest.param(timedelta(days=14), "2w", id="whole weeks"),
        pytest.param(timedelta(days=15), "15d", id="no weeks when days remain"),
        pytest.param(timedelta(days=3650), "10y", id="whole years"),
        pytest.param(timedelta(days=366), "366d", id="no years when days remain"),
    ],
)
def test_a_span_is_printed_as_prometheus_prints_it(span: timedelta, text: str) -> None:
    assert durations.format(span) == text


def test_a_negative_span_cannot_be_printed() -> None:
    with pytest.raises(DurationError, match="-5 seconds is negative"):
        durations.format(timedelta(seconds=-5))


@given(MILLISECONDS)
def test_every_printed_span_reads_back(milliseconds: int) -> None:
    span = timedelta(milliseconds=milliseconds)
    assert durations.parse(durations.format(span)) == span


@given(st.text(alphabet="0123456789ywdhms.- ", max_size=30))
def test_any_text_is_a_duration_or_refused(text: str) -> None:
    try:
        span = durations.parse(text)
    except DurationError:
        return
    assert span >= timedelta(0)
