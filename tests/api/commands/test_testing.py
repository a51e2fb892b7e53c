"""`tocsin test` as people call it: what it says, its exit codes, and the example of docs/rule-tests.md."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import pytest
import typer
from typer.testing import CliRunner, Result

from api.commands import testing
from tests.architecture.sources import ROOT
from tests.peers.require import require_peer

DOCUMENT = (ROOT / "docs/rule-tests.md").read_text(encoding="utf-8")
EXAMPLE_RULES, EXAMPLE_TESTS = re.findall(r"```yaml\n(.*?)```", DOCUMENT, re.DOTALL)
EXAMPLE_PASSED, EXAMPLE_FAILED = re.findall(r"```\n(tests.yml\n.*?)```", DOCUMENT, re.DOTALL)
RULES = "groups: [{name: g, rules: [{alert: A, expr: up == 0, annotations: {v: '{{ $value }}'}}]}]"
TESTS = """
rule_files: [rules.yml]
tests:
- name: it fires
  input_series: [{series: up, values: 0 0}]
  alert_rule_test: [{eval_time: 1m, alertname: A, exp_alerts: [{exp_annotations: {v: '0'}}]}]
- name: it is quiet
  input_series: [{series: up, values: 0 1}]
  alert_rule_test: [{eval_time: 1m, alertname: A}]
"""


@dataclass(frozen=True)
class Folder:
    """A folder with rules and tests, and the command in it, in this process."""

    path: Path

    def run(self, tests: str, *arguments: str, rules: str = RULES, name: str = "rules.yml") -> Result:
        require_peer("prometheus")
        (self.path / name).write_text(rules, encoding="utf-8")
        (self.path / "tests.yml").write_text(tests, encoding="utf-8")
        return self.ask(str(self.path / "tests.yml"), *arguments)

    def ask(self, *arguments: str) -> Result:
        app = typer.Typer()
        app.command()(testing.run_tests)
        return CliRunner().invoke(app, list(arguments))

    def said(self, told: Result) -> str:
        """What was said, with the folder left out and every test lasting as long as in the document."""
        return re.sub(r"\([0-9.]+ s\)", "(0.1 s)", told.stdout.replace(f"{self.path}/", ""))


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def test_the_documented_example_passes_and_says_so(folder: Folder) -> None:
    told = folder.run(EXAMPLE_TESTS, rules=EXAMPLE_RULES, name="alerts.yml")
    assert (told.exit_code, folder.said(told)) == (0, EXAMPLE_PASSED)


def test_the_documented_example_with_a_longer_for_fails_and_says_so(folder: Folder) -> None:
    told = folder.run(EXAMPLE_TESTS, rules=EXAMPLE_RULES.replace("for: 5m", "for: 15m"), name="alerts.yml")
    assert (told.exit_code, folder.said(told)) == (1, EXAMPLE_FAILED)


def test_all_tests_of_a_file_run_and_each_is_told(folder: Folder) -> None:
    told = folder.run(TESTS.replace("v: '0'", "v: '1'"))
    assert told.exit_code == 1
    assert folder.said(told).splitlines() == [
        "tests.yml",
        "  FAIL  it fires (0.1 s)",
        "        alert A at 1m (tests.yml:6)",
        '          expected  {alertname="A"}',
        "                      v: 1",
        '          got       {alertname="A"}',
        "                      v: 0",
        "  ok    it is quiet (0.1 s)",
        "  1 passed, 1 failed",
    ]


def test_a_difference_is_shown_line_by_line_when_asked_for(folder: Folder) -> None:
    told = folder.run(TESTS.replace("v: '0'", "v: '1'"), "--diff")
    assert '            {alertname="A"}\n          -   v: 1\n          +   v: 0\n' in told.stdout


def test_only_tests_whose_name_matches_are_run(folder: Folder) -> None:
    told = folder.run(TESTS, "--run", "quiet$", "--run", "nothing")
    assert folder.said(told).splitlines()[1:] == ["  ok    it is quiet (0.1 s)", "  1 passed, 0 failed"]
    assert "no tests" in folder.run(TESTS, "--run", "nothing").stdout


def test_a_mistake_in_the_tests_or_in_the_rules_is_told_at_its_place_and_nothing_runs(folder: Folder) -> None:
    told = folder.run(TESTS.replace("alertname: A}", "alert: A}"), rules=RULES.replace("up == 0", "up =="))
    assert told.exit_code == 1
    assert "  tests.yml:9:37: test 2 (it is quiet): alert_rule_test: there is no field 'alert'" in folder.said(told)
    assert "  rules.yml:1:45: group 'g': rule 1 (A): expr: 'up ==' is not PromQL" in folder.said(told)
    assert "passed" not in told.stdout


def test_a_file_that_is_not_there_is_told_and_the_others_run(folder: Folder) -> None:
    folder.run(TESTS)
    told = folder.ask(str(folder.path / "nowhere.yml"), str(folder.path / "tests.yml"))
    assert told.exit_code == 1
    assert "nowhere.yml:1:1: cannot be read: no such file or directory" in told.stdout
    assert "2 passed, 0 failed" in told.stdout


def test_a_pattern_that_matches_nothing_is_a_warning(folder: Folder) -> None:
    told = folder.run(TESTS.replace("[rules.yml]", "['*.yaml', 'rul*.yml']"))
    assert told.exit_code == 0
    assert "warning: no file matches '*.yaml' of rule_files" in told.stderr


def test_a_report_has_every_test_and_every_failure(folder: Folder) -> None:
    report = folder.path / "report.xml"
    told = folder.run(TESTS.replace("v: '0'", 'v: "\\x01"'), "--junit", str(report))
    assert told.exit_code == 1
    root = ElementTree.parse(report).getroot()
    assert [(one.get("tests"), one.get("failures")) for one in root] == [("2", "1")]
    assert [(one.get("name"), len(one)) for one in root.iter("testcase")] == [("it fires", 1), ("it is quiet", 0)]
    assert "alert A at 1m (tests.yml:6)" in (root.findtext(".//failure") or "")


def test_a_report_tells_of_files_with_mistakes(folder: Folder) -> None:
    report = folder.path / "report.xml"
    folder.run("tests: {}", "--junit", str(report))
    assert "tests is a mapping" in (ElementTree.parse(report).getroot().findtext(".//failure") or "")


def test_a_report_that_cannot_be_written_is_a_usage_error(folder: Folder) -> None:
    told = folder.run("tests: []", "--junit", str(folder.path / "no" / "report.xml"))
    assert told.exit_code == 2
    assert "report.xml: no such file or directory" in told.stderr


def test_without_prometheus_it_says_what_to_install(folder: Folder) -> None:
    told = folder.ask("tests.yml", "--prometheus", str(folder.path / "prometheus"))
    assert told.exit_code == 2
    assert "is no program, and without it nothing answers the queries of tests" in told.stderr
    assert "apt-get install prometheus" in told.stderr


def test_a_program_that_does_not_start_is_told_with_its_own_words(folder: Folder) -> None:
    program = folder.path / "prometheus"
    program.write_text("#!/bin/sh\necho 'no such flag' >&2\nexit 1\n")
    program.chmod(0o755)
    told = folder.run(TESTS, "--prometheus", str(program))
    assert told.exit_code == 1
    assert "does not start: no such flag" in told.stderr


def test_a_pattern_for_names_that_is_none_is_a_usage_error(folder: Folder) -> None:
    told = folder.ask("tests.yml", "--run", "(")
    assert told.exit_code == 2
    assert "--run '(' is no regular expression" in told.stderr


def test_time_can_begin_at_another_instant_and_the_last_bit_be_let_off(folder: Folder) -> None:
    told = folder.run(
        """
