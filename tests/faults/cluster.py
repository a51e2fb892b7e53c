"""Several engines on one PostgreSQL, each behind a wire of its own that can be cut, and one receiver for all they say."""

from __future__ import annotations

import os
import signal
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

import psycopg

from tests.faults.crashing_engine import CrashPoint
from tests.faults.receiver import Receiver
from tests.faults.tcp_proxy import TcpProxy
from tests.peers.engine_process import EngineProcess
from tests.peers.postgres_server import PostgresServer
from tests.peers.processes import wait_until
from tests.peers.prometheus_server import Exporter, PrometheusServer

LEASE: Final = timedelta(seconds=3)
SETUP: Final = (
    "UPDATE routes SET group_wait_seconds = 0, group_interval_seconds = 1 WHERE id = 'root'",
    # Test-only witnesses, written by the database itself: which slots were committed, by whom, under which term.
    """CREATE TABLE witnessed_slots (
        n BIGSERIAL PRIMARY KEY, unit TEXT, before TIMESTAMPTZ, slot TIMESTAMPTZ, term BIGINT, term_before BIGINT, holder TEXT
    )""",
    """CREATE FUNCTION witness() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        INSERT INTO witnessed_slots (unit, before, slot, term, term_before, holder)
        VALUES (NEW.id, OLD.last_slot, NEW.last_slot, NEW.term, OLD.term, NEW.holder);
        RETURN NEW; END $$""",
    """CREATE TRIGGER witness AFTER UPDATE ON evaluation_units FOR EACH ROW
        WHEN (OLD.last_slot IS DISTINCT FROM NEW.last_slot OR OLD.term IS DISTINCT FROM NEW.term) EXECUTE FUNCTION witness()""",
)


