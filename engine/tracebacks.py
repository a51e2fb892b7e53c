"""Tracebacks for the log, without what a database or a check repeats of the values it was given.

PostgreSQL ends a refusal with `DETAIL: Failing row contains (…)`, and a row may hold a channel's token. So of a database's
error only its primary message is told, and of a failed check of input only what was checked and how often it failed. The
lines of code are told in full: they hold no values.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterator
from typing import Final

from structlog.typing import EventDict

_CAUSE: Final = "\nThe above exception was the direct cause of the following exception:\n\n"
_CONTEXT: Final = "\nDuring handling of the above exception, another exception occurred:\n\n"
_CHECKS: Final = ("pydantic", "pydantic_core")


def put_into(_logger: object, _method: str, event: EventDict) -> EventDict:
    """The line with its `exc_info` turned into the text of the traceback, under `exception`, as structlog has it."""
    given = event.pop("exc_info", None)
    given = sys.exc_info() if given is True else given
    error = given[1] if isinstance(given, tuple) else given
    if isinstance(error, BaseException):
        event["exception"] = text(error)
    return event


def text(error: BaseException) -> str:
    """The traceback of the error and of what led to it, the first cause first."""
    return "".join(_parts(error, set())).rstrip("\n")


def words(error: BaseException) -> str:
    """What the error says, without the values it repeats."""
    original = getattr(error, "orig", None)  # SQLAlchemy's errors carry the driver's.
    if isinstance(original, BaseException):
        return f"({_name(original)}) {words(original)}"
    said = getattr(getattr(error, "diag", None), "message_primary", None)  # PostgreSQL's have their parts apart.
    if isinstance(said, str):
        return said
    if type(error).__module__.split(".")[0] in _CHECKS and hasattr(error, "error_count"):
        return f"{error.error_count()} values refused for {getattr(error, 'title', 'input')}"
    return str(error)


def _parts(error: BaseException, seen: set[int]) -> Iterator[str]:
    seen.add(id(error))
    before, link = _before(error)
    if before is not None and id(before) not in seen:
        yield from _parts(before, seen)
        yield link
    if error.__traceback__ is not None:
        yield "Traceback (most recent call last):\n"
        yield from traceback.format_tb(error.__traceback__)
    said = words(error)
    yield f"{_name(error)}: {said}\n" if said else f"{_name(error)}\n"
    for inner in error.exceptions if isinstance(error, BaseExceptionGroup) else ():
        yield f"\nOne of the group {_name(error)}:\n\n"
        yield from _parts(inner, seen)


def _before(error: BaseException) -> tuple[BaseException | None, str]:
    if error.__cause__ is not None:
        return error.__cause__, _CAUSE
    return (None if error.__suppress_context__ else error.__context__), _CONTEXT


def _name(error: BaseException) -> str:
    kind = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
