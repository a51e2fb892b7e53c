"""A silence as amtool, Grafana and Karma post it, read with Alertmanager's own complaints about what is missing or wrong."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeVar

from api.alertmanager.answers import check_json
from api.alertmanager.wire import kind, parse_time
from engine.core.posting import PostError
from rules.errors import MatcherError
from rules.matchers import Matcher, Operator

T = TypeVar("T")

_MISSING: Final = 602
_TOO_FEW: Final = 612
_OPERATORS: Final = {
    (False, True): Operator.EQUAL,
    (False, False): Operator.NOT_EQUAL,
    (True, True): Operator.REGEX,
    (True, False): Operator.NOT_REGEX,
}


class SchemaError(ValueError):
    """The body has not the shape of a silence; `code` is go-openapi's number for the mistake."""

    def __init__(self, message: str, *, code: int = 400, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """What is asked for; an empty id asks for a new silence."""

    id: str
    matchers: tuple[Matcher, ...]
    starts_at: datetime
    ends_at: datetime
    created_by: str
    comment: str


def read(body: bytes, content_type: str) -> Posted:
    """The silence. Raises SchemaError, and MatcherError for a matcher that is none."""
    wrong = check_json(content_type)
    if wrong is not None:
        raise SchemaError(wrong, code=415, status=415)
    if not body:
        raise _missing("silence")
    try:
        content = json.loads(body)
    except ValueError as error:
        raise SchemaError(f"parsing silence body failed: it is no JSON: {error}") from error
    content = {} if content is None else content
    if not isinstance(content, dict):
        raise SchemaError(f"parsing silence body failed: it must be an object, not {kind(content)}")
    return _posted(content)


def _posted(content: Mapping[str, Any]) -> Posted:
    """Types first, then what is missing, in the order in which Alertmanager looks."""
    comment, created_by = _typed(content, "comment", str), _typed(content, "createdBy", str)
    starts_at, ends_at = _time(content, "startsAt"), _time(content, "endsAt")
    listed = _typed(content, "matchers", list)
    comment, created_by = _given(comment, "comment"), _given(created_by, "createdBy")
    ends_at, listed, starts_at = _given(ends_at, "endsAt"), _given(listed, "matchers"), _given(starts_at, "startsAt")
    if not listed:
        raise SchemaError("matchers in body should have at least 1 items", code=_TOO_FEW, status=422)
    return Posted(
        id=_typed(content, "id", str) or "",
        matchers=tuple(_matcher(place, item) for place, item in enumerate(listed)),
        starts_at=starts_at,
        ends_at=ends_at,
        created_by=created_by,
        comment=comment,
    )


def _given(value: T | None, name: str) -> T:
    if value is None:
        raise _missing(name)
    return value


def _matcher(place: int, item: object) -> Matcher:
    where = f"matchers.{place}"
    if not isinstance(item, dict):
        raise SchemaError(f"{where} must be an object, not {kind(item)}")
    is_regex, is_equal = _typed(item, "isRegex", bool, where), _typed(item, "isEqual", bool, where)
    name, value = _typed(item, "name", str, where), _typed(item, "value", str, where)
    is_regex, name, value = (
        _given(is_regex, f"{where}.isRegex"),
        _given(name, f"{where}.name"),
        _given(value, f"{where}.value"),
    )
    try:
        return Matcher(name, _OPERATORS[is_regex, is_equal is not False], value)
    except MatcherError as error:
        raise MatcherError(f"invalid label matcher {place}: {error.message}") from error


def _typed(content: Mapping[str, Any], name: str, wanted: type[T], where: str = "") -> T | None:
    value = content.get(name)
    if value is None or isinstance(value, wanted):
        return value
    path = f"{where}.{name}" if where else name
    word = {str: "a text", bool: "true or false", list: "a list"}[wanted]
    raise SchemaError(f"parsing silence body failed: {path} must be {word}, not {kind(value)}")


def _time(content: Mapping[str, Any], name: str) -> datetime | None:
    try:
        return parse_time(content.get(name), name)
    except PostError as error:
        raise SchemaError(f"parsing silence body failed: {error}") from error


def _missing(name: str) -> SchemaError:
    return SchemaError(f"{name} in body is required", code=_MISSING, status=422)
