"""`tocsin compare`: the log of webhooks it reads and writes, and what it says when it is told something wrong."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from api.commands import comparing
from engine.comparing import LogError, heard
from engine.settings import load
from engine.store.database import Database
from rules.labels import Labels
from tests.architecture.sources import ROOT
from tests.peers.processes import end, free_port, wait_until

BODY = {
    "receiver": "ops",
    "groupLabels": {"alertname": "Down"},
    "alerts": [
        {
            "status": "firing",
            "labels": {"i": "a"},
            "startsAt": "2026-03-01T12:00:00Z",
            "endsAt": "0001-01-01T00:00:00Z",
        },
        {
            "status": "resolved",
            "labels": {"i": "b"},
            "startsAt": "2026-03-01T11:00:00Z",
            "endsAt": "2026-03-01T12:30:00Z",
        },
    ],
}


def run(database: Database, *arguments: str) -> Result:
    @contextmanager
    def opened() -> Iterator[Database]:
        yield database

    app = typer.Typer()
    comparing.add(app, opened, lambda: load({}))
    return CliRunner().invoke(app, list(arguments))


def test_a_line_is_read_with_the_time_it_came_or_that_of_its_newest_alert() -> None:
    lines = [json.dumps({"at": "2026-03-01T12:31:00+00:00", "body": BODY}), "", json.dumps(BODY)]
    first, second = heard(lines)
    assert (first.at.isoformat(), second.at.isoformat()) == ("2026-03-01T12:31:00+00:00", "2026-03-01T12:30:00+00:00")
    assert (first.receiver, first.group) == ("ops", Labels({"alertname": "Down"}))
    assert (set(first.firing), set(first.resolved)) == ({Labels({"i": "a"})}, {Labels({"i": "b"})})


@pytest.mark.parametrize(
    "line", ["{", "5", "[]", "{}", '{"body": {"alerts": 5}}', '{"body": null}', json.dumps({**BODY, "alerts": []})]
)
def test_a_line_that_is_no_body_is_named(line: str) -> None:
    with pytest.raises(LogError, match="line 2 is no webhook body"):
        heard(["", line])


def test_a_message_that_only_one_side_told_is_unexplained_and_the_exit_code_says_so(
    database: Database, tmp_path: Path
) -> None:
    log = tmp_path / "told.jsonl"
    # The stand-in's database lives at noon.
    log.write_text(json.dumps({"at": "2026-11-21T11:00:00+00:00", "body": BODY}) + "\n")
    told = run(database, str(log), "-o", "json")
    (row,) = json.loads(told.stdout)
    assert (told.exit_code, row["because"], row["tocsin"]) == (1, "unexplained", "nothing")
    assert row["alertmanager"].startswith("firing i=")
    log.write_text("")
    assert run(database, str(log)).exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "name the LOG"),
        (["nowhere.jsonl"], "no such file"),
        (["{log}", "--within", "soon"], "soon"),
        (["{log}", "--listen", "here"], "give HOST:PORT"),
        (["{bad}"], "line 1 is no webhook body"),
    ],
)
def test_what_is_wrong_is_told(database: Database, tmp_path: Path, arguments: list[str], said: str) -> None:
    (tmp_path / "log").write_text("")
    (tmp_path / "bad").write_text("x\n")
    places = {"log": str(tmp_path / "log"), "bad": str(tmp_path / "bad")}
    told = run(database, *(one.format(**places) for one in arguments))
    assert (told.exit_code, said in told.stderr) == (2, True), told.stderr


def test_webhooks_are_written_down_until_it_is_ended(tmp_path: Path) -> None:
    port, log = free_port(), tmp_path / "told.jsonl"
    code = "import tocsin_boot; tocsin_boot.main()"
    command = [sys.executable, "-c", code, "compare", str(log), "--listen", f"127.0.0.1:{port}"]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL)

    def post(content: bytes) -> int:
        request = urllib.request.Request(f"http://127.0.0.1:{port}/", data=content, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0

    try:
        wait_until(lambda: post(json.dumps(BODY).encode()) == 200, what="it to listen", within=timedelta(seconds=60))
        assert post(b"{") == 400
        (one,) = heard(log.read_text(encoding="utf-8").splitlines())
        assert one.receiver == "ops"
    finally:
        end(process, signal.SIGTERM)
    assert process.returncode == 0
