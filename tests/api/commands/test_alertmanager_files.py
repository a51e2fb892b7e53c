"""`tocsin import alertmanager` and `tocsin export alertmanager`, as a user sees them, and amtool what they write."""

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
from engine.store import configuration_imports
from engine.store.database import Database
from tests.peers.require import find_binary, require_peer

FILES = Path(__file__).parents[2] / "alertmanager_files" / "good"


@dataclass(frozen=True)
class Console:
    """The commands on one database, in this process."""

    database: Database
    file: Path

    def bring_in(self, text: str, *arguments: str) -> Result:
        self.file.write_text(text, encoding="utf-8")
        return CliRunner().invoke(importing.import_commands(self._opened), ["alertmanager", str(self.file), *arguments])

    def export(self, *arguments: str) -> Result:
        return CliRunner().invoke(importing.export_commands(self._opened), ["alertmanager", *arguments])

    def routes(self) -> int:
        with self.database.read() as connection:
            return len(configuration_imports.standing(connection).routes)

    @contextmanager
    def _opened(self) -> Iterator[Database]:
        yield self.database


@pytest.fixture
def console(database: Database, tmp_path: Path) -> Console:
    return Console(database, tmp_path / "alertmanager.yml")


def file(name: str) -> str:
    return (FILES / f"{name}.yml").read_text(encoding="utf-8")


def test_an_import_shows_what_is_new_and_what_is_not_carried_over_with_its_line(console: Console) -> None:
    told = console.bring_in(file("every_integration"), "--name", "shop")
    assert told.exit_code == 0, told.output
    lines = [re.split(r" {2,}", line) for line in told.stdout.splitlines()]
    assert lines[0] == ["WHAT", "KIND", "NAME", "DETAIL"]
    assert ["added", "route", 'to="slack"', "receiver slack"] in lines
    assert any(line[:2] == ["changed", "route"] and line[2] == "root" for line in lines)
    assert re.search(
        r"^unsupported .*alertmanager.yml:45: .*short_fields is not carried over$", told.stdout, re.MULTILINE
    )
    assert re.search(r"\d+ added, 1 changed, 0 removed, 0 as they were \(import:alertmanager:shop\)", told.stderr)
    assert "not carried over" not in told.stderr


def test_a_dry_run_shows_the_difference_and_changes_nothing(console: Console) -> None:
    console.bring_in(file("nested_teams"))
    edited = (
        file("nested_teams").replace('env!="prod"', 'env=~"dev|test"').replace("repeat_interval: 1h", "group_wait: 5s")
    )
    told = console.bring_in(edited, "--dry-run", "-o", "json")
    found = [(row["what"], row["kind"], row["name"], row["detail"]) for row in json.loads(told.stdout)]
    assert found == [
        (
            "changed",
            "route",
            'severity="critical" owner=~"team-(x|y)"',
            "receiver db-pager; group_wait, repeat_interval",
        ),
        ("changed", "route", 'env=~"dev|test"', "receiver blackhole; matchers"),
    ]
    assert "Nothing was changed. The import would do: 0 added, 2 changed, 0 removed, " in told.stderr
    assert json.loads(console.bring_in(file("nested_teams"), "-o", "json").stdout) == []


def test_an_inhibit_rule_is_shown_by_what_it_does(console: Console) -> None:
    told = console.bring_in(file("civic_site"), "-o", "json")
    names = [row["name"] for row in json.loads(told.stdout) if row["kind"] == "inhibit rule"]
    assert 'severity="critical" inhibits severity="warning"' in names


def test_all_mistakes_are_told_and_nothing_is_changed(console: Console) -> None:
    told = console.bring_in("route: {receiver: b, group_wait: soon}\nreceivers: [{name: a, slack_confgs: []}]\n")
    assert (told.exit_code, console.routes()) == (1, 1)
    assert re.findall(r"alertmanager\.yml:(\d+:\d+): ", told.stderr) == ["1:19", "1:34", "2:13", "2:23"]


def test_a_root_of_somebody_elses_names_the_way_out(console: Console) -> None:
    console.bring_in(file("minimal"), "--name", "one")
    told = console.bring_in(file("minimal"), "--name", "two")
    assert (told.exit_code, "say --force if that is meant" in told.stderr) == (1, True)
    assert console.bring_in(file("minimal"), "--name", " ").exit_code == 2


@pytest.mark.peer("amtool")
@pytest.mark.parametrize("name", sorted(one.stem for one in FILES.glob("*.yml")))
def test_amtool_takes_what_is_exported_and_an_import_of_it_changes_nothing(
    console: Console, tmp_path: Path, name: str
) -> None:
    require_peer("amtool")
    console.bring_in(file(name))
    for arguments in ([], ["--secrets"]):
        exported = tmp_path / f"exported{len(arguments)}.yml"
        assert console.export("-o", str(exported), *arguments).exit_code == 0
        assert (exported.stat().st_mode & 0o777, exported.read_text(encoding="utf-8")) == (
            0o600,
            console.export(*arguments).stdout,
        )
        checked = subprocess.run(
            [str(find_binary("amtool")), "check-config", str(exported)], capture_output=True, check=False, timeout=60
        )
        assert checked.returncode == 0, checked.stdout
    told = console.bring_in(exported.read_text(encoding="utf-8"), "-o", "json")
    assert json.loads(told.stdout) == []


def test_an_export_to_where_nothing_can_be_written_is_told(console: Console, tmp_path: Path) -> None:
    told = console.export("-o", str(tmp_path / "nowhere" / "am.yml"))
    assert (told.exit_code, "no such file or directory" in told.stderr) == (2, True)
