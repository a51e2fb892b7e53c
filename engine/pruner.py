"""The pruning loop: what has been over for longer than it is kept goes, in batches so small that nobody waits for them.

One process of the cluster does it. Versions of definitions are kept for good: people restore them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import structlog

from engine.core.scheduling import is_due
from engine.rota import Rota
from engine.store import nodes, retention
from engine.store.database import Database
from engine.store.retention import Prune
from engine.telemetry import Metrics

PRUNE_EVERY: Final = timedelta(seconds=30)
ROUNDS: Final = 40
"""How many batches of a table one turn takes: 20,000 rows in 30 s, more than any cluster writes for long."""
SEARCH_EVERY: Final = timedelta(minutes=10)
"""How often a table is searched whose age no index tells, once there was less to drop than a turn takes."""
SEARCHED: Final = frozenset({"notification_facts", "alert_groups"})
NODE_KEPT: Final = timedelta(days=7)


@dataclass(slots=True, kw_only=True)
class Pruner:
    """Drops what is older than `keep` (messages: than `keep_messages`) and notes how much there is."""

    database: Database
    rota: Rota
    metrics: Metrics
    keep: timedelta
    keep_messages: timedelta
    _at: datetime | None = None
    _search_at: dict[str, datetime] = field(default_factory=dict)

    def tick(self) -> datetime | None:
        """One turn, when it is time."""
        with self.database.read() as connection:
            now = self.database.now(connection)
        if is_due(self._at, now, PRUNE_EVERY):
            self._measure()
            if self.rota.is_first:
                self.prune(now)
            self._at = now + PRUNE_EVERY
        return self._at

    def prune(self, now: datetime) -> int:
        """Drop what is old; how many rows."""
        history, messages = now - self.keep, now - self.keep_messages
        # In this order: what is left of a group goes after what hangs on it.
        turns: tuple[tuple[str, Prune, datetime], ...] = (
            ("outbox", retention.messages, messages),
            ("notification_facts", retention.facts, messages),
            ("ledger", retention.ledger_rows, history),
            ("group_members", retention.stays, history),
            ("alerts", retention.resolved, history),
            ("alert_groups", retention.groups, history),
            ("configurations", retention.configurations, history),
        )
        due = [turn for turn in turns if is_due(self._search_at.get(turn[0]), now, SEARCH_EVERY)]
        dropped = 0
        for table, drop, before in due:
            found = self._turn(table, drop, before)
            if table in SEARCHED and found < ROUNDS * retention.BATCH:
                self._search_at[table] = now + SEARCH_EVERY
            dropped += found
        with self.database.write() as connection:
            nodes.forget(connection, now - NODE_KEPT)
        if dropped:
            structlog.get_logger("tocsin.pruner").info("old rows were dropped", rows=dropped)
        return dropped

    def _turn(self, table: str, drop: Prune, before: datetime) -> int:
        dropped = 0
        for _ in range(ROUNDS):
            with self.database.write() as connection:
                found = drop(connection, before)
            dropped += found
            if found < retention.BATCH:
                break
        self.metrics.rows_pruned.labels(table).inc(dropped)
        return dropped

    def _measure(self) -> None:
        with self.database.read() as connection:
            sizes, size = retention.sizes(connection), retention.database_bytes(connection)
        for table, rows in sizes.items():
            self.metrics.stored_rows.labels(table).set(rows)
        self.metrics.database_bytes.set(size)
