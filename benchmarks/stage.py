"""The systems side by side on one machine, each with a Prometheus of its own, all of which scrape the same exporter.

One Prometheus only scrapes: what it uses is taken off the others. One evaluates the rules itself; one answers vmalert; one
answers Tocsin on SQLite, one Tocsin on PostgreSQL.
"""

from __future__ import annotations

import json
import sqlite3
import subprocess
import time
import urllib.request
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.cpu import Usage
from benchmarks.workload import Shape, Workload, rule_file
from rules.labels import Labels
from tests.peers.engine_process import EngineProcess
from tests.peers.postgres_server import PostgresServer
from tests.peers.processes import await_start, end, free_port, wait_until
from tests.peers.prometheus_server import PrometheusServer
from tests.peers.require import find_binary
from tests.servers import Request, Response, ScriptedServer

TELL_AT_ONCE = "UPDATE routes SET group_wait_seconds = 0 WHERE id = 'root'"
"""So that the first notifications are behind us when the measurement begins."""
FIRING = "SELECT labels FROM alerts WHERE state = 'firing'"

SCRAPE = timedelta(seconds=10)
"""At most so much time between two scrapes: the rules look at the last minute."""

Found = Callable[[], frozenset[Labels]]


@dataclass(slots=True, kw_only=True)
class System:
    """Something that evaluates rules: its processes by name, and the labels of the alerts it finds firing."""

    processes: dict[str, int]
    found: Found


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What runs. `scraping` is the process of the Prometheus that does nothing else."""

    workload: Workload
    interval: timedelta
    scraping: int
    systems: dict[str, System] = field(default_factory=dict)

    @property
    def processes(self) -> Mapping[str, int]:
        """Every process, by the name of its system and its own."""
        parts = {f"{name}/{part}": pid for name, one in self.systems.items() for part, pid in one.processes.items()}
        return {"scraping": self.scraping, **parts}

    def costs(self, used: Usage) -> dict[str, float]:
        """What each system costs beyond scraping, and its parts: `name` and `name/part`."""
        parts = {
            name: value - (used["scraping"] if name.endswith("/prometheus") else 0.0)
            for name, value in used.items()
            if name != "scraping"
        }
        whole = {
            name: sum(value for part, value in parts.items() if part.startswith(f"{name}/")) for name in self.systems
        }
        return {**whole, **parts, "scraping": used["scraping"]}

    def wait_for_alerts(self, within: timedelta) -> None:
        """Returns once every system has found as many alerts as there are to find."""
        for name, system in self.systems.items():
            wait_until(
                lambda system=system: len(system.found()) >= self.workload.firing,  # type: ignore[misc]
                what=f"{name} to find {self.workload.firing} alerts",
                within=within,
            )

    def disagreements(self) -> list[str]:
        """The systems that did not find exactly what there is to find."""
        found = {name: system.found() for name, system in self.systems.items()}
        most = next(iter(found.values()))
        return [
            f"{name} found {len(alerts)} alerts of {self.workload.firing}"
            for name, alerts in found.items()
            if alerts != most or len(alerts) != self.workload.firing
        ]


@contextmanager
def set_up(workload: Workload, folder: Path, *, interval: timedelta, systems: Collection[str]) -> Iterator[Stage]:
    """Start everything, and wait until alerts are found; all is ended with the block."""
    started = time.monotonic()

    def metrics(_: Request) -> Response:
        age = timedelta(seconds=time.monotonic() - started)
        return Response(body=f"{workload.exposition(age)}\n".encode(), headers={"Content-Type": "text/plain"})

    scrape = min(interval, SCRAPE)
    rules = folder / "rules.yml"
    rules.write_text(rule_file(workload))
    with ExitStack() as running:
        exporter = running.enter_context(ScriptedServer(metrics))

        def prometheus(*, ruling: bool = False) -> PrometheusServer:
            files = [rules] if ruling else []
            target = f"127.0.0.1:{exporter.port}"
            server = PrometheusServer(targets=[target], interval=scrape, evaluation=interval, rule_files=files)
            return running.enter_context(server)

        stage = Stage(workload=workload, interval=interval, scraping=prometheus().pid)
        servers = {name: prometheus(ruling=name == "ruler") for name in systems}
        for name, server in servers.items():
            server.wait_for(_ready(workload, scrape), within=scrape * 12)
            stage.systems[name] = _system(name, server, workload, folder, running, interval=interval)
        stage.wait_for_alerts(interval * 6 + timedelta(minutes=2))
        yield stage


def _system(
    name: str, server: PrometheusServer, workload: Workload, folder: Path, running: ExitStack, *, interval: timedelta
) -> System:
    processes = {"prometheus": server.pid}
    if name == "ruler":
        return System(processes=processes, found=lambda: _listed(server.url))
    if name == "vmalert":
        url, pid = running.enter_context(_vmalert(server.url, folder, interval))
        return System(processes={**processes, "vmalert": pid}, found=lambda: _listed(url))
    if name == "tocsin-postgresql":
        postgres = running.enter_context(PostgresServer())
        address = postgres.create_database()
        engine = running.enter_context(_engine(server, address, folder, interval))
        _insert(workload, lambda statement, rows: _by_psycopg(address, statement, rows))
        return System(
            processes={**processes, "tocsin": engine.pid, "postgresql": postgres.pid},
            found=lambda: _in_postgresql(address),
        )
    database = folder / "tocsin.db"
    engine = running.enter_context(_engine(server, f"sqlite:///{database}", folder, interval))
    _insert(workload, lambda statement, rows: _by_sqlite(database, statement, rows))
    return System(processes={**processes, "tocsin": engine.pid}, found=lambda: _in_sqlite(database))


def _ready(workload: Workload, interval: timedelta) -> str:
    """Has a result when every counter has two samples, so that every rule has something to look at."""
    metrics = '{__name__=~"[ab]_.*"}' if workload.shape is Shape.RATIOS else "m"
    return f"count({metrics} offset {interval.total_seconds():.0f}s) == {workload.series}"


def _engine(prometheus: PrometheusServer, database: str, folder: Path, interval: timedelta) -> EngineProcess:
    environment = {
        "TOCSIN_DATABASE_URL": database,
        "TOCSIN_PROMETHEUS_URL": prometheus.url,
        "TOCSIN_LOG_LEVEL": "error",
        "TOCSIN_EVALUATION_INTERVAL": f"{interval.total_seconds():g}s",
    }
    return EngineProcess(environment, folder=folder)


@contextmanager
def _vmalert(prometheus: str, folder: Path, interval: timedelta) -> Iterator[tuple[str, int]]:
    port, log = free_port(), folder / "vmalert.log"
    url = f"http://127.0.0.1:{port}"
    arguments = [
        f"-rule={folder / 'rules.yml'}",
        f"-datasource.url={prometheus}",
        f"-httpListenAddr=127.0.0.1:{port}",
        f"-evaluationInterval={interval.total_seconds():g}s",
        "-disableAlertgroupLabel",
    ]
    with ScriptedServer(lambda _: Response(body=b"{}")) as alertmanager, log.open("wb") as output:
        arguments.append(f"-notifier.url=http://127.0.0.1:{alertmanager.port}")
        process = subprocess.Popen([str(find_binary("vmalert")), *arguments], stdout=output, stderr=output, cwd=folder)
        try:
            await_start(process, lambda: _answers(url), log=log, within=timedelta(seconds=30))
            yield url, process.pid
        finally:
            end(process)


def _answers(url: str) -> bool:
    try:
        _get(f"{url}/api/v1/alerts")
    except OSError:
        return False
    return True


def _insert(workload: Workload, write: Callable[[str, list[tuple[object, ...]]], None]) -> None:
    rows: list[tuple[object, ...]] = [
        (f"r{index}", rule.name, rule.left, rule.threshold) for index, rule in enumerate(workload.each_rule())
    ]
    write(TELL_AT_ONCE, [])
    write("INSERT INTO alert_rules (id, name, expr, condition, threshold) VALUES (?, ?, ?, '>', ?)", rows)


def _by_sqlite(database: Path, statement: str, rows: list[tuple[object, ...]]) -> None:
    with closing(sqlite3.connect(database, timeout=10)) as connection, connection:
        connection.executemany(statement, rows) if rows else connection.execute(statement)


def _by_psycopg(address: str, statement: str, rows: list[tuple[object, ...]]) -> None:
    with psycopg.connect(address) as connection, connection.cursor() as cursor:
        cursor.executemany(statement.replace("?", "%s"), rows) if rows else cursor.execute(statement)


def _in_sqlite(database: Path) -> frozenset[Labels]:
    with closing(sqlite3.connect(database, timeout=10)) as connection:
        return frozenset(Labels(json.loads(labels)) for (labels,) in connection.execute(FIRING).fetchall())


def _in_postgresql(address: str) -> frozenset[Labels]:
    with psycopg.connect(address) as connection:
        rows = connection.execute(FIRING).fetchall()
    return frozenset(Labels(labels if isinstance(labels, dict) else json.loads(labels)) for (labels,) in rows)


def _listed(url: str) -> frozenset[Labels]:
    """The firing alerts as Prometheus and vmalert list them."""
    alerts = _get(f"{url}/api/v1/alerts")["data"]["alerts"] or ()
    return frozenset(Labels(alert["labels"]) for alert in alerts if alert["state"] == "firing")


def _get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=30) as answer:
        return json.load(answer)
