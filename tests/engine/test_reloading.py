"""TOCSIN_ALERTMANAGER_FILE: in force from the start, again on SIGHUP or by hand, together with the rule files or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from engine.clock import SystemClock
from engine.importing import ImportRefusedError
from engine.service import Service, build
from engine.settings import load
from engine.store import configuration_imports, rule_imports
from engine.store.database import Database, connect
from tests.peers.processes import wait_until

SOON = timedelta(seconds=30)
RULES = "groups: [{name: g, rules: [{alert: A, expr: up == 0}]}]\n"


def file(receiver: str) -> str:
    return f"route: {{receiver: {receiver}}}\nreceivers: [{{name: {receiver}, webhook_configs: [{{url: 'http://127.0.0.1:9/'}}]}}]\n"


def receiver(database: Database) -> str:
    with database.read() as connection:
        (root,) = configuration_imports.standing(connection).routes
    return root.receiver


@contextmanager
def running(tmp_path: Path) -> Iterator[Service]:
    variables = {
        "TOCSIN_DATABASE_URL": f"sqlite:///{tmp_path / 'tocsin.db'}",
        "TOCSIN_PROMETHEUS_URL": "http://127.0.0.1:9",
        "TOCSIN_ALERTMANAGER_FILE": str(tmp_path / "am.yml"),
        "TOCSIN_RULE_FILES": str(tmp_path / "*.rules"),
    }
    service = build(load(variables))
    try:
        service.start()
        yield service
    finally:
        service.stop()


def test_the_file_is_in_force_from_the_start_and_read_again_when_asked(tmp_path: Path) -> None:
    (tmp_path / "am.yml").write_text(file("one"))
    with running(tmp_path) as service:
        assert receiver(service.database) == "one"
        (tmp_path / "am.yml").write_text(file("two"))
        service.reload_soon()
        wait_until(lambda: receiver(service.database) == "two", what="the file to be read again", within=SOON)
        (tmp_path / "am.yml").write_text(file("three"))
        (tmp_path / "a.rules").write_text(RULES)
        done = service.reload()
        # The rule and the channel; the root; the channel of before.
        assert (done.added, done.changed, done.removed, done.unchanged) == (2, 1, 1, 0)
        assert any("stands in the database in clear" in warning for warning in done.warnings)


@pytest.mark.parametrize("wrong", ["am.yml", "a.rules"])
def test_a_mistake_in_either_changes_neither(tmp_path: Path, wrong: str) -> None:
    (tmp_path / "am.yml").write_text(file("one"))
    with running(tmp_path) as service:
        (tmp_path / "am.yml").write_text(file("two"))
        (tmp_path / "a.rules").write_text(RULES)
        (tmp_path / wrong).write_text("nonsense: true\n")
        with pytest.raises(ImportRefusedError, match="mistakes"):
            service.reload()
        with service.database.read() as connection:
            assert list(rule_imports.every(connection)) == []
        assert receiver(service.database) == "one"


def test_a_start_with_a_wrong_file_is_a_start_with_what_stands(tmp_path: Path) -> None:
    (tmp_path / "am.yml").write_text(file("one"))
    with running(tmp_path):
        pass
    (tmp_path / "am.yml").unlink()
    with running(tmp_path):
        pass
    with closing(connect(str(tmp_path / "tocsin.db"), SystemClock())) as database:
        assert receiver(database) == "one"
