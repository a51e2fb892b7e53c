"""A Prometheus of our own on loopback for the length of a `with`: it holds only what it is written, and answers PromQL over it.

It is the real program, so that an expression means exactly what it means in production; nothing is scraped and no rule is
evaluated by it. One head block of ten years takes samples of any age, in order for each series.
"""

from __future__ import annotations

import json
import socket
import subprocess
import threading
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Final, Self

import requests

from engine import remote_write
from engine.clock import SystemClock
from engine.prometheus import Answer, Prometheus, Series
from engine.remote_write import Point
from rules import durations
from rules.labels import Labels

ATTEMPTS: Final = 5
"""Ports tried; another program may take one between our look and Prometheus'."""
START: Final = timedelta(seconds=30)
STOP: Final = timedelta(seconds=10)
POLL: Final = timedelta(milliseconds=10)
_FLAGS: Final = (
    "--config.file=prometheus.yml",
    "--storage.tsdb.path=data",
    "--storage.tsdb.retention.time=100y",
    "--storage.tsdb.min-block-duration=10y",
    "--storage.tsdb.max-block-duration=10y",
    "--web.enable-remote-write-receiver",
    "--log.level=warn",
)


class PrometheusStartError(Exception):
    """The program did not start; the message is its own last words."""


class PrivatePrometheus:
    """`program` is the path of the program; `resolution` is the step of a subquery that names none."""

    def __init__(self, program: Path, *, resolution: timedelta = timedelta(minutes=1)) -> None:
        self._program, self._resolution = program, resolution
        self._clock = SystemClock()
        self._home = Path()
        self._open = ExitStack()
        self._process: subprocess.Popen[bytes] | None = None
        self._session = requests.Session()
        self._session.trust_env = False
        self.url = ""
        self._prometheus: Prometheus | None = None

    def __enter__(self) -> Self:
        with ExitStack() as undo:
            self._home = Path(undo.enter_context(TemporaryDirectory(prefix="tocsin-test-", ignore_cleanup_errors=True)))
            undo.enter_context(self._session)
            undo.callback(self._stop)
            self._start()
            self._open = undo.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    def write(self, series: Iterable[tuple[Labels, Sequence[Point]]]) -> None:
        """Store these points. Raises requests.RequestException when they are refused: some are older than what is there."""
        answer = self._session.post(
            f"{self.url}/api/v1/write", data=remote_write.request(series), headers=remote_write.HEADERS, timeout=60
        )
        if not answer.ok:
            raise requests.HTTPError(answer.text.strip()[:500], response=answer)

    def query(self, expr: str, at: datetime) -> Answer:
        """The expression's value at `at`. Raises QueryError."""
        assert self._prometheus is not None, "it has not been started"
        return self._prometheus.query(expr, at)

    def query_range(self, expr: str, start: datetime, end: datetime, step: timedelta) -> Sequence[Series]:
        """The expression's values from `start` to `end`, both included; at most 11,000 steps. Raises QueryError."""
        assert self._prometheus is not None, "it has not been started"
        return self._prometheus.query_range(expr, start, end, step)

    def _start(self) -> None:
        resolution = {"global": {"evaluation_interval": durations.format(self._resolution)}}
        (self._home / "prometheus.yml").write_text(json.dumps(resolution))
        for _ in range(ATTEMPTS):
            address = f"127.0.0.1:{_free_port()}"
            self.url = f"http://{address}"
            with (self._home / "log").open("wb") as log:
                self._process = subprocess.Popen(  # noqa: S603 - the program is the user's own choice
                    [str(self._program), *_FLAGS, f"--web.listen-address={address}"],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    cwd=self._home,
                )
            if self._comes_up(self._process):
                self._prometheus = Prometheus(self.url, timeout=timedelta(minutes=2), workers=1)
                return
        raise PrometheusStartError(self._last_words())

    def _comes_up(self, process: subprocess.Popen[bytes]) -> bool:
        """Whether the process answers; False when it has ended."""
        until = self._clock.monotonic() + START.total_seconds()
        while process.poll() is None:
            if self._is_ours():
                return True
            if self._clock.monotonic() > until:
                break
            self._clock.wait(threading.Event(), POLL)
        self._stop()
        return False

    def _is_ours(self) -> bool:
        """Whether what answers on the port is the process that was started, and ready."""
        try:
            self._session.get(f"{self.url}/-/ready", timeout=2).raise_for_status()
            answer = self._session.get(f"{self.url}/api/v1/status/runtimeinfo", timeout=2).json()
        except (requests.RequestException, ValueError):
            return False
        return bool(answer["data"]["CWD"] == str(self._home.resolve()))

    def _stop(self) -> None:
        process = self._process
        if process is None or process.poll() is not None:
            return
        process.terminate()
        try:
            process.wait(STOP.total_seconds())
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _last_words(self) -> str:
        lines = (self._home / "log").read_text(errors="replace").split("\n")
        return next((line for line in reversed(lines) if line.strip()), "it said nothing")[:500]


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port
