"""The measurement of edits as a section of the page, which leaves the others as they are."""

from __future__ import annotations

import pytest

from benchmarks.edits import HEADING, Delays, section, table, with_others, with_section

FOUND = [
    Delays(database="SQLite", edits=[0.5, 0.9, 0.1], comparison=0.0372),
    Delays(database="PostgreSQL", edits=[0.02, 0.03, 0.01], comparison=0.0441),
]
PAGE = "# Performance\n\nNumbers.\n\n## One cycle\n\nfast\n"


def test_a_row_has_the_median_and_the_worst_of_all_edits() -> None:
    assert table(FOUND).splitlines()[2:] == ["| SQLite | 500 | 900 | 3 | 37 |", "| PostgreSQL | 20 | 30 | 3 | 44 |"]


def test_the_section_names_its_size_its_surroundings_and_its_command() -> None:
    text = section(10_000, FOUND, ["Some CPU, 2 cores"], "make bench")
    assert text.startswith(f"## {HEADING}\n")
    for words in ("10,000 rules", "- Some CPU, 2 cores\n", "`make bench`"):
        assert words in text


@pytest.mark.parametrize("page", [PAGE, f"{PAGE}\n## {HEADING}\n\nold\n"], ids=["new", "measured again"])
def test_a_section_is_put_at_the_end_or_in_its_own_place(page: str) -> None:
    text = f"## {HEADING}\n\nnew\n"
    assert with_section(page, HEADING, text) == f"{PAGE}\n{text}"


def test_another_measurement_leaves_the_section_alone() -> None:
    former = with_section(PAGE, HEADING, f"## {HEADING}\n\nkept\n")
    again = "# Performance\n\nNumbers.\n\n## One cycle\n\nfaster\n"
    assert with_others(again, former) == f"{again}\n## {HEADING}\n\nkept\n"
    assert with_others(again, "") == again
