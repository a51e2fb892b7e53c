"""`python -m benchmarks cycles`: CPU seconds of one evaluation cycle, Tocsin beside Prometheus' ruler and vmalert.

Without a choice it measures what of the usual cells of the matrix is not measured yet, in about half an hour, and writes
the page from all that is; `--cells selectors/1000` chooses, `--cells all` is the whole matrix, `--again` measures anew.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from benchmarks import cells
from benchmarks.cells import Cell
from benchmarks.cpu import measure, usage
from benchmarks.plot import plot
from benchmarks.report import TITLES, Result, section, table
from benchmarks.stage import set_up

KEPT = Path(__file__).parents[1] / "build" / "benchmarks" / "cycles.json"
PLOT = "performance-cycles.svg"


def options(words: Sequence[str], add_page: Callable[[argparse.ArgumentParser], None]) -> argparse.Namespace:
    """What is to be measured, and where it is written."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks cycles", description=__doc__)
    parser.add_argument("--cells", type=lambda text: text.split(","), default=cells.DEFAULT, help="shape/rules/series")
    parser.add_argument("--systems", type=lambda text: text.split(","), help=f"of {', '.join(TITLES)}")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--cycles", type=int, default=2, help="evaluations of each rule in a repeat")
    parser.add_argument("--again", action="store_true", help="measure what was measured before, too")
    parser.add_argument("--kept", type=Path, default=KEPT, help="the file of results")
    add_page(parser)
    return parser.parse_args(words)


def run(chosen: argparse.Namespace) -> dict[str, Result] | None:
    """Measure what is to be measured, keeping each result at once; `None` when systems disagree about what fires."""
    kept = cells.read(chosen.kept)
    for cell in cells.chosen(chosen.cells):
        if cell.name in kept and not chosen.again:
            print(f"{cell.name} was measured at {kept[cell.name].at}", flush=True)
            continue
        result = _measured(cell, chosen)
        if result is None:
            return None
        kept = {**cells.read(chosen.kept), cell.name: result}
        cells.write(chosen.kept, kept)
        print(table([result]), flush=True)
    return kept


def publish(page: Path, kept: dict[str, Result], where: Sequence[str], command: str) -> str:
    """The section of the page; the plot is written beside the page."""
    results = cells.in_order(kept)
    (page.parent / PLOT).write_text(plot(results))
    return section(results, where, command, plot=PLOT)


def _measured(cell: Cell, chosen: argparse.Namespace) -> Result | None:
    """One cell, measured in steady state, which begins a cycle after everything was found."""
    interval = timedelta(seconds=cell.interval)
    with (
        tempfile.TemporaryDirectory(prefix="tocsin-benchmark-") as folder,
        set_up(cell.workload, Path(folder), interval=interval, systems=chosen.systems or cell.systems) as stage,
    ):
        time.sleep(interval.total_seconds())
        used = measure(
            partial(usage, stage.processes),
            lambda span: time.sleep(span.total_seconds()),
            interval=interval,
            cycles=chosen.cycles,
            repeats=chosen.repeats,
        )
        wrong = stage.disagreements()
        if wrong:
            print(*wrong, sep="\n", file=sys.stderr)
            return None
        return Result(
            workload=cell.workload,
            interval_seconds=cell.interval,
            costs=[stage.costs(one) for one in used],
            alerts=cell.workload.firing,
            at=f"{datetime.now(UTC):%Y-%m-%d %H:%M}, load {os.getloadavg()[0]:.1f}",
        )
