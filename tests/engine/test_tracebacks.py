"""Tracebacks tell what failed and where, and nothing of the values it failed on."""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Callable
from types import SimpleNamespace

import pytest
import structlog
from pydantic import BaseModel

from engine import tracebacks
from engine.telemetry import LogFormat, LogLevel, configure_logging

CANARY = "canary-0123456789"
FAILING_ROW = f"new row violates check constraint\nDETAIL:  Failing row contains (ops, {CANARY},\n{CANARY})."


class DriverError(Exception):
    """As psycopg's: the text repeats the row, and the parts stand apart."""

    diag = SimpleNamespace(message_primary="new row violates check constraint")


class LibraryError(Exception):
    """As SQLAlchemy's: around the driver's error, with the statement."""

    def __init__(self, orig: BaseException) -> None:
        super().__init__(f"{orig} [SQL: INSERT …] [parameters: {CANARY}]")
        self.orig = orig


class Checked(BaseModel):
    port: int


def database_error() -> None:
    try:
        raise DriverError(FAILING_ROW)
    except DriverError as error:
        raise LibraryError(error) from error


def context_error() -> None:
    try:
        database_error()
    except LibraryError:
        raise KeyError("afterwards")  # noqa: B904 - what is tested


def check_error() -> None:
    Checked.model_validate({"port": CANARY})


def group_error() -> None:
    raise ExceptionGroup("two", [DriverError(FAILING_ROW), ValueError("told")])


def caught(call: Callable[[], None]) -> BaseException:
    with pytest.raises(BaseException) as error:  # noqa: PT011 - of any kind
        call()
    return error.value


@pytest.mark.parametrize("call", [database_error, context_error, check_error, group_error])
def test_no_value_is_repeated(call: Callable[[], None]) -> None:
    shown = tracebacks.text(caught(call))
    assert CANARY not in shown
    assert f"in {call.__name__}" in shown


def test_a_databases_error_is_told_by_its_primary_message_with_its_cause() -> None:
    shown = tracebacks.text(caught(database_error))
    assert shown.count("violates check constraint") == 2
    assert "direct cause of the following" in shown
    assert shown.endswith("LibraryError: (tests.engine.test_tracebacks.DriverError) new row violates check constraint")


def test_what_was_handled_meanwhile_is_told_too() -> None:
    shown = tracebacks.text(caught(context_error))
    assert "During handling of the above exception" in shown
    assert shown.endswith("KeyError: 'afterwards'")


def test_every_error_of_a_group_is_told() -> None:
    assert tracebacks.text(caught(group_error)).endswith("ValueError: told")


def test_a_failed_check_says_of_what() -> None:
    assert tracebacks.words(caught(check_error)) == "1 values refused for Checked"


def test_a_circle_of_causes_ends() -> None:
    first, second = ValueError("first"), ValueError("second")
    first.__cause__, second.__cause__ = second, first
    assert tracebacks.text(first).count("ValueError") == 2


@pytest.mark.parametrize("how", ["error", "true", "library"])
@pytest.mark.parametrize("shape", [LogFormat.JSON, LogFormat.CONSOLE])
def test_the_log_shows_an_error_so_however_it_was_handed_over(shape: LogFormat, how: str) -> None:
    stream = io.StringIO()
    configure_logging(LogLevel.INFO, shape, stream)
    try:
        database_error()
    except LibraryError as error:
        if how == "library":
            logging.getLogger("uvicorn.error").error("failed", exc_info=sys.exc_info())
        else:
            structlog.get_logger("t").error("failed", exc_info=error if how == "error" else True)
    shown = stream.getvalue()
    assert "violates check constraint" in shown
    assert "in database_error" in shown
    assert CANARY not in shown
