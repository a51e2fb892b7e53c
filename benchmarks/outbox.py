"""How many notifications a second leave by the outbox: many that wait, one local webhook, real engines."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.cpu import usage
from engine.clock import SystemClock
from engine.core.facts import AlertFacts, Facts
from engine.core.flush import Target
from engine.core.notifying import Told
from engine.store import outbox, schema
from engine.store.database import Database, connect
from engine.store.door import Connection
from engine.store.outbox import Queued
from engine.store.tables import alert_groups, channels, group_channels
from rules.labels import Labels
from tests.peers.engine_process import EngineProcess
from tests.servers import Request, Response, ScriptedServer

CHANNELS = 8
LONGEST = timedelta(minutes=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """So many messages left within that time by so many processes, which used so many CPU seconds for them, all together."""

    database: str
    processes: int
    messages: int
    seconds: float
    cpu_seconds: float = 0.0

    @property
    def per_second(self) -> float:
        return self.messages / self.seconds

    @property
    def cpu_milliseconds(self) -> float:
        """CPU time of the processes for one message; the database's and the receiver's own are not in it."""
        return 1000 * self.cpu_seconds / self.messages


def measure(url: str, name: str, messages: int, processes: int, folder: Path) -> Rate:
    """Fill the outbox of this empty database, let engines send, and look at the clock from the first message to the last."""
    arrived: list[float] = []

    def take(_: Request) -> Response:
        arrived.append(time.monotonic())
        return Response()

    with ScriptedServer(take) as receiver:
        database = connect(url, SystemClock())
        schema.upgrade(database.engine)
        fill(database, receiver.url, messages)
        database.close()
        engines = [engine(url, folder, f"n{number}") for number in range(processes)]
        for one in engines:
            one.spawn()
        pids = {f"n{number}": one.pid for number, one in enumerate(engines)}
        until = time.monotonic() + LONGEST.total_seconds()
        before: tuple[float, int] | None = None
        while len(arrived) < messages and time.monotonic() < until:
            if before is None and arrived:
                before = _used(pids), len(arrived)
            time.sleep(0.02)
        used = _used(pids)
        for one in engines:
            one.kill()
    if len(arrived) < messages:
        raise TimeoutError(f"{len(arrived)} of {messages} messages within {LONGEST}")
    at_first, sent_before = before or (0.0, 0)
    return Rate(
        database=name,
        processes=processes,
        messages=messages,
        seconds=arrived[messages - 1] - arrived[0],
        cpu_seconds=(used - at_first) * messages / max(1, messages - sent_before),
    )


def _used(pids: Mapping[str, int]) -> float:
    return sum(usage(pids).values())


def engine(url: str, folder: Path, node: str, **also: str) -> EngineProcess:
    """An engine that has nothing else to do."""
    environment = {"TOCSIN_DATABASE_URL": url, "TOCSIN_NODE": node, "TOCSIN_LOG_LEVEL": "warning"}
    return EngineProcess({**environment, **also}, folder=folder)


def fill(database: Database, receiver: str, messages: int) -> None:
    """That many groups, each with one message that waits, on a few channels."""
    now = datetime.now(UTC)
    names = [f"hook{number}" for number in range(CHANNELS)]
    with database.write() as connection:
        rows = [{"name": name, "kind": "webhook", "url": f"{receiver}/{name}"} for name in names]
        connection.execute(channels.insert(), rows)
    for start in range(0, messages, 500):
        with database.write() as connection:
            for number in range(start, min(messages, start + 500)):
                _message(connection, number, names[number % CHANNELS], now)


def _message(connection: Connection, number: int, channel: str, now: datetime) -> None:
    labels = Labels({"alertname": f"alert {number}", "instance": f"host-{number}:9100", "severity": "critical"})
    group = {
        "id": number + 1,
        "route_id": "root",
        "labels_hash": str(number),
        "labels": dict(labels),
        "dedup_key": str(number),
        "created_at": now,
    }
    connection.execute(alert_groups.insert().values(group))
    (facts_id,) = outbox.add_facts(connection, [(number + 1, _facts(labels, number, now))])
    message = Queued(
        facts_id=facts_id,
        group_id=number + 1,
        target=Target(channel),
        reason="first notification",
        told=Told(firing=frozenset({number + 1}), at=now),
    )
    outbox.add(connection, [message], now)
    empty: dict[str, object] = {"firing": [], "resolved": [], "at": None}
    row = {"group_id": number + 1, "channel": channel, "recipient": "", "decided": empty, "delivered": empty}
    connection.execute(group_channels.insert().values(row))


def _facts(labels: Labels, number: int, now: datetime) -> Facts:
    alert = AlertFacts(
        status="firing",
        fingerprint=labels.fingerprint(),
        source="r",
        labels=labels,
        annotations={"summary": "the host has had a high load for ten minutes"},
        starts_at=now,
        ends_at=None,
        value=97.3,
        threshold="90",
        generator_url="http://prometheus.example/graph",
    )
    return Facts(
        group_key=f"root:{labels}",
        dedup_key=str(number),
        receiver="hook",
        reason="first notification",
        flush_at=now,
        group_labels=labels,
        alerts=(alert,),
        external_url="http://tocsin.example",
    )
