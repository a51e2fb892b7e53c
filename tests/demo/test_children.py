"""The demo's children: they end with the block, when asked twice, and with a parent that is killed."""

from __future__ import annotations

import socket
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from api.demo.children import Child, free_port
from tests.demo.living import gone
from tests.peers.processes import wait_until

ROOT = Path(__file__).parents[2]
SOON = timedelta(seconds=10)
WAITING = "import time; print('up', flush=True); time.sleep(60)"
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
STARTS_ONE_AND_IS_KILLED = """
import os, signal, sys, time
from pathlib import Path
from api.demo.children import Child
log = Path(sys.argv[1])
with Child([sys.executable, "-c", "import os, time; print(os.getpid(), flush=True); time.sleep(60)"], log=log):
    while not log.read_text().endswith("\\n"):
        time.sleep(0.01)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def python(code: str, log: Path, *arguments: str) -> Child:
    return Child([sys.executable, "-c", code, *arguments], log=log)


def up(child: Child) -> None:
    wait_until(lambda: child.last_words(1) == ["up"], what="the child to be up", within=SOON)


def over(child: Child) -> None:
    wait_until(lambda: child.ended is not None, what="the child to end", within=SOON)


def test_a_child_runs_for_the_length_of_the_block(tmp_path: Path) -> None:
    with python(WAITING, tmp_path / "log") as child:
        up(child)
        assert child.ended is None
    assert child.ended is not None


def test_a_child_that_ignores_the_request_to_end_is_killed(tmp_path: Path) -> None:
    with Child([sys.executable, "-c", DEAF], log=tmp_path / "log", grace=timedelta(seconds=0.2)) as child:
        up(child)
    assert child.ended == -9


def test_a_child_that_has_ended_by_itself_tells_its_status_and_its_last_words(tmp_path: Path) -> None:
    with python("print('a\\nb\\nc'); raise SystemExit(7)", tmp_path / "log") as child:
        over(child)
        assert (child.ended, child.last_words(2)) == (7, ["b", "c"])


def test_what_is_no_program_ends_with_a_reason_in_the_log(tmp_path: Path) -> None:
    with Child([str(tmp_path / "nothing")], log=tmp_path / "log") as child:
        over(child)
        assert "FileNotFoundError" in child.last_words(1)[0]


def test_a_child_works_beside_its_log_in_a_process_group_of_its_own(tmp_path: Path) -> None:
    code = "import os; print(os.getcwd(), os.getpgrp() == os.getpid())"
    with python(code, tmp_path / "log") as child:
        over(child)
        assert child.last_words(1) == [f"{tmp_path} True"]


def test_before_its_start_a_child_has_said_nothing_and_has_not_ended(tmp_path: Path) -> None:
    child = python(WAITING, tmp_path / "log")
    assert (child.last_words(3), child.ended) == ([], None)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux' kernel can be told to")
def test_a_child_dies_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    log = tmp_path / "log"
    parent = subprocess.run([sys.executable, "-c", STARTS_ONE_AND_IS_KILLED, log], cwd=ROOT, check=False)
    assert parent.returncode == -9
    wait_until(lambda: gone(int(log.read_text())), what="the child to die", within=SOON)


def test_a_free_port_can_be_listened_on() -> None:
    with socket.create_server(("127.0.0.1", free_port())) as server:
        assert server.getsockname()[1] > 0
