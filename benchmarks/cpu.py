"""CPU seconds as the kernel counts them, and what they come to in a cycle of evaluation."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from statistics import median

Usage = Mapping[str, float]
"""CPU seconds by the name of what used them."""


def seconds_used(stat: str, ticks_per_second: int, *, reaped: bool = False) -> float:
    """User and system time of a process with all its threads, ended ones too, out of its `/proc/<pid>/stat`.

    The second field, the program's name, may hold blanks and brackets; what counts begins behind the last bracket. With
    `reaped` the time of child processes that have ended counts too.
    """
    fields = stat.rpartition(")")[2].split()
    return sum(map(int, fields[11 : 15 if reaped else 13])) / ticks_per_second


def usage(processes: Mapping[str, int]) -> Usage:
    """What each of these processes, name to id, has used since it began, its child processes included."""
    ticks = os.sysconf("SC_CLK_TCK")
    stats = _stats()
    return {
        name: sum(seconds_used(stats[one], ticks, reaped=True) for one in _family(pid, stats))
        for name, pid in processes.items()
    }


def per_cycle(before: Usage, after: Usage, cycles: int) -> Usage:
    """What each used in one of the cycles between two readings."""
    return {name: (after[name] - before[name]) / cycles for name in before}


def typical(costs: Sequence[Usage]) -> Usage:
    """The median of each."""
    return {name: median(one[name] for one in costs) for name in costs[0]}


def measure(
    read: Callable[[], Usage], wait: Callable[[timedelta], None], *, interval: timedelta, cycles: int, repeats: int
) -> list[Usage]:
    """The cost of a cycle, `repeats` times over, each an average of so many whole cycles; `wait` lets them pass."""
    costs = []
    before = read()
    for _ in range(repeats):
        wait(interval * cycles)
        after = read()
        costs.append(per_cycle(before, after, cycles))
        before = after
    return costs


def _stats() -> dict[int, str]:
    """The `stat` of every process there is."""
    found = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                found[int(folder.name)] = (folder / "stat").read_text()
            except OSError:  # It has ended meanwhile; its parent has its time.
                continue
    return found


def _family(pid: int, stats: Mapping[int, str]) -> list[int]:
    children = [one for one, stat in stats.items() if int(stat.rpartition(")")[2].split()[1]) == pid]
    return [pid, *(member for child in children for member in _family(child, stats))]
