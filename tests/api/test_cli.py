"""The command as a process: its exit codes, the one line it says when something is wrong, and its end."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from tests.peers.processes import end, wait_until

ROOT = Path(__file__).parents[2]
SECRET = "canary-91be"
FREE = "127.0.0.1:0"
SOON = timedelta(seconds=45)
COMMAND = ("-c", "from api.cli import main; main()")


@contextmanager
def started(arguments: Sequence[str], home: Path, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """The process running in `home` with these variables only; its output goes to the files out and err there."""
    with (home / "out").open("w") as out, (home / "err").open("w") as err:
        process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=home,
            env={"PYTHONPATH": str(ROOT), **environment},
            stdout=out,
            stderr=err,
            text=True,
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def tocsin(home: Path, *arguments: str, **environment: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a command that ends by itself."""
    with started((*COMMAND, *arguments), home, **environment) as process:
        status = process.wait(SOON.total_seconds())
    return status, (home / "out").read_text(), (home / "err").read_text()


def said(home: Path, text: str, where: str = "out") -> None:
    """Wait until the process has said `text`."""
    wait_until(lambda: text in (home / where).read_text(), what=f"{text!r} in {where}", within=SOON)


def address(home: Path) -> str:
    """Where a served process says that it listens."""
    said(home, '"event": "serving"', "err")
    lines = [json.loads(line) for line in (home / "err").read_text().splitlines()]
    return str(next(line["address"] for line in lines if line["event"] == "serving"))


def test_the_version_is_one_line(tmp_path: Path) -> None:
    status, out, err = tocsin(tmp_path, "--version")
    assert (status, err) == (0, "")
    assert out.startswith("tocsin ")
    assert len(out.splitlines()) == 1


def test_help_names_every_command(tmp_path: Path) -> None:
    status, out, _ = tocsin(tmp_path, "--help")
    assert status == 0
    assert all(f" {command} " in out for command in ("serve", "migrate", "demo"))


def test_help_waits_for_no_heavy_library(tmp_path: Path) -> None:
    loaded = (
        "import sys, api.cli; print({'uvicorn', 'fastapi', 'apprise', 'sqlalchemy', 'pydantic'} & set(sys.modules))"
    )
    with started(("-c", loaded), tmp_path) as process:
        assert process.wait(SOON.total_seconds()) == 0
    assert (tmp_path / "out").read_text() == "set()\n"


@pytest.mark.parametrize(
    ("command", "variable", "value"),
    [
        pytest.param("serve", "TOCSIN_LISTEN", "nowhere", id="wrong-value"),
        pytest.param("migrate", "TOCSIN_LISTN", "127.0.0.1:1", id="wrong-name"),
        pytest.param("serve", "TOCSIN_DATABASE_URL", f"mysql://u:{SECRET}@h/n", id="wrong-database-to-serve"),
        pytest.param("migrate", "TOCSIN_DATABASE_URL", f"mysql://u:{SECRET}@h/n", id="wrong-database-to-migrate"),
    ],
)
def test_a_wrong_setting_ends_with_2_and_one_line(tmp_path: Path, command: str, variable: str, value: str) -> None:
    status, out, err = tocsin(tmp_path, command, **{"TOCSIN_LISTEN": FREE, variable: value})
    assert (status, out) == (2, "")
    assert err.startswith(f"tocsin: {variable}: ")
    assert len(err.splitlines()) == 1
    assert SECRET not in err


@pytest.mark.parametrize(
    ("command", "url"),
    [
        pytest.param("serve", f"postgresql://u:{SECRET}@127.0.0.1:1/n", id="server"),
        pytest.param("serve", "sqlite:////nonexistent/folder/tocsin.db", id="folder-to-serve"),
        pytest.param("migrate", "sqlite:////nonexistent/folder/tocsin.db", id="folder-to-migrate"),
    ],
)
def test_a_database_that_is_away_ends_with_1_and_says_so(tmp_path: Path, command: str, url: str) -> None:
    status, _, err = tocsin(tmp_path, command, TOCSIN_LISTEN=FREE, TOCSIN_DATABASE_URL=url)
    assert status == 1
    assert "Traceback" not in err
    assert err.splitlines()[-1].startswith("tocsin: ")
    assert SECRET not in err


def test_an_unknown_option_ends_with_2(tmp_path: Path) -> None:
    status, _, err = tocsin(tmp_path, "migrate", "--chekc")
    assert status == 2
    assert "--chekc" in err


def test_migrate_says_from_where_to_where_and_then_that_nothing_is_to_do(tmp_path: Path) -> None:
    checked = tocsin(tmp_path, "migrate", "--check")
    assert checked[0] == 1
    assert "at revision none, not " in checked[2]
    first, again = tocsin(tmp_path, "migrate"), tocsin(tmp_path, "migrate")
    assert (first[0], again[0]) == (0, 0)
    assert first[1].startswith("Migrated the database from revision none to ")
    assert again[1].endswith(", the newest.\n")


def test_demo_hands_on_the_path_and_the_exit_code(tmp_path: Path) -> None:
    status, _, err = tocsin(tmp_path, "demo", "--prometheus", "/nonexistent/prometheus")
    assert status == 1
    assert "/nonexistent/prometheus is no program" in err


def test_an_address_that_is_taken_ends_with_1_before_anything_is_started(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = f"127.0.0.1:{other.getsockname()[1]}"
        status, _, err = tocsin(tmp_path, "serve", TOCSIN_LISTEN=taken)
    assert status == 1
    assert err.startswith(f"tocsin: TOCSIN_LISTEN: cannot listen on {taken}: address already in use")
    assert not (tmp_path / "tocsin.db").exists()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "Ctrl-C"])
