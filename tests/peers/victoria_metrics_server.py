"""A throw-away VictoriaMetrics from the installed program, as its package starts it: with all its defaults."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import urllib.request
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode

from tests.peers.processes import await_start, end, free_port, wait_until
from tests.peers.require import find_binary, require_peer

START = timedelta(seconds=30)


class VictoriaMetricsServer:
    """One real VictoriaMetrics for the length of a `with` block, which scrapes `targets` (host:port) every second."""

    def __init__(self, *, targets: Sequence[str] = ()) -> None:
        self._targets = targets
        self._port = free_port()
        self._home = Path()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def __enter__(self) -> Self:
        require_peer("victoria-metrics")
        self._home = Path(tempfile.mkdtemp(prefix="tocsin-victoria-metrics-"))
        try:
            self._start()
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

    def result(self, expr: str) -> Any:
        """The plain `data.result` of an instant query for what is known this moment, without any code of ours."""
        question = urlencode({"query": expr, "nocache": "1"})
        with urllib.request.urlopen(f"{self.url}/api/v1/query?{question}", timeout=10) as answer:
            return json.load(answer)["data"]["result"]

    def wait_for(self, expr: str, *, within: timedelta = timedelta(seconds=20)) -> None:
        """Returns once the expression has a result."""
        wait_until(lambda: bool(self.result(expr)), what=f"a result of {expr}", within=within)

    def _start(self) -> None:
        scrape = {"job_name": "test", "static_configs": [{"targets": list(self._targets)}]}
        configuration = {"global": {"scrape_interval": "1s"}, "scrape_configs": [scrape]}
        (self._home / "scrape.yml").write_text(json.dumps(configuration))
        log = self._home / "log"
        arguments = [
            f"-httpListenAddr=127.0.0.1:{self._port}",
            "-storageDataPath=data",
            "-promscrape.config=scrape.yml",
            "-memory.allowedBytes=64MB",
        ]
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [str(find_binary("victoria-metrics")), *arguments], stdout=output, stderr=output, cwd=self._home
            )
        await_start(self._process, self._ready, log=log, within=START)

    def _ready(self) -> bool:
        try:
            urllib.request.urlopen(f"{self.url}/health", timeout=2).close()
        except OSError:
            return False
        return True
