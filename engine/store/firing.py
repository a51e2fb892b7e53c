"""What fires now, row by row and as raw as it can be told: for whoever lists a hundred thousand alerts at once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import Connection, Text, cast, func, select

from engine.core.alert import State
from engine.store.tables import alert_groups, alerts, external_expiry, group_members
from rules.labels import Labels

_BATCH: Final = 2000


class FiringRow(NamedTuple):
    """One firing alert. `labels` and `annotations` are JSON as stored; the last two are set for a posted alert only."""

    number: int
    source: str
    fingerprint: str
    labels: str
    annotations: str
    generator_url: str
    starts_at: datetime
    ends_at: datetime | None
    updated_at: datetime | None


class OpenGroup(NamedTuple):
    """A group that has firing alerts, and their row numbers."""

    route_id: str
    labels: Labels
    members: list[int]


_ROWS: Final = (
    select(
        alerts.c.id,
        alerts.c.source,
        alerts.c.fingerprint,
        cast(alerts.c.labels, Text),
        cast(alerts.c.annotations, Text),
        alerts.c.generator_url,
        func.coalesce(alerts.c.fired_at, alerts.c.active_at, type_=alerts.c.active_at.type),
        external_expiry.c.ends_at,
        external_expiry.c.updated_at,
    )
    .outerjoin(external_expiry, external_expiry.c.alert_id == alerts.c.id)
    .where(alerts.c.state == State.FIRING)
    .order_by(alerts.c.fingerprint, alerts.c.id)
)


def rows(connection: Connection, *, after: str = "", limit: int | None = None) -> Iterator[FiringRow]:
    """The firing alerts by fingerprint, those above `after`; at most `limit` of them."""
    statement = _ROWS.where(alerts.c.fingerprint > after).limit(limit) if after or limit is not None else _ROWS
    for batch in connection.execute(statement).partitions(_BATCH):
        yield from (FiringRow(*row) for row in batch)


def groups(connection: Connection) -> list[OpenGroup]:
    """The groups that have firing alerts, in the order they were made."""
    members = (
        select(group_members.c.group_id, group_members.c.alert_id)
        .join(alerts, alerts.c.id == group_members.c.alert_id)
        .where(group_members.c.left_at.is_(None), alerts.c.state == State.FIRING)
        .order_by(group_members.c.group_id, group_members.c.alert_id)
    )
    within: dict[int, list[int]] = {}
    for group_id, number in connection.execute(members):
        within.setdefault(group_id, []).append(number)
    known = select(alert_groups.c.id, alert_groups.c.route_id, alert_groups.c.labels).order_by(alert_groups.c.id)
    return [
        OpenGroup(route_id, Labels(labels), within[group_id])
        for group_id, route_id, labels in connection.execute(known)
        if group_id in within
    ]
