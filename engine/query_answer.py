"""What a query brings: an Answer, Series, or a QueryError whose kind says whose fault it is.

    QueryError              kind says whose fault it is, message is Prometheus' own text where there is one
      bad_data              the expression or a parameter is wrong
      execution             the expression ran and failed, or its result is no vector or scalar
      timeout               the server's own limit, or our total deadline
      canceled              the server gave the query up
      unavailable           no connection, an answer cut short, 5xx, 429, or an address that is no query API
      too_large             the answer (or, by 413, the question) has more bytes than is accepted
      malformed             a 200 that is not Prometheus' JSON
      auth                  401, 403, 407
      redirected            3xx: redirects are not followed, name the final address

Here a server's bytes become values; every value of an answer is checked, and half an answer is never a whole one. The labels
of a series are read when somebody looks at them, and recognised by their bytes from one answer to the next.
"""

from __future__ import annotations

import hashlib
import re
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, Literal, TypedDict

import msgspec

from engine.core.alert import Sample
from engine.core.remembering import Remembered
from engine.core.vector import Vector
from rules.errors import LabelError
from rules.labels import Labels

_MESSAGE_LIMIT: Final = 500
_CREDENTIALS: Final = re.compile(r"//[^/\s@]*@")


class QueryErrorKind(StrEnum):
    """Why a query has no answer; Prometheus' error types, and what can happen on the way to it."""

    BAD_DATA = "bad_data"
    EXECUTION = "execution"
    TIMEOUT = "timeout"
    CANCELED = "canceled"
    UNAVAILABLE = "unavailable"
    TOO_LARGE = "too_large"
    MALFORMED = "malformed"
    AUTH = "auth"
    REDIRECTED = "redirected"


