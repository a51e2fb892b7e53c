"""The cells of the matrix: which rules over how many series are measured how often, and what of it is kept between runs.

Results are kept in a file, a cell each, so that a run goes on where an earlier one was stopped, and the page is always written
from all there is.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.cpu import Usage
from benchmarks.report import TITLES, Result
from benchmarks.workload import Shape, Workload

EVERYBODY = tuple(TITLES)
WITHOUT_VMALERT = tuple(name for name in TITLES if name != "vmalert")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One workload, the seconds between two evaluations of a rule, and the systems that are there."""

    workload: Workload
    interval: int
    systems: Sequence[str] = EVERYBODY

    @property
    def name(self) -> str:
        """`selectors/1000/10000`: shape, rules, series."""
        return f"{self.workload.shape}/{self.workload.rules}/{self.workload.series}"


def cell(name: str, interval: int, systems: Sequence[str] = EVERYBODY) -> Cell:
    """The cell of this name. Raises ValueError for a shape that is none, and for series that do not divide among the rules."""
    shape, rules, series = name.split("/")
    workload = Workload(shape=Shape(shape), rules=int(rules), series=int(series))
    return Cell(workload=workload, interval=interval, systems=systems)


MATRIX: Mapping[str, Cell] = {
    one.name: one
    for one in (
        cell("selectors/100/10000", 10),
        cell("selectors/1000/10000", 10),
        cell("selectors/10000/10000", 30),
        cell("thresholds/100/10000", 10),
        cell("thresholds/1000/10000", 60),
        cell("ratios/100/10000", 10),
        cell("ratios/1000/10000", 10),
        cell("ratios/10000/20000", 30),
        cell("selectors/100/100000", 30),
        cell("selectors/1000/100000", 30),
        cell("selectors/10000/100000", 60, WITHOUT_VMALERT),
        cell("thresholds/100/100000", 60, WITHOUT_VMALERT),
        cell("thresholds/10000/10000", 400, WITHOUT_VMALERT),
        cell("ratios/100/100000", 30),
        cell("ratios/1000/100000", 30),
        cell("ratios/10000/100000", 60, WITHOUT_VMALERT),
    )
}
"""The whole matrix; an interval leaves two cores time to evaluate everything once, which vmalert would not always."""
DEFAULT: Sequence[str] = tuple(MATRIX)[:8]
"""What is measured unless somebody asks for more, in about half an hour."""


def read(kept: Path) -> dict[str, Result]:
    """What was measured before, by the cell's name."""
    if not kept.exists():
        return {}
    return {name: _result(one) for name, one in json.loads(kept.read_text()).items()}


def write(kept: Path, results: Mapping[str, Result]) -> None:
    """Keep what was measured; a run that is stopped meanwhile leaves the file as it was."""
    kept.parent.mkdir(parents=True, exist_ok=True)
    fresh = kept.with_suffix(".new")
    fresh.write_text(json.dumps({name: asdict(one) for name, one in results.items()}, indent=1))
    fresh.replace(kept)


def in_order(results: Mapping[str, Result]) -> list[Result]:
    """The results as the page shows them: by shape, series and rules."""
    shapes = list(Shape)

    def place(result: Result) -> tuple[int, int, int]:
        return shapes.index(result.workload.shape), result.workload.series, result.workload.rules

    return sorted(results.values(), key=place)


def chosen(names: Iterable[str]) -> list[Cell]:
    """The cells of these names; a shape, or a shape and rules, stands for all that begin so, `all` for the whole matrix."""
    found: dict[str, Cell] = {}
    for part in names:
        meant = {name: one for name, one in MATRIX.items() if part == "all" or f"{name}/".startswith(f"{part}/")}
        if not meant:
            raise ValueError(f"no cell begins with {part!r}; there are {', '.join(MATRIX)}")
        found |= meant
    return list(found.values())


def _result(kept: Mapping[str, Any]) -> Result:
    workload = kept["workload"]
    costs: Sequence[Usage] = kept["costs"]
    return Result(
        workload=Workload(shape=Shape(workload["shape"]), rules=workload["rules"], series=workload["series"]),
        interval_seconds=kept["interval_seconds"],
        costs=costs,
        alerts=kept["alerts"],
        at=kept["at"],
    )
