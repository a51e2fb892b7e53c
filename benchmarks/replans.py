"""`python -m benchmarks plans`: how long it takes to plan many rules, and to plan anew when one of them was edited; seconds."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Final

from benchmarks.workload import Shape, Workload
from engine.core import batching
from engine.planner import Planner, Refined
from rules.rule import Condition, Rule

HEADING: Final = "Planning"
EDITS: Final = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Plans:
    """One shape's rules: the requests they need, seconds of the first plan, and of a plan after each edit of one rule."""

    shape: Shape
    rules: int
    requests: int
    first: float
    edits: Sequence[float]


def measure(rules: int) -> list[Plans]:
    """Each shape, planned as for a Prometheus that takes batches. CPU seconds of this process."""
    return [_measured(shape, rules) for shape in Shape]


def table(found: Sequence[Plans]) -> str:
    """The measurements as a Markdown table."""
    rows = [
        f"| {one.shape} | {one.rules:,} | {one.requests:,} | {one.first * 1000:.0f} | {median(one.edits) * 1000:.1f} "
        f"| {max(one.edits) * 1000:.1f} |"
        for one in found
    ]
    return "\n".join(
        [
            "| shape | rules | requests | first plan, ms | after one edit, ms, median | worst |",
            "|---|---:|---:|---:|---:|---:|",
            *rows,
        ]
    )


def _measured(shape: Shape, count: int) -> Plans:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    window = Refined(since=now, until=now + timedelta(minutes=1))
    rules = _rules(Workload(shape=shape, rules=count, series=2 * count))
    planner, began = Planner(), time.process_time()
    plan = planner.plan("unit", rules, window, made_from=object(), batch=batching.BATCH)
    first = time.process_time() - began
    edits = []
    for number in range(EDITS):
        name = f"r{number * 7}"
        rules = {**rules, name: replace(rules[name], threshold=1000.0 + number)}
        began = time.process_time()
        planner.plan("unit", rules, window, made_from=object(), batch=batching.BATCH)
        edits.append(time.process_time() - began)
    return Plans(shape=shape, rules=count, requests=len(plan.requests), first=first, edits=edits)


def _rules(workload: Workload) -> Mapping[str, Rule]:
    return {
        f"r{number}": Rule(
            id=f"r{number}", name=one.name, expr=one.left, condition=Condition.ABOVE, threshold=one.threshold
        )
        for number, one in enumerate(workload.each_rule())
    }


SECTION: Final = f"""\
## {HEADING}

All rules of one evaluation unit are planned at once, then one of them is edited, {EDITS} times over, and the plan brought up
to date. CPU milliseconds. While no rule changes, nothing is planned.

{{table}}

{{where}}
- Command: `{{command}}`
"""
