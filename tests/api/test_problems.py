"""Problem details: their members, and what of a refused value is repeated."""

from __future__ import annotations

import json
import math

import pytest

from api.problems import ApiProblem, FieldError, conflict, not_found, refused, response, shown


def test_a_problem_has_the_members_of_rfc_9457_and_those_of_its_type() -> None:
    problem = conflict(
        "it moved", FieldError(field="If-Match", message="old", value='"1"', fix="read"), current_version=2
    )
    assert problem.document() == {
        "type": "urn:tocsin:problem:conflict",
        "title": "Conflict",
        "status": 409,
        "detail": "it moved",
        "errors": [{"field": "If-Match", "value": '"1"', "message": "old", "fix": "read"}],
        "current_version": 2,
    }


def test_a_problem_is_answered_as_problem_json_with_its_headers() -> None:
    answered = response(ApiProblem(status=503, name="x", detail="\ud800", headers={"Retry-After": "5"}))
    assert (answered.status_code, answered.headers["retry-after"]) == (503, "5")
    assert answered.headers["content-type"] == "application/problem+json"
    assert json.loads(bytes(answered.body))["detail"] == "\ud800"


@pytest.mark.parametrize(("count", "told"), [(1, "1 field is wrong"), (2, "2 fields are wrong")])
def test_a_refusal_counts_what_is_wrong(count: int, told: str) -> None:
    assert told in refused([FieldError(field="a", message="b")] * count).detail


def test_a_key_that_is_not_found_is_cut_when_it_is_long() -> None:
    assert not_found("rule", "x" * 500).detail == f"there is no rule '{'x' * 100}…'"


@pytest.mark.parametrize(
    ("value", "told"),
    [
        pytest.param(None, None, id="null"),
        pytest.param(True, True, id="truth"),
        pytest.param(5, 5, id="integer"),
        pytest.param(10**30, "an integer of 100 bits", id="huge integer"),
        pytest.param(0.5, 0.5, id="number"),
        pytest.param(math.nan, "nan", id="not a number"),
        pytest.param(-math.inf, "-inf", id="infinity"),
        pytest.param("x" * 100, "x" * 100, id="text"),
        pytest.param("x" * 101, "x" * 100 + "…", id="long text"),
        pytest.param([1, 2], "a list", id="list"),
        pytest.param({"a": 1}, "a dict", id="object"),
        pytest.param(b"x", "a bytes", id="anything else"),
    ],
)
def test_a_value_is_repeated_as_far_as_it_is_short_and_plain(value: object, told: object) -> None:
    assert shown(value) == told
