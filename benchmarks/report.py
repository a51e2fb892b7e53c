"""The measurement as a table for people, and as the page docs/performance.md."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.cpu import Cost, typical
from benchmarks.workload import Workload


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


def table(costs: Sequence[Cost]) -> str:
    """CPU seconds of one cycle as a Markdown table: the median, and every repeat."""
    middle = typical(costs)
    rows = [
        ("Prometheus' own ruler", middle.ruler, [one.ruler for one in costs], 1.0),
        ("Tocsin in all", middle.tocsin, [one.tocsin for one in costs], middle.ratio),
        ("– Tocsin's process", middle.engine, [one.engine for one in costs], None),
        ("– Prometheus, answering it", middle.queries, [one.queries for one in costs], None),
        ("for comparison: scraping the series", middle.scrape, [one.scrape for one in costs], None),
    ]
    head = ["| CPU seconds per cycle | median | repeats | to the ruler |", "|---|---:|---:|---:|"]
    return "\n".join([*head, *(_row(*row) for row in rows)])


def page(workload: Workload, costs: Sequence[Cost], surroundings: Surroundings, alerts: int) -> str:
    """The whole page; `alerts` is how many both systems found firing."""
    return PAGE.format(
        rules=f"{workload.rules:,}",
        series=f"{workload.series:,}",
        alerts=alerts,
        table=table(costs),
        verdict=_verdict(typical(costs)),
        where="\n".join(f"- {line}" for line in described(surroundings)),
        command=surroundings.command,
    )


def described(surroundings: Surroundings, *, database: str = "SQLite") -> list[str]:
    """The surroundings, a line each."""
    return [
        f"Date: {surroundings.date}",
        f"Machine: {surroundings.cpu}, {surroundings.cores} cores; load average at the end {surroundings.load:.1f}",
        f"Prometheus {surroundings.prometheus}, Tocsin {surroundings.tocsin} on {database}, Python {surroundings.python}",
    ]


def _row(name: str, middle: float, repeats: Sequence[float], ratio: float | None) -> str:
    shown = " ".join(f"{one:.3f}" for one in repeats)
    return f"| {name} | {middle:.3f} | {shown} | {'' if ratio is None else f'{ratio:.1f} ×'} |"


def _verdict(middle: Cost) -> str:
    if middle.ratio <= 1:
        return f"Tocsin took {middle.ratio:.2f} times the ruler's CPU."
    return (
        f"Tocsin took {middle.ratio:.1f} times the ruler's CPU. The ruler sits in the process that has the data; Tocsin asks "
        "one query over HTTP for each rule, from Python, and does not yet join rules that look at the same metric into one "
        "query."
    )


PAGE = """\
# Performance

Written by `{command}`; the numbers are as measured, once, and nothing is left out.

## One cycle of evaluation

{rules} alerting rules over {series} series, all evaluated every 10 seconds: half of them
`rate(m{{service="…"}}[1m]) > …`, half `m{{service="…"}} > …`, each with a selector and a threshold of its own. One rule in a
hundred fires.

Three Prometheus scrape the same exporter at the same time: one does nothing else, one has the rules in its own rule files, one
answers Tocsin, which has the same rules as rows. CPU seconds (user and system, all threads) are read from `/proc` over whole
cycles after the first evaluations; what the first Prometheus uses is taken off the other two. All of it runs side by side.

{table}

{verdict}

Both found the same {alerts} firing alerts, label for label.

{where}
"""
