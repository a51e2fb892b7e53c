"""A throw-away Prometheus from the installed program, and an exporter whose metrics a test sets."""

from __future__ import annotations

import json
import shutil
import signal
import ssl
import subprocess
import tempfile
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode

from tests.peers.processes import await_start, end, free_port, wait_until
from tests.peers.require import find_binary, require_peer
from tests.servers import Request, Response, ScriptedServer

START = timedelta(seconds=30)


class Exporter:
    """Serves `text` as /metrics on loopback; `target` is what a scrape configuration names."""

    def __init__(self, text: str = "") -> None:
        self._text = text
        self._server = ScriptedServer(self._metrics)

    def set(self, text: str) -> None:
        """What the next scrape sees, in the exposition format; the final newline may be left out."""
        self._text = text

    @property
    def target(self) -> str:
        return f"127.0.0.1:{self._server.port}"

    @property
    def scrapes(self) -> int:
        """How often it has been scraped."""
        return len(self._server.requests)

    def __enter__(self) -> Self:
        self._server.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.__exit__(kind, error, trace)

    def _metrics(self, request: Request) -> Response:
        return Response(body=f"{self._text}\n".encode(), headers={"Content-Type": "text/plain; version=0.0.4"})


class PrometheusServer:
    """One real Prometheus for the length of a `with` block, with a data directory of its own.

    It scrapes `targets` (host:port) as job `test` and evaluates `rule_files` every `interval` (or `evaluation`), tells
    `alertmanagers` (host:port, under `alertmanager_path`, with the bearer token `alertmanager_key`), and takes further command
    line `flags`.
    `data` is a storage that is there already, and stays. With `web`, a file for `--web.config.file`, it speaks https; `trust`
    and `authorization` are what it is then asked with from here. `external_labels` are what it adds to the alerts it tells.
    `scrape` are more settings of its scraping.
    """

    def __init__(
        self,
        *,
        targets: Sequence[str] = (),
        interval: timedelta = timedelta(milliseconds=200),
        rule_files: Sequence[Path] = (),
        alertmanagers: Sequence[str] = (),
        alertmanager_path: str = "",
        alertmanager_key: str = "",
        flags: Sequence[str] = (),
        data: Path = Path("data"),
        scrape: Mapping[str, Any] | None = None,
        web: Path | None = None,
        trust: ssl.SSLContext | None = None,
        authorization: str = "",
        external_labels: Mapping[str, str] | None = None,
        evaluation: timedelta | None = None,
    ) -> None:
        self._targets, self._interval, self._rule_files = targets, interval, rule_files
        self._alertmanagers, self._flags, self._data = alertmanagers, flags, data
        self._alertmanager = {
            **({"path_prefix": alertmanager_path} if alertmanager_path else {}),
            **({"authorization": {"credentials": alertmanager_key}} if alertmanager_key else {}),
        }
        self._web, self._trust = web, trust
        self._external_labels = dict(external_labels or {})
        self._evaluation = evaluation or interval
        self._scrape = scrape or {}
        self._headers = {"Authorization": authorization} if authorization else {}
        self._port = free_port()
        self._home = Path()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"{'http' if self._web is None else 'https'}://127.0.0.1:{self._port}"

    @property
    def pid(self) -> int:
        assert self._process is not None, "it has never been started"
        return self._process.pid

    def __enter__(self) -> Self:
        require_peer("prometheus")
        self._home = Path(tempfile.mkdtemp(prefix="tocsin-prometheus-"))
        try:
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
        """Starts it on the same port and data as before, and returns when it is ready to answer queries."""
        (self._home / "prometheus.yml").write_text(json.dumps(self._configuration()))
        log = self._home / "log"
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [str(find_binary("prometheus")), *self._arguments()], stdout=output, stderr=output, cwd=self._home
            )
        await_start(self._process, self._ready, log=log, within=START)

    def stop(self) -> None:
        """Ends it as an operator would; its data stays until the `with` block is left."""
        if self._process is not None:
            end(self._process)

    def reload(self, *, targets: Sequence[str] | None = None, rule_files: Sequence[Path] | None = None) -> None:
        """Puts changed targets or rule files (their content too) in force; HTTPError when Prometheus refuses them."""
        self._targets = self._targets if targets is None else targets
        self._rule_files = self._rule_files if rule_files is None else rule_files
        (self._home / "prometheus.yml").write_text(json.dumps(self._configuration()))
        self._open("/-/reload", method="POST").close()

    def result(self, expr: str) -> Any:
        """The plain `data.result` of an instant query now, fetched without any code of ours under test."""
        with self._open(f"/api/v1/query?{urlencode({'query': expr})}") as answer:
            return json.load(answer)["data"]["result"]

    def wait_for(self, expr: str, *, within: timedelta = timedelta(seconds=10)) -> None:
        """Returns once the expression has a result, i.e. what a test exported has been scraped."""
        wait_until(lambda: bool(self.result(expr)), what=f"a result of {expr}", within=within)

    def _ready(self) -> bool:
        try:
            self._open("/-/ready", timeout=2).close()
        except OSError:
            return False
        return True

    def send(self, how: signal.Signals) -> None:
        """Does to it what a signal does: SIGKILL a power cut, SIGSTOP a machine that hangs, SIGCONT its awakening."""
        assert self._process is not None, "it has never been started"
        self._process.send_signal(how)
        if how is signal.SIGKILL:
            self._process.wait()

    def _open(self, path: str, *, method: str = "GET", timeout: float = 10) -> Any:
        request = urllib.request.Request(f"{self.url}{path}", method=method, headers=self._headers)
        return urllib.request.urlopen(request, timeout=timeout, context=self._trust)

    def _arguments(self) -> list[str]:
        return [
            "--config.file=prometheus.yml",
            f"--storage.tsdb.path={self._data}",
            f"--web.listen-address=127.0.0.1:{self._port}",
            "--web.enable-lifecycle",
            "--log.level=warn",
            *([] if self._web is None else [f"--web.config.file={self._web}"]),
            *self._flags,
        ]

    def _configuration(self) -> dict[str, Any]:
        interval, evaluation = (f"{span // timedelta(milliseconds=1)}ms" for span in (self._interval, self._evaluation))
        scrape = {"job_name": "test", "static_configs": [{"targets": list(self._targets)}], **self._scrape}
        receivers = [{**self._alertmanager, "static_configs": [{"targets": list(self._alertmanagers)}]}]
        return {
            "global": {
                "scrape_interval": interval,
                "scrape_timeout": interval,
                "evaluation_interval": evaluation,
                "external_labels": self._external_labels,
            },
            "rule_files": [str(path) for path in self._rule_files],
            "alerting": {"alertmanagers": receivers},
            "scrape_configs": [scrape],
        }
