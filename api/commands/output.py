"""Answers on stdout: a table for people, and for scripts exactly the API's objects, as one document of JSON or YAML."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

import typer

from api.commands import words
from api.commands.nouns import Column, Fields, Fit

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

PADDING: Final = 2
"""Blanks between two columns."""
UNBOUNDED: Final = 1_000_000
"""Columns of a line that goes to no terminal: programs read whole lines."""

_COLOURS: Final = {
    "firing": "red",
    "err": "red",
    "quarantined": "red",
    "failing": "red",
    "pending": "yellow",
    "unconfigured": "yellow",
    "never_had_data": "yellow",
}
"""Words of state that should catch the eye."""


class Format(StrEnum):
    """How an answer is written."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


def now() -> datetime:
    """The moment that times in tables are seen from."""
    from engine.clock import SystemClock

    return SystemClock().now()


def say(text: str) -> None:
    """One line or more on stdout."""
    typer.echo(text)


def note(text: str) -> None:
    """A remark that is no part of the answer."""
    typer.echo(text, err=True)


def warn(problem: str) -> None:
    """A remark that something is wrong, in the server's words."""
    from api.commands.words import printable

    note(f"warning: {printable(problem)}")


def show(value: Any, output: Format, people: Callable[[], None]) -> None:
    """The answer as one document, or as `people` says it."""
    match output:
        case Format.TABLE:
            people()
        case Format.JSON:
            say(json.dumps(value, indent=2, ensure_ascii=False))
        case Format.YAML:
            from api.commands.documents import to_yaml

            typer.echo(to_yaml(value), nl=False)


def show_list(items: Iterable[Fields], columns: Sequence[Column], output: Format, *, nothing: str) -> None:
    """The objects as they arrive; a table waits for the last, since its widths hang on all of them."""
    match output:
        case Format.TABLE:
            _show_table(list(items), columns, nothing)
        case Format.JSON:
            for piece in _json_pieces(items):
                typer.echo(piece, nl=False)
        case Format.YAML:
            for piece in _yaml_pieces(items):
                typer.echo(piece, nl=False)


def show_fields(item: Fields) -> None:
    """One object field by field, objects within it as `status.state`, instants also as seen from now."""
    moment = now()
    rows = [(name, _cell(name, value, moment)) for name, value in _flat(item)]
    table = _new_table(show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows:
        table.add_row(words.printable(name), _coloured(value))
    _print(table, _console())


def _show_table(items: Sequence[Fields], columns: Sequence[Column], nothing: str) -> None:
    if not items:
        note(nothing)
        return
    moment = now()
    cells = {column.title: [column.read(item, moment) for item in items] for column in columns}
    console = _console()
    kept = fitting(columns, cells, console.width)
    table = _new_table(show_header=True)
    for column in kept:
        table.add_column(column.title, no_wrap=column.fit is Fit.WHOLE, overflow="fold")
    for row in zip(*(cells[column.title] for column in kept), strict=True):
        table.add_row(*map(_coloured, row))
    _print(table, console)


def fitting(columns: Sequence[Column], cells: Mapping[str, Sequence[str]], width: int) -> list[Column]:
    """The columns that a terminal so wide has room for; those with a `spare` are left out as far as needed."""
    from rich.cells import cell_len

    def needed(column: Column) -> int:
        widest = max(map(cell_len, (column.title, *cells[column.title])))
        return PADDING + (widest if column.fit is Fit.WHOLE else min(widest, column.least))

    kept = list(columns)
    for column in sorted((one for one in columns if one.spare), key=lambda one: one.spare):
        if sum(map(needed, kept)) - PADDING <= width:
            break
        kept.remove(column)
    return kept


def _new_table(*, show_header: bool) -> Table:
    from rich.table import Table

    return Table(box=None, pad_edge=False, padding=(0, PADDING, 0, 0), show_header=show_header, header_style="none")


def _coloured(text: str) -> Any:
    from rich.text import Text

    shown = Text(text)
    shown.stylize(_COLOURS.get(text, ""))  # The letters only, not the blanks that fill up the column.
    return shown


def _console() -> Console:
    """The terminal, or whatever reads in its place."""
    from rich.console import Console

    return Console(highlight=False, width=None if sys.stdout.isatty() else UNBOUNDED)


def _print(table: Table, console: Console) -> None:
    """The table without the blanks that fill up its last column."""
    with console.capture() as captured:
        console.print(table)
    typer.echo("".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()), nl=False)


def _json_pieces(items: Iterable[Fields]) -> Iterator[str]:
    before = "[\n"
    for item in items:
        yield before + "  " + json.dumps(item, indent=2, ensure_ascii=False).replace("\n", "\n  ")
        before = ",\n"
    yield "[]\n" if before == "[\n" else "\n]\n"


def _yaml_pieces(items: Iterable[Fields]) -> Iterator[str]:
    from api.commands.documents import to_yaml

    empty = True
    for item in items:
        empty = False
        yield to_yaml([item])
    if empty:
        yield "[]\n"


def _flat(item: Fields, above: str = "") -> Iterator[tuple[str, Any]]:
    """The fields with those of objects below them; labels and the like stay together."""
    for name, value in item.items():
        if isinstance(value, dict) and name not in ("labels", "annotations", "settings"):
            yield from _flat(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value


def _cell(name: str, value: Any, moment: datetime) -> str:
    if name.endswith("matchers"):
        return words.matchers(value)
    if name.endswith("_at") and words.moment(value) is not None:
        return f"{value} ({words.relative(value, moment)})"
    return "\n".join(map(words.plain, _parts(value))) or words.NONE


def _parts(value: Any) -> list[Any]:
    """What stands on lines of its own: each label, each object of a list."""
    if isinstance(value, dict):
        return [{name: one} for name, one in value.items()]
    return value if isinstance(value, list) and any(isinstance(one, dict) for one in value) else [value]
