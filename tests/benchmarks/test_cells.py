"""The matrix runs in parts: what was measured stays, and the page and its picture are made from all of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks import cells
from benchmarks.plot import plot
from tests.benchmarks.test_report import result


def test_a_cell_is_chosen_by_the_beginning_of_its_name() -> None:
    assert [one.name for one in cells.chosen(["ratios/1000"])] == ["ratios/1000/10000", "ratios/1000/100000"]
    assert [one.name for one in cells.chosen(["ratios/1000/10000"])] == ["ratios/1000/10000"]
    assert len(cells.chosen(["all"])) == len(cells.MATRIX)
    assert set(cells.DEFAULT) < cells.MATRIX.keys()
    with pytest.raises(ValueError, match="no cell begins with 'ration'"):
        cells.chosen(["selectors", "ration"])


def test_what_was_measured_is_read_again_as_it_was(tmp_path: Path) -> None:
    kept = tmp_path / "build" / "cycles.json"
    assert cells.read(kept) == {}
    results = {"selectors/1000/10000": replace(result(0.1, 0.2), at="2026-01-02 03:04, load 1.0")}
    cells.write(kept, results)
    assert cells.read(kept) == results
    assert list(kept.parent.iterdir()) == [kept]


def test_the_page_goes_by_shape_series_and_rules() -> None:
    some = [replace(result(0.1), workload=one.workload) for one in reversed(list(cells.MATRIX.values()))]
    ordered = cells.in_order({str(place): one for place, one in enumerate(some)})
    keys = [(one.workload.shape, one.workload.series, one.workload.rules) for one in ordered]
    assert keys[:4] == [
        ("selectors", 10_000, 100),
        ("selectors", 10_000, 1000),
        ("selectors", 10_000, 10_000),
        ("selectors", 100_000, 100),
    ]


def test_the_picture_has_a_panel_for_each_shape_and_a_dot_for_each_measurement() -> None:
    some = [replace(result(0.1), workload=one.workload) for one in cells.chosen(["selectors", "ratios"])]
    tree = ElementTree.fromstring(plot(some))
    texts = [text.text for text in tree.iter("{http://www.w3.org/2000/svg}text")]
    assert "selectors, 10,000 series" in texts
    assert "Prometheus' ruler" in texts
    assert len(list(tree.iter("{http://www.w3.org/2000/svg}circle"))) == 2 * len(some)
