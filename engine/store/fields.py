"""Read one field of a definition row, trusting nothing: people write these rows by SQL, and SQLite's shell keeps anything.

Every reader takes the row and a column's name. NULL and a missing column mean the default, so that a row remembered from
an older schema still reads; anything else that is not what the column is for raises RulesError naming the column.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TypeAlias, TypeVar

from sqlalchemy import RowMapping

from rules.errors import MatcherError, RulesError
from rules.matchers import Matcher, Operator, parse_matchers

Row: TypeAlias = RowMapping | Mapping[str, object]
Choice = TypeVar("Choice", bound=StrEnum)


def text(row: Row, name: str, default: str | None = "") -> str:
    """The column's text; with `default` None the column must hold some."""
    found = optional_text(row, name)
    if found is not None:
        return found
    if default is None:
        raise _refused(name, None, "give a text")
    return default


def optional_text(row: Row, name: str) -> str | None:
    """The column's text, or `None` where it is NULL."""
    value = row.get(name)
    return None if value is None else _text(value, name)


def number(row: Row, name: str) -> float | None:
    """The column's number; infinities come as text from the record of changes, since JSON has none."""
    value = row.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise _refused(name, value, "give a number")
    try:
        return float(value)
    except (ValueError, OverflowError) as error:
        raise _refused(name, value, "give a number") from error


def whole(row: Row, name: str, default: int) -> int:
    """The column's whole number."""
    value = row.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value // 1:
        raise _refused(name, value, "give a whole number")
    return int(value)


def span(row: Row, name: str, default: timedelta = timedelta(0)) -> timedelta:
    """The column's seconds as a span."""
    found = optional_span(row, name)
    return default if found is None else found


def optional_span(row: Row, name: str) -> timedelta | None:
    """The column's seconds as a span, or `None` where it is NULL."""
    seconds = number(row, name)
    if seconds is None:
        return None
    try:
        return timedelta(seconds=seconds)
    except (ValueError, OverflowError) as error:
        raise _refused(name, seconds, "give a number of seconds, at most 3153600000 (100 years)") from error


def seconds(length: timedelta | None) -> float | None:
    """The span as a column of seconds holds it."""
    return None if length is None else length.total_seconds()


def flag(row: Row, name: str, *, default: bool) -> bool:
    """The column's yes or no, which SQLite keeps as 1 and 0."""
    value = row.get(name)
    if value is None:
        return default
    if value in (0, 1):
        return bool(value)
    raise _refused(name, value, "give true or false")


def choice(row: Row, name: str, default: Choice) -> Choice:
    """The column's word out of the closed set that `default` belongs to."""
    return optional_choice(row, name, type(default)) or default


def optional_choice(row: Row, name: str, choices: type[Choice]) -> Choice | None:
    """The column's word out of a closed set, or `None` where it is NULL."""
    value = row.get(name)
    if value is None:
        return None
    try:
        return choices(_text(value, name))
    except ValueError as error:
        raise _refused(name, value, f"give one of {' '.join(choices)}") from error


def instant(row: Row, name: str) -> datetime:
    """The column's moment."""
    value = row.get(name)
    if isinstance(value, datetime):
        return value
    raise _refused(name, value, "give a moment such as 2026-11-21T12:00:00Z")


def optional_instant(row: Row, name: str) -> datetime | None:
    """The column's moment, or `None` where it is NULL."""
    return None if row.get(name) is None else instant(row, name)


def strings(row: Row, name: str) -> tuple[str, ...]:
    """The column's JSON list of texts."""
    return optional_strings(row, name) or ()


def optional_strings(row: Row, name: str) -> tuple[str, ...] | None:
    """The column's JSON list of texts, or `None` where it is NULL."""
    value = row.get(name)
    if value is None:
        return None
    if not isinstance(value, list):
        raise _refused(name, value, 'give a JSON list of texts such as ["slack"]')
    return tuple(_text(item, name) for item in value)


def texts(row: Row, name: str) -> dict[str, str]:
    """The column's JSON object of texts."""
    return {key: _text(value, f"{name}.{key}") for key, value in _object(row, name).items()}


def settings(row: Row, name: str) -> dict[str, str]:
    """The column's JSON object with every value as text: 587 is `587`, true is `true`, and null means not set."""
    return {key: _setting(value, f"{name}.{key}") for key, value in _object(row, name).items() if value is not None}


def matchers(row: Row, name: str) -> tuple[Matcher, ...]:
    """The column's matchers: a JSON list of texts (`team="db"`) or of objects `{name, value, operator}`, or one text."""
    value = row.get(name)
    if value is None:
        return ()
    try:
        if isinstance(value, str):
            return parse_matchers(_text(value, name))
        if isinstance(value, list):
            return tuple(matcher for item in value for matcher in _matchers(item, name))
    except MatcherError as error:
        raise MatcherError(f"{name}: {error.message}", field=name) from error
    raise _refused(name, value, _MATCHERS)


_MATCHERS = 'give a JSON list such as ["team=\\"db\\""] or [{"name": "team", "operator": "=", "value": "db"}]'


def _matchers(item: object, name: str) -> tuple[Matcher, ...]:
    if isinstance(item, str):
        return parse_matchers(_text(item, name))
    if not isinstance(item, dict):
        raise _refused(name, item, _MATCHERS)
    operator = choice(item, "operator", Operator.EQUAL)
    return (Matcher(text(item, "name"), operator, text(item, "value")),)


def _object(row: Row, name: str) -> dict[str, object]:
    value = row.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise _refused(name, value, 'give a JSON object such as {"team": "db"}')
    return {_text(key, name): item for key, item in value.items()}


def _setting(value: object, name: str) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return _text(str(value) if isinstance(value, int | float) else value, name)


def _text(value: object, name: str) -> str:
    if not isinstance(value, str):
        raise _refused(name, value, "give a text")
    if not value.isascii() and any("\ud800" <= letter <= "\udfff" for letter in value):
        raise _refused(name, value, "write it as valid Unicode")
    return value


def _refused(name: str, value: object, fix: str) -> RulesError:
    shown = "NULL" if value is None else ascii(value)[:80]
    return RulesError(f"{name} is {shown}; {fix}", field=name)
