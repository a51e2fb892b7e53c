"""`tocsin import prometheus` and `tocsin export prometheus`, from the file to the rows and back to promtool."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from api.commands import importing
from engine.store import rule_imports
from engine.store.database import Database
from rules.rule import Rule
from tests.peers.require import find_binary, require_peer

FILE = """
groups:
- name: hosts
  interval: 30s
  rules:
  - {alert: HighCpu, expr: cpu > 80, for: 5m, labels: {severity: critical, team: db}}
  - {alert: Down, expr: up == 0}
  - {record: 'job:up', expr: sum(up)}
"""


@dataclass(frozen=True)
class Console:
    """The commands on one database, in this process."""

    database: Database
    file: Path

    def bring_in(self, text: str, *arguments: str) -> Result:
        self.file.write_text(text, encoding="utf-8")
        app = importing.import_commands(self._opened)
        return CliRunner().invoke(app, ["prometheus", str(self.file), *arguments])

    def export(self, *arguments: str) -> Result:
        return CliRunner().invoke(importing.export_commands(self._opened), ["prometheus", *arguments])

    def rules(self) -> list[Rule]:
        with self.database.read() as connection:
            return list(rule_imports.every(connection))

    @contextmanager
    def _opened(self) -> Iterator[Database]:
        yield self.database


@pytest.fixture
def console(database: Database, tmp_path: Path) -> Console:
    return Console(database, tmp_path / "rules.yml")


def test_an_import_says_what_it_added_and_what_stays_in_prometheus(console: Console) -> None:
    told = console.bring_in(FILE, "--name", "shop")
    assert told.exit_code == 0, told.output
    assert [re.split(r" {2,}", line)[:3] for line in told.stdout.splitlines()[:3]] == [
        ["WHAT", "GROUP", "RULE"],
        ["added", "hosts", "HighCpu"],
        ["added", "hosts", "Down"],
    ]
    assert re.search(r"^unsupported .*rules.yml:8: a recording rule stays in Prometheus$", told.stdout, re.MULTILINE)
    assert "2 added, 0 changed, 0 gone from the files but kept, 0 as they were (import:prometheus:shop)" in told.stderr
    assert {rule.origin for rule in console.rules()} == {"import:prometheus:shop"}


def test_an_import_warns_of_rules_that_can_do_no_good_and_brings_them_in(console: Console) -> None:
    told = console.bring_in(
        "groups: [{name: g, rules: [{alert: A, expr: ALERTS > 0}, {alert: B, expr: absent(up) > 1}]}]"
    )
    assert told.exit_code == 0
    assert "rule 1 (A): expr: ALERTS has the alerts that Prometheus itself evaluates" in told.stderr
    assert "rule 2 (B): expr: absent(…) > 1 can never be true: absent(…) is always 1" in told.stderr
    assert len(console.rules()) == 2


def test_a_dry_run_tells_the_same_and_changes_nothing(console: Console) -> None:
    told = console.bring_in(FILE, "--dry-run", "-o", "json")
    assert [row["what"] for row in json.loads(told.stdout)] == ["added", "added", "unsupported"]
    assert "Nothing was changed." in told.stderr
    assert console.rules() == []


def test_an_edit_is_shown_with_the_fields_that_differ(console: Console) -> None:
    console.bring_in(FILE)
    told = console.bring_in(FILE.replace("for: 5m", "for: 10m").replace("80", "90"), "-o", "json")
    found = [(row["what"], row["detail"]) for row in json.loads(told.stdout) if row["what"] != "unsupported"]
    assert found == [("changed", "expr, for")]


def test_a_refusal_names_its_reasons_and_the_way_out(console: Console) -> None:
    console.bring_in(FILE)
    told = console.bring_in("groups: []", "--prune")
    assert (told.exit_code, len(console.rules())) == (1, 2)
    assert "2 of all 2 rules would be removed, which is more than a tenth" in told.stderr
    assert "say --force if that is meant" in told.stderr
    assert console.bring_in("groups: []", "--prune", "--force").exit_code == 0
    assert console.rules() == []


def test_all_mistakes_of_a_file_are_told_and_nothing_is_changed(console: Console) -> None:
    told = console.bring_in(FILE + "  - {alert: Bad, expr: sum(, for: soon}\n")
    assert (told.exit_code, console.rules()) == (1, [])
    assert re.findall(r"rules\.yml:(\d+:\d+): (?:warning: )?group", told.stderr) == ["8:5", "9:24", "9:35"]


def test_an_import_needs_a_name_that_can_be_read(console: Console) -> None:
    assert console.bring_in(FILE, "--name", " ").exit_code == 2


@pytest.mark.peer("promtool")
def test_promtool_takes_what_is_exported_and_an_import_of_it_changes_nothing(console: Console, tmp_path: Path) -> None:
    require_peer("promtool")
    console.bring_in(FILE)
    exported = tmp_path / "exported.yml"
    assert console.export("-o", str(exported)).exit_code == 0
    assert exported.read_text(encoding="utf-8") == console.export().stdout
    checked = subprocess.run(
        [str(find_binary("promtool")), "check", "rules", str(exported)], capture_output=True, check=False, timeout=60
    )
    assert (checked.returncode, b"SUCCESS: 2 rules found" in checked.stdout) == (0, True), checked
    told = console.bring_in(exported.read_text(encoding="utf-8"), "--prune", "-o", "json")
    assert json.loads(told.stdout) == []
    assert "2 as they were" in told.stderr


def test_an_export_to_where_nothing_can_be_written_is_told(console: Console, tmp_path: Path) -> None:
    told = console.export("-o", str(tmp_path / "nowhere" / "rules.yml"))
    assert (told.exit_code, "no such file or directory" in told.stderr) == (2, True)
