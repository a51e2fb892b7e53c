"""Messages in the outbox as a flush and the sender would have left them."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Any

from engine.store import ledger
from engine.store.database import Database
from engine.store.ledger import Entry, Kind, Subject
from engine.store.tables import alert_groups, group_members, notification_facts, outbox

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def group(database: Database, name: str, alert_ids: Collection[int]) -> int:
    """A group with these members; its number."""
    with database.write() as connection:
        row = {"route_id": "root", "labels_hash": name, "labels": {}, "dedup_key": f"key-{name}", "created_at": NOON}
        made = connection.execute(alert_groups.insert().values(row).returning(alert_groups.c.id)).scalar_one()
        for alert_id in alert_ids:
            member = {"group_id": made, "alert_id": alert_id, "joined_at": NOON}
            connection.execute(group_members.insert().values(member))
    return int(made)


def message(
    database: Database, group_id: int, *, channel: str = "slack", status: str = "sent", **told: Collection[int]
) -> int:
    """A message to a channel that tells of these alerts as `firing` or `resolved`; its number."""
    with database.write() as connection:
        facts = {"group_id": group_id, "at": NOON, "content": b""}
        statement = notification_facts.insert().values(facts).returning(notification_facts.c.id)
        row: dict[str, Any] = {
            "facts_id": connection.execute(statement).scalar_one(),
            "group_id": group_id,
            "channel": channel,
            "reason": "first notification",
            "status": status,
            "next_attempt_at": NOON + timedelta(minutes=1),
            "told": {name: list(ids) for name, ids in told.items()},
            "created_at": NOON,
            "finished_at": None if status == "pending" else NOON,
        }
        made = connection.execute(outbox.insert().values(row).returning(outbox.c.id)).scalar_one()
    return int(made)


def attempt(database: Database, group_id: int, message_id: int, outcome: str, **detail: object) -> None:
    """What the sender writes into the ledger after an attempt."""
    entry = Entry(
        at=NOON,
        kind=Kind.ATTEMPT,
        reason=outcome,
        subject_type=Subject.GROUP,
        subject_id=str(group_id),
        detail={"outbox_id": message_id, **detail},
    )
    with database.write() as connection:
        ledger.write(connection, [entry])
