"""One broken copy of the project at a time, and whether a test says that it is broken."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.mutants.breaks import Break

ROOT: Final = Path(__file__).resolve().parents[2]
STAGES: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    (
        "decisions alone",
        (
            "tests/core/test_notifying.py",
            "tests/core/test_flush.py",
            "tests/core/test_grouping.py",
            "tests/core/test_muting.py",
            "tests/core/test_inhibiting.py",
            "tests/core/test_carrying.py",
            "tests/core/test_moving.py",
            "tests/core/test_posting.py",
            "tests/rules/test_routing.py",
            "tests/rules/test_silences.py",
        ),
    ),
    ("written timelines", ("tests/timelines/test_virtual.py",)),
    ("random timelines", ("tests/timelines/test_machine.py",)),
    ("scenarios of moving", ("tests/scenarios/test_moving.py",)),
)
"""Where a break may be caught: the pure functions, the whole engine on stories with an end known, and on those without."""
LONGEST: Final = 900
"""Seconds a stage may take; a break that makes it run for ever is caught too."""


@dataclass(frozen=True, slots=True)
class Caught:
    """Which tests of a stage failed first; `None` when all passed. `seconds` of the clock on the wall."""

    stage: str
    by: str | None
    seconds: float


@contextmanager
def broken(folder: Path, one: Break) -> Iterator[None]:
    """The copy in `folder` with this break in it."""
    path = folder / one.file
    text = path.read_text("utf-8")
    if text.count(one.before) != 1:
        raise RuntimeError(f"{one.file} does not hold {one.before!r} once; mend the break {one.name!r}")
    path.write_text(text.replace(one.before, one.after), "utf-8")
    try:
        yield
    finally:
        path.write_text(text, "utf-8")


def tried(folder: Path, stage: str, tests: Sequence[str]) -> Caught:
    """Run one stage's tests in `folder` until the first fails."""
    command = [sys.executable, "-B", "-m", "pytest", "-x", "-q", "--no-header", "-p", "no:cacheprovider", *tests]
    began = time.monotonic()
    try:
        ended = subprocess.run(
            [*command, "-k", "not postgresql"], cwd=folder, capture_output=True, text=True, timeout=LONGEST, check=False
        )
    except subprocess.TimeoutExpired:
        return Caught(stage, f"it took more than {LONGEST} s", LONGEST)
    seconds = time.monotonic() - began
    if ended.returncode == 0:
        return Caught(stage, None, seconds)
    said = [line for line in ended.stdout.splitlines() if line.startswith(("FAILED ", "ERROR "))]
    return Caught(stage, said[0].split(" - ")[0] if said else f"exit {ended.returncode}", seconds)
