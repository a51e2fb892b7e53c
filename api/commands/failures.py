"""What goes wrong for a command, and how it ends: a few lines on stderr, and the exit code.

CommandError               the command ends with exit code 1
├── UsageError             it was told something wrong: exit code 2
├── UnreachableError       nobody answers, or not in time, or not as Tocsin does
└── RefusedError           the server said no, and what is wrong with each field
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final, NoReturn

import typer

FAILED: Final = 1
WRONG: Final = 2


class CommandError(Exception):
    """A command cannot do what it was asked; `lines` say why, the first of them also what to do."""

    status: int = FAILED

    def __init__(self, *lines: str) -> None:
        super().__init__("\n".join(lines))
        self.lines: Sequence[str] = lines


class UsageError(CommandError):
    """The command was told something it cannot use."""

    status = WRONG


class UnreachableError(CommandError):
    """No answer came that could be Tocsin's; asking for more is of no use."""


class RefusedError(CommandError):
    """The server answered with a problem; `problem` is its document, `code` the HTTP status."""

    def __init__(self, code: int, problem: Mapping[str, Any]) -> None:
        super().__init__(str(problem.get("detail") or problem.get("title")), *field_lines(problem))
        self.code = code
        self.problem = problem


def field_lines(problem: Mapping[str, Any]) -> list[str]:
    """One line per wrong field, `field: message (value …); fix`, and one per field somebody else changed meanwhile."""
    errors = [_field_line(error) for error in problem.get("errors", ())]
    differences = [
        f"{one.get('field')}: is {one.get('current')!r}, you send {one.get('yours')!r}"
        for one in problem.get("difference", ())
    ]
    return errors + differences


def _field_line(error: Mapping[str, Any]) -> str:
    field = f"{error['field']}: " if error.get("field") else ""
    # Of what is no single value only the kind is told, which is no help here.
    value = f" (value {error['value']!r})" if error.get("value", "a list") not in ("a list", "an object") else ""
    fix = f"; {error['fix']}" if error.get("fix") else ""
    return f"{field}{error.get('message', '')}{value}{fix}"


@contextmanager
def told() -> Iterator[None]:
    """End the command with its mistake on stderr and the right exit code, and no traceback."""
    try:
        yield
    except CommandError as error:
        complain(error)
        raise typer.Exit(error.status) from error


def complain(error: CommandError) -> None:
    """Say on stderr what is wrong, the details indented below."""
    from api.commands.words import printable

    sys.stdout.flush()  # What was answered before the mistake stands before it.
    first, *rest = error.lines
    typer.echo(f"tocsin: {printable(first)}", err=True)
    for line in rest:
        typer.echo(f"  {printable(line)}", err=True)


@contextmanager
def one_line_for_what_can_happen() -> Iterator[None]:
    """End with one line, and no traceback, for what is no fault of the program: a wrong address, a database that is away."""
    from engine.single import AlreadyRunningError
    from engine.store.database import DatabaseAddressError
    from engine.store.door import OUT_OF_REACH
    from engine.store.schema import SchemaError
    from engine.telemetry import without_credentials
    from engine.tracebacks import words

    try:
        yield
    except DatabaseAddressError as error:
        give_up(f"TOCSIN_DATABASE_URL: {error}", WRONG)
    except (AlreadyRunningError, SchemaError) as error:
        give_up(str(error), FAILED)
    except OUT_OF_REACH as error:
        # The driver's own words, without the statement that the library adds and the row that PostgreSQL would repeat.
        why = " ".join(without_credentials(words(getattr(error, "orig", None) or error)).split())
        give_up(f"TOCSIN_DATABASE_URL: the database cannot be used: {why}", FAILED)
    except OSError as error:
        if error.filename is None:
            raise
        give_up(f"TOCSIN_DATABASE_URL: {error.filename}: {(error.strerror or str(error)).lower()}", FAILED)


def give_up(why: str, status: int) -> NoReturn:
    """End the command with one line on stderr and this exit code."""
    typer.echo(f"tocsin: {why}", err=True)
    raise typer.Exit(status)
