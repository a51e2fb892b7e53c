"""The measurement of replicas as a section of docs/reliability.md."""

from __future__ import annotations

from benchmarks.outbox import Rate
from benchmarks.replicas import HEADING, Figure, section


def test_the_section_names_its_figures_its_surroundings_and_its_command() -> None:
    text = section([Figure(what="recovery", figure="12.0 s")], ["Some CPU, 2 cores"], "make bench")
    assert text.startswith(f"## {HEADING}\n")
    for words in ("| recovery | 12.0 s |", "- Some CPU, 2 cores\n", "`make bench`"):
        assert words in text


def test_a_rate_counts_messages_by_the_second() -> None:
    assert Rate(database="SQLite", processes=1, messages=3000, seconds=6).per_second == 500
