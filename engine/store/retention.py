"""What is old enough to go, a few hundred rows at a time, and how much is kept.

Nothing goes that still counts: a message that waits, an alert that fires or is in a group, a group that has members.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, Select, Table, delete, exists, func, select, text

from engine.core.alert import State
from engine.store.outbox import Status
from engine.store.row_ends import row_ends
from engine.store.tables import (
    alert_groups,
    alerts,
    definition_changes,
    group_members,
    ledger,
    notification_facts,
    outbox,
)
from engine.store.tables import configurations as accepted

BATCH: Final = 500

COUNTED: Final = (accepted, alerts, alert_groups, definition_changes, group_members, ledger, notification_facts, outbox)
"""The tables that grow with time."""

Prune = Callable[[Connection, datetime], int]
"""Deletes at most BATCH rows that ended before that; how many."""


def messages(connection: Connection, before: datetime) -> int:
    """Messages that were sent, given up or superseded."""
    old = outbox.c.status != Status.PENDING.value
    query = select(outbox.c.id).where(old, outbox.c.finished_at < before).order_by(outbox.c.finished_at)
    return _delete(connection, outbox, query)


def facts(connection: Connection, before: datetime) -> int:
    """What messages said, when none of them is left."""
    used = exists().where(outbox.c.facts_id == notification_facts.c.id)
    query = select(notification_facts.c.id).where(notification_facts.c.at < before, ~used)
    return _delete(connection, notification_facts, query.order_by(notification_facts.c.id))


def ledger_rows(connection: Connection, before: datetime) -> int:
    """The ledger."""
    return _delete(connection, ledger, select(ledger.c.id).where(ledger.c.at < before).order_by(ledger.c.at))


def stays(connection: Connection, before: datetime) -> int:
    """Former stays of alerts in groups."""
    query = select(group_members.c.id).where(group_members.c.left_at < before).order_by(group_members.c.left_at)
    return _delete(connection, group_members, query)


def resolved(connection: Connection, before: datetime) -> int:
    """Alerts that have long ended and whose end was told, so that no group has them any more."""
    grouped = exists().where(group_members.c.alert_id == alerts.c.id)
    ended = alerts.c.state == State.INACTIVE
    query = select(alerts.c.id).where(ended, alerts.c.resolved_at < before, ~grouped).order_by(alerts.c.resolved_at)
    return _delete(connection, alerts, query)


def groups(connection: Connection, before: datetime) -> int:
    """Groups that are idle and of which nothing is left; their keys are made of the route and the labels, and come again."""
    peopled = exists().where(group_members.c.group_id == alert_groups.c.id)
    said = exists().where(notification_facts.c.group_id == alert_groups.c.id)
    idle = alert_groups.c.flush_at.is_(None)
    query = select(alert_groups.c.id).where(idle, alert_groups.c.created_at < before, ~peopled, ~said)
    return _delete(connection, alert_groups, query.order_by(alert_groups.c.id))


def configurations(connection: Connection, before: datetime) -> int:
    """Accepted configurations that another had replaced by then; the one that was in force then is still asked for."""
    in_force = select(func.max(accepted.c.id)).where(accepted.c.at <= before).scalar_subquery()
    query = select(accepted.c.id).where(accepted.c.id < in_force).order_by(accepted.c.id)
    return _delete(connection, accepted, query)


def sizes(connection: Connection) -> Mapping[str, int]:
    """About how many rows each growing table has: from its first to its last number, which takes no counting."""
    found = {}
    for table in COUNTED:
        ends = row_ends(connection, table)
        found[table.name] = 0 if ends is None else ends[1] - ends[0] + 1
    return found


def database_bytes(connection: Connection) -> int:
    """What the whole database takes on disk."""
    if connection.dialect.name == "sqlite":
        pages = connection.execute(text("SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"))
        return int(pages.scalar_one())
    return int(connection.execute(select(func.pg_database_size(func.current_database()))).scalar_one())


def _delete(connection: Connection, table: Table, query: Select[tuple[int]]) -> int:
    numbers = list(connection.execute(query.limit(BATCH)).scalars())
    if numbers:
        connection.execute(delete(table).where(table.c.id.in_(numbers)))
    return len(numbers)