fuzzy_compare: true
tests:
- start_timestamp: 2026-01-31T12:00:00Z
  input_series: [{series: up, values: 1 1}]
  promql_expr_test:
  - {expr: 'day_of_month() + up * on () group_left () vector(0)', eval_time: 1m, exp_samples: [{labels: '{}', value: 31}]}
  - {expr: time(), eval_time: 1m, exp_samples: [{labels: '{}', value: 1769860860}]}
  - {expr: vector(0.1) + 0.2, eval_time: 1m, exp_samples: [{labels: '{}', value: 0.3}]}
"""
    )
    assert told.exit_code == 0, told.stdout
    assert folder.run(TESTS.replace("tests:", "fuzzy_compare: false\ntests:")).exit_code == 0


def test_a_group_may_look_back_by_its_query_offset_and_be_in_any_order(folder: Folder) -> None:
    rules = """
groups:
- {name: late, query_offset: 1m, labels: {l: x}, rules: [{alert: A, expr: 'r > 4'}, {record: s, expr: up}]}
- {name: early, rules: [{record: r, expr: up}]}
"""
    told = folder.run(
        """
rule_files: [rules.yml]
group_eval_order: [early, late]
tests:
- input_series: [{series: up, values: 1 5 1 1}]
  alert_rule_test: [{eval_time: 1m, alertname: A}, {eval_time: 2m, alertname: A, exp_alerts: [{exp_labels: {l: x}}]}]
  promql_expr_test: [{expr: s, eval_time: 1m, exp_samples: [{labels: 's{l="x"}', value: 5}]}]
""",
        rules=rules,
    )
    assert told.exit_code == 0, told.stdout
