"""Which groups an alert was in and when, and how those it is in now stand: what its story hangs on besides the ledger."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from engine.store.groups import told_from_json
from engine.store.outbox import Status
from engine.store.tables import alert_groups, channel_state, group_channels, group_members, outbox
from rules.labels import Labels


@dataclass(frozen=True, slots=True, kw_only=True)
class Stay:
    """One stay of an alert in a group, from `joined_at` (inclusive) to `left_at` (exclusive); `None`: it is there now."""

    group_id: int
    joined_at: datetime
    left_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One group now; `told_at` is the last flush that counts as having told of the alert as firing."""

    id: int
    route_id: str
    labels: Labels
    flush_at: datetime | None
    told_at: datetime | None


def stays(connection: Connection, alert_id: int, *, limit: int) -> list[Stay]:
    """The last `limit` stays of the alert in groups, oldest first."""
    query = select(group_members).where(group_members.c.alert_id == alert_id)
    rows = connection.execute(query.order_by(group_members.c.id.desc()).limit(limit)).mappings()
    found = [Stay(group_id=row["group_id"], joined_at=row["joined_at"], left_at=row["left_at"]) for row in rows]
    return found[::-1]


def standings(connection: Connection, group_ids: Collection[int], alert_id: int) -> list[Standing]:
    """How these groups stand, with regard to the alert."""
    told = _told_at(connection, group_ids, alert_id)
    query = select(alert_groups).where(alert_groups.c.id.in_(sorted(group_ids))).order_by(alert_groups.c.id)
    return [
        Standing(
            id=row["id"],
            route_id=row["route_id"],
            labels=Labels(row["labels"]),
            flush_at=row["flush_at"],
            told_at=told.get(row["id"]),
        )
        for row in connection.execute(query).mappings()
    ]


def waiting(connection: Connection, group_ids: Collection[int]) -> list[tuple[str, datetime]]:
    """The channels that messages of these groups wait for, and when each may be tried; a service's own wish counts.

    Of several to one addressee only the first: those behind it wait for it.
    """
    query = (
        select(
            outbox.c.group_id,
            outbox.c.channel,
            outbox.c.recipient,
            outbox.c.next_attempt_at,
            channel_state.c.next_send_at,
        )
        .outerjoin(channel_state, channel_state.c.channel == outbox.c.channel)
        .where(outbox.c.status == Status.PENDING.value, outbox.c.group_id.in_(sorted(group_ids)))
        .order_by(outbox.c.id)
    )
    first: dict[tuple[int, str, str], tuple[str, datetime]] = {}
    for group_id, channel, recipient, attempt, wish in connection.execute(query):
        at = attempt if wish is None else max(attempt, wish)
        first.setdefault((group_id, channel, recipient), (channel, at))
    return list(first.values())


def _told_at(connection: Connection, group_ids: Collection[int], alert_id: int) -> Mapping[int, datetime]:
    query = select(group_channels.c.group_id, group_channels.c.decided).where(
        group_channels.c.group_id.in_(sorted(group_ids))
    )
    found: dict[int, datetime] = {}
    decided: Any
    for group_id, decided in connection.execute(query):
        told = told_from_json(decided)
        if told.at is not None and alert_id in told.firing:
            found[group_id] = min(told.at, found.get(group_id, told.at))
    return found
