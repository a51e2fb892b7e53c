"""The ledger: every decision, in the order it was made, with its reason and the versions it went by."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, Select, select

from engine.store import bulk
from engine.store.bulk import Bulk
from engine.store.json_text import dumps
from engine.store.tables import ledger
from engine.store.upsert import insert


class Kind(StrEnum):
    """What kind of thing happened."""

    TRANSITION = "transition"
    PLACEMENT = "placement"
    MUTE = "mute"
    DECISION = "decision"
    ATTEMPT = "attempt"
    PROBLEM = "problem"
    ACCESS = "access"
    CONFIGURATION = "configuration"


class Subject(StrEnum):
    """What it happened to."""

    ALERT = "alert"
    GROUP = "group"
    RULE = "rule"
    DEFINITION = "definition"
    KEY = "key"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One row. `alert_ids` are those a group's decision was about; `detail` names versions, channels, outcomes."""

    at: datetime
    kind: Kind
    reason: str
    subject_type: Subject
    subject_id: str
    alert_ids: Sequence[int] = ()
    detail: Mapping[str, Any] = field(default_factory=dict)
    id: int | None = None


def write(connection: Connection, entries: Sequence[Entry]) -> None:
    """Append the entries in order."""
    if not entries:
        return
    instant = bulk.moment(connection)
    # Rows of one batch mostly share their details, as the alerts of one group do.
    details = {id(entry.detail): entry.detail for entry in entries}
    texts = {key: dumps(dict(detail)) for key, detail in details.items()}
    rows = [
        (
            instant(entry.at),
            entry.kind.value,
            entry.reason,
            entry.subject_type.value,
            entry.subject_id,
            dumps(list(entry.alert_ids)) if entry.alert_ids else "[]",
            texts[id(entry.detail)],
        )
        for entry in entries
    ]
    _WRITING.run(connection, rows)


_WRITING: Final = Bulk(
    lambda connection: insert(connection, ledger),
    ("at", "kind", "reason", "subject_type", "subject_id", "alert_ids", "detail"),
)


def of(
    connection: Connection, subject_type: Subject, subject_id: str, *, after: int = 0, limit: int = 100
) -> list[Entry]:
    """What happened to one subject, oldest first, from the row after `after`."""
    query = (
        select(ledger)
        .where(ledger.c.subject_type == subject_type.value, ledger.c.subject_id == subject_id, ledger.c.id > after)
        .order_by(ledger.c.id)
        .limit(limit)
    )
    return [_entry(row) for row in connection.execute(query).mappings()]


def newest(
    connection: Connection, subject_type: Subject, subject_ids: Collection[str], *, until: datetime, limit: int
) -> list[Entry]:
    """The last `limit` rows of these subjects up to and including `until`, oldest first."""
    query = _about(subject_type, subject_ids).where(ledger.c.at <= until).order_by(ledger.c.id.desc()).limit(limit)
    return [_entry(row) for row in connection.execute(query).mappings()][::-1]


def following(
    connection: Connection, subject_type: Subject, subject_ids: Collection[str], *, after: datetime, limit: int
) -> list[Entry]:
    """The first `limit` rows of these subjects later than `after`, oldest first."""
    query = _about(subject_type, subject_ids).where(ledger.c.at > after).order_by(ledger.c.id).limit(limit)
    return [_entry(row) for row in connection.execute(query).mappings()]


def _about(subject_type: Subject, subject_ids: Collection[str]) -> Select[*tuple[Any, ...]]:
    return select(ledger).where(
        ledger.c.subject_type == subject_type.value, ledger.c.subject_id.in_(sorted(subject_ids))
    )


def _entry(row: RowMapping) -> Entry:
    return Entry(
        id=row["id"],
        at=row["at"],
        kind=Kind(row["kind"]),
        reason=row["reason"],
        subject_type=Subject(row["subject_type"]),
        subject_id=row["subject_id"],
        alert_ids=tuple(row["alert_ids"]),
        detail=row["detail"],
    )
