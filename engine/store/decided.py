"""What was decided to be told, group by group: read from the ledger, so it is there whether or not anything was sent."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, select

from engine.core.comparing import Heard, Muted
from engine.core.external import NONE, outward
from engine.core.muting import MuteKind
from engine.store.ledger import Kind, Subject
from engine.store.tables import alert_groups, alerts, ledger
from rules.labels import Labels

_BATCH: Final = 500
_BY_ALERT: Final = frozenset(kind.value for kind in MuteKind if kind.by_alert)
_MUTES: Final = frozenset(kind.value for kind in MuteKind)


def between(
    connection: Connection,
    since: datetime,
    until: datetime,
    receivers: Mapping[str, str],
    external: Labels = NONE,
) -> tuple[list[Heard], list[Muted]]:
    """The messages decided in this span, one for all channels that a flush told the same, and what was found muted.

    `receivers` has the name of each route's receiver by the route's id; a route that is gone has none. Alerts are told with
    their `external` labels, as they are known outside.
    """
    query = (
        select(ledger)
        .where(ledger.c.at >= since, ledger.c.at <= until, ledger.c.subject_type == Subject.GROUP.value)
        .where(ledger.c.kind.in_([Kind.DECISION.value, Kind.MUTE.value]))
        .order_by(ledger.c.id)
    )
    rows = list(connection.execute(query).mappings())
    groups = _groups(connection, {int(row["subject_id"]) for row in rows})
    labels = _labels(connection, external, {number for row in rows for number in row["alert_ids"]})
    heard: dict[tuple[object, ...], Heard] = {}
    muted = []
    for row in rows:
        route_id, group = groups.get(int(row["subject_id"]), ("", Labels()))
        receiver = receivers.get(str(row["detail"].get("route_id", route_id)), "")
        named = frozenset(labels[number] for number in row["alert_ids"] if number in labels)
        if row["kind"] == Kind.MUTE.value and row["reason"] in _MUTES:
            by_alert = row["reason"] in _BY_ALERT
            muted.append(Muted(at=row["at"], receiver=receiver, group=group, alerts=named, by_alert=by_alert))
        elif row["kind"] == Kind.DECISION.value and row["detail"].get("sends"):
            one = _heard(row, receiver, group, labels)
            heard.setdefault((one.key, one.at, one.firing, one.resolved), one)
    return list(heard.values()), muted


def _heard(row: RowMapping, receiver: str, group: Labels, labels: Mapping[int, Labels]) -> Heard:
    detail: Mapping[str, Any] = row["detail"]
    return Heard(
        at=row["at"],
        receiver=receiver,
        group=group,
        firing=frozenset(labels[number] for number in detail["firing"] if number in labels),
        resolved=frozenset(labels[number] for number in detail["resolved"] if number in labels),
        reason=row["reason"],
    )


def _groups(connection: Connection, numbers: Collection[int]) -> dict[int, tuple[str, Labels]]:
    found: dict[int, tuple[str, Labels]] = {}
    for some in _batches(numbers):
        query = select(alert_groups.c.id, alert_groups.c.route_id, alert_groups.c.labels)
        rows = connection.execute(query.where(alert_groups.c.id.in_(some)))
        found |= {row.id: (row.route_id, Labels(row.labels)) for row in rows}
    return found


def _labels(connection: Connection, external: Labels, numbers: Collection[int]) -> dict[int, Labels]:
    found: dict[int, Labels] = {}
    for some in _batches(numbers):
        query = select(alerts.c.id, alerts.c.source, alerts.c.labels).where(alerts.c.id.in_(some))
        found |= {row.id: outward(Labels(row.labels), row.source, external) for row in connection.execute(query)}
    return found


def _batches(numbers: Collection[int]) -> Iterable[list[int]]:
    ordered = sorted(numbers)
    return (ordered[at : at + _BATCH] for at in range(0, len(ordered), _BATCH))
