"""The measurement of a start as a section of docs/performance.md."""

from __future__ import annotations

from benchmarks.starts import HEADING, SECTION, Found, table


def test_the_section_has_a_line_for_each_database_and_names_its_surroundings_and_its_command() -> None:
    found = [Found(database="SQLite", rules=10_000, alerts=100_000, seconds=4.21, cpu=3.96)]
    text = SECTION.format(table=table(found), where="- Some CPU, 2 cores", command="make bench")
    assert text.startswith(f"## {HEADING}\n")
    for words in ("| SQLite | 10,000 | 100,000 | 4.2 | 4.0 |", "- Some CPU, 2 cores\n", "`make bench`"):
        assert words in text