def test_serve_answers_until_it_is_asked_to_stop(tmp_path: Path, how: signal.Signals) -> None:
    with started((*COMMAND, "serve"), tmp_path, TOCSIN_LISTEN=FREE) as process:
        with urllib.request.urlopen(f"http://{address(tmp_path)}/health/live", timeout=10) as answer:
            assert answer.status == 200
        end(process, how, grace=SOON)  # type: ignore[arg-type]  # Text or bytes does not matter to it.
    assert process.returncode == 0
    lines = [json.loads(line) for line in (tmp_path / "err").read_text().splitlines()]
    assert "stopping" in [line["event"] for line in lines]
    assert [line for line in lines if line["level"] in ("error", "critical")] == []


def test_a_hangup_has_the_rule_files_read_again_and_ends_nothing(tmp_path: Path) -> None:
    with started(stand_in("well"), tmp_path) as process:
        said(tmp_path, "application")
        process.send_signal(signal.SIGHUP)
        said(tmp_path, "reload")
        process.terminate()
        assert process.wait(SOON.total_seconds()) == 0


def test_a_second_engine_on_the_same_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    database = f"sqlite:///{tmp_path}/tocsin.db"
    with started((*COMMAND, "serve"), tmp_path, TOCSIN_LISTEN=FREE, TOCSIN_DATABASE_URL=database) as process:
        address(tmp_path)
        status, _, err = tocsin(tmp_path / "other", "serve", TOCSIN_LISTEN=FREE, TOCSIN_DATABASE_URL=database)
        assert status == 1
        assert err.splitlines()[-1].startswith(f"tocsin: another engine (process {process.pid}) runs")


def test_a_fallback_channel_that_cannot_be_used_is_warned_of_at_the_start(tmp_path: Path) -> None:
    with started((*COMMAND, "serve"), tmp_path, TOCSIN_LISTEN=FREE, TOCSIN_FALLBACK_CHANNEL="slack:env:NOPE"):
        said(tmp_path, "env:NOPE is unset", "err")


def stand_in(how: str, listen: str = FREE, within: str = "20") -> tuple[str, ...]:
    return ("-m", "tests.api.cli_engine", how, listen, within)


@pytest.mark.parametrize(
    ("how", "status", "steps"),
    [
        pytest.param("failing", 1, ["start", "application", "stop"], id="an-engine-that-fails-ends-the-process"),
        pytest.param("broken", 1, ["start", "stop"], id="one-that-cannot-start-is-stopped"),
        pytest.param("early", 0, ["start", "stop"], id="a-signal-during-the-start-is-not-lost"),
    ],
)
def test_the_process_lives_as_long_as_its_engine(tmp_path: Path, how: str, status: int, steps: list[str]) -> None:
    with started(stand_in(how), tmp_path) as process:
        assert process.wait(SOON.total_seconds()) == status
    assert (tmp_path / "out").read_text().split("\n")[1:-1] == steps


def test_it_answers_until_the_work_under_way_is_done(tmp_path: Path) -> None:
    with started(stand_in("slow"), tmp_path) as process:
        where = address(tmp_path)
        process.terminate()
        said(tmp_path, "drain")
        with urllib.request.urlopen(f"http://{where}/", timeout=5) as answer:
            assert answer.status == 204
        assert process.wait(SOON.total_seconds()) == 0
    assert (tmp_path / "out").read_text().split("\n")[1:-1] == ["start", "application", "drain", "stop"]


def test_what_does_not_stop_in_time_is_left_behind(tmp_path: Path) -> None:
    with started(stand_in("stuck", within="0.3"), tmp_path) as process:
        said(tmp_path, "application")
        process.terminate()
        assert process.wait(SOON.total_seconds()) == 1
    assert "did not stop within 0.3 s" in (tmp_path / "err").read_text()


def test_a_second_signal_ends_a_slow_stop_at_once(tmp_path: Path) -> None:
    with started(stand_in("stuck"), tmp_path) as process:
        said(tmp_path, "application")
        process.terminate()
        said(tmp_path, "stop")
        process.terminate()
        assert process.wait(SOON.total_seconds()) == -signal.SIGTERM


@pytest.mark.parametrize(("listen", "shown"), [("[::1]:0", "[::1]"), ("localhost:0", "localhost")])
def test_the_port_the_system_chose_is_the_one_in_links(tmp_path: Path, listen: str, shown: str) -> None:
    with started(stand_in("early", listen), tmp_path) as process:
        assert process.wait(SOON.total_seconds()) == 0
    _, port, url = (tmp_path / "out").read_text().splitlines()[0].split()
    assert int(port) > 0
    assert url == f"http://{shown}:{port}"


def test_the_doctor_says_what_is_well_and_what_is_not(tmp_path: Path) -> None:
    url = {"TOCSIN_DATABASE_URL": "sqlite:///t.db", "TOCSIN_PROMETHEUS_URL": "http://127.0.0.1:1"}
    status, _, err = tocsin(tmp_path, "doctor", **url)
    assert (status, "start tocsin serve" in err) == (1, True)
    tocsin(tmp_path, "migrate", **url)
    status, out, _ = tocsin(tmp_path, "doctor", **url)
    assert status == 1
    lines = {line.split(": ")[0]: line for line in out.splitlines()}
    assert lines["ok    audit"].endswith("each of 0 firing alerts has a next step, and nothing is overdue")
    assert "no process runs that does: evaluator,dispatcher,sender,api" in lines["bad   processes"]
    assert "refused" in lines["bad   datasource default"]
    assert "SLACK_WEBHOOK_URL" in lines["note  channel slack"]
    assert "log only" in lines["note  fallback channel"]
