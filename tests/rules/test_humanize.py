"""Numbers for people: the tables of P:template/template_test.go."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules import humanize
from rules.go_time import GoDuration

INF, NAN = math.inf, math.nan


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (1.0, "1"),
        (-1, "-1"),
        (999.96, "1000"),
        (1000.0, "1k"),
        (1234567.0, "1.235M"),
        (-1234567.0, "-1.235M"),
        (0.12, "120m"),
        (-0.00012, "-120u"),
        (1e-30, "1e-06y"),
        (1e30, "1e+06Y"),
        (2**63 - 1, "9.223E"),
        (2**64 - 1, "18.45E"),
        ("1234567.0", "1.235M"),
        (".12", "120m"),
        (INF, "+Inf"),
        ("-Inf", "-Inf"),
        (NAN, "NaN"),
    ],
)
def test_a_number_gets_a_metric_prefix(value: object, text: str) -> None:
    assert humanize.humanize(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (1.0, "1"),
        (-1, "-1"),
        (0.12, "0.12"),
        (1023, "1023"),
        (1048576.0, "1Mi"),
        (1234567, "1.177Mi"),
        (2**63 - 1, "8Ei"),
        (2**64 - 1, "16Ei"),
        (INF, "+Inf"),
        (-INF, "-Inf"),
        ("NaN", "NaN"),
    ],
)
def test_a_number_gets_a_binary_prefix(value: object, text: str) -> None:
    assert humanize.humanize1024(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0s"),
        (1, "1s"),
        (-1, "-1s"),
        (60, "1m 0s"),
        (60.5, "1m 0s"),
        (899.99, "14m 59s"),
        (3600, "1h 0m 0s"),
        (86400, "1d 0h 0m 0s"),
        (90000, "1d 1h 0m 0s"),
        (-(86400 * 2 + 3600 * 3 + 60 * 4 + 5), "-2d 3h 4m 5s"),
        (0.1, "100ms"),
        (0.0001, "100us"),
        (0.12345, "123.5ms"),
        (-0.5, "-500ms"),
        (1.2345, "1.234s"),
        ("12.345", "12.35s"),
        (GoDuration(90 * 10**9), "1m 30s"),
        (INF, "+Inf"),
        (-INF, "-Inf"),
        (NAN, "NaN"),
    ],
)
def test_seconds_become_a_duration(value: object, text: str) -> None:
    assert humanize.humanize_duration(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (-0.22222, "-22.22%"),
        (0.0, "0%"),
        (0.1234567, "12.35%"),
        (1.23456, "123.5%"),
        (1234567, "1.235e+08%"),
        (2**64 - 1, "1.845e+21%"),
        ("1.23456", "123.5%"),
        (INF, "+Inf%"),
    ],
)
def test_a_ratio_becomes_percent(value: object, text: str) -> None:
    assert humanize.humanize_percentage(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "1970-01-01 00:00:00 +0000 UTC"),
        (-1, "1969-12-31 23:59:59 +0000 UTC"),
        (-0.5, "1969-12-31 23:59:59.5 +0000 UTC"),
        (1234567, "1970-01-15 06:56:07 +0000 UTC"),
        (9223372036, "2262-04-11 23:47:16 +0000 UTC"),
        (-9223372036, "1677-09-21 00:12:44 +0000 UTC"),
        (1435065584.128, "2015-06-23 13:19:44.128 +0000 UTC"),
        ("1435065584.128", "2015-06-23 13:19:44.128 +0000 UTC"),
        (INF, "+Inf"),
        (-INF, "-Inf"),
        (NAN, "NaN"),
    ],
)
def test_seconds_become_a_time(value: object, text: str) -> None:
    assert humanize.humanize_timestamp(value) == text


@pytest.mark.parametrize("value", [2**63 - 1, -(2**63), 2**64 - 1, 1.8e300, -1.8e300])
def test_a_time_that_go_cannot_hold_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="cannot be represented as a nanoseconds timestamp since it overflows int64"):
        humanize.humanize_timestamp(value)


@pytest.mark.parametrize(("value", "text"), [(90.5, "1m30.5s"), ("0", "0s"), (-3, "-3s")])
def test_seconds_become_a_span(value: object, text: str) -> None:
    assert str(humanize.to_duration(value)) == text


@pytest.mark.parametrize("value", [INF, -INF, NAN])
def test_what_is_not_finite_is_no_time_and_no_span(value: float) -> None:
    with pytest.raises(ValueError, match="is no timestamp"):
        humanize.to_time(value)
    with pytest.raises(ValueError, match="is no duration"):
        humanize.to_duration(value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("one", 'strconv.ParseFloat: parsing "one": invalid syntax'),
        ("", 'parsing "": invalid syntax'),
        (" 1", "invalid syntax"),
        ("1_0", "invalid syntax"),
        ("1e999", "value out of range"),
        ("9" * 1000, "invalid syntax"),
    ],
)
def test_text_that_is_no_number_is_refused_in_go_words(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=r"strconv\.ParseFloat") as caught:
        humanize.humanize(text)
    assert message in str(caught.value)


@pytest.mark.parametrize("value", [None, True, [1], {}])
def test_what_can_be_no_number_is_refused(value: object) -> None:
    with pytest.raises(TypeError, match=r"can't convert (NoneType|bool|list|dict) to float"):
        humanize.to_float(value)


@given(st.floats())
def test_every_number_is_humanized(value: float) -> None:
    for function in (
        humanize.humanize,
        humanize.humanize1024,
        humanize.humanize_duration,
        humanize.humanize_percentage,
    ):
        assert 0 < len(function(value)) < 330
