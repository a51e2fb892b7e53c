"""The file whose import is measured, and the table of what it cost."""

from __future__ import annotations

from benchmarks.imports import HEADING, Run, rule_file, section, table
from rules.formats.prometheus_yaml import parse

FOUND = [Run(what="promtool", cpu=3.26, wall=2.04, memory=150.4), Run(what="tocsin", cpu=9, wall=10, memory=229)]


def test_the_file_has_so_many_rules_each_with_a_threshold_of_its_own() -> None:
    found = parse(rule_file(1500))
    assert found.errors == ()
    assert len(found.rules) == len({rule.expr for rule in found.rules}) == 1500


def test_a_row_has_time_and_memory_of_a_run() -> None:
    assert table(FOUND).splitlines()[2:] == ["| promtool | 3.3 | 2.0 | 150 |", "| tocsin | 9.0 | 10.0 | 229 |"]


def test_the_section_names_its_size_its_surroundings_and_its_command() -> None:
    text = section(20_000, FOUND, ["Some CPU, 2 cores"], "make bench")
    assert text.startswith(f"## {HEADING}\n")
    for words in ("20,000 rules", "- Some CPU, 2 cores\n", "`make bench`"):
        assert words in text
