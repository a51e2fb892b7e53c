"""A throw-away Alertmanager from the installed program, told its alerts over its own API."""

from __future__ import annotations

import json
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
    """One real Alertmanager for the length of a `with` block; `configuration` is the content of its file."""

    def __init__(self, configuration: Mapping[str, Any]) -> None:
        self._configuration = configuration
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
        # JSON is YAML enough for it.
        (self._home / "alertmanager.yml").write_text(json.dumps(self._configuration))
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
            self._process = subprocess.Popen(arguments, stdout=output, stderr=output, cwd=self._home)
        try:
            await_start(self._process, self._ready, log=log, within=START)
        except BaseException:
            shutil.rmtree(self._home, ignore_errors=True)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            end(self._process)
        shutil.rmtree(self._home, ignore_errors=True)

    def post(self, alerts: Sequence[Mapping[str, Any]]) -> None:
        """Tells it these alerts, as Prometheus would."""
        body = json.dumps(list(alerts)).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.url}/api/v2/alerts", data=body, headers=headers)
        urllib.request.urlopen(request, timeout=10).close()

    def alerts(self) -> list[dict[str, Any]]:
        """Its live alerts, each with the status it has now."""
        with urllib.request.urlopen(f"{self.url}/api/v2/alerts", timeout=10) as answer:
            found: list[dict[str, Any]] = json.load(answer)
        return found

    def _ready(self) -> bool:
        try:
            urllib.request.urlopen(f"{self.url}/-/ready", timeout=2).close()
        except OSError:
            return False
        return True
