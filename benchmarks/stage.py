"""The systems side by side on one machine: an exporter, three Prometheus that scrape it, and Tocsin asking one of them.

The first Prometheus only scrapes, the second evaluates the rules itself, the third answers Tocsin, which has the same rules.
"""

from __future__ import annotations

import json
import sqlite3
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from benchmarks.workload import Workload, rule_file
from rules.labels import Labels
from tests.peers.engine_process import EngineProcess
from tests.peers.processes import wait_until
from tests.peers.prometheus_server import PrometheusServer
from tests.servers import Request, Response, ScriptedServer

INTERVAL = timedelta(seconds=10)
"""Between two scrapes, and between two evaluations of a rule."""
WARM = INTERVAL * 6
"""How long it may take until data is there, and until a system has found all alerts."""
TELL_AT_ONCE = "UPDATE routes SET group_wait_seconds = 0 WHERE id = 'root'"
"""So that the first notifications are behind us when the measurement begins."""
INSERT_RULE = "INSERT INTO alert_rules (id, name, expr, condition, threshold) VALUES (?, ?, ?, '>', ?)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What runs; every system has found all alerts it should."""

    workload: Workload
    scraping: PrometheusServer
    ruling: PrometheusServer
    queried: PrometheusServer
    tocsin: EngineProcess
    database: Path

    @property
    def processes(self) -> Mapping[str, int]:
        """The id of each system's process."""
        return {
            "scraping": self.scraping.pid,
            "ruling": self.ruling.pid,
            "queried": self.queried.pid,
            "tocsin": self.tocsin.pid,
        }

    def found_by_prometheus(self) -> frozenset[Labels]:
        """The label sets of the ruler's firing alerts."""
        alerts = _get(f"{self.ruling.url}/api/v1/alerts")["data"]["alerts"]
        return frozenset(Labels(alert["labels"]) for alert in alerts if alert["state"] == "firing")

    def found_by_tocsin(self) -> frozenset[Labels]:
        """The label sets of Tocsin's firing alerts."""
        with closing(sqlite3.connect(self.database)) as connection:
            rows = connection.execute("SELECT labels FROM alerts WHERE state = 'firing'").fetchall()
        return frozenset(Labels(json.loads(labels)) for (labels,) in rows)

    def wait_for_alerts(self) -> None:
        """Returns once both systems have found as many alerts as there are to find."""
        for found, who in ((self.found_by_prometheus, "the ruler"), (self.found_by_tocsin, "Tocsin")):
            wait_until(self._complete(found), what=f"{who} to find {self.workload.firing} alerts", within=WARM)

    def _complete(self, found: Callable[[], frozenset[Labels]]) -> Callable[[], bool]:
        return lambda: len(found()) >= self.workload.firing


@contextmanager
def set_up(workload: Workload, folder: Path) -> Iterator[Stage]:
    """Start everything, and wait until alerts are found; all is ended with the block."""
    started = time.monotonic()

    def metrics(_: Request) -> Response:
        age = timedelta(seconds=time.monotonic() - started)
        return Response(body=f"{workload.exposition(age)}\n".encode(), headers={"Content-Type": "text/plain"})

    rules, database = folder / "rules.yml", folder / "tocsin.db"
    rules.write_text(rule_file(workload))
    with ScriptedServer(metrics) as exporter:
        target = [f"127.0.0.1:{exporter.port}"]
        scraping = PrometheusServer(targets=target, interval=INTERVAL)
        ruling = PrometheusServer(targets=target, interval=INTERVAL, rule_files=[rules])
        queried = PrometheusServer(targets=target, interval=INTERVAL)
        with scraping, ruling, queried, _engine(queried, database) as tocsin:
            _await_rates(workload, queried)
            _insert(workload, database)
            stage = Stage(
                workload=workload,
                scraping=scraping,
                ruling=ruling,
                queried=queried,
                tocsin=tocsin,
                database=database,
            )
            stage.wait_for_alerts()
            yield stage


def _engine(prometheus: PrometheusServer, database: Path) -> EngineProcess:
    environment = {
        "TOCSIN_DATABASE_URL": f"sqlite:///{database}",
        "TOCSIN_PROMETHEUS_URL": prometheus.url,
        "TOCSIN_EVALUATION_INTERVAL": f"{INTERVAL.total_seconds():g}s",
    }
    return EngineProcess(environment, folder=database.parent)


def _await_rates(workload: Workload, prometheus: PrometheusServer) -> None:
    """Returns when every counter has two samples, so that every rule has something to look at."""
    prometheus.wait_for(f"count(rate(m[1m])) == {workload.series}", within=WARM)


def _insert(workload: Workload, database: Path) -> None:
    rows = [(f"r{index}", rule.name, rule.left, rule.threshold) for index, rule in enumerate(workload.each_rule())]
    with closing(sqlite3.connect(database, timeout=10)) as connection, connection:
        connection.execute(TELL_AT_ONCE)
        connection.executemany(INSERT_RULE, rows)


def _get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)
