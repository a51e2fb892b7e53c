"""`python -m benchmarks start`: from the start of a process to its first evaluation, with many rules and alerts, in some minutes.

A real Prometheus has a series for each alert, so that the start finds every alert as it was. The alerts are put into the
database as an engine writes them; one engine evaluates them and is stopped, and the next one is measured.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import psycopg

from benchmarks.cpu import usage
from engine.clock import SystemClock
from engine.store import schema
from engine.store.database import connect
from engine.store.types import to_microseconds
from rules.labels import ALERTNAME, METRIC_NAME, Labels
from tests.peers.engine_process import ROOT, EngineProcess
from tests.peers.postgres_server import PostgresServer
from tests.peers.processes import wait_until
from tests.peers.prometheus_server import Exporter, PrometheusServer

HEADING: Final = "A start"
EACH: Final = 10
"""Alerts of a rule."""
INTERVAL: Final = timedelta(seconds=10)
WITHIN: Final = timedelta(minutes=3)
PROGRAM: Final = (str(ROOT / "tocsin_boot.py"), "serve")
"""What the command `tocsin serve` runs."""
RULE: Final = "INSERT INTO alert_rules (id, name, expr, no_data, interval_seconds) VALUES (?, ?, ?, 'keep', ?)"
ALERT: Final = (
    "INSERT INTO alerts (source, key, fingerprint, labels, sample_labels, annotations, state, value, active_at, fired_at, "
    "reason) VALUES (?, ?, ?, ?, ?, '{}', 'firing', '1.0', ?, ?, 'held')"
)
SLOT: Final = "SELECT max(last_slot) FROM evaluation_units"
MOVED: Final = "SELECT count(*) FROM ledger WHERE kind = 'transition'"

Row = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Store:
    """A database by its address, and how it is written and asked without Tocsin."""

    url: str

    @property
    def is_sqlite(self) -> bool:
        return self.url.startswith("sqlite")

    def write(self, statement: str, rows: Sequence[Row]) -> None:
        if self.is_sqlite:
            with closing(self._file()) as file, file:
                file.executemany(statement, rows)
        else:
            with psycopg.connect(self.url) as connection, connection.cursor() as cursor:
                cursor.executemany(statement.replace("?", "%s"), rows)

    def value(self, query: str) -> Any:
        """The one value that the query brings."""
        if self.is_sqlite:
            with closing(self._file()) as file:
                return file.execute(query).fetchone()[0]
        with psycopg.connect(self.url) as connection:
            return (connection.execute(query.encode()).fetchone() or (None,))[0]

    def _file(self) -> sqlite3.Connection:
        return sqlite3.connect(self.url.removeprefix("sqlite:///"), timeout=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One start, until its first slot was committed: seconds by the clock, and CPU seconds of the process."""

    database: str
    rules: int
    alerts: int
    seconds: float
    cpu: float


def measure(rules: int, folder: Path) -> list[Found]:
    """A start on each database."""
    scraped = "\n".join(f'm{{i="{rule}",j="{number}"}} 1' for rule in range(rules) for number in range(EACH))
    with (
        Exporter(scraped) as exporter,
        PostgresServer() as postgres,
        PrometheusServer(targets=[exporter.target], interval=2 * INTERVAL) as prometheus,
    ):
        prometheus.wait_for(f"count(m) == {rules * EACH}", within=WITHIN)
        alerts = list(_alerts(rules, exporter.target))
        stores = {"SQLite": f"sqlite:///{folder}/start.db", "PostgreSQL": postgres.create_database()}
        return [
            _start(name, Store(url), prometheus.url, folder, rules=rules, alerts=alerts) for name, url in stores.items()
        ]


def table(found: Sequence[Found]) -> str:
    """The starts as a Markdown table."""
    lines = [
        f"| {one.database} | {one.rules:,} | {one.alerts:,} | {one.seconds:.1f} | {one.cpu:.1f} |" for one in found
    ]
    head = "| | rules | alerts firing | seconds to the first evaluation | CPU seconds of Tocsin |"
    return "\n".join([head, "|---|---:|---:|---:|---:|", *lines])


def _start(
    name: str, store: Store, prometheus: str, folder: Path, *, rules: int, alerts: Sequence[tuple[str, Labels, Labels]]
) -> Found:
    _fill(store, rules, alerts)
    environment = {
        "TOCSIN_DATABASE_URL": store.url,
        "TOCSIN_PROMETHEUS_URL": prometheus,
        "TOCSIN_NODE": "a",
        "TOCSIN_LOG_LEVEL": "error",
    }
    engine = EngineProcess(environment, folder=folder, program=PROGRAM)
    try:
        _first_slot(engine, store)
        engine.stop()
        # So long that the next slot is due when the second one starts, and nobody waits for it.
        time.sleep(INTERVAL.total_seconds())
        seconds, cpu = _first_slot(engine, store)
    finally:
        if engine.is_running:
            engine.kill()
    moved = store.value(MOVED)
    assert moved == 0, f"{moved} alerts were not found as they were"
    return Found(database=name, rules=rules, alerts=len(alerts), seconds=seconds, cpu=cpu)


def _first_slot(engine: EngineProcess, store: Store) -> tuple[float, float]:
    """Start it; the seconds and the CPU seconds until it has committed a slot."""
    before = store.value(SLOT)
    began = time.monotonic()
    engine.spawn()
    wait_until(lambda: store.value(SLOT) != before, what="a first evaluation", within=WITHIN)
    return time.monotonic() - began, usage({"tocsin": engine.pid})["tocsin"]


def _fill(store: Store, rules: int, alerts: Sequence[tuple[str, Labels, Labels]]) -> None:
    clock = SystemClock()
    database = connect(store.url, clock)
    schema.upgrade(database.engine)
    database.close()
    every = INTERVAL.total_seconds()
    store.write(RULE, [(f"r{rule}", f"r{rule}", f'm{{i="{rule}"}} > 0', every) for rule in range(rules)])
    at: datetime | int = to_microseconds(clock.now()) if store.is_sqlite else clock.now().astimezone(UTC)
    store.write(
        ALERT,
        [
            (source, own.key(), own.fingerprint(), json.dumps(dict(own)), json.dumps(dict(series)), at, at)
            for source, own, series in alerts
        ],
    )


def _alerts(rules: int, target: str) -> Iterator[tuple[str, Labels, Labels]]:
    """Each alert's rule, its labels, and those of its series as Prometheus returns them."""
    for rule in range(rules):
        for number in range(EACH):
            series = {"i": str(rule), "instance": target, "j": str(number), "job": "test"}
            yield f"r{rule}", Labels({**series, ALERTNAME: f"r{rule}"}), Labels({**series, METRIC_NAME: "m"})


SECTION: Final = f"""\
## {HEADING}

From the start of the process `tocsin serve` to its first committed evaluation. All rules have an interval of
{INTERVAL.seconds} seconds and are one evaluation unit, so that the first evaluation waits for all definitions and all alerts;
one query to a real Prometheus answers them. Each rule fires for {EACH} series. An engine before it has evaluated the same alerts
and was stopped as a supervisor stops it, and the next slot was due when the second one started. The alerts were put into the
database by hand, with the labels their series have, and without groups: what they come to in messages is no part of it. The
ledger shows afterwards that every alert was found as it was. The goal is 5 seconds. Prometheus and the database share the
machine's cores with Tocsin; their CPU is not in the last column, but the seconds wait for them.

{{table}}

{{where}}
- Command: `{{command}}`
"""
