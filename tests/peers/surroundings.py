"""What lies around an engine: a metric, the real Prometheus that scrapes it, the services to tell, and a database.

Fixtures for a conftest to take over: `outside` once per database, on a Prometheus and a PostgreSQL of the whole run.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

import psycopg
import pytest

from api.demo.stand_ins import PagerDutyStandIn, SlackStandIn, SmtpStandIn
from tests.peers.engine_process import TOCSIN, EngineProcess
from tests.peers.postgres_server import PostgresServer
from tests.peers.processes import wait_until
from tests.peers.prometheus_server import Exporter, PrometheusServer

RULE: Final = "alert_rule_high_error_rate"
INSERT_RULE: Final = f"""\
INSERT INTO alert_rules (id, name, metric_name, condition, threshold, severity, notification_channels)
VALUES ('{RULE}', 'High Error Rate', 'error_rate', '>', 10.0, 'critical', '["slack", "pagerduty", "email"]')"""
HURRY: Final = "UPDATE routes SET group_wait_seconds = 1, group_interval_seconds = 2 WHERE id = 'root'"
SOON: Final = timedelta(seconds=30)


class Watched(NamedTuple):
    """A Prometheus and the one exporter it scrapes."""

    exporter: Exporter
    prometheus: PrometheusServer


class Outside:
    """Everything but the engine, for the length of a `with` block; the services' memories are empty at its beginning."""

    def __init__(self, watched: Watched, database_url: str, folder: Path) -> None:
        self.watched, self.database_url, self.folder = watched, database_url, folder
        self.slack, self.pagerduty, self.mail = SlackStandIn(), PagerDutyStandIn(), SmtpStandIn()
        self._open = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as opening:
            for service in (self.slack, self.pagerduty, self.mail):
                opening.enter_context(service)
            self.error_rate(1)
            self._open = opening.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    def engine(self, program: Sequence[str] = TOCSIN, **environment: str) -> EngineProcess:
        """An engine on this database and Prometheus that evaluates every second, and knows how to reach the services."""
        host, _, port = self.mail.host.partition(":")
        reaching = {
            "SLACK_WEBHOOK_URL": self.slack.webhook_url,
            "PAGERDUTY_SERVICE_KEY": self.pagerduty.channel_url,
            "SMTP_HOST": host,
            "SMTP_PORT": port,
            "SMTP_FROM": "tocsin@example.org",
            "SMTP_TO": "oncall@example.org",
            "SMTP_TLS": "none",
        }
        return self.engine_knowing_nobody(program, **{**reaching, **environment})

    def engine_knowing_nobody(self, program: Sequence[str] = TOCSIN, **environment: str) -> EngineProcess:
        """The same with no channel set up."""
        usual = {
            "TOCSIN_DATABASE_URL": self.database_url,
            "TOCSIN_PROMETHEUS_URL": self.watched.prometheus.url,
            "TOCSIN_EVALUATION_INTERVAL": "1s",
            "TOCSIN_NODE": "here",
        }
        return EngineProcess({**usual, **environment}, folder=self.folder, program=program)

    def sql(self, *statements: str) -> list[tuple[Any, ...]]:
        """Run them as a person at the database's own shell would, each in a transaction of its own; the last one's rows."""
        rows: list[tuple[Any, ...]] = []
        with closing(connection(self.database_url)) as opened:
            for statement in statements:
                cursor = opened.execute(statement)
                rows = cursor.fetchall() if cursor.description else []
        return rows

    def error_rate(self, percent: float) -> None:
        """Let the service fail that share of its requests, and wait until Prometheus knows."""
        self.watched.exporter.set(f'error_rate{{service="checkout"}} {percent}')
        self.watched.prometheus.wait_for(f"error_rate == {percent}")

    @property
    def told_by_slack(self) -> list[str]:
        return [_status(str(message["text"])) for message in self.slack.messages]

    @property
    def told_by_mail(self) -> list[str]:
        return [_status(str(mail.message["Subject"])) for mail in self.mail.messages]

    @property
    def told_by_pagerduty(self) -> list[str]:
        """The actions of all events, whatever they did to an incident."""
        return [str(event["event_action"]) for event in self.pagerduty.messages]

    def wait_until_all_know(self, status: str) -> None:
        """Returns once each service has been told `firing` or `resolved`."""
        action = "trigger" if status == "firing" else "resolve"

        def known() -> bool:
            return status in self.told_by_slack and status in self.told_by_mail and action in self.told_by_pagerduty

        wait_until(known, what=f"everybody to know that it is {status}", within=SOON)

    def wait_until_at_rest(self) -> None:
        """Returns once no message waits and no group will be flushed: nothing more can arrive."""

        def at_rest() -> bool:
            waiting = self.sql("SELECT 1 FROM outbox WHERE status = 'pending'")
            return not waiting and not self.sql("SELECT 1 FROM alert_groups WHERE flush_at IS NOT NULL")

        wait_until(at_rest, what="the outbox and the groups to be at rest", within=SOON)


def _status(text: str) -> str:
    """`firing` or `resolved`, from a headline such as `[FIRING:1] High Error Rate`."""
    return text.removeprefix("[").partition("]")[0].partition(":")[0].lower()


def connection(url: str) -> Any:
    """The database as its own shell opens it, every statement a transaction of its own."""
    if url.startswith("sqlite:///"):
        return sqlite3.connect(url.removeprefix("sqlite:///"), timeout=10, isolation_level=None)
    return psycopg.connect(url, autocommit=True)


@pytest.fixture(scope="session")
def watched() -> Iterator[Watched]:
    """One Prometheus for the whole run."""
    with Exporter() as exporter, PrometheusServer(targets=[exporter.target]) as prometheus:
        yield Watched(exporter, prometheus)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """One PostgreSQL for the whole run; each test takes a database of it."""
    with PostgresServer() as server:
        yield server


@pytest.fixture(params=("sqlite", pytest.param("postgresql", marks=pytest.mark.peer("postgresql"))))
def outside(request: pytest.FixtureRequest, watched: Watched, tmp_path: Path) -> Iterator[Outside]:
    """A world whose database nobody has migrated yet, once on SQLite and once on PostgreSQL."""
    url = f"sqlite:///{tmp_path}/tocsin.db"
    if request.param == "postgresql":
        server: PostgresServer = request.getfixturevalue("postgres")
        url = server.create_database()
    with Outside(watched, url, tmp_path) as world:
        yield world


@pytest.fixture
def outside_sqlite(watched: Watched, tmp_path: Path) -> Iterator[Outside]:
    """The same on SQLite only, for what has nothing to do with the database."""
    with Outside(watched, f"sqlite:///{tmp_path}/tocsin.db", tmp_path) as world:
        yield world
