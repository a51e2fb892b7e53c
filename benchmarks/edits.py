"""`python -m benchmarks edits`: how long after its commit an edit by SQL is in force in a running engine, in about two minutes.

In force means that the evaluation loop goes by it, which it says of itself in /metrics. The engine evaluates all its rules
meanwhile, against a real Prometheus. An edit comes at a moment that has nothing to do with the engine's own.
"""

from __future__ import annotations

import random
import re
import sqlite3
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from statistics import median
from typing import Any, Final

import psycopg

from engine.clock import SystemClock
from engine.store.database import connect
from engine.store.definitions import COMPARE_EVERY, DefinitionFeed
from tests.peers.engine_process import EngineProcess
from tests.peers.postgres_server import PostgresServer
from tests.peers.processes import wait_until
from tests.peers.prometheus_server import Exporter, PrometheusServer

HEADING: Final = "From an edit to its being in force"
POLL: Final = timedelta(milliseconds=5)
WITHIN: Final = timedelta(minutes=2)
INSERT_RULES: Final = (
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}) "
    "INSERT INTO alert_rules (id, name, metric_name, condition, threshold) SELECT 'r' || i, 'n', 'up', '<', -i FROM n"
)
EDIT: Final = "UPDATE alert_rules SET severity = severity || 'x' WHERE id = 'r{number}'"
NEWEST: Final = "SELECT max(id) FROM definition_changes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delays:
    """One database's measurement, in seconds: each edit's delay, and what comparing all rules with their table takes."""

    database: str
    edits: Sequence[float]
    comparison: float


def measure(rules: int, edits: int, folder: Path) -> list[Delays]:
    """SQLite's delays and PostgreSQL's."""
    exporter = Exporter("up 1")
    with exporter, PrometheusServer(targets=[exporter.target]) as prometheus, PostgresServer() as postgres:
        prometheus.wait_for("up == 1")
        addresses = {"SQLite": f"sqlite:///{folder}/tocsin.db", "PostgreSQL": postgres.create_database()}
        return [
            Delays(
                database=name,
                edits=_delays(address, prometheus.url, rules=rules, edits=edits, folder=folder),
                comparison=comparison(address),
            )
            for name, address in addresses.items()
        ]


def comparison(address: str) -> float:
    """Seconds that the longest look of a whole round takes, which is the one at the rules."""
    database, feed = connect(address, SystemClock()), DefinitionFeed()
    spans = []
    for _ in range(2 * round(timedelta(minutes=1) / COMPARE_EVERY)):
        with database.read() as connection:
            begun = time.perf_counter()
            feed.compare(connection)
            spans.append(time.perf_counter() - begun)
    database.close()
    return max(spans[len(spans) // 2 :])


def table(found: Sequence[Delays]) -> str:
    """The measurement as a Markdown table."""
    head = [
        "| milliseconds | median | worst | edits | one look at all rules |",
        "|---|---:|---:|---:|---:|",
    ]
    rows = [
        f"| {one.database} | {median(one.edits) * 1000:.0f} | {max(one.edits) * 1000:.0f} | {len(one.edits)} "
        f"| {one.comparison * 1000:.0f} |"
        for one in found
    ]
    return "\n".join([*head, *rows])


def section(rules: int, found: Sequence[Delays], where: Sequence[str], command: str) -> str:
    """The section of the page, with its heading."""
    listed = "\n".join(f"- {line}" for line in where)
    return SECTION.format(heading=HEADING, rules=f"{rules:,}", table=table(found), where=listed, command=command)


def with_section(page: str, heading: str, text: str) -> str:
    """The page with this section in the place of its former self, or at the end."""
    parts = re.split(r"(?m)^(?=## )", page)
    at = next((place for place, part in enumerate(parts) if part.startswith(f"## {heading}\n")), len(parts))
    return "\n".join(part.strip() + "\n" for part in [*parts[:at], text, *parts[at + 1 :]])


def with_others(page: str, former: str) -> str:
    """The page, and after it the sections of its former self that it does not write itself."""
    own = set(re.findall(r"(?m)^## .*$", page))
    parts = re.split(r"(?m)^(?=## )", former)[1:]
    return "\n".join(part.strip() + "\n" for part in [page, *(one for one in parts if one.splitlines()[0] not in own)])


def _delays(address: str, prometheus: str, *, rules: int, edits: int, folder: Path) -> list[float]:
    environment = {"TOCSIN_DATABASE_URL": address, "TOCSIN_PROMETHEUS_URL": prometheus, "TOCSIN_LOG_LEVEL": "warning"}
    chance = random.Random(1)
    with EngineProcess(environment, folder=folder) as engine, _shell(address) as sql:
        sql(INSERT_RULES.format(count=rules))
        wait_until(lambda: _in_force(engine) >= sql(NEWEST), what="all rules to be in force", within=WITHIN)
        wait_until(lambda: _evaluated(engine) >= rules, what="every rule to be evaluated", within=WITHIN)
        return [_delay(engine, sql, chance, rules) for _ in range(edits)]


def _delay(engine: EngineProcess, sql: Callable[[str], int], chance: random.Random, rules: int) -> float:
    time.sleep(chance.uniform(0.5, 1.5))
    sql(EDIT.format(number=chance.randint(1, rules)))
    committed = time.monotonic()
    change = sql(NEWEST)
    while _in_force(engine) < change:
        time.sleep(POLL.total_seconds())
    return time.monotonic() - committed


def _in_force(engine: EngineProcess) -> int:
    return int(_metric(engine, "tocsin_definition_version"))


def _evaluated(engine: EngineProcess) -> int:
    return int(_metric(engine, 'tocsin_rule_evaluations_total{result="ok"}'))


def _metric(engine: EngineProcess, name: str) -> float:
    with urllib.request.urlopen(f"{engine.url}/metrics", timeout=30) as answer:
        found = re.search(rf"^{re.escape(name)} (\S+)$", answer.read().decode(), re.MULTILINE)
    return 0.0 if found is None else float(found[1])


@contextmanager
def _shell(address: str) -> Iterator[Callable[[str], int]]:
    """Runs a statement in a transaction of its own; answers the number it returns, 0 where it returns none."""
    if address.startswith("sqlite:///"):
        opened: Any = sqlite3.connect(address.removeprefix("sqlite:///"), timeout=30, isolation_level=None)
    else:
        opened = psycopg.connect(address, autocommit=True)

    def run(statement: str) -> int:
        cursor = opened.execute(statement)
        return int(cursor.fetchone()[0]) if cursor.description else 0

    with closing(opened):
        yield run


SECTION: Final = """\
## {heading}

One row of {rules} rules is edited by SQL while an engine evaluates them all every minute. Measured is the time from the return
of the commit until the engine's evaluation goes by the edit, as its `/metrics` says (asked every 5 ms). On SQLite the kernel
says when the file is written to; PostgreSQL tells it at once. The last column is what it costs to compare every rule
with its row, which
finds what was written past the triggers; each table is compared once a minute.

{table}

{where}
- Command: `{command}`
"""
