"""Everything the story needs, on loopback and in one temporary folder, both gone when the `with` block is left."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections import deque
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import api
from api.demo.children import Child, free_port
from api.demo.engine_client import EngineClient, answer
from api.demo.sample_service import SampleService
from api.demo.stand_ins import PagerDutyStandIn, SlackStandIn, SmtpStandIn

INSTANCE: Final = "checkout-1"
_OURS: Final = ("TOCSIN_", "SLACK_", "PAGERDUTY_", "SMTP_", "SENTRY_", "LOG_", "ALERT_EVALUATION_", "HEALTH_CHECK_")
# Our packages may lie where only this process looks for them; the folder they were found in is handed down.
_SERVE: Final = "import sys; sys.path.insert(0, sys.argv.pop(1)); from api.cli import main; main()"


class Stage:
    """The service, Prometheus, the engine and the three services it tells.

    `heard` is what the stand-ins took, one line each, oldest first; whoever tells it takes it from the left.
    """

    def __init__(self, prometheus: Path) -> None:
        self.heard: deque[str] = deque()
        self.service = SampleService()
        self.slack = SlackStandIn(self.heard.append)
        self.pagerduty = PagerDutyStandIn(self.heard.append)
        self.mail = SmtpStandIn(self.heard.append)
        self.engine = EngineClient(f"http://127.0.0.1:{free_port()}")
        self.prometheus_url = f"http://127.0.0.1:{free_port()}"
        self.children: list[Child] = []
        self._binary = prometheus
        self._home = Path()
        self._open = ExitStack()

    @property
    def database(self) -> Path:
        return self._home / "tocsin.db"

    def __enter__(self) -> Self:
        with ExitStack() as opening:
            self._home = Path(tempfile.mkdtemp(prefix="tocsin-demo-"))
            opening.callback(shutil.rmtree, self._home, ignore_errors=True)
            for server in (self.service, self.slack, self.pagerduty, self.mail):
                opening.enter_context(server)
            self._open = opening.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    def start_prometheus(self) -> None:
        """A real one, asking the service every second."""
        scrape = {
            "job_name": "demo",
            "static_configs": [{"targets": [self.service.target], "labels": {"instance": INSTANCE}}],
        }
        configuration = {"global": {"scrape_interval": "1s", "scrape_timeout": "1s"}, "scrape_configs": [scrape]}
        (self._home / "prometheus.yml").write_text(json.dumps(configuration))
        address = self.prometheus_url.removeprefix("http://")
        flags = ("--config.file=prometheus.yml", "--storage.tsdb.path=data", f"--web.listen-address={address}")
        self._start(Child([str(self._binary), *flags, "--log.level=warn"], log=self._home / "prometheus.log"))

    def start_engine(self) -> None:
        """`tocsin serve`, as anyone would run it: configured by its environment alone."""
        home = str(Path(api.__file__).parents[1])
        command = [sys.executable, "-c", _SERVE, home, "serve"]
        environment = {**neutral(os.environ), **self._settings()}
        self._start(Child(command, log=self._home / "engine.log", environment=environment))

    def scraped(self) -> bool:
        """Whether Prometheus has seen the service."""
        found = answer(f"{self.prometheus_url}/api/v1/query?query=error_rate")
        return bool(found and found["data"]["result"])

    def told(self, status: str) -> frozenset[str]:
        """The channels that know: a message says `FIRING` or `RESOLVED`, an incident is open or was closed."""
        subjects = {
            "slack": [str(message["text"]) for message in self.slack.messages],
            "email": [str(mail.message["Subject"]) for mail in self.mail.messages],
        }
        told = {channel for channel, texts in subjects.items() if any(text.startswith(f"[{status}") for text in texts)}
        if self.pagerduty.incidents and bool(self.pagerduty.open) == (status == "FIRING"):
            told.add("pagerduty")
        return frozenset(told)

    def _start(self, child: Child) -> None:
        self.children.append(self._open.enter_context(child))

    def _settings(self) -> dict[str, str]:
        host, _, port = self.mail.host.partition(":")
        return {
            "TOCSIN_DATABASE_URL": f"sqlite:///{self.database}",
            "TOCSIN_PROMETHEUS_URL": self.prometheus_url,
            "TOCSIN_LISTEN": self.engine.base.removeprefix("http://"),
            "TOCSIN_EVALUATION_INTERVAL": "2s",
            "TOCSIN_LOG_LEVEL": "info",
            "SLACK_WEBHOOK_URL": self.slack.webhook_url,
            "PAGERDUTY_SERVICE_KEY": self.pagerduty.channel_url,
            "SMTP_HOST": host,
            "SMTP_PORT": port,
            "SMTP_FROM": "tocsin@example.org",
            "SMTP_TO": "oncall@example.org",
            "SMTP_TLS": "none",
        }


def neutral(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment without the settings and proxies of a real Tocsin: the demo must reach nobody but the stand-ins."""
    return {
        name: value
        for name, value in environment.items()
        if not name.upper().startswith(_OURS) and not name.upper().endswith("_PROXY")
    }
