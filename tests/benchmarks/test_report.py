"""The page shows what was measured, the median beside every repeat, and does not flatter."""

from __future__ import annotations

import pytest

from benchmarks.cpu import Cost
from benchmarks.report import Surroundings, page, table
from benchmarks.workload import Workload

COSTS = [Cost(scrape=0.01, ruler=ruler, engine=1.0, queries=0.2) for ruler in (0.1, 0.3, 0.2)]
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


def test_a_row_has_the_median_every_repeat_and_the_ratio() -> None:
    rows = table(COSTS).splitlines()
    assert "| Prometheus' own ruler | 0.200 | 0.100 0.300 0.200 | 1.0 × |" in rows
    assert "| Tocsin in all | 1.200 | 1.200 1.200 1.200 | 6.0 × |" in rows


@pytest.mark.parametrize(
    ("engine", "verdict"),
    [
        (1.0, "Tocsin took 6.0 times the ruler's CPU. The ruler sits"),
        (0.0, "Tocsin took 1.00 times the ruler's CPU.\n"),
    ],
    ids=["slower", "not slower"],
)
def test_the_page_says_in_words_who_was_slower(engine: float, verdict: str) -> None:
    costs = [Cost(scrape=0.0, ruler=0.2, engine=engine, queries=0.2)]
    assert verdict in page(Workload(rules=1000, series=10_000), costs, HERE, 100)


def test_the_page_names_machine_versions_and_command() -> None:
    text = page(Workload(rules=1000, series=10_000), COSTS, HERE, 100)
    for words in ("1,000 alerting rules over 10,000 series", "same 100 firing", "Some CPU, 2 cores", "`make bench`"):
        assert words in text
    assert "Prometheus 2.42.0, Tocsin 0.1.0 on SQLite, Python 3.11.7" in text
    assert 'rate(m{service="…"}[1m]) > …' in text
