"""`python -m benchmarks replicas`: recovery, sharing and sending, on a real PostgreSQL, in some minutes.

Written to docs/performance.md. The processes, the database and the receiver share one machine, so two processes are faster
than one only as far as it has cores left.
"""

from __future__ import annotations

import re
import time
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import psycopg

from benchmarks import outbox
from engine.clock import SystemClock
from engine.store import schema
from engine.store.database import connect
from tests.peers.engine_process import EngineProcess
from tests.peers.postgres_server import PostgresServer
from tests.peers.processes import wait_until
from tests.peers.prometheus_server import Exporter, PrometheusServer

HEADING: Final = "Replicas, recovery and sending"
WITHIN: Final = timedelta(minutes=5)
LEASE: Final = timedelta(seconds=15)
RULES: Final = (
    "INSERT INTO alert_rules (id, name, expr, no_data, interval_seconds) "
    "SELECT 'r' || n, 'r' || n, 'm' || n || ' > 0', 'keep', {interval} FROM generate_series(1, {count}) AS t(n)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measurement in words."""

    what: str
    figure: str


def measure(folder: Path, *, messages: int) -> list[Figure]:
    """Every figure, one after the other."""
    exporter = Exporter("m 1")
    with exporter, PrometheusServer(targets=[exporter.target]) as prometheus, PostgresServer() as postgres:
        found = [_recovery(postgres, prometheus.url, folder)]
        found += [_evaluating(postgres, prometheus.url, folder, processes) for processes in (1, 2, 4)]
        rates = [
            outbox.measure(postgres.create_database(), "PostgreSQL", messages, count, folder) for count in (1, 2, 4)
        ]
    rates.append(outbox.measure(f"sqlite:///{folder}/outbox.db", "SQLite", messages, 1, folder))
    found += [
        Figure(
            what=f"notifications a second to a local webhook, {one.messages:,} waiting, {one.database}, {_count(one.processes)}",
            figure=f"{one.per_second:.0f}, {one.cpu_milliseconds:.2f} ms of CPU each",
        )
        for one in rates
    ]
    return found


def table(found: Sequence[Figure]) -> str:
    """The figures for people."""
    return "\n".join(["| | |", "|---|---:|", *(f"| {one.what} | {one.figure} |" for one in found)])


def section(found: Sequence[Figure], where: Sequence[str], command: str) -> str:
    """The section of the page, with its heading."""
    listed = "\n".join(f"- {line}" for line in where)
    return SECTION.format(heading=HEADING, command=command, table=table(found), where=listed)


def _recovery(postgres: PostgresServer, prometheus: str, folder: Path) -> Figure:
    """From the kill of one of two processes to a committed slot of every unit it held."""
    url = _migrated(postgres)
    with _engine(url, prometheus, folder, "a"), _engine(url, prometheus, folder, "b") as dying:
        _sql(url, RULES.format(count=200, interval=1))
        wait_until(lambda: len(_holders(url)) == 2, what="two to share", within=WITHIN)
        (units,) = zip(*_sql(url, "SELECT id FROM evaluation_units WHERE holder LIKE 'b/%'"), strict=True)
        ((killed,),) = _sql(url, "SELECT clock_timestamp()")
        dying.kill()
        names = ", ".join(f"'{unit}'" for unit in units)
        asked = f"SELECT count(*) FROM evaluation_units WHERE id IN ({names}) AND last_slot > '{killed}' AND holder LIKE 'a/%'"
        wait_until(lambda: _sql(url, asked) == [(len(units),)], what="all to be evaluated again", within=WITHIN)
        ((now,),) = _sql(url, "SELECT clock_timestamp()")
    took = (now - killed).total_seconds()
    return Figure(
        what=f"from `kill -9` to every unit of the dead evaluated again, lease {LEASE.total_seconds():g} s",
        figure=f"{took:.1f} s",
    )


def _evaluating(postgres: PostgresServer, prometheus: str, folder: Path, processes: int) -> Figure:
    """Evaluations a second when there is more to do than can be done: 2,000 rules every second, each a query of its own."""
    url = _migrated(postgres)
    engines = [_engine(url, prometheus, folder, f"n{number}") for number in range(processes)]
    _sql(url, RULES.format(count=2000, interval=1), "UPDATE alert_rules SET plan = 'alone'")
    try:
        for engine in engines:
            engine.start()
        wait_until(lambda: len(_holders(url)) == processes, what="all to share", within=WITHIN)
        time.sleep(3)
        before, began = sum(map(_evaluated, engines)), time.monotonic()
        time.sleep(10)
        rate = (sum(map(_evaluated, engines)) - before) / (time.monotonic() - began)
    finally:
        for engine in engines:
            engine.kill()
    return Figure(what=f"evaluations a second, each with a query of its own, {_count(processes)}", figure=f"{rate:.0f}")


def _migrated(postgres: PostgresServer) -> str:
    url = postgres.create_database()
    database = connect(url, SystemClock())
    schema.upgrade(database.engine)
    database.close()
    return url


def _engine(url: str, prometheus: str, folder: Path, node: str) -> EngineProcess:
    environment = {
        "TOCSIN_DATABASE_URL": url,
        "TOCSIN_PROMETHEUS_URL": prometheus,
        "TOCSIN_NODE": node,
        "TOCSIN_LOG_LEVEL": "error",
        "TOCSIN_LEASE": f"{LEASE.total_seconds():g}s",
    }
    return EngineProcess(environment, folder=folder)


def _sql(url: str, *statements: str) -> list[Any]:
    rows: list[Any] = []
    with psycopg.connect(url, autocommit=True) as opened:
        for statement in statements:
            cursor = opened.execute(statement.encode())
            rows = cursor.fetchall() if cursor.description else []
    return rows


def _holders(url: str) -> set[str]:
    return {str(name) for (name,) in _sql(url, "SELECT DISTINCT holder FROM evaluation_units WHERE holder IS NOT NULL")}


def _evaluated(engine: EngineProcess) -> float:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"{engine.url}/metrics", timeout=30) as answer:
        found = re.findall(r"^tocsin_rule_evaluations_total\S* (\S+)$", answer.read().decode(), re.MULTILINE)
    return sum(map(float, found))


def _count(processes: int) -> str:
    return "1 process" if processes == 1 else f"{processes} processes"


SECTION: Final = """\
## {heading}

Written by `{command}`.

{table}

Everything runs on one machine: the processes, PostgreSQL, Prometheus and the webhook's receiver share its cores, so a second
process adds little where one has taken what there is, and a rate is that of a machine with this load. The CPU time of a message
is that of Tocsin's own processes, without the database's and the receiver's. Messages wait in groups of their own on 8 channels
of one local receiver that answers at once. A real service answers in tens of milliseconds, and 4 messages to a channel are under
way at a time: what limits a single channel is then the service.

{where}
"""
