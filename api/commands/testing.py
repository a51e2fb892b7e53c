"""`tocsin test`: rule unit tests in promtool's format, on this machine and without a Tocsin.

What went well is a line, what did not is what was expected and what was got instead, at its place in the file.
"""

from __future__ import annotations

import difflib
import shutil
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final
from xml.etree import ElementTree

import typer

from api.commands import failures
from api.commands.failures import CommandError, UsageError

if TYPE_CHECKING:
    import re

    from engine.rule_tests import Failure, Outcome, Suite
    from rules.formats.rule_tests import RuleTest

WORKERS: Final = 4
"""Tests run side by side; each has a Prometheus of its own, and waits for it most of the time."""
INSTALL: Final = (
    "install it: apt-get install prometheus (Debian, Ubuntu), brew install prometheus (macOS),",
    "or unpack https://prometheus.io/download/ and name the program by --prometheus PATH",
)

_Files = Annotated[
    list[Path], typer.Argument(metavar="FILE...", help="Test files in promtool's format.", show_default=False)
]
_Names = Annotated[
    list[str] | None,
    typer.Option("--run", metavar="REGEX", help="Only tests whose name matches; may be given again."),
]
_Diff = Annotated[bool, typer.Option("--diff", help="Show line by line what differs.")]
_Junit = Annotated[Path | None, typer.Option("--junit", metavar="FILE", help="Write the outcome as JUnit XML, too.")]
_Program = Annotated[
    Path | None,
    typer.Option("--prometheus", metavar="PATH", help="The Prometheus program to run; by default the one on PATH."),
]


def run_tests(
    files: _Files, names: _Names = None, *, diff: _Diff = False, junit: _Junit = None, prometheus: _Program = None
) -> None:
    """Run rule unit tests in promtool's format: a real Prometheus answers the queries, Tocsin's core decides the alerts.

    Exit codes: 0 all passed; 1 a test failed, or a file has mistakes; 2 told something wrong, or there is no Prometheus.
    """
    with failures.told():
        wanted = [_pattern(name) for name in names or ()]
        program = _found(prometheus)
        done = [(suite, _run(suite, wanted, program, diff=diff)) for suite in _loaded(files)]
        if junit is not None:
            _write(junit, done)
        if any(suite.flawed or _has_failed(outcomes) for suite, outcomes in done):
            raise typer.Exit(failures.FAILED)


def _has_failed(outcomes: Iterable[Outcome]) -> bool:
    return any(outcome.failures for outcome in outcomes)


def _pattern(text: str) -> re.Pattern[str]:
    import re

    try:
        return re.compile(text)
    except re.error as error:
        raise UsageError(f"--run {text!r} is no regular expression: {error}") from error


def _found(program: Path | None) -> Path:
    found = shutil.which("prometheus" if program is None else program)
    if found is None:
        what = "there is no program prometheus on PATH" if program is None else f"{program} is no program"
        raise UsageError(f"{what}, and without it nothing answers the queries of tests", *INSTALL)
    return Path(found).resolve()


def _loaded(files: Iterable[Path]) -> Iterator[Suite]:
    from engine import rule_tests

    return (rule_tests.load(file) for file in files)


def _run(suite: Suite, wanted: Sequence[re.Pattern[str]], program: Path, *, diff: bool) -> list[Outcome]:
    """Run a file's tests and tell of each as it ends, in the order of the file."""
    from api.commands.output import say
    from engine import rule_tests
    from engine.private_prometheus import PrometheusStartError

    _introduce(suite)
    if suite.flawed:
        return []
    tests = [test for test in suite.declared.tests if not wanted or any(one.search(test.name) for one in wanted)]
    outcomes = []
    with ThreadPoolExecutor(max_workers=WORKERS) as pool:
        try:
            for at, outcome in enumerate(pool.map(lambda test: rule_tests.run(suite, test, program), tests), start=1):
                outcomes.append(outcome)
                _tell(suite, outcome, at, diff=diff)
        except PrometheusStartError as error:
            raise CommandError(f"{program} does not start: {error}") from error
    say(f"  {_count(outcomes)}")
    return outcomes


def _introduce(suite: Suite) -> None:
    from api.commands.output import note, say
    from api.commands.words import printable

    say(printable(str(suite.file)))
    for pattern in suite.unmatched:
        note(f"  warning: no file matches {printable(pattern)!r} of rule_files")
    for flaw in suite.flaws:
        say(f"  {printable(str(flaw))}")


def _count(outcomes: Sequence[Outcome]) -> str:
    failed = sum(1 for outcome in outcomes if outcome.failures)
    return f"{len(outcomes) - failed} passed, {failed} failed" if outcomes else "no tests"


def _tell(suite: Suite, outcome: Outcome, at: int, *, diff: bool) -> None:
    from api.commands.output import say
    from api.commands.words import printable

    say(f"  {'FAIL' if outcome.failures else 'ok  '}  {printable(_name(outcome.test, at))} ({outcome.seconds:.1f} s)")
    for failure in outcome.failures:
        for line in _lines(suite, failure, diff=diff):
            say(f"        {printable(line)}")


def _name(test: RuleTest, at: int) -> str:
    return test.name or f"test {at}, line {test.line}"


def _lines(suite: Suite, failure: Failure, *, diff: bool) -> Iterator[str]:
    from rules import durations

    where = f"{suite.file.name}:{failure.line}"
    yield f"{failure.subject} at {durations.format(failure.at)} ({where})"
    if failure.error:
        yield f"  {failure.error}"
    elif diff:
        expected, got = ([line for one in some for line in one.split("\n")] for some in (failure.expected, failure.got))
        yield from (f"  {line}" for line in difflib.ndiff(expected, got) if not line.startswith("?"))
    else:
        yield from _listed("expected", failure.expected)
        yield from _listed("got     ", failure.got)


def _listed(title: str, found: Sequence[str]) -> Iterator[str]:
    lines = [line for one in found for line in one.split("\n")] or ["nothing"]
    yield f"  {title}  {lines[0]}"
    yield from (f"  {'':{len(title)}}  {line}" for line in lines[1:])


def _write(junit: Path, done: Sequence[tuple[Suite, Sequence[Outcome]]]) -> None:
    root = ElementTree.Element("testsuites")
    for suite, outcomes in done:
        failed = sum(1 for outcome in outcomes if outcome.failures) + suite.flawed
        count = str(len(outcomes) + suite.flawed)
        here = ElementTree.SubElement(root, "testsuite", name=str(suite.file), tests=count, failures=str(failed))
        if suite.flawed:
            case = ElementTree.SubElement(here, "testcase", name="the files")
            ElementTree.SubElement(case, "failure").text = _plain("\n".join(map(str, suite.flaws)))
        for at, outcome in enumerate(outcomes, start=1):
            name = _plain(_name(outcome.test, at))
            case = ElementTree.SubElement(here, "testcase", name=name, time=f"{outcome.seconds:.3f}")
            for failure in outcome.failures:
                text = "\n".join(_lines(suite, failure, diff=False))
                ElementTree.SubElement(case, "failure").text = _plain(text)
    ElementTree.indent(root)
    try:
        ElementTree.ElementTree(root).write(junit, encoding="utf-8", xml_declaration=True)
    except OSError as error:
        raise UsageError(f"--junit {junit}: {(error.strerror or str(error)).lower()}") from error


def _plain(text: str) -> str:
    """The text without what XML has no way to say."""
    return "".join(
        letter if letter.isprintable() or letter in "\n\t" else "\N{REPLACEMENT CHARACTER}" for letter in text
    )
