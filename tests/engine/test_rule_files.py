"""TOCSIN_RULE_FILES: loaded at the start, again on SIGHUP or by hand, and never half."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from engine.clock import SystemClock
from engine.importing import ImportRefusedError
from engine.reloading import AlertmanagerFile, Reloading
from engine.rule_files import ORIGIN, RuleFiles
from engine.service import Service, build
from engine.settings import load
from engine.store import rule_imports, schema
from engine.store.database import Database, connect
from rules.rule import Rule
from tests.peers.processes import wait_until

SOON = timedelta(seconds=30)


def group(name: str, *alerts: str) -> str:
    rules = ", ".join(f"{{alert: {alert}, expr: up > 1}}" for alert in alerts)
    return f"groups: [{{name: {name}, rules: [{rules}]}}]\n"


def rules(database: Database) -> list[Rule]:
    with database.read() as connection:
        return list(rule_imports.every(connection))


def names(database: Database) -> list[str]:
    return sorted(rule.name for rule in rules(database))


def reloading(files: RuleFiles) -> Reloading:
    return Reloading(files, AlertmanagerFile(database=files.database, file=None, environment={}))


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with closing(connect(str(tmp_path / "tocsin.db"), SystemClock())) as opened:
        schema.upgrade(opened.engine)
        yield opened


@contextmanager
def running(tmp_path: Path, pattern: str) -> Iterator[Service]:
    variables = {
        "TOCSIN_DATABASE_URL": f"sqlite:///{tmp_path / 'tocsin.db'}",
        "TOCSIN_PROMETHEUS_URL": "http://127.0.0.1:9",
        "TOCSIN_RULE_FILES": pattern,
    }
    service = build(load(variables))
    try:
        service.start()
        yield service
    finally:
        service.stop()


def test_the_files_of_all_patterns_are_read_each_of_them_once(database: Database, tmp_path: Path) -> None:
    for name in ("b.yml", "a.yml", "other.txt"):
        (tmp_path / name).write_text("groups: []")
    found = RuleFiles(database, [f"{tmp_path}/*.yml", f"{tmp_path}/a.yml", f"{tmp_path}/nothing/*.yml"]).files()
    assert [file.name for file in found] == ["a.yml", "b.yml"]


def test_a_rule_that_is_gone_from_the_files_is_removed(database: Database, tmp_path: Path) -> None:
    file = tmp_path / "a.yml"
    files = RuleFiles(database, [str(file)])
    file.write_text(group("g", "a", "b"))
    files.reload()
    file.write_text(group("g", "b", "c"))
    with pytest.raises(ImportRefusedError):
        files.reload()
    assert names(database) == ["a", "b"]
    done = files.reload(force=True)
    assert ([rule.name for rule in done.plan.added], names(database)) == (["c"], ["b", "c"])
    assert {rule.origin for rule in rules(database)} == {ORIGIN}


def test_a_file_with_a_mistake_or_none_at_all_leaves_what_stands(database: Database, tmp_path: Path) -> None:
    file = tmp_path / "a.yml"
    files = RuleFiles(database, [str(file)])
    file.write_text(group("g", "a"))
    files.reload()
    file.write_text("groups: [{name: g, rulez: []}]")
    with pytest.raises(ImportRefusedError, match="mistakes"):
        files.reload(force=True)
    file.unlink()
    with pytest.raises(ImportRefusedError):
        files.reload(force=True)
    reloading(files).reload_and_tell()
    assert names(database) == ["a"]


def test_without_files_a_reload_is_nothing(database: Database) -> None:
    files = RuleFiles(database, [])
    reloading(files).reload_and_tell()
    assert (reloading(files).is_used, files.reload(force=True).plan.is_empty) == (False, True)


def test_a_tick_reads_the_files_only_when_somebody_asked(database: Database, tmp_path: Path) -> None:
    file = tmp_path / "a.yml"
    file.write_text(group("g", "a"))
    files = reloading(RuleFiles(database, [str(file)]))
    files.tick()
    assert names(database) == []
    files.ask()
    files.tick()
    assert names(database) == ["a"]


def test_a_service_has_the_rules_of_the_files_from_its_start_and_reads_them_again_when_asked(tmp_path: Path) -> None:
    file = tmp_path / "a.yml"
    file.write_text(group("g", "a"))
    with running(tmp_path, f"{tmp_path}/*.yml") as service:
        assert names(service.database) == ["a"]
        file.write_text(group("g", "a", "b"))
        service.reload_soon()
        wait_until(lambda: names(service.database) == ["a", "b"], what="the rules to be read again", within=SOON)
        file.write_text(group("g", "a", "b", "c"))
        assert service.reload().added == 1


def test_a_service_starts_with_what_stands_when_its_files_are_wrong(tmp_path: Path) -> None:
    file = tmp_path / "a.yml"
    file.write_text(group("g", "a"))
    with running(tmp_path, str(file)):
        pass
    file.write_text("nonsense")
    with running(tmp_path, str(file)) as service:
        assert names(service.database) == ["a"]


def test_a_reload_tells_of_recording_rules_and_of_rules_that_can_do_no_good(database: Database, tmp_path: Path) -> None:
    rules = "[{record: 'a:b', expr: up}, {alert: a, expr: ALERTS > 0}, {alert: b, expr: count(up) < 0}]"
    (tmp_path / "a.yml").write_text(f"groups: [{{name: g, rules: {rules}}}]")
    done = RuleFiles(database, [str(tmp_path / "a.yml")]).reload()
    told = "\n".join(flaw.problem.message for flaw in done.warnings)
    for part in ("stays in Prometheus", "ALERTS has the alerts that Prometheus itself evaluates", "can never be true"):
        assert part in told
    assert names(database) == ["a", "b"]
