"""A throw-away Alertmanager from the installed program, told its alerts over its own API."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import urllib.request
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.peers.processes import await_start, end, free_port
from tests.peers.require import find_binary, require_peer

START = timedelta(seconds=30)


class AlertmanagerServer:
    """One real Alertmanager for the length of a `with` block; `configuration` is its file's content, or its text."""

    def __init__(self, configuration: Mapping[str, Any] | str, *, environment: Mapping[str, str] | None = None) -> None:
        self._configuration = configuration
        self._environment = {**os.environ, **(environment or {})}
        self._port = free_port()
        self._home = Path()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def pid(self) -> int:
        assert self._process is not None, "it has never been started"
        return self._process.pid

    def __enter__(self) -> Self:
        require_peer("prometheus-alertmanager")
        self._home = Path(tempfile.mkdtemp(prefix="tocsin-alertmanager-"))
        try:
            self._write(self._configuration)
            self.start()
        except BaseException:
            shutil.rmtree(self._home, ignore_errors=True)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        shutil.rmtree(self._home, ignore_errors=True)

    def start(self) -> None:
        """Start it on what it has kept, and wait until it is ready."""
        log = self._home / "log"
        arguments = [
            str(find_binary("prometheus-alertmanager")),
            "--config.file=alertmanager.yml",
            "--storage.path=data",
            f"--web.listen-address=127.0.0.1:{self._port}",
            "--cluster.listen-address=",
            "--log.level=warn",
        ]
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                arguments, stdout=output, stderr=output, cwd=self._home, env=self._environment
            )
        await_start(self._process, self._ready, log=log, within=START)

    def stop(self) -> None:
        """End it as a supervisor would; it then writes down its silences and what it has told."""
        if self._process is not None:
            end(self._process)

    def reload(self, configuration: Mapping[str, Any] | str) -> None:
        """Put another configuration in force; HTTPError when it refuses."""
        self._write(configuration)
        self._ask("POST", "/-/reload")

    def post(self, alerts: Sequence[Mapping[str, Any]]) -> None:
        """Tells it these alerts, as Prometheus would."""
        self._ask("POST", "/api/v2/alerts", list(alerts))

    def alerts(self) -> list[dict[str, Any]]:
        """Its live alerts, each with the status it has now."""
        found: list[dict[str, Any]] = json.loads(self._ask("GET", "/api/v2/alerts"))
        return found

    def groups(self) -> list[dict[str, Any]]:
        """Its groups, each with its receiver, its labels and the alerts in it."""
        found: list[dict[str, Any]] = json.loads(self._ask("GET", "/api/v2/alerts/groups"))
        return found

    def silence(self, content: Mapping[str, Any]) -> str:
        """Make this silence, or edit the one its `id` names; its id from then on."""
        number: str = json.loads(self._ask("POST", "/api/v2/silences", content))["silenceID"]
        return number

    def expire(self, silence_id: str) -> None:
        """End this silence."""
        self._ask("DELETE", f"/api/v2/silence/{silence_id}")

    def _ask(self, method: str, path: str, content: Any = None) -> bytes:
        body = None if content is None else json.dumps(content).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.url}{path}", data=body, headers=headers, method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            found: bytes = answer.read()
        return found

    def _write(self, configuration: Mapping[str, Any] | str) -> None:
        # JSON is YAML enough for it.
        text = configuration if isinstance(configuration, str) else json.dumps(configuration)
        (self._home / "alertmanager.yml").write_text(text, encoding="utf-8")

    def _ready(self) -> bool:
        try:
            self._ask("GET", "/-/ready")
        except OSError:
            return False
        return True
