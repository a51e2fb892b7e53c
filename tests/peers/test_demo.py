"""The demo as its users run it: a process of its own, a real Prometheus, a real engine."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.demo.living import descendants, gone
from tests.peers.processes import end, wait_until
from tests.peers.require import require_peer

ROOT = Path(__file__).parents[2]
DEMO = "import sys; from api.demo.story import main; sys.exit(main(keep_running=False))"
SOON = timedelta(seconds=10)
ORDER = (
    r"prometheus +scrapes checkout-1",
    r"tocsin +serves http://127\.0\.0\.1:\d+",
    r"sql +UPDATE routes SET group_wait_seconds = 2",
    r"sql +INSERT INTO alert_rules",
    r"rule +in force and healthy",
    r"service +checkout-1 starts to fail: error_rate 0\.8 → 27\.4",
    r"pending +High Error Rate on checkout-1",
    r"FIRING +value 27\.4, threshold 10",
    r"told +all three channels\.",
    r"curl -X POST",
    r"service +checkout-1 recovers: error_rate 27\.4 → 0\.8",
    r"resolved +High Error Rate",
    r"told +all three channels that it is over",
)
SUMMARY = r"27\.4 % errors in checkout"
HEARD = (
    rf"slack +\[FIRING:1\] High Error Rate \(critical\): {SUMMARY} \[danger\]",
    rf"pagerduty +incident opened \(critical\): .*{SUMMARY}",
    r"email +to oncall@example\.org: \[FIRING:1\] High Error Rate",
    r"slack +\[RESOLVED\] High Error Rate",
    r"pagerduty +incident resolved",
    r"email +to oncall@example\.org: \[RESOLVED\] High Error Rate",
)


@contextmanager
def demo(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Runs it with its output in `folder`/out and all its temporary files in `folder`/tmp."""
    require_peer("prometheus")
    (folder / "tmp").mkdir()
    environment = {**os.environ, "TMPDIR": str(folder / "tmp")}
    with (folder / "out").open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-c", DEMO], cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out
        )
    try:
        yield process
    finally:
        end(process)


def wait_for_line(folder: Path, words: str, *, within: timedelta = timedelta(seconds=60)) -> str:
    """What the demo has told, once the words are in it."""
    out = folder / "out"
    wait_until(lambda: words in out.read_text(), what=f"{words} in\n{out.read_text()}", within=within)
    return out.read_text()


def paste(told: str) -> Any:
    """Do what the printed curl line does."""
    command = told[told.index("curl -X POST") :].partition("\nsqlite3")[0]
    words = shlex.split(command)
    body, headers = words[words.index("-d") + 1].encode(), {"Content-Type": "application/json"}
    request = urllib.request.Request(words[3], data=body, headers=headers, method="POST")
    with urllib.request.urlopen(request, timeout=5) as answer:
        return json.load(answer)


def position(pattern: str, told: str) -> int:
    """Where the one line like this begins."""
    found = [match.start() for match in re.finditer(pattern, told)]
    assert len(found) == 1, f"{pattern} is told {len(found)} times in\n{told}"
    return found[0]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The whole story, told to a pipe."""
    folder = tmp_path_factory.mktemp("demo")
    with demo(folder) as process:
        status = process.wait(90)
    story = (folder / "out").read_text()
    assert (status, list((folder / "tmp").iterdir())) == (0, []), story
    return story


def test_the_story_is_told_in_its_order(told: str) -> None:
    places = [position(pattern, told) for pattern in ORDER]
    assert places == sorted(places), told


def test_each_channel_hears_once_that_it_fires_and_once_that_it_is_over(told: str) -> None:
    places = [position(pattern, told) for pattern in HEARD]
    assert max(places[:3]) < position(r"told +all three channels\.", told) < min(places[3:])


def test_from_the_engines_start_to_the_end_it_is_less_than_a_minute(told: str) -> None:
    seconds = [float(match) for match in re.findall(r"^ +(\d+\.\d)s ", told, re.MULTILINE)]
    assert seconds == sorted(seconds)
    assert seconds[-1] < 60


def test_the_story_is_plain_short_and_narrow_enough_to_be_shown(told: str) -> None:
    assert "\x1b" not in told
    assert len(told.splitlines()) <= 45
    assert max(map(len, told.splitlines())) <= 130


def test_the_printed_line_silences_the_alert_and_ctrl_c_leaves_nothing(tmp_path: Path) -> None:
    with demo(tmp_path) as process:
        silence = paste(wait_for_line(tmp_path, "sqlite3 "))
        assert silence["matched_alerts"] == 1
        started = descendants(process.pid)
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
    assert len(started) >= 2
    assert [pid for pid in started if not gone(pid)] == []
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux' kernel ends the children of one that is killed")
def test_even_one_that_is_killed_leaves_no_process(tmp_path: Path) -> None:
    with demo(tmp_path) as process:
        wait_for_line(tmp_path, "rule       in force")
        started = descendants(process.pid)
        process.kill()
        process.wait()
        wait_until(lambda: all(map(gone, started)), what=f"the end of {started}", within=SOON)
    assert len(started) >= 2
