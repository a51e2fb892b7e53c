"""`tocsin check`: rule files looked over before anybody imports or loads them; promtool's and pint's part, on this machine.

Every remark is a line `file:line:column: what`, as compilers write it, so that editors and CI find the place.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from api.commands import failures, options
from api.commands.failures import CommandError, UsageError

if TYPE_CHECKING:
    from engine.checking import Live, Remark
    from rules.formats.prometheus_yaml import Linting
    from rules.lints import Lint
    from rules.rule import Rule

LINTED: Final = 3
"""The exit code when there is nothing but lints, as promtool's."""
ALL: Final = "all"
NONE: Final = "none"


class Format(StrEnum):
    """How remarks are written."""

    TEXT = "text"
    JSON = "json"


_Files = Annotated[
    list[Path] | None, typer.Argument(metavar="FILE...", help="Rule files of Prometheus.", show_default=False)
]
_Rules = Annotated[bool, typer.Option("--rules", help="The rules of the running Tocsin instead of files.")]
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
    files: _Files = None,
    *,
    rules: _Rules = False,
    url: options.Url = None,
    prometheus: _Prometheus = None,
    format: _Format = Format.TEXT,  # noqa: A002 - the option is called so
    lint: _Lints = None,
    skip: _Skipped = None,
    scrape_interval: _Interval = None,
) -> None:
    """Look rule files over, or Tocsin's own rules: mistakes, and lints, which are rules that can be loaded but do no good.

    Exit codes: 0 nothing to say; 1 a mistake; 3 lints only; 2 told something wrong. The lints are in docs/check.md.
    """
    with failures.told():
        if rules == bool(files):
            raise UsageError("name rule files to check, or say --rules for those of the running Tocsin")
        linting = _linting(lint or (), skip or (), scrape_interval)
        live = None if prometheus is None else _live(prometheus)
        summary, remarks = _of_tocsin(linting, live, url) if rules else _of_files(files or (), linting, live)
        _show(summary, remarks, format)
        raise typer.Exit(_status(remarks))


def _linting(named: Sequence[str], skipped: Sequence[str], scrape_interval: str | None) -> Linting:
    from rules.formats.prometheus_yaml import Linting

    return Linting(chosen=_chosen(named, skipped), scrape_interval=_span(scrape_interval))


def _chosen(named: Sequence[str], skipped: Sequence[str]) -> Collection[Lint]:
    from rules.lints import Lint

    known = {str(one): one for one in Lint}
    unknown = sorted((set(named) - known.keys() - {ALL, NONE}) | (set(skipped) - known.keys()))
    if unknown:
        raise UsageError(f"there is no lint {unknown[0]!r}; known are {', '.join(known)}; or all, or none")
    wanted = set(known) if not named or ALL in named else set(named) - {NONE}
    return frozenset(known[name] for name in wanted - set(skipped))


def _span(text: str | None) -> timedelta | None:
    from rules import durations
    from rules.errors import DurationError

    try:
        return None if text is None else durations.parse(text)
    except DurationError as error:
        raise UsageError(f"--scrape-interval: {error.message}") from error


def _of_files(files: Sequence[Path], linting: Linting, live: Live | None) -> tuple[str, list[Remark]]:
    """What was looked at, in words, and all there is to say about it."""
    from engine import checking

    with _asked():
        found = list(checking.check(files, linting, live))
    looked_at = f"{_counted(len(found), 'file')}, {_counted(sum(one.rules for one in found), 'rule')}"
    return looked_at, [remark for one in found for remark in one.remarks]


def _of_tocsin(linting: Linting, live: Live | None, url: str | None) -> tuple[str, list[Remark]]:
    """The same of the rules that Tocsin has."""
    from api.commands.connection import connect
    from engine import checking

    rules = [_rule(item) for item in connect(url).items("/rules")]
    with _asked():
        return _counted(len(rules), "rule"), list(checking.check_stored(rules, linting, live))


def _rule(item: Mapping[str, Any]) -> Rule:
    from api.schemas.rules import RuleIn

    declared = RuleIn.model_validate({name: value for name, value in item.items() if name not in RuleIn.read_only})
    return declared.to_rule(str(item["id"]), origin=str(item["origin"]), version=int(item["version"]))


@contextmanager
def _asked() -> Iterator[None]:
    """End with the Prometheus' own words when it does not answer."""
    from engine.prometheus import QueryError

    try:
        yield
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


def _status(remarks: Iterable[Remark]) -> int:
    from engine.checking import Level

    levels = {remark.level for remark in remarks}
    if Level.ERROR in levels:
        return failures.FAILED
    return LINTED if Level.WARNING in levels else 0


def _show(looked_at: str, remarks: Sequence[Remark], format_: Format) -> None:
    from api.commands.output import note, say
    from api.commands.words import printable

    if format_ is Format.JSON:
        say(json.dumps([_document(remark) for remark in remarks], indent=2, ensure_ascii=False))
    else:
        for remark in remarks:
            say(printable(_line(remark)))
    counts = Counter(remark.level.value for remark in remarks)
    levels = ", ".join(_counted(count, level) for level, count in sorted(counts.items()))
    note(f"{looked_at}: {levels or 'nothing to say'}")


def _line(remark: Remark) -> str:
    flaw = remark.flaw
    skip = "" if remark.lint is None else f" [{remark.lint}]"
    place = f"{flaw.file}:{flaw.line}:{flaw.column}" if flaw.line else flaw.file
    return f"{place}: {remark.level}: {flaw.problem.message}{skip}"


def _document(remark: Remark) -> Mapping[str, Any]:
    flaw = remark.flaw
    return {
        "file": flaw.file if flaw.line else None,
        "rule": None if flaw.line else flaw.file,
        "line": flaw.line or None,
        "column": flaw.column or None,
        "level": remark.level.value,
        "lint": None if remark.lint is None else remark.lint.value,
        "field": flaw.problem.field,
        "message": flaw.problem.message,
    }


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
