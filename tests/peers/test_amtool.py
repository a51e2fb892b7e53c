"""The real amtool against Tocsin, through a key as an operator would have one: every command that asks a running Alertmanager."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from tests.peers.engine_process import EngineProcess
from tests.peers.require import find_binary, require_peer
from tests.peers.surroundings import connection

pytestmark = pytest.mark.peer("alertmanager")

KEY: Final = "0123456789abcdef0123456789abcdef"
SQL: Final = """
INSERT INTO channels (name, kind, url, settings) VALUES
    ('chat', 'slack', 'https://hooks.slack.com/services/T0/B0/verysecret', '{"channel": "#ops"}'),
    ('pager', 'pagerduty', 'verysecretkey', '{}'),
    ('mail', 'email', 'smtp://me:verysecret@mail.example:25', '{"to": "ops@example.org"}'),
    ('hook', 'webhook', 'https://hooks.example/verysecret', '{}');
UPDATE routes SET receiver = 'ops', channels = '["chat", "mail"]', group_wait_seconds = 1 WHERE id = 'root';
INSERT INTO time_intervals (name, time_intervals)
VALUES ('nights', '[{"times": [{"start_time": "22:00", "end_time": "24:00"}], "weekdays": ["monday:friday"],
                     "location": "Europe/Berlin"}]');
INSERT INTO routes (id, parent_id, position, receiver, channels, matchers, "continue", mute_time_intervals, group_by)
VALUES ('db', 'root', 1, 'db', '["pager", "hook"]', '["team=db", "severity=~\\"critical|page\\""]', true,
        '["nights"]', '["..."]');
INSERT INTO routes (id, parent_id, position, channels, matchers, repeat_interval_seconds)
VALUES ('unnamed', 'root', 2, '["hook"]', '["team=web"]', 5400);
INSERT INTO inhibit_rules (id, source_matchers, target_matchers, equal)
VALUES ('i', '["alertname=Down"]', '["alertname=Slow"]', '["instance"]')
"""


@dataclass
class Amtool:
    """amtool, pointed at an engine."""

    url: str
    folder: Path

    def __call__(self, *words: str, stdin: str = "", fails: bool = False) -> str:
        done = subprocess.run(
            [
                str(find_binary("amtool")),
                *words,
                f"--alertmanager.url={self.url}",
                f"--http.config.file={self.folder}/http.yml",
            ],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
            env={"HOME": str(self.folder), "USER": "ana"},
        )
        assert (done.returncode != 0) is fails, done.stdout + done.stderr
        return done.stdout + done.stderr if fails else done.stdout

    def json(self, *words: str) -> Any:
        return json.loads(self(*words, "-o", "json"))


@pytest.fixture(scope="module")
def amtool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Amtool]:
    require_peer("prometheus-alertmanager")
    folder = tmp_path_factory.mktemp("engine")
    url = f"sqlite:///{folder}/tocsin.db"
    (folder / "http.yml").write_text(f"authorization:\n  credentials: {KEY}\n")
    with EngineProcess({"TOCSIN_DATABASE_URL": url, "TOCSIN_API_KEYS": KEY}, folder=folder) as engine:
        with closing(connection(url)) as database:
            for statement in SQL.split(";\n"):
                database.execute(statement)
        yield Amtool(f"{engine.url}/alertmanager", folder)


def test_alerts_are_added_and_queried(amtool: Amtool) -> None:
    amtool(
        "alert", "add", "alertname=Down", "instance=a", "--annotation=summary=no answer", "--generator-url=http://p/"
    )
    amtool("alert", "add", "alertname=Slow", "instance=a", "team=web")
    amtool("alert", "add", "alertname=Slow", "instance=b", "--end=2099-01-01T00:00:00Z")
    shown = amtool("alert", "query", "alertname=Slow")
    assert [line.split()[0] for line in shown.splitlines()] == ["Alertname", "Slow"]
    found = amtool.json("alert", "query", "--inhibited", "--receiver=hook")
    assert [(one["labels"]["instance"], one["status"]["state"]) for one in found] == [("a", "suppressed")]
    extended = amtool("alert", "query", "-o", "extended", 'alertname=~"D.*"')
    assert all(word in extended for word in ("Down", "no answer", "http://p/"))


def test_silences_are_added_updated_expired_and_imported(amtool: Amtool) -> None:
    silence_id = amtool("silence", "add", "alertname=Quiet", "--comment=known", "--duration=2h", "--author=ben").strip()
    (found,) = amtool.json("silence", "query", "alertname=Quiet")
    assert (found["id"], found["createdBy"], found["comment"], found["status"]) == (
        silence_id, "ben", "known", {"state": "active"},
    )  # fmt: skip
    amtool("silence", "update", silence_id, "--duration=3h", "--comment=longer")
    (updated,) = amtool.json("silence", "query", "alertname=Quiet")
    assert (updated["id"], updated["comment"]) == (silence_id, "longer")
    assert silence_id in amtool("silence", "query", "--created-by=ben", "-q")
    exported = json.dumps(amtool.json("silence", "query", "alertname=Quiet"))
    amtool("silence", "expire", silence_id)
    assert amtool.json("silence", "query", "alertname=Quiet") == []
    assert [one["id"] for one in amtool.json("silence", "query", "--expired", "alertname=Quiet")] == [silence_id]
    amtool("silence", "import", "--force", stdin=exported)
    (again,) = amtool.json("silence", "query", "alertname=Quiet")
    assert (again["comment"], again["id"] != silence_id) == ("longer", True)
    assert "404" in amtool("silence", "expire", "11111111-1111-1111-1111-111111111111", fails=True)


def test_the_configuration_is_shown_its_routes_are_tested_and_nothing_secret_is_in_it(amtool: Amtool) -> None:
    shown = amtool("config", "show")
    assert "verysecret" not in shown
    assert "#ops" in shown
    assert amtool("config", "routes", "test", "team=db", "severity=page").strip() == "db"
    assert amtool("config", "routes", "test", "team=web").strip() == "hook"
    assert amtool("config", "routes", "test", "team=db").strip() == "ops"
    routes = amtool("config", "routes", "show")
    assert "receiver: db" in routes
    checked = amtool.folder / "alertmanager.yml"
    checked.write_text(shown)
    told = subprocess.run(
        [str(find_binary("amtool")), "check-config", str(checked)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert told.returncode == 0, told.stdout + told.stderr
    assert "1 inhibit rules" in told.stdout
    assert "3 receivers" in told.stdout


def test_the_cluster_is_shown(amtool: Amtool) -> None:
    assert "disabled" in amtool("cluster", "show")


def test_without_a_key_nothing_is_told(amtool: Amtool) -> None:
    (amtool.folder / "nothing").mkdir()
    (amtool.folder / "nothing" / "http.yml").write_text("{}\n")
    stranger = Amtool(amtool.url, amtool.folder / "nothing")
    assert "401" in stranger("alert", "query", fails=True)
