"""Series as unit tests write them: labels and values."""

from __future__ import annotations

import math

import pytest

from rules.errors import SeriesError
from rules.formats import series_notation
from rules.labels import Labels


def written(text: str) -> list[float | None]:
    """All values in their order, gaps as NaN."""
    found: dict[int, float | None] = dict(pair for run in series_notation.values(text) for pair in run.values())
    return [found.get(at, math.nan) for at in range(max(found, default=-1) + 1)]


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("", []),
        ("1 2 3", [1, 2, 3]),
        ("-2+4x3", [-2, 2, 6, 10]),
        (" 1-2x4", [1, -1, -3, -5, -7]),
        ("1x4", [1, 1, 1, 1, 1]),
        ("1 stale 2", [1, None, 2]),
        ("stalex2", [None, None, None]),
        ("1e2+.5x1 +Inf -inf", [100, 100.5, math.inf, -math.inf]),
        ("0+0.1x3", [0, 0.1, 0.2, 0.30000000000000004]),
    ],
)
def test_values_are_written_out(text: str, values: list[float | None]) -> None:
    assert written(text) == values


def test_a_gap_has_no_value() -> None:
    assert [(run.begin, run.length) for run in series_notation.values("1 _ 2 _x3 5")] == [(0, 1), (2, 1), (6, 1)]


def test_nan_is_a_value() -> None:
    assert math.isnan(written("nan")[0] or 0)


def test_a_thousand_million_values_cost_nothing_until_they_are_asked_for() -> None:
    (run,) = series_notation.values("0x1000000000")
    assert run.length == 1_000_000_001


@pytest.mark.parametrize(
    ("text", "position"), [("1 one", 2), ("1+x3", 0), ("0x1F", 0), ("1.2.3", 0), ("1x" + "9" * 19, 0)]
)
def test_what_is_no_value_is_told_at_its_place(text: str, position: int) -> None:
    with pytest.raises(SeriesError, match="is no value; write 1") as refused:
        series_notation.values(text)
    assert refused.value.position == position


def test_native_histograms_are_told_to_be_unsupported() -> None:
    with pytest.raises(SeriesError, match="native histograms are not supported"):
        series_notation.values("{{schema:1 count:3}}x3")


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("up", {"__name__": "up"}),
        (" job:up {} ", {"__name__": "job:up"}),
        ("{}", {}),
        ("up{a=\"b\", c='d',e=`f`,}", {"__name__": "up", "a": "b", "c": "d", "e": "f"}),
        ('{"http.requests", "my.label"="x\\ty"}', {"__name__": "http.requests", "my.label": "x\ty"}),
        ('{__name__="up"}', {"__name__": "up"}),
        ('up{a="}"}', {"__name__": "up", "a": "}"}),
    ],
)
def test_a_series_is_its_labels(text: str, labels: dict[str, str]) -> None:
    assert series_notation.labels(text) == Labels(labels)


@pytest.mark.parametrize(
    "text", ["", " ", "up{", 'up{a="b"', 'up{a!="b"}', 'up{a=~"b"}', "up}", "up x", "up{a=b}", "5"]
)
def test_what_is_no_series_is_refused(text: str) -> None:
    with pytest.raises(SeriesError, match="is no series"):
        series_notation.labels(text)


def test_a_label_given_twice_is_refused() -> None:
    with pytest.raises(SeriesError, match="'__name__' is given twice"):
        series_notation.labels('up{__name__="up"}')


def test_a_value_that_no_quotes_allow_is_refused() -> None:
    with pytest.raises(SeriesError, match="bad escape") as refused:
        series_notation.labels('up{a="b",c="\\q"}')
    assert refused.value.position == 9
