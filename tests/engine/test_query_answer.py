"""What a server's bytes mean: samples, series, or whose fault it is that there are none."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.alert import Sample
from engine.query_answer import (
    Answer,
    QueryError,
    QueryErrorKind,
    Series,
    complete,
    instant_answer,
    kind_of_status,
    range_answer,
    read_document,
    recognition,
    refusal,
)
from rules.errors import LabelError
from rules.labels import Labels

HISTOGRAM = {"count": "3", "sum": "1.5", "buckets": [[0, "1", "2", "3"]]}


def success(result_type: str, result: object, **remarks: object) -> bytes:
    return json.dumps({"status": "success", "data": {"resultType": result_type, "result": result}, **remarks}).encode()


def vector(*elements: object, **remarks: object) -> Answer:
    return instant_answer(read_document(success("vector", list(elements), **remarks)))


def element(value: str, **labels: str) -> dict[str, Any]:
    return {"metric": labels, "value": [1795236835.351, value]}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param("1", 1.0, id="whole"),
        pytest.param("-0.25", -0.25, id="negative"),
        pytest.param("4.9406564584124654e-324", 5e-324, id="smallest"),
        pytest.param("1.7976931348623157e+308", 1.7976931348623157e308, id="largest"),
        pytest.param("+Inf", math.inf, id="infinite"),
        pytest.param("-Inf", -math.inf, id="minus-infinite"),
    ],
)
def test_values_are_read_in_gos_format(text: str, value: float) -> None:
    assert vector(element(text, job="a")).samples == (Sample(labels=Labels({"job": "a"}), value=value),)


def test_nan_is_a_value() -> None:
    assert math.isnan(vector(element("NaN")).samples[0].value)


def test_samples_keep_the_servers_order_and_their_metric_names() -> None:
    answer = vector(element("2", __name__="up", job="b"), element("1", __name__="up", job="a"))
    assert [(sample.labels["job"], sample.value) for sample in answer.samples] == [("b", 2.0), ("a", 1.0)]
    assert answer.samples[0].labels["__name__"] == "up"


def test_an_empty_vector_is_an_answer_without_samples() -> None:
    assert vector() == Answer(samples=(), result_type="vector")


def test_a_scalar_is_one_sample_without_labels_and_is_told_from_a_vector() -> None:
    scalar = instant_answer(read_document(success("scalar", [1795236835.351, "2"])))
    assert scalar == Answer(samples=(Sample(labels=Labels(), value=2.0),), result_type="scalar")
    assert scalar != vector(element("2"))


@pytest.mark.parametrize(
    ("result_type", "result"),
    [
        pytest.param("matrix", [{"metric": {}, "values": [[1, "2"]]}], id="matrix"),
        pytest.param("string", [1, "hi"], id="string"),
    ],
)
def test_a_matrix_or_a_string_is_no_rule_result(result_type: str, result: object) -> None:
    with pytest.raises(QueryError, match="rule result is not a vector or scalar") as caught:
        instant_answer(read_document(success(result_type, result)))
    assert caught.value.kind is QueryErrorKind.EXECUTION


def test_warnings_and_infos_are_kept() -> None:
    answer = vector(warnings=["results truncated due to limit"], infos=["metric might not be a counter"])
    assert answer.warnings == ("results truncated due to limit",)
    assert answer.infos == ("metric might not be a counter",)


def test_native_histograms_are_dropped_counted_and_warned_of() -> None:
    histogram = {"metric": {"job": "h"}, "histogram": [1795236835.351, HISTOGRAM]}
    answer = vector(histogram, element("1", job="a"), histogram, warnings=["theirs"])
    assert [sample.labels["job"] for sample in answer.samples] == ["a"]
    assert answer.histograms_dropped == 2
    assert answer.warnings == ("theirs", "2 native histogram samples dropped: a rule compares floats")


def test_a_partial_answer_says_so() -> None:
    assert vector(isPartial=True).warnings == ("the answer is partial: some storage nodes did not take part",)


def test_an_element_with_neither_value_nor_histogram_is_malformed() -> None:
    with pytest.raises(QueryError) as caught:
        vector({"metric": {}}, {"metric": {}, "histogram": [1, HISTOGRAM]})
    assert caught.value.kind is QueryErrorKind.MALFORMED


def test_a_value_that_is_no_number_is_malformed() -> None:
    with pytest.raises(QueryError, match="'many'") as caught:
        vector(element("many"))
    assert caught.value.kind is QueryErrorKind.MALFORMED


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"<html>", id="html"),
        pytest.param(b"[]", id="list"),
        pytest.param(b"{}", id="no-status"),
        pytest.param(success("vector", [])[:-1], id="truncated"),
        pytest.param(success("tensor", []), id="unknown-type"),
        pytest.param(success("vector", {"a": 1}), id="object-for-a-list"),
        pytest.param(success("vector", [{"metric": {}, "value": [1, 2]}]), id="value-no-text"),
        pytest.param(success("vector", [{"metric": {}, "value": [1]}]), id="value-missing"),
        pytest.param(success("scalar", "2"), id="scalar-no-pair"),
        pytest.param(success("vector", [], warnings="w"), id="warnings-no-list"),
    ],
)
def test_bytes_that_are_no_answer_are_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        read_document(body)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(success("vector", [{"metric": {"a": 1}, "value": [1, "2"]}]), id="label-no-text"),
        pytest.param(success("vector", [{"metric": 5, "value": [1, "2"]}]), id="no-labels"),
        pytest.param(
            success("vector", [{"metric": {"a": "\xff"}, "value": [1, "2"]}]).replace(b"\\u00ff", b"\xff"),
            id="no-utf-8",
        ),
    ],
)
def test_labels_that_are_none_are_refused_when_somebody_looks(body: bytes) -> None:
    answer = instant_answer(read_document(body))
    with pytest.raises(LabelError, match="the answer has a series whose labels are none"):
        answer.samples[0]
    with pytest.raises(QueryError) as caught:
        complete(answer)
    assert caught.value.kind is QueryErrorKind.MALFORMED


def test_series_are_recognised_from_one_answer_to_the_next() -> None:
    series = recognition()
    first, second = (
        instant_answer(read_document(success("vector", [element(value, job="a"), element("0", job="b")])), series)
        for value in ("1", "2")
    )
    assert first.samples[0].labels is second.samples[0].labels
    assert len(series) == 1  # nobody has looked at the other


def test_success_without_data_is_malformed() -> None:
    with pytest.raises(QueryError, match="without data") as caught:
        instant_answer(read_document(b'{"status":"success"}'))
    assert caught.value.kind is QueryErrorKind.MALFORMED


@pytest.mark.parametrize(
    ("error_type", "kind"),
    [
        ("bad_data", QueryErrorKind.BAD_DATA),
        ("execution", QueryErrorKind.EXECUTION),
        ("timeout", QueryErrorKind.TIMEOUT),
        ("canceled", QueryErrorKind.CANCELED),
        ("internal", QueryErrorKind.UNAVAILABLE),
        ("unavailable", QueryErrorKind.UNAVAILABLE),
        ("", QueryErrorKind.EXECUTION),
    ],
)
def test_an_error_with_status_200_is_an_error(error_type: str, kind: QueryErrorKind) -> None:
    body = json.dumps({"status": "error", "errorType": error_type, "error": "why", "data": None}).encode()
    with pytest.raises(QueryError, match="why") as caught:
        instant_answer(read_document(body))
    assert caught.value.kind is kind


@pytest.mark.parametrize(
    ("status", "error_type", "kind"),
    [
        pytest.param(400, "bad_data", QueryErrorKind.BAD_DATA, id="prometheus-400"),
        pytest.param(422, "execution", QueryErrorKind.EXECUTION, id="prometheus-422"),
        pytest.param(503, "timeout", QueryErrorKind.TIMEOUT, id="prometheus-timeout"),
        pytest.param(503, "canceled", QueryErrorKind.CANCELED, id="prometheus-canceled"),
        pytest.param(500, "internal", QueryErrorKind.UNAVAILABLE, id="prometheus-storage"),
        pytest.param(404, "not_found", QueryErrorKind.UNAVAILABLE, id="not-found"),
        pytest.param(422, "422", QueryErrorKind.EXECUTION, id="victoriametrics"),
        pytest.param(400, "", QueryErrorKind.BAD_DATA, id="no-type-400"),
        pytest.param(401, "", QueryErrorKind.AUTH, id="no-type-401"),
        pytest.param(429, "too_many_requests", QueryErrorKind.UNAVAILABLE, id="mimir-429"),
    ],
)
def test_an_error_document_is_classified_by_its_type_then_by_its_status(
    status: int, error_type: str, kind: QueryErrorKind
) -> None:
    error = refusal(status, json.dumps({"status": "error", "errorType": error_type, "error": "its text"}).encode())
    assert error is not None
    assert (error.kind, error.message, str(error)) == (kind, "its text", "its text")


def test_a_refusal_without_a_reason_names_its_status() -> None:
    error = refusal(422, b'{"status":"error"}')
    assert error is not None
    assert error.message == "status 422 without a reason"


@pytest.mark.parametrize("body", [b"", b"<h1>Bad Gateway</h1>", b'{"message":"no"}', b'{"status":"success"}', b"\xff"])
def test_a_body_that_is_no_error_document_is_not_the_servers_word(body: bytes) -> None:
    assert refusal(400, body) is None


@pytest.mark.parametrize(
    ("statuses", "kind"),
    [
        ((301, 302, 303, 307, 308), QueryErrorKind.REDIRECTED),
        ((401, 403, 407), QueryErrorKind.AUTH),
        ((408, 504), QueryErrorKind.TIMEOUT),
        ((413, 414), QueryErrorKind.TOO_LARGE),
        ((499,), QueryErrorKind.CANCELED),
        ((204, 400, 404, 405, 422, 429, 500, 502, 503), QueryErrorKind.UNAVAILABLE),
    ],
    ids=lambda value: value.value if isinstance(value, QueryErrorKind) else "",
)
def test_a_bare_status_never_blames_the_query(statuses: tuple[int, ...], kind: QueryErrorKind) -> None:
    assert {kind_of_status(status) for status in statuses} == {kind}


@pytest.mark.parametrize(
    "text",
    [
        "no route to http://user:secret@host:9090/x",
        "https://user:secret@host",
        "//:secret@host",
        "redirected to http://secret@host/ and http://a:secret@b/",
    ],
)
def test_a_message_never_shows_the_credentials_of_an_address(text: str) -> None:
    assert "secret" not in str(QueryError(QueryErrorKind.UNAVAILABLE, text))


def test_a_message_has_at_most_500_characters() -> None:
    assert QueryError(QueryErrorKind.BAD_DATA, "x" * 501).message == "x" * 500


def test_a_range_is_series_of_points_without_those_of_histograms_only() -> None:
    floats = {"metric": {"job": "a"}, "values": [[1.5, "1"], [3, "+Inf"]]}
    mixed = {"metric": {"job": "b"}, "values": [[1.5, "2"]], "histograms": [[3, HISTOGRAM]]}
    histograms = {"metric": {"job": "h"}, "histograms": [[3, HISTOGRAM]]}
    assert range_answer(read_document(success("matrix", [floats, mixed, histograms]))) == (
        Series(labels=Labels({"job": "a"}), points=((1.5, 1.0), (3.0, math.inf))),
        Series(labels=Labels({"job": "b"}), points=((1.5, 2.0),)),
    )


def test_a_range_answered_by_a_vector_is_malformed() -> None:
    with pytest.raises(QueryError) as caught:
        range_answer(read_document(success("vector", [])))
    assert caught.value.kind is QueryErrorKind.MALFORMED


@given(st.lists(st.tuples(st.dictionaries(st.text(), st.text()), st.floats(allow_nan=False))))
def test_every_label_set_and_float_survives_the_way(elements: list[tuple[dict[str, str], float]]) -> None:
    answer = vector(*({"metric": labels, "value": [0, str(value)]} for labels, value in elements))
    assert answer.samples == tuple(Sample(labels=Labels(labels), value=value) for labels, value in elements)
