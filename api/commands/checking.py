"""`tocsin check`: rule files looked over before anybody imports or loads them; promtool's and pint's part, on this machine.

Every remark is a line `file:line:column: what`, as compilers write it, so that editors and CI find the place.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from api.commands import failures
from api.commands.failures import CommandError, UsageError

if TYPE_CHECKING:
    from engine.checking import Checked, Live, Remark
    from rules.lints import Lint

LINTED: Final = 3
"""The exit code when there is nothing but lints, as promtool's."""
ALL: Final = "all"
NONE: Final = "none"


class Format(StrEnum):
    """How remarks are written."""

    TEXT = "text"
    JSON = "json"


_Files = Annotated[list[Path], typer.Argument(metavar="FILE...", help="Rule files of Prometheus.", show_default=False)]
_Prometheus = Annotated[
    str | None,
    typer.Option("--prometheus", metavar="URL", help="Ask this Prometheus whether what the rules select is there."),
]
_Format = Annotated[Format, typer.Option("--format", help="How to write what was found.")]
_Lints = Annotated[
    list[str] | None,
    typer.Option("--lint", metavar="NAME", help="Only this lint; may be given again.  [default: all; or none]"),
]
_Skipped = Annotated[
    list[str] | None, typer.Option("--skip", metavar="NAME", help="All lints but this; may be given again.")
]
_Interval = Annotated[
    str | None,
    typer.Option("--scrape-interval", metavar="DURATION", help="How often series get a sample, for short-range."),
]


def check(
    files: _Files,
    *,
    prometheus: _Prometheus = None,
    format: _Format = Format.TEXT,  # noqa: A002 - the option is called so
    lint: _Lints = None,
    skip: _Skipped = None,
    scrape_interval: _Interval = None,
) -> None:
    """Look rule files over: mistakes with line and column, and lints, which are rules that can be loaded but do no good.

    Exit codes: 0 nothing to say; 1 a mistake; 3 lints only; 2 told something wrong. The lints are in docs/check.md.
    """
    with failures.told():
        chosen = _chosen(lint or (), skip or ())
        found = _checked(files, chosen, _span(scrape_interval), prometheus)
        _show(found, format)
        raise typer.Exit(_status(found))


def _chosen(named: Sequence[str], skipped: Sequence[str]) -> Collection[Lint]:
    from rules.lints import Lint

    known = {str(one): one for one in Lint}
    for name in (*named, *skipped):
        if name not in known and (name not in (ALL, NONE) or name in skipped):
            raise UsageError(f"there is no lint {name!r}; known are {', '.join(known)}; or all, or none")
    wanted = set(known) if not named or ALL in named else set(named) - {NONE}
    return frozenset(known[name] for name in wanted - set(skipped))


def _span(text: str | None) -> timedelta | None:
    from rules import durations
    from rules.errors import DurationError

    try:
        return None if text is None else durations.parse(text)
    except DurationError as error:
        raise UsageError(f"--scrape-interval: {error.message}") from error


def _checked(
    files: Sequence[Path], chosen: Collection[Lint], scrape_interval: timedelta | None, url: str | None
) -> list[Checked]:
    from engine import checking
    from engine.prometheus import QueryError
    from rules.formats.prometheus_yaml import Linting

    linting = Linting(chosen=chosen, scrape_interval=scrape_interval)
    try:
        return list(checking.check(files, linting, None if url is None else _live(url)))
    except QueryError as error:
        raise CommandError(f"--prometheus: {error.message}") from error


def _live(url: str) -> Live:
    from engine.checking import Live
    from engine.clock import SystemClock
    from engine.prometheus import Prometheus

    try:
        return Live(Prometheus(url, timeout=timedelta(minutes=1)), SystemClock().now())
    except ValueError as error:
        raise UsageError(f"--prometheus: {error}") from error


def _status(found: Iterable[Checked]) -> int:
    from engine.checking import Level

    levels = {remark.level for one in found for remark in one.remarks}
    if Level.ERROR in levels:
        return failures.FAILED
    return LINTED if Level.WARNING in levels else 0


def _show(found: Sequence[Checked], format_: Format) -> None:
    from api.commands.output import note, say
    from api.commands.words import printable

    remarks = [remark for one in found for remark in one.remarks]
    if format_ is Format.JSON:
        say(json.dumps([_document(remark) for remark in remarks], indent=2, ensure_ascii=False))
    else:
        for remark in remarks:
            say(printable(_line(remark)))
    note(_summary(found, Counter(remark.level.value for remark in remarks)))


def _line(remark: Remark) -> str:
    flaw = remark.flaw
    skip = "" if remark.lint is None else f" [{remark.lint}]"
    return f"{flaw.file}:{flaw.line}:{flaw.column}: {remark.level}: {flaw.problem.message}{skip}"


def _document(remark: Remark) -> Mapping[str, Any]:
    flaw = remark.flaw
    return {
        "file": flaw.file,
        "line": flaw.line,
        "column": flaw.column,
        "level": remark.level.value,
        "lint": None if remark.lint is None else remark.lint.value,
        "field": flaw.problem.field,
        "message": flaw.problem.message,
    }


def _summary(found: Sequence[Checked], counts: Mapping[str, int]) -> str:
    parts = [_counted(len(found), "file"), _counted(sum(one.rules for one in found), "rule")]
    return f"{', '.join(parts)}: {', '.join(_levels(counts)) or 'nothing to say'}"


def _levels(counts: Mapping[str, int]) -> Iterator[str]:
    yield from (_counted(count, level) for level, count in sorted(counts.items()))


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
