"""What is old goes, what still counts stays, and every query that looks for work or for age stays on its index."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, event, text

from engine.store import groups, leasing, ledger, outbox, retention, units
from engine.store.database import Database
from engine.store.ledger import Subject
from engine.store.types import to_microseconds

NOW = datetime(2026, 6, 1, tzinfo=UTC)
OLD, YOUNG = NOW - timedelta(days=100), NOW - timedelta(days=1)
LIMIT = NOW - timedelta(days=90)


def insert(connection: Connection, database: Database, table: str, **values: Any) -> None:
    shown = {
        name: to_microseconds(value) if isinstance(value, datetime) and database.is_sqlite else value
        for name, value in values.items()
    }
    marks = ", ".join(f":{name}" for name in shown)
    connection.execute(text(f"INSERT INTO {table} ({', '.join(shown)}) VALUES ({marks})"), shown)


def furnish(database: Database, connection: Connection) -> None:
    """Old and young things of every kind, some of which still count."""

    def add(table: str, **values: Any) -> None:
        insert(connection, database, table, **values)

    for number, (state, ended) in enumerate(
        [("inactive", OLD), ("inactive", YOUNG), ("firing", OLD), ("inactive", OLD)], start=1
    ):
        common = {"labels": "{}", "sample_labels": "{}", "annotations": "{}", "reason": "x", "value": "1.0"}
        add("alerts", id=number, source="r", key=str(number), fingerprint=str(number), state=state, active_at=OLD,
            resolved_at=ended, **common)  # fmt: skip
    for number, flush_at in ((1, None), (2, NOW), (3, None)):
        add("alert_groups", id=number, route_id="root", labels_hash=str(number), labels="{}", dedup_key="k",
            flush_at=flush_at, created_at=OLD)  # fmt: skip
    # Alert 1 left long ago; alert 4 ended long ago and nobody was told.
    add("group_members", id=1, group_id=1, alert_id=1, joined_at=OLD, left_at=OLD)
    add("group_members", id=2, group_id=2, alert_id=4, joined_at=OLD, left_at=None)
    add("group_members", id=3, group_id=3, alert_id=2, joined_at=OLD, left_at=YOUNG)
    for number, status, finished in ((1, "sent", OLD), (2, "pending", None), (3, "dead", YOUNG)):
        add("notification_facts", id=number, group_id=2, at=OLD, content=b"x")
        add("outbox", id=number, facts_id=number, group_id=2, channel="c", reason="x", status=status, told="{}",
            next_attempt_at=OLD, created_at=OLD, finished_at=finished)  # fmt: skip
    # The second was in force when the limit was, the third is now.
    for number, at in ((1, OLD - timedelta(days=1)), (2, OLD), (3, YOUNG)):
        add("configurations", id=number, at=at, change_id=number, digest=str(number), content="{}")
    for number, at in ((1, OLD), (2, YOUNG)):
        add("ledger", id=number, at=at, kind="problem", reason="x", subject_type="rule", subject_id="r")


def left(connection: Connection, table: str) -> list[int]:
    return list(connection.execute(text(f"SELECT id FROM {table} ORDER BY id")).scalars())


def test_what_is_old_goes_and_what_still_counts_stays(database: Database) -> None:
    with database.write() as connection:
        furnish(database, connection)
        drops = [retention.messages, retention.facts, retention.ledger_rows]
        drops += [retention.stays, retention.resolved, retention.groups, retention.configurations]
        assert [drop(connection, LIMIT) for drop in drops] == [1] * 7
        kept = {table: left(connection, table) for table in ("outbox", "notification_facts", "ledger")}
        assert kept == {"outbox": [2, 3], "notification_facts": [2, 3], "ledger": [2]}
        # 2 is young, 3 fires, and nobody was told yet that 4 has ended.
        assert left(connection, "alerts") == [2, 3, 4]
        assert left(connection, "group_members") == [2, 3]
        assert left(connection, "alert_groups") == [2, 3]
        assert left(connection, "configurations") == [2, 3]
        assert [drop(connection, LIMIT) for drop in drops] == [0] * 7
        assert retention.sizes(connection)["outbox"] == 2
        assert retention.database_bytes(connection) > 0


LEDGER, OUTBOX = (1_000_000, 100_000) if os.environ.get("TOCSIN_FULL") else (100_000, 20_000)
"""`make faults` asks with TOCSIN_FULL=1; what is planned depends on statistics and is the same here."""


def fill(connection: Connection, statement: str, count: int) -> None:
    """Insert so many rows by one statement that selects from `n`, on either database."""
    if connection.dialect.name == "sqlite":
        insert_, select_ = statement.split(" SELECT ", 1)
        rows = f"WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < {count})"
        connection.exec_driver_sql(f"{insert_} {rows} SELECT {select_} FROM t")
    else:
        connection.exec_driver_sql(f"{statement} FROM generate_series(1, {count}) AS t(n)".replace("%", "%%"))


def instant(connection: Connection, minutes: str) -> str:
    """SQL for so many minutes after the beginning of the year, as the column keeps it."""
    base = datetime(2026, 1, 1, tzinfo=UTC)
    if connection.dialect.name == "sqlite":
        return f"{to_microseconds(base)} + ({minutes}) * 60000000"
    return f"'2026-01-01T00:00Z'::timestamptz + ({minutes}) * interval '1 minute'"


@pytest.fixture
def full(database: Database) -> Database:
    """A database as after a year, with many rows of ledger and many messages, a few of which wait."""
    with database.write() as connection:
        at = instant(connection, "n / 5")
        fill(
            connection,
            "INSERT INTO ledger (at, kind, reason, subject_type, subject_id) "
            f"SELECT {at}, 'decision', 'x', 'group', CAST(n % 1000 AS TEXT)",
            LEDGER,
        )
        fill(
            connection,
            "INSERT INTO alert_groups (id, route_id, labels_hash, labels, dedup_key, flush_at, created_at) "
            f"SELECT n, 'root', CAST(n AS TEXT), '{{}}', 'k', CASE WHEN n % 100 = 0 THEN {at} END, {at}",
            10_000,
        )
        fill(
            connection,
            f"INSERT INTO notification_facts (id, group_id, at, content) SELECT n, 1 + n % 10000, {at}, "
            + ("x'00'" if database.is_sqlite else "'\\x00'::bytea"),
            OUTBOX,
        )
        fill(
            connection,
            "INSERT INTO outbox (id, facts_id, group_id, channel, reason, status, told, next_attempt_at, created_at, "
            "finished_at) SELECT n, n, 1 + n % 10000, 'c', 'x', CASE WHEN n % 500 = 0 THEN 'pending' ELSE 'sent' END, "
            f"'{{}}', {at}, {at}, CASE WHEN n % 500 <> 0 THEN {at} END",
            OUTBOX,
        )
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("ANALYZE")
    return database


SCANS = {"sqlite": "SCAN ", "postgresql": "Seq Scan on "}
SMALL = ("channel_state", "configurations", "evaluation_units", " alerts ", "group_members", "definition_changes",
         "anon_", "subquery", "CONSTANT ROW", "SCAN found")  # fmt: skip
"""Tables of a few rows, which are read as a whole."""


def plans(database: Database, ask: Callable[[Connection], object]) -> list[str]:
    """The plan of every statement that `ask` executes, line by line."""
    asked: list[tuple[str, Any]] = []

    def note(_connection: Connection, _cursor: object, statement: str, parameters: Any, *_: object) -> None:
        if statement.lstrip().upper().startswith(("SELECT", "WITH", "DELETE", "UPDATE")):
            asked.append((statement, parameters))

    found: list[str] = []
    with database.write() as connection:
        event.listen(database.engine, "before_cursor_execute", note)
        ask(connection)
        event.remove(database.engine, "before_cursor_execute", note)
        explain = "EXPLAIN QUERY PLAN " if database.is_sqlite else "EXPLAIN "
        for statement, parameters in asked:
            rows = connection.exec_driver_sql(explain + statement, parameters)
            found += [str(row[-1]) for row in rows]
    return found


def test_looks_for_work_and_for_age_stay_on_their_indexes_in_a_full_database(full: Database) -> None:
    asks: dict[str, Callable[[Connection], object]] = {
        "channels due": lambda connection: leasing.channels_due(connection, NOW),
        "messages due": lambda connection: leasing.heads(connection, "c", NOW, limit=50, holder="a/1", but=[1, 2]),
        "messages begun": lambda connection: leasing.begin(connection, {500: b"x", 1000: b"y"}, "a/1"),
        "next message": lambda connection: outbox.next_due(connection, NOW),
        "messages waiting": outbox.pending,
        "groups due": lambda connection: groups.due(connection, NOW, 200),
        "next group": groups.next_due,
        "one group's ledger": lambda connection: ledger.of(connection, Subject.GROUP, "7"),
        "units due": lambda connection: units.due(connection, "a/1", NOW),
        "old messages": lambda connection: retention.messages(connection, OLD),
        "old ledger": lambda connection: retention.ledger_rows(connection, OLD),
        "sizes": retention.sizes,
    }
    scanned = {
        name: [line for line in plans(full, ask) if SCANS[full.engine.dialect.name] in line and not _small(line)]
        for name, ask in asks.items()
    }
    assert {name: lines for name, lines in scanned.items() if lines} == {}


def _small(line: str) -> bool:
    return "INDEX" in line or any(name in line for name in SMALL)


def test_what_is_compared_is_what_it_says(database: Database) -> None:
    """A query without an index is seen as one."""
    found = plans(database, lambda connection: connection.execute(text("SELECT id FROM ledger WHERE reason = 'x'")))
    assert any(SCANS[database.engine.dialect.name] in line for line in found)
