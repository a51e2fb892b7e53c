"""The measurement as a table for people, and as the section of docs/performance.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.cpu import Usage, typical
from benchmarks.workload import Workload

HEADING = "One cycle of evaluation"
TITLES: Mapping[str, str] = {
    "ruler": "Prometheus' ruler",
    "vmalert": "vmalert + Prometheus",
    "tocsin-sqlite": "Tocsin on SQLite + Prometheus",
    "tocsin-postgresql": "Tocsin on PostgreSQL + Prometheus",
}
PARTS: Mapping[str, str] = {
    "tocsin": "Tocsin",
    "prometheus": "Prometheus",
    "postgresql": "PostgreSQL",
    "vmalert": "vmalert",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """Where and when it was measured; `load` is the load average over the last minute at its end."""

    date: str
    command: str
    cpu: str
    cores: int
    load: float
    python: str
    prometheus: str
    tocsin: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One workload's cost of a cycle, by system and part, once for each repeat; `alerts` all systems found.

    `at` says when, and how busy the machine was.
    """

    workload: Workload
    interval_seconds: float
    costs: Sequence[Usage]
    alerts: int
    at: str = ""


def table(results: Sequence[Result]) -> str:
    """CPU seconds of one cycle as a Markdown table: the median, every repeat, and the ratios."""
    head = [
        "| shape | rules | series | firing | system | median | repeats | of it | to the ruler | to vmalert |",
        "|---|---:|---:|---:|---|---:|---|---|---:|---:|",
    ]
    return "\n".join([*head, *(row for result in results for row in _rows(result))])


def section(results: Sequence[Result], where: Sequence[str], command: str, *, plot: str) -> str:
    """The section of the page, with its heading; `plot` is the picture's file."""
    listed = "\n".join(f"- {line}" for line in where)
    at = "\n".join(
        f"- {one.workload.shape}, {one.workload.rules:,} rules, {one.workload.series:,} series: every "
        f"{one.interval_seconds:g} s; measured {one.at}"
        for one in results
    )
    return SECTION.format(heading=HEADING, table=table(results), where=listed, command=command, plot=plot, at=at)


def described(surroundings: Surroundings, *, database: str = "SQLite") -> list[str]:
    """The surroundings, a line each."""
    return [
        f"Date: {surroundings.date}",
        f"Machine: {surroundings.cpu}, {surroundings.cores} cores; load average at the end {surroundings.load:.1f}",
        f"Prometheus {surroundings.prometheus}, Tocsin {surroundings.tocsin} on {database}, Python {surroundings.python}",
    ]


def _rows(result: Result) -> list[str]:
    middle, workload = typical(result.costs), result.workload
    told = [f"{workload.shape}", f"{workload.rules:,}", f"{workload.series:,}", f"{result.alerts:,}"]
    rows = []
    for name, title in TITLES.items():
        if name in middle:
            repeats = " ".join(f"{one[name]:.3f}" for one in result.costs)
            parts = ", ".join(
                f"{words} {middle[f'{name}/{part}']:.3f}" for part, words in PARTS.items() if f"{name}/{part}" in middle
            )
            ratios = [_ratio(middle[name], middle.get(other)) for other in ("ruler", "vmalert")]
            rows.append("| " + " | ".join([*told, title, f"{middle[name]:.3f}", repeats, parts, *ratios]) + " |")
            told = [""] * 4
    return rows


def _ratio(one: float, other: float | None) -> str:
    return "" if other is None or other <= 0 else f"{one / other:.3f} ×"


SECTION = """\
## {heading}

CPU seconds of one evaluation of all rules. The systems have the same rules at the same time, each with a Prometheus of its own
that scrapes the same exporter; a further Prometheus only scrapes, and what it uses is taken off the others. User and system
time of all threads and child processes is read from `/proc` over whole cycles after everything was found. One rule in a hundred
fires; all systems found the same alerts, label for label, or there would be no table. The shapes:

- *selectors*: `rate(m{{service="…"}}[1m]) > …`, a rule for each service;
- *thresholds*: `rate(m[1m]) > …`, one expression with a threshold for each rule;
- *ratios*: `sum(rate(a_…_total[1m])) / sum(rate(b_…_total[1m])) > …`, metrics of its own for each rule.

{table}

![CPU seconds of a cycle by the number of rules]({plot})

{where}
- Command: `{command}`, and for cells beyond the usual ones `make bench ARGS="cycles --cells …"`; a cell that was measured
  before is not measured again unless `--again` is given

When each cell was measured, and how often its rules are evaluated:

{at}
"""
