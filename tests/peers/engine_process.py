"""The engine as its operators run it: a process of its own, set up by its environment alone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from api.demo.stage import neutral
from tests.peers.processes import await_start, end, free_port, wait_until

ROOT: Final = Path(__file__).parents[2]
TOCSIN: Final = ("-c", "from api.cli import main; main()", "serve")
"""The command `tocsin serve`, whether or not it is installed."""
READY: Final = timedelta(seconds=40)
GRACE: Final = timedelta(seconds=15)
"""From SIGTERM to the end; a stop waits 10 s at most for what is under way."""

_OPENER: Final = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class EngineProcess:
    """An engine for the length of a `with` block, ready when it begins; its log is added to an error that leaves it.

    It may be started again after `kill` or `stop`, at the same address. `program` is what Python runs instead of
    `tocsin serve`. It is asked with the first of its TOCSIN_API_KEYS, where it has any.
    """

    def __init__(self, environment: Mapping[str, str], *, folder: Path, program: Sequence[str] = TOCSIN) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self._environment = {"TOCSIN_LISTEN": f"127.0.0.1:{port}", "TOCSIN_LOG_FORMAT": "json", **environment}
        self._program = program
        self._log = folder / f"engine-{port}.log"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            end(self._process, grace=GRACE)
        if error is not None:
            error.add_note(f"The engine's log:\n{self.log}")

    @property
    def pid(self) -> int:
        return self._running.pid

    @property
    def is_running(self) -> bool:
        """Whether it was started and has not ended since."""
        return self._process is not None and self._process.poll() is None

    @property
    def log(self) -> str:
        """All it has said on stdout and stderr, over all its starts."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def start(self) -> None:
        """Start it, and wait until /health/ready answers 200."""
        self.spawn()
        await_start(self._running, self._ready, log=self._log, within=READY)

    def spawn(self) -> None:
        """Start it without waiting for anything."""
        environment = {**neutral(os.environ), "PYTHONPATH": str(ROOT), **self._environment}
        with self._log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, *self._program],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=self._log.parent,
                env=environment,
            )

    def set_environment(self, **environment: str) -> None:
        """What the next start finds beside what it found before."""
        self._environment |= environment

    def kill(self) -> None:
        """End it as a power cut would."""
        end(self._running, signal.SIGKILL)

    def stop(self) -> None:
        """End it as a supervisor would; it must end by itself, and well."""
        self._running.send_signal(signal.SIGTERM)
        assert self.wait(GRACE) == 0

    def wait(self, within: timedelta) -> int:
        """Its exit status, negative for a signal, once it has ended by itself."""
        return self._running.wait(within.total_seconds())

    def wait_for_log(self, words: str, *, within: timedelta = timedelta(seconds=15)) -> None:
        """Returns once these words are in its log."""
        wait_until(lambda: words in self.log, what=f"{words!r} in the log", within=within)

    def get(self, path: str) -> tuple[int, Any]:
        """The status and the JSON of an answer."""
        return self._ask(urllib.request.Request(f"{self.url}{path}"))

    def post(self, path: str, body: Mapping[str, Any]) -> tuple[int, Any]:
        """The status and the JSON of an answer to this JSON."""
        headers = {"Content-Type": "application/json"}
        return self._ask(urllib.request.Request(f"{self.url}{path}", json.dumps(body).encode(), headers))

    def put(self, path: str, body: Mapping[str, Any]) -> tuple[int, Any]:
        """The status and the JSON of an answer to this JSON, to be put there."""
        headers = {"Content-Type": "application/json"}
        return self._ask(urllib.request.Request(f"{self.url}{path}", json.dumps(body).encode(), headers, method="PUT"))

    @property
    def _running(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "it has never been started"
        return self._process

    def _ask(self, request: urllib.request.Request) -> tuple[int, Any]:
        key = self._environment.get("TOCSIN_API_KEYS", "").partition(",")[0]
        if key:
            request.add_header("Authorization", f"Bearer {key}")
        try:
            with _OPENER.open(request, timeout=10) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as refusal:
            with refusal:
                return refusal.code, json.load(refusal)

    def _ready(self) -> bool:
        try:
            return self.get("/health/ready")[0] == HTTPStatus.OK
        except OSError:
            return False
