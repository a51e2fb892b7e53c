"""`tocsin check` as people call it, the examples of docs/check.md, and a live Prometheus that is asked."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from api.commands import checking
from api.schemas.rules import StatusOut, described
from engine.private_prometheus import PrivatePrometheus
from rules.formats import series_notation
from rules.lints import Lint
from rules.rule import Condition, Rule
from tests.api.commands.asking import page, serving, tocsin
from tests.architecture.sources import ROOT
from tests.peers.require import find_binary, require_peer

DOCUMENT = (ROOT / "docs/check.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## ([a-z-]+)\n(.*?)(?=^## |\Z)", DOCUMENT, re.MULTILINE | re.DOTALL))
BLOCK = re.compile(r"```(?:yaml)?\n(.*?)```", re.DOTALL)
CLEAN = "groups: [{name: g, rules: [{alert: A, expr: up == 0, for: 5m}]}]"


@dataclass(frozen=True)
class Folder:
    """A folder with a rule file, and the command in it, in this process."""

    path: Path
    prometheus: str = ""

    def check(self, text: str, *arguments: str) -> Result:
        (self.path / "rules.yml").write_text(text, encoding="utf-8")
        return self.ask(str(self.path / "rules.yml"), *arguments)

    def ask(self, *arguments: str) -> Result:
        app = typer.Typer()
        app.command()(checking.check)
        return CliRunner().invoke(app, list(arguments))

    def said(self, told: Result) -> list[str]:
        return told.stdout.replace(f"{self.path}/", "").splitlines()


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


@pytest.fixture(scope="module")
def prometheus() -> Iterator[str]:
    """The address of a Prometheus that has had `up` of one job and `errors_total` every 15 seconds for ten minutes."""
    require_peer("prometheus")
    program = find_binary("prometheus")
    assert program is not None
    now = datetime.now(UTC)
    series = ['up{job="api",instance="a"}', 'up{job="db",instance="b"}', 'errors_total{job="api"}']
    stamps = [int((now - at * timedelta(seconds=15)).timestamp() * 1000) - 12_000 for at in range(40, -1, -1)]
    with PrivatePrometheus(program) as running:
        running.write((series_notation.labels(one), [(at, 1.0) for at in stamps]) for one in series)
        yield running.url


def test_every_lint_is_documented_and_every_documented_lint_is_one() -> None:
    assert set(SECTIONS) == set(Lint)


@pytest.mark.parametrize("name", SECTIONS)
def test_a_documented_example_is_told_as_documented_and_its_fix_is_not(
    name: str, folder: Folder, prometheus: str
) -> None:
    bad, message, good = BLOCK.findall(SECTIONS[name])
    live = ("--prometheus", prometheus) if name in ("no-series", "short-range") else ()
    told = folder.check(bad, *live)
    if name == "no-series":
        message = message.replace('"api"', '"api", "db"')
    assert [line.partition("[")[0] and re.findall(r"\[([a-z-]+)\]$", line) for line in folder.said(told)] == [[name]]
    assert message.strip() in told.stdout
    assert told.exit_code == 3
    assert (folder.check(good, *live).exit_code, folder.check(good, *live).stdout) == (0, "")


def test_the_documented_line_is_the_one_that_is_written(folder: Folder) -> None:
    bad, _, _ = BLOCK.findall(SECTIONS["never-true"])
    assert folder.said(folder.check(bad)) == [BLOCK.findall(DOCUMENT)[0].strip()]


def test_a_mistake_is_told_at_its_place_before_any_lint_counts(folder: Folder) -> None:
    told = folder.check(
        "groups:\n- name: g\n  rules:\n  - {alert: A, exp: up}\n  - {alert: B, expr: 'x > 1', alert: C, for: 1m}"
    )
    assert told.exit_code == 1
    assert [line.partition(": group")[0] for line in folder.said(told)] == [
        "rules.yml:4:5: error",
        "rules.yml:4:16: error",
        "rules.yml:5:31: error",
    ]
    assert "1 file, 0 rules: 3 errors" in told.stderr


def test_a_file_that_cannot_be_read_is_a_mistake_and_the_others_are_checked(folder: Folder) -> None:
    folder.check(CLEAN)
    told = folder.ask(str(folder.path / "no.yml"), str(folder.path / "rules.yml"))
    assert folder.said(told) == ["no.yml:1:1: error: cannot be read: no such file or directory"]
    assert told.exit_code == 1
    assert "2 files, 1 rule: 1 error" in told.stderr


def test_a_recording_rule_is_a_note_and_no_lint(folder: Folder) -> None:
    told = folder.check("groups: [{name: g, rules: [{record: 'a:b', expr: sum(up)}]}]")
    stays = "the recording rule 'a:b' stays in Prometheus, which must go on evaluating it"
    assert folder.said(told) == [f"rules.yml:1:28: note: group 'g': rule 1 (a:b): {stays}"]
    assert told.exit_code == 0


def test_a_recording_rule_has_its_lints_too(folder: Folder) -> None:
    told = folder.check(
        "groups: [{name: g, rules: [{record: 'a:b', expr: count(ALERTS) < 0}, {record: 'a:b', expr: up}]}]"
    )
    found = [re.findall(r"\[([a-z-]+)\]$", line) for line in folder.said(told)]
    assert found == [[], ["never-true"], ["alerts-series"], [], ["duplicate-rule"]]


def test_lints_are_chosen_and_skipped_by_name(folder: Folder) -> None:
    text = "groups: [{name: g, rules: [{alert: A, expr: count(up) < 0}]}]"
    names = {option: folder.check(text, *option.split()).stdout for option in ("", "--lint all", "--skip missing-for")}
    assert all("[never-true]" in said for said in names.values())
    assert ["[missing-for]" in said for said in names.values()] == [True, True, False]
    assert folder.check(text, "--lint", "missing-for").exit_code == 3
    assert "never-true" not in folder.check(text, "--lint", "missing-for").stdout
    assert folder.check(text, "--lint", "none").exit_code == 0


def test_a_lint_that_is_none_is_a_usage_error_that_names_them(folder: Folder) -> None:
    for option in ("--lint", "--skip"):
        told = folder.check(CLEAN, option, "spelling")
        assert told.exit_code == 2
        assert "there is no lint 'spelling'; known are never-true, no-comparison" in told.stderr


def test_a_scrape_interval_makes_a_range_too_short(folder: Folder) -> None:
    text = "groups: [{name: g, rules: [{alert: A, expr: 'rate(x[1m]) > 0'}]}]"
    assert folder.check(text, "--scrape-interval", "30s").exit_code == 0
    assert "[short-range]" in folder.check(text, "--scrape-interval", "31s").stdout
    told = folder.check(text, "--scrape-interval", "soon")
    assert (told.exit_code, "--scrape-interval: 'soon' is not a duration" in told.stderr) == (2, True)


def test_remarks_come_as_json_when_asked_for(folder: Folder) -> None:
    told = folder.check("groups: [{name: g, rules: [{alert: A, expr: x}, {record: r, expr: x}]}]", "--format", "json")
    found = json.loads(told.stdout)
    assert [(one["level"], one["lint"], one["field"]) for one in found] == [
        ("warning", "missing-for", "for"),
        ("warning", "no-comparison", "expr"),
        ("note", None, "record"),
    ]
    assert found[1]["file"].endswith("rules.yml")
    assert (found[1]["line"], found[1]["column"]) == (1, 45)


def test_the_rules_of_a_running_tocsin_are_checked_and_told_by_their_ids(prometheus: str) -> None:
    rules = [
        Rule(id="gone", name="Gone", expr="count(up) == 0", hold=timedelta(minutes=1)),
        Rule(id="cpu", name="Cpu", metric_name="nothing", condition=Condition.ABOVE, threshold=5.0),
        Rule(id="fine", name="Fine", expr="up == 0", hold=timedelta(minutes=1)),
        Rule(id="broken", name="Broken", expr="up ==", hold=timedelta(minutes=1)),
    ]
    items = [described(rule, StatusOut()).model_dump(mode="json", by_alias=True) for rule in rules]
    with serving({"GET /rules": page(*items)}) as server:
        told = tocsin("check", "--rules", "--prometheus", prometheus, url=server.url)
        as_json = tocsin("check", "--rules", "--lint", "never-true", "--format", "json", url=server.url)
    found = [
        re.findall(r"^(\w+): (\w+): (?:\w+): (\w+): .*?(?:\[([a-z-]+)\])?$", line)[0] for line in told.out.splitlines()
    ]
    assert found == [
        ("gone", "warning", "expr", "never-true"),
        ("cpu", "warning", "for", "missing-for"),
        ("cpu", "warning", "expr", "no-series"),
        ("broken", "error", "expr", ""),
    ]
    assert (told.status, "4 rules: 1 error, 3 warnings" in told.err) == (1, True)
    assert [(one["rule"], one["line"], one["lint"]) for one in as_json.json] == [
        ("gone", None, "never-true"),
        ("broken", None, None),
    ]


def test_files_and_rules_are_one_or_the_other(folder: Folder) -> None:
    for arguments in ((), ("--rules", "rules.yml")):
        told = folder.ask(*arguments)
        assert told.exit_code == 2
        assert "name rule files to check, or say --rules" in told.stderr


LIVE = [
    ("up{job='api'} == 0", None),
    ("up offset 5m == 0", None),
    ("nothing > 0", "nothing matches nothing: there has been no metric 'nothing' within the last day"),
    ("nothing{a='b'} > 0", 'nothing{a="b"} matches nothing: there has been no metric'),
    ("up{zone='x'} == 0", 'up{zone="x"} matches nothing: no series of up has the label zone'),
    ("up{job=~'x.*',instance='a'} == 0", 'no series of up has job=~"x.*"; there is job = "api", "db"'),
    ("up{job='db',instance='a'} == 0", "each matcher matches something, but no series all of them"),
    ("{job='x'} > 0", '{job="x"} matches nothing: no series has had such labels within the last day'),
    ("{__name__=~'no.*'} > 0", "no series has had such labels"),
    ("{\"no.metric\",a='b'} > 0", "there has been no metric 'no.metric'"),
    ("up{job='x' or job='y'} == 0", None),
    ("absent(nothing)", None),
    ("absent_over_time(nothing[5m])", None),
    ("up == 0 unless nothing", None),
    ("a:b > 0", None),
    ("ALERTS > 0", None),
    ("rate(errors_total[10s]) > 0", "rate(errors_total[10s]) answers nothing"),
    ("rate(errors_total[5m]) > 0", None),
    (" + ".join(["nothing"] * 150), None),
    ("max_over_time(errors_total[10s]) > 0", None),
    ("rate(errors_total[10s:1s]) > 0", None),
]


@pytest.mark.parametrize(("expr", "message"), LIVE, ids=[expr for expr, _ in LIVE])
def test_the_live_prometheus_is_asked_what_a_selector_matches(
    expr: str, message: str | None, folder: Folder, prometheus: str
) -> None:
    rules = [{"alert": "A", "expr": expr}, {"record": "a:b", "expr": "sum(up)"}]
    text = json.dumps({"groups": [{"name": "g", "rules": rules}]})
    told = folder.check(text, "--prometheus", prometheus, "--lint", "no-series", "--lint", "short-range")
    warnings = [line for line in folder.said(told) if ": warning: " in line]
    assert len(warnings) == (message is not None)
    assert (message or "") in "".join(warnings)


def test_a_prometheus_that_does_not_answer_is_told(folder: Folder) -> None:
    told = folder.check(CLEAN, "--prometheus", "http://127.0.0.1:9")
    assert told.exit_code == 1
    assert "tocsin: --prometheus: http://127.0.0.1:9: [Errno 111] Connection refused" in told.stderr


def test_an_address_that_is_none_is_a_usage_error(folder: Folder) -> None:
    told = folder.check(CLEAN, "--prometheus", "localhost")
    assert told.exit_code == 2
    assert "--prometheus: url: must be http(s)://host" in told.stderr