class QueryError(Exception):
    """A query without an answer; `message` has at most 500 characters and never the credentials of an address.

    `stated` tells what the server said itself, in a document of its own, from what came of asking it.
    """

    def __init__(self, kind: QueryErrorKind, message: str, *, stated: bool = False) -> None:
        self.kind = kind
        self.stated = stated
        self.message = _CREDENTIALS.sub("//", message)[:_MESSAGE_LIMIT]
        super().__init__(self.message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An instant query's result: samples as the server ordered them, a scalar as one sample without labels.

    Looking at a sample raises LabelError where its labels are no labels.

    `warnings` and `infos` are the server's, with ours about what is missing from the samples.
    `histograms_dropped` counts native histogram samples: a rule compares floats.
    """

    samples: Sequence[Sample]
    warnings: tuple[str, ...] = ()
    infos: tuple[str, ...] = ()
    histograms_dropped: int = 0
    result_type: Literal["vector", "scalar"] = "vector"


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One series of a range query; `points` are (seconds since the epoch, value) in time order, floats only."""

    labels: Labels
    points: tuple[tuple[float, float], ...]


class _Point(msgspec.Struct, array_like=True, gc=False):
    at: float
    value: str


class _Element(msgspec.Struct, gc=False):
    metric: msgspec.Raw = msgspec.Raw(b"{}")
    value: _Point | None = None
    histogram: msgspec.Raw = msgspec.Raw()


class _Track(msgspec.Struct, gc=False):
    metric: dict[str, str] = {}
    values: list[tuple[float, str]] = []


class _Vector(msgspec.Struct, tag_field="resultType", tag="vector", gc=False):
    result: list[_Element]


class _Scalar(msgspec.Struct, tag_field="resultType", tag="scalar", gc=False):
    result: tuple[float, str]


class _Matrix(msgspec.Struct, tag_field="resultType", tag="matrix", gc=False):
    result: list[_Track]


class _String(msgspec.Struct, tag_field="resultType", tag="string", gc=False):
    result: tuple[float, str]


class Document(msgspec.Struct):
    """What /api/v1/query and /query_range answer; `isPartial` is VictoriaMetrics' word for missing storage nodes."""

    status: str
    data: _Vector | _Scalar | _Matrix | _String | None = None
    error_type: str = msgspec.field(name="errorType", default="")
    error: str = ""
    warnings: list[str] | None = None
    infos: list[str] | None = None
    partial: bool = msgspec.field(name="isPartial", default=False)


class _Refusal(msgspec.Struct):
    """An error document, whatever else it holds; `errorType` is free text: VictoriaMetrics puts the status there."""

    status: Literal["error"]
    error_type: str = msgspec.field(name="errorType", default="")
    error: str = ""


_KIND_OF_TYPE: Final = {
    "bad_data": QueryErrorKind.BAD_DATA,
    "execution": QueryErrorKind.EXECUTION,
    "timeout": QueryErrorKind.TIMEOUT,
    "canceled": QueryErrorKind.CANCELED,
    "internal": QueryErrorKind.UNAVAILABLE,
    "unavailable": QueryErrorKind.UNAVAILABLE,
    "not_found": QueryErrorKind.UNAVAILABLE,
}
"""P:web/api/v1/api.go errorType; internal is the server's storage failing, not_found an address that is no query API."""

_DOCUMENT: Final = msgspec.json.Decoder(Document)
_REFUSAL: Final = msgspec.json.Decoder(_Refusal)
_METRIC: Final = msgspec.json.Decoder(dict[str, str])
_SERIES: Final = 100_000
"""So many series of a datasource are recognised from one answer to the next: about 50 MB."""

_AT_ONCE: Final = 10_000

Recognise = Remembered[bytes, Labels]
"""The labels of series by the bytes a server writes for them."""


def recognition(room: int = _SERIES) -> Recognise:
    """Remembers the labels of at least so many series."""
    return Remembered(_read_labels, room=room)


def _read_labels(metric: bytes) -> Labels:
    try:
        return Labels(_METRIC.decode(metric))
    except ValueError as error:
        shown = metric[:100].decode(errors="replace")
        raise LabelError(f"the answer has a series whose labels are none: {shown} ({error})", field="labels") from error


def read_document(body: bytes) -> Document:
    """The answer's bytes as typed values, parsed once. Raises ValueError for anything but a query's answer."""
    return _DOCUMENT.decode(body)


def instant_answer(document: Document, series: Recognise | None = None) -> Answer:
    """What an instant query brought. Raises QueryError for an error, a matrix or a string, as Prometheus' ruler does.

    `series` are those known from earlier answers.

    Source: P:rules/manager.go EngineQueryFunc.
    """
    match _data(document):
        case _Vector(result=elements):
            return _vector_answer(document, elements, recognition() if series is None else series)
        case _Scalar(result=(_, value)):
            samples = (Sample(labels=Labels(), value=_number(value)),)
            return Answer(samples=samples, **_remarks(document), result_type="scalar")
        case _Matrix() | _String():
            raise QueryError(QueryErrorKind.EXECUTION, "rule result is not a vector or scalar")


def complete(answer: Answer) -> Answer:
    """The answer with the labels of every sample read. Raises QueryError where they are none."""
    try:
        return replace(answer, samples=tuple(answer.samples))
    except LabelError as unreadable:
        raise QueryError(QueryErrorKind.MALFORMED, unreadable.message) from unreadable


def range_answer(document: Document) -> tuple[Series, ...]:
    """What a range query brought, series without a float left out. Raises QueryError."""
    data = _data(document)
    if not isinstance(data, _Matrix):
        raise QueryError(QueryErrorKind.MALFORMED, "a range query was answered with something other than a matrix")
    return tuple(_series(track) for track in data.result if track.values)


def refusal(status: int, body: bytes) -> QueryError | None:
    """What a server's own error document says; `None` when the body is none, i.e. something in between answered."""
    try:
        document = _REFUSAL.decode(body)
    except ValueError:
        return None
    message = document.error or f"status {status} without a reason"
    return QueryError(_kind(status, document.error_type), message, stated=True)


def _data(document: Document) -> _Vector | _Scalar | _Matrix | _String:
    if document.status != "success":
        raise QueryError(_kind(200, document.error_type), document.error or "an error without a reason")
    if document.data is None:
        raise QueryError(QueryErrorKind.MALFORMED, "success was answered without data")
    return document.data


def _vector_answer(document: Document, elements: list[_Element], series: Recognise) -> Answer:
    valued = [element for element in elements if element.value is not None]
    samples = _vector(valued, series)
    if len(samples) == len(elements):
        return Answer(samples=samples, **_remarks(document))
    if any(element.value is None and not element.histogram for element in elements):
        raise QueryError(QueryErrorKind.MALFORMED, "the answer has an element with neither value nor histogram")
    dropped = len(elements) - len(samples)
    remarks = _remarks(document, f"{dropped} native histogram samples dropped: a rule compares floats")
    return Answer(samples=samples, **remarks, histograms_dropped=dropped)


def _vector(elements: list[_Element], series: Recognise) -> Vector:
    points = [element.value for element in elements]
    try:
        values = array("d", [float(point.value) for point in points if point is not None])
    except ValueError:
        for point in points:
            _number("" if point is None else point.value)
        raise
    return Vector.lazily(values, lambda index: series[bytes(elements[index].metric)], lambda: _digest(elements))


def _digest(elements: list[_Element]) -> bytes:
    """Of the labels of all elements as the server writes them: each is a whole JSON object, so no others make the same bytes."""
    made = hashlib.sha256()
    for start in range(0, len(elements), _AT_ONCE):
        made.update(b"".join([element.metric for element in elements[start : start + _AT_ONCE]]))
    return made.digest()


class _Remarks(TypedDict):
    warnings: tuple[str, ...]
    infos: tuple[str, ...]


def _remarks(document: Document, *ours: str) -> _Remarks:
    partial = ("the answer is partial: some storage nodes did not take part",) if document.partial else ()
    return {"warnings": (*(document.warnings or ()), *ours, *partial), "infos": tuple(document.infos or ())}


def _series(track: _Track) -> Series:
    return Series(labels=Labels(track.metric), points=tuple((at, _number(value)) for at, value in track.values))


def _number(text: str) -> float:
    """Go's float format, `NaN`, `+Inf` and `-Inf` among it, which Python's `float` reads too."""
    try:
        return float(text)
    except ValueError as error:
        raise QueryError(
            QueryErrorKind.MALFORMED, f"the answer has a value that is no number: {text[:40]!r}"
        ) from error


def _kind(status: int, error_type: str) -> QueryErrorKind:
    """What a server's error document means; its `errorType` decides, its status where that is not a word we know."""
    if error_type in _KIND_OF_TYPE:
        return _KIND_OF_TYPE[error_type]
    match status:
        case 400:
            return QueryErrorKind.BAD_DATA
        case 200 | 422:
            return QueryErrorKind.EXECUTION
        case _:
            return kind_of_status(status)


def kind_of_status(status: int) -> QueryErrorKind:
    """What a status means that comes without an error document, i.e. from something in between."""
    match status:
        case 401 | 403 | 407:
            return QueryErrorKind.AUTH
        case 408 | 504:
            return QueryErrorKind.TIMEOUT
        case 413 | 414:
            return QueryErrorKind.TOO_LARGE
        case 499:
            return QueryErrorKind.CANCELED
        case _ if 300 <= status < 400:
            return QueryErrorKind.REDIRECTED
        case _:
            return QueryErrorKind.UNAVAILABLE
