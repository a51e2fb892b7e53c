"""The kinds of field on the wire: what is taken, what is refused and why, and what comes out again."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, ValidationError

from api.schemas.fields import Duration, Input, InputError, Instant, Measured, Number, Output, Text, field_names, merged


class Inner(Input):
    """Something inside."""

    deep: Text = ""


class Everything(Input):
    """One field of each kind."""

    read_only = frozenset({"version"})
    span: Duration | None = None
    number: Number | None = None
    at: Instant | None = None
    text: Text = ""
    renamed: str = Field(default="", alias="for")
    pairs: dict[str, str] = Field(default_factory=dict)
    inner: list[Inner] = Field(default_factory=list)


class Measurement(Output):
    """A number of ours."""

    value: Measured


def refusal(field: str, value: object) -> str:
    with pytest.raises(ValidationError) as refused:
        Everything.model_validate({field: value})
    return str(refused.value.errors()[0]["msg"])


@pytest.mark.parametrize(
    ("text", "span"),
    [("0", 0), ("0s", 0), ("90s", 90), ("1h30m", 5400), ("100y", 3153600000)],
)
def test_a_duration_is_prometheus_text(text: str, span: int) -> None:
    assert Everything(span=text).span == timedelta(seconds=span)  # type: ignore[arg-type]  # As JSON has it.


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (300, "as text"),
        (1.5, "as text"),
        (True, "as text"),
        ([], "as text"),
        ("", "is not a duration"),
        ("5 m", "is not a duration"),
        ("-5m", "is not a duration"),
        ("PT5M", "is not a duration"),
        ("101y", "longer than 100 years"),
        ("9" * 10_000 + "s", "is not a duration"),
    ],
)
def test_what_is_no_duration_is_refused(value: object, why: str) -> None:
    assert why in refusal("span", value)


@given(st.integers(min_value=0, max_value=3153600000000))
def test_a_duration_comes_out_as_what_reads_back_to_it(milliseconds: int) -> None:
    span = timedelta(milliseconds=milliseconds)
    told = Everything.model_construct(span=span).model_dump(mode="json")["span"]
    assert Everything.model_validate({"span": told}).span == span


@pytest.mark.parametrize(
    ("value", "number"), [(5, 5.0), (0.5, 0.5), ("+Inf", math.inf), ("Inf", math.inf), ("-Inf", -math.inf)]
)
def test_a_number_is_a_number_or_the_name_of_an_infinity(value: object, number: float) -> None:
    assert Everything.model_validate({"number": value}).number == number


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("5", "must be a number"),
        ("inf", "must be a number"),
        (True, "must be a number"),
        ([5], "must be a number"),
        (10**400, "64-bit float"),
        (-(10**400), "64-bit float"),
        (math.inf, "64-bit float"),
        (math.nan, "64-bit float"),
    ],
)
def test_what_is_no_number_is_refused(value: object, why: str) -> None:
    assert why in refusal("number", value)


@given(st.floats())
def test_a_number_comes_out_as_what_reads_back_to_it(value: float) -> None:
    told = Measurement(value=value).model_dump(mode="json")["value"]
    again = Everything.model_validate({"number": told}).number
    assert again == value or (math.isnan(value) and again is not None and math.isnan(again))


@pytest.mark.parametrize(
    "text",
    ["2026-11-21T12:00:00Z", "2026-11-21T14:00:00+02:00", "2026-11-21T07:00:00.000-05:00", "2026-11-21T12:00:00z"],
)
def test_an_instant_is_told_in_utc(text: str) -> None:
    read = Everything.model_validate({"at": text})
    assert read.at == datetime(2026, 11, 21, 12, tzinfo=UTC)
    assert read.model_dump(mode="json")["at"] == "2026-11-21T12:00:00Z"


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("2026-11-21T12:00:00", "has no zone"),
        ("2026-11-21", "has no zone"),
        ("noon", "no RFC 3339 time"),
        ("", "no RFC 3339 time"),
        ("2026-02-30T00:00:00Z", "no RFC 3339 time"),
        ("0001-01-01T00:00:00+14:00", "the year 1;"),
        ("9999-12-31T23:59:59-14:00", "the year 9999;"),
        (1732190400, "as text"),
        (None, ""),
    ],
)
def test_what_is_no_instant_is_refused(value: object, why: str) -> None:
    if value is None:
        assert Everything.model_validate({"at": None}).at is None
    else:
        assert why in refusal("at", value)


@pytest.mark.parametrize("text", ["a\x00b", "\ud800", "x\udfff"])
def test_text_that_no_database_stores_is_refused(text: str) -> None:
    assert "no database stores" in refusal("text", text)


@pytest.mark.parametrize("text", ["", "ünï", "😀", "\n\t", "￿"])
def test_all_other_text_is_taken(text: str) -> None:
    assert Everything(text=text).text == text


def test_an_unknown_field_is_refused_and_a_python_name_is_one() -> None:
    assert "Extra inputs" in refusal("nonsense", 1)
    assert "Extra inputs" in refusal("renamed", "x")


def test_what_only_we_set_may_be_sent_back() -> None:
    assert Everything.model_validate({"version": 7, "text": "a"}).text == "a"


def test_fields_are_named_as_in_json_those_inside_included() -> None:
    assert list(field_names(Everything)) == ["span", "number", "at", "text", "for", "pairs", "inner", "deep"]


@pytest.mark.parametrize(
    ("current", "patch", "result"),
    [
        pytest.param({"a": "b"}, {"a": "c"}, {"a": "c"}, id="replace"),
        pytest.param({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}, id="add"),
        pytest.param({"a": "b"}, {"a": None}, {}, id="remove"),
        pytest.param({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}, id="remove one"),
        pytest.param({"a": ["b"]}, {"a": "c"}, {"a": "c"}, id="list by text"),
        pytest.param({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}, id="text by list"),
        pytest.param({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}, id="inside"),
        pytest.param({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}, id="lists are whole"),
        pytest.param({"e": None}, {"a": 1}, {"e": None, "a": 1}, id="a null that was there stays"),
        pytest.param({"a": "b"}, {}, {"a": "b"}, id="nothing"),
    ],
)
def test_patches_merge_as_rfc_7396_has_it(current: Any, patch: Any, result: Any) -> None:
    assert merged(current, patch) == result


def test_a_patch_makes_a_whole_noun() -> None:
    patched = Everything.patched({"text": "a", "pairs": {"x": "1", "y": "2"}}, {"text": None, "pairs": {"x": None}})
    assert (patched.text, patched.pairs) == ("", {"y": "2"})


def test_a_patch_that_makes_no_noun_names_its_model() -> None:
    with pytest.raises(InputError) as refused:
        Everything.patched({}, {"span": 5, "nonsense": 1})
    assert refused.value.model is Everything
    assert {error["loc"][0] for error in refused.value.cause.errors()} == {"span", "nonsense"}
