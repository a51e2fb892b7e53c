"""CPU seconds as the kernel counts them, and what they come to in a cycle of evaluation."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from statistics import median

Usage = Mapping[str, float]
"""CPU seconds by the name of the process that used them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """CPU seconds of one cycle. What evaluation costs a Prometheus is what it uses beyond one that only scrapes."""

    scrape: float
    ruler: float
    engine: float
    queries: float

    @property
    def tocsin(self) -> float:
        """All that Tocsin causes: its own process, and the answers to its queries."""
        return self.engine + self.queries

    @property
    def ratio(self) -> float:
        """How many times the ruler's CPU Tocsin needs in all; infinite where the ruler's was too little to be seen."""
        return self.tocsin / self.ruler if self.ruler > 0 else float("inf")


def seconds_used(stat: str, ticks_per_second: int) -> float:
    """User and system time of a process with all its threads, ended ones too, out of its `/proc/<pid>/stat`.

    The second field, the program's name, may hold blanks and brackets; what counts begins behind the last bracket.
    """
    fields = stat.rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / ticks_per_second


def usage(processes: Mapping[str, int]) -> Usage:
    """What each of these processes, name to id, has used since it began."""
    ticks = os.sysconf("SC_CLK_TCK")
    return {name: seconds_used(Path(f"/proc/{pid}/stat").read_text(), ticks) for name, pid in processes.items()}


def per_cycle(before: Usage, after: Usage, cycles: int) -> Usage:
    """What each process used in one of the cycles between two readings."""
    return {name: (after[name] - before[name]) / cycles for name in before}


def cost(used: Usage) -> Cost:
    """What a cycle of `scraping`, `ruling`, `queried` (three Prometheus) and `tocsin` says about evaluation."""
    scrape = used["scraping"]
    return Cost(scrape=scrape, ruler=used["ruling"] - scrape, engine=used["tocsin"], queries=used["queried"] - scrape)


def typical(costs: Sequence[Cost]) -> Cost:
    """The median of each part; `tocsin` is then the sum of its parts' medians, which need not be the median of the sums."""
    return Cost(
        scrape=median(one.scrape for one in costs),
        ruler=median(one.ruler for one in costs),
        engine=median(one.engine for one in costs),
        queries=median(one.queries for one in costs),
    )


def measure(
    read: Callable[[], Usage], wait: Callable[[timedelta], None], *, interval: timedelta, cycles: int, repeats: int
) -> list[Cost]:
    """The cost of a cycle, `repeats` times over, each an average of so many whole cycles; `wait` lets them pass."""
    costs = []
    before = read()
    for _ in range(repeats):
        wait(interval * cycles)
        after = read()
        costs.append(cost(per_cycle(before, after, cycles)))
        before = after
    return costs
