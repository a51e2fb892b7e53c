"""Notifications, as people ask for them: each message of the outbox with every attempt the ledger has of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, Select, select

from engine.store.ledger import Kind, Subject
from engine.store.outbox import Status
from engine.store.tables import alert_groups, alerts, group_members, ledger, outbox

_BATCH: Final = 1001
"""Messages fetched at once while looking for those that tell of an alert; a page and one more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One attempt to deliver: `outcome` is the sender's word (sent, retry, dead, …), `error` what went wrong."""

    at: datetime
    outcome: str
    error: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """One message for one addressee. `next_attempt_at` is `None` once nothing more will be tried."""

    id: int
    channel: str
    recipient: str
    dedup_key: str
    reason: str
    status: Status
    attempts: tuple[Attempt, ...]
    next_attempt_at: datetime | None
    created_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which notifications: telling of the alerts with this public name, for this channel, in this status; `None` is any."""

    fingerprint: str | None = None
    channel: str | None = None
    status: Status | None = None


def page(connection: Connection, wanted: Wanted, *, before: int | None = None, limit: int = 100) -> list[Notification]:
    """The newest notifications with a number below `before`, newest first; shorter than `limit` only at the end."""
    query = _query(wanted)
    telling = None if wanted.fingerprint is None else _alert_ids(connection, wanted.fingerprint)
    if telling is not None:
        query = query.where(outbox.c.group_id.in_(select(group_members.c.group_id).where(_of(telling))))
    found: list[RowMapping] = []
    while len(found) < limit:
        batch = query if before is None else query.where(outbox.c.id < before)
        rows = connection.execute(batch.limit(_BATCH)).mappings().all()
        found += [row for row in rows if telling is None or not telling.isdisjoint(_told(row["told"]))]
        if len(rows) < _BATCH:
            break
        before = rows[-1]["id"]
    return _with_attempts(connection, found[:limit])


def _query(wanted: Wanted) -> Select[*tuple[Any, ...]]:
    query = select(outbox, alert_groups.c.dedup_key).join(alert_groups, alert_groups.c.id == outbox.c.group_id)
    if wanted.channel is not None:
        query = query.where(outbox.c.channel == wanted.channel)
    if wanted.status is not None:
        query = query.where(outbox.c.status == wanted.status.value)
    return query.order_by(outbox.c.id.desc())


def _alert_ids(connection: Connection, fingerprint: str) -> set[int]:
    """The row numbers of the alerts with this public name; several rules may make the same label set."""
    return set(connection.execute(select(alerts.c.id).where(alerts.c.fingerprint == fingerprint)).scalars())


def _of(alert_ids: Collection[int]) -> Any:
    return group_members.c.alert_id.in_(sorted(alert_ids))


def _told(told: Mapping[str, Sequence[int]]) -> list[int]:
    """The alerts a message tells of."""
    return [*told.get("firing", ()), *told.get("resolved", ())]


def _with_attempts(connection: Connection, rows: Sequence[RowMapping]) -> list[Notification]:
    attempts = _attempts(connection, rows)
    return [
        Notification(
            id=row["id"],
            channel=row["channel"],
            recipient=row["recipient"],
            dedup_key=row["dedup_key"],
            reason=row["reason"],
            status=Status(row["status"]),
            attempts=tuple(attempts.get(row["id"], ())),
            next_attempt_at=row["next_attempt_at"] if row["status"] == Status.PENDING else None,
            created_at=row["created_at"],
            finished_at=row["finished_at"],
        )
        for row in rows
    ]


def _attempts(connection: Connection, rows: Sequence[RowMapping]) -> dict[int, list[Attempt]]:
    """The attempts of each message, oldest first, by its number."""
    found: dict[int, list[Attempt]] = {row["id"]: [] for row in rows}
    groups = sorted({str(row["group_id"]) for row in rows})
    query = (
        select(ledger.c.at, ledger.c.reason, ledger.c.detail)
        .where(ledger.c.subject_type == Subject.GROUP.value, ledger.c.subject_id.in_(groups))
        .where(ledger.c.kind == Kind.ATTEMPT.value)
        .where(ledger.c.detail["outbox_id"].as_integer().in_(sorted(found)))
        .order_by(ledger.c.id)
    )
    for row in connection.execute(query).mappings() if found else ():
        found[row["detail"]["outbox_id"]].append(_attempt(row["at"], row["reason"], row["detail"]))
    return found


def _attempt(at: datetime, outcome: str, detail: Mapping[str, Any]) -> Attempt:
    """The attempt; the text of one that succeeded is no error."""
    parts = [str(detail[name]) for name in ("failure", "detail") if detail.get(name)]
    return Attempt(at=at, outcome=outcome, error=": ".join(parts) if "failure" in detail else None)