@dataclass(slots=True)
class NodeProcess:
    """One engine of the cluster: its process, its wire to the database, and the folder that tells it how to misbehave."""

    name: str
    engine: EngineProcess
    wire: TcpProxy
    folder: Path

    @property
    def is_running(self) -> bool:
        return self.engine.is_running

    def start(self) -> None:
        """Start it; whoever needs it to be ready waits for that."""
        self.engine.spawn()

    def kill(self) -> None:
        self.engine.kill()

    def terminate(self) -> None:
        """Ask it to stop, as a supervisor would."""
        if self.is_running:
            os.kill(self.engine.pid, signal.SIGTERM)

    def freeze(self) -> None:
        if self.is_running:
            os.kill(self.engine.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        if self.is_running:
            os.kill(self.engine.pid, signal.SIGCONT)

    def arm(self, point: CrashPoint) -> None:
        """It dies at its next passage through this point."""
        draft = self.folder / "draft"
        draft.write_text(point.value)
        draft.rename(self.folder / "point")

    def disarm(self) -> bool:
        """No longer; whether it would still have died."""
        armed = (self.folder / "point").exists()
        (self.folder / "point").unlink(missing_ok=True)
        return armed

    def set_clock(self, off: float) -> None:
        (self.folder / "clock").write_text(str(off))


@dataclass(slots=True)
class Cluster:
    """What runs, and the database that outlives it."""

    server: PostgresServer
    database_url: str
    receiver: Receiver
    exporter: Exporter
    prometheus: PrometheusServer
    nodes: Sequence[NodeProcess]
    metrics: dict[str, float] = field(default_factory=dict)
    name: str = field(default_factory=lambda: uuid.uuid4().hex[:8])
    """A label of its metrics: a Prometheus of the whole run still remembers what other tests showed under the same names."""

    def sql(self, *statements: str) -> list[tuple[Any, ...]]:
        """Run each in a transaction of its own, past all wires; the last one's rows."""
        rows: list[tuple[Any, ...]] = []
        with psycopg.connect(self.database_url, autocommit=True) as opened:
            for statement in statements:
                cursor = opened.execute(statement)
                rows = cursor.fetchall() if cursor.description else []
        return rows

    def show(self, **values: float) -> None:
        """What the metrics of these names are from now on; returns when Prometheus knows."""
        self.metrics |= values
        self.publish()
        wanted = dict(values)
        wait_until(lambda: self._known(wanted), what="Prometheus to know", within=timedelta(seconds=20))

    def publish(self) -> None:
        """Let the next scrape see the metrics as they are."""
        self.exporter.set("\n".join(f"{self.selector(name)} {value}" for name, value in self.metrics.items()))

    def selector(self, metric: str) -> str:
        """This cluster's own metric of that name."""
        return f'{metric}{{cluster="{self.name}"}}'

    def holders(self) -> dict[str, int]:
        """How many evaluation units each node holds."""
        rows = self.sql("SELECT split_part(holder, '/', 1), count(*) FROM evaluation_units GROUP BY 1")
        return {str(name): int(count) for name, count in rows}

    def _known(self, wanted: dict[str, float]) -> bool:
        found = {
            one["metric"]["__name__"]: float(one["value"][1])
            for one in self.prometheus.result(f'{{__name__=~"m.+", cluster="{self.name}"}}')
        }
        return all(found.get(name) == value for name, value in wanted.items())


def insert_rules(cluster: Cluster, count: int) -> None:
    """Rules m0 … on metrics of the same names, each a query of its own, told by the webhook.

    A Prometheus that was stopped, or whose machine is busy, gives up on a scrape and says of all series that they are gone,
    which is an end by Prometheus' rules and not one of the timeline; hence `no_data`.
    """
    rows = ", ".join(
        f"('m{n}', 'm{n}', '{cluster.selector(f'm{n}')} > 0', 'critical', 'keep', '[\"hook\"]')" for n in range(count)
    )
    cluster.sql(
        f"INSERT INTO channels (name, kind, url) VALUES ('hook', 'webhook', '{cluster.receiver.url}')",
        f"INSERT INTO alert_rules (id, name, expr, severity, no_data, notification_channels) VALUES {rows}",
    )


@contextmanager
def running(
    server: PostgresServer,
    watched: tuple[Exporter, PrometheusServer],
    folder: Path,
    names: Sequence[str],
    *,
    path: Path | None = None,
) -> Iterator[Cluster]:
    """A cluster on a fresh database of this server; its first engine runs and has migrated it, the others are not started.

    `path` is where Python finds the code, if not here.
    """
    also = {} if path is None else {"PYTHONPATH": str(path)}
    exporter, prometheus = watched
    url = server.create_database()
    with ExitStack() as open_:
        receiver = open_.enter_context(Receiver())
        nodes = [_node(open_, name, url, prometheus_url=prometheus.url, folder=folder, also=also) for name in names]
        cluster = Cluster(server, url, receiver, exporter, prometheus, nodes)
        nodes[0].engine.start()
        cluster.sql(*SETUP)
        yield cluster


def _node(
    open_: ExitStack, name: str, url: str, *, prometheus_url: str, folder: Path, also: dict[str, str]
) -> NodeProcess:
    parts = urlsplit(url)
    wire = open_.enter_context(TcpProxy((str(parts.hostname), int(parts.port or 5432))))
    home = folder / name
    home.mkdir()
    environment = {
        "TOCSIN_DATABASE_URL": urlunsplit(parts._replace(netloc=f"postgres@127.0.0.1:{wire.port}")),
        "TOCSIN_PROMETHEUS_URL": prometheus_url,
        "TOCSIN_EVALUATION_INTERVAL": "1s",
        "TOCSIN_DELIVERY_TIMEOUT": "2s",
        "TOCSIN_QUERY_TIMEOUT": "2s",
        "TOCSIN_LEASE": f"{LEASE.total_seconds():g}s",
        "TOCSIN_NODE": name,
        "TOCSIN_LOG_LEVEL": "warning",
        **also,
    }
    engine = EngineProcess(environment, folder=home, program=("-m", "tests.faults.faulty_engine", str(home)))
    node = NodeProcess(name, engine, wire, home)
    open_.callback(_end, node)
    return node


def _end(node: NodeProcess) -> None:
    if node.is_running:
        node.thaw()
        node.kill()
