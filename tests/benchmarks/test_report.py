"""The page shows what was measured, the median beside every repeat, and does not flatter."""

from __future__ import annotations

from datetime import timedelta

from benchmarks.report import Result, Surroundings, described, section, table
from benchmarks.stage import Stage, System
from benchmarks.workload import Shape, Workload
from rules.labels import Labels

WORKLOAD = Workload(shape=Shape.SELECTORS, rules=1000, series=10_000)
HERE = Surroundings(
    date="2026-01-02",
    command="make bench",
    cpu="Some CPU",
    cores=2,
    load=1.25,
    python="3.11.7",
    prometheus="2.42.0",
    tocsin="0.1.0",
)


def stage(**found: int) -> Stage:
    """Systems that found so many alerts."""
    labels = [Labels({"n": str(number)}) for number in range(1000)]
    systems = {
        name: System(processes={"prometheus": 1}, found=lambda count=count: frozenset(labels[:count]))  # type: ignore[misc]
        for name, count in found.items()
    }
    return Stage(workload=WORKLOAD, interval=timedelta(seconds=10), scraping=9, systems=systems)


def result(*ruler: float) -> Result:
    costs = [
        {
            "ruler": one,
            "ruler/prometheus": one,
            "tocsin-sqlite": 1.2,
            "tocsin-sqlite/tocsin": 1.0,
            "tocsin-sqlite/prometheus": 0.2,
        }
        for one in ruler
    ]
    return Result(workload=WORKLOAD, interval_seconds=10, costs=costs, alerts=100)


def test_a_row_has_the_median_every_repeat_its_parts_and_the_ratio() -> None:
    rows = table([result(0.1, 0.3, 0.2)]).splitlines()
    assert (
        "| selectors | 1,000 | 10,000 | 100 | Prometheus' ruler | 0.200 | 0.100 0.300 0.200 | Prometheus 0.200 | 1.000 × |  |"
        in rows
    )
    assert rows[-1].endswith("| 1.200 | 1.200 1.200 1.200 | Tocsin 1.000, Prometheus 0.200 | 6.000 × |  |")


def test_a_ruler_too_cheap_to_be_seen_gives_no_ratio() -> None:
    assert "×" not in table([result(0.0)])


def test_the_section_names_machine_versions_and_command() -> None:
    text = section([result(0.2)], described(HERE, database="SQLite"), "make bench", plot="cycles.svg")
    for words in ("Some CPU, 2 cores", "`make bench`", 'rate(m{service="…"}[1m]) > …', "## One cycle of evaluation"):
        assert words in text
    assert "Prometheus 2.42.0, Tocsin 0.1.0 on SQLite, Python 3.11.7" in text


def test_scraping_is_taken_off_what_a_prometheus_used() -> None:
    systems = {
        "ruler": System(processes={"prometheus": 1}, found=frozenset),
        "tocsin-sqlite": System(processes={"prometheus": 2, "tocsin": 3}, found=frozenset),
    }
    costs = Stage(workload=WORKLOAD, interval=timedelta(seconds=10), scraping=9, systems=systems).costs(
        {"scraping": 1.0, "ruler/prometheus": 3.0, "tocsin-sqlite/prometheus": 5.0, "tocsin-sqlite/tocsin": 8.0}
    )
    assert (costs["ruler"], costs["tocsin-sqlite"], costs["tocsin-sqlite/prometheus"]) == (2.0, 12.0, 4.0)


def test_who_did_not_find_what_there_is_is_named() -> None:
    assert stage(ruler=100, vmalert=100).disagreements() == []
    assert stage(ruler=100, vmalert=99).disagreements() == ["vmalert found 99 alerts of 100"]
    assert len(stage(ruler=99, vmalert=99).disagreements()) == 2
