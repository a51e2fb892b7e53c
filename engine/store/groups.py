"""Groups, their members, and what each channel was told about them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from operator import itemgetter
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Executable,
    RowMapping,
    Select,
    bindparam,
    case,
    func,
    literal,
    select,
    text,
    update,
)

from engine.core.alert import Alert
from engine.core.flush import Group, Muter, Target
from engine.core.grouping import Placement, first_flush
from engine.core.muting import MuteKind, Mutes
from engine.core.notifying import Told
from engine.store import alerts as alert_rows
from engine.store import bulk
from engine.store.bulk import Bulk
from engine.store.tables import alert_groups, group_channels, group_members
from engine.store.types import Instant, from_microseconds, to_microseconds
from engine.store.upsert import Insert, insert, insert_in, upsert
from rules.labels import Labels


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What one addressee of a group was told: as decided, and as known to have arrived. `last_reason` is the last decision's."""

    decided: Told = field(default_factory=Told)
    delivered: Told = field(default_factory=Told)
    last_reason: str = ""


GroupKey = tuple[str, str]
"""A group's route and the hash of its labels."""


def join(
    connection: Connection,
    entering: Sequence[tuple[int, Placement]],
    fired_at: datetime,
    *,
    at_once: Collection[GroupKey] = (),
) -> dict[GroupKey, int]:
    """Put firing alerts into their groups, made if need be. Answers the groups' numbers.

    A group that was idle is scheduled: after its group_wait, or at once where it has waited already. One that still waits for
    its first flush is flushed at once, too, when an alert joins that has waited (A:dispatch/dispatch.go insert).
    """
    if not entering:
        return {}
    placements = {key_of(placement): placement for _, placement in entering}
    # In one order everywhere: two processes that schedule the same groups must not wait for each other.
    rows = [
        _group_row(
            placement, fired_at, flush_at=fired_at if key in at_once else first_flush(placement.policy, fired_at)
        )
        for key, placement in sorted(placements.items(), key=itemgetter(0))
    ]
    made = connection.execute(_MAKING[connection.dialect.name], rows)
    numbers = {(route_id, labels_hash): number for route_id, labels_hash, number in made}
    joined_at = bulk.moment(connection)(fired_at)
    rows_of_members = [
        (numbers[key_of(placement)], alert_id, joined_at, placement.version) for alert_id, placement in entering
    ]
    _ENTERING.run(connection, rows_of_members)
    return numbers


def _making(dialect: str) -> Executable:
    statement = insert_in(dialect, alert_groups)
    made = statement.on_conflict_do_update(
        index_elements=["route_id", "labels_hash"], set_={"flush_at": _scheduled(statement)}
    )
    return made.returning(alert_groups.c.route_id, alert_groups.c.labels_hash, alert_groups.c.id)


def _entering(connection: Connection) -> Insert:
    return insert(connection, group_members).on_conflict_do_nothing(
        index_elements=["group_id", "alert_id"], index_where=text("left_at IS NULL")
    )


_ENTERING: Final = Bulk(_entering, ("group_id", "alert_id", "joined_at", "placed_version"))


def _scheduled(statement: Any) -> ColumnElement[Any]:
    """When a group is flushed next that somebody joins: as planned, and before its first flush by whoever wants it sooner."""
    planned, wanted = alert_groups.c.flush_at, statement.excluded.flush_at
    sooner = planned.is_(None) | (alert_groups.c.flushed_at.is_(None) & (wanted < planned))
    return case((sooner, wanted), else_=planned)


_MAKING: Final = {dialect: _making(dialect) for dialect in ("sqlite", "postgresql")}


def key_of(placement: Placement) -> GroupKey:
    """What makes a group the group it is."""
    return placement.policy.route_id, placement.labels_hash


def _group_row(placement: Placement, fired_at: datetime, *, flush_at: datetime) -> dict[str, Any]:
    return {
        "route_id": placement.policy.route_id,
        "labels_hash": placement.labels_hash,
        "labels": dict(placement.labels),
        "dedup_key": placement.dedup_key,
        "flush_at": flush_at,
        "created_at": fired_at,
    }


def due(connection: Connection, now: datetime, limit: int, *, but: Collection[int] = ()) -> list[int]:
    """The groups to flush now, the longest waiting first; `but` are left out."""
    query = (
        select(alert_groups.c.id).where(alert_groups.c.flush_at <= now).order_by(alert_groups.c.flush_at).limit(limit)
    )
    return list(connection.execute(_without(query, but)).scalars())


def next_due(connection: Connection, *, but: Collection[int] = ()) -> datetime | None:
    """When the next group is due; `None` when all are idle but those that are left out."""
    query = select(func.min(alert_groups.c.flush_at)).where(alert_groups.c.flush_at.is_not(None))
    moment: datetime | None = connection.execute(_without(query, but)).scalar_one()
    return moment


def _without(query: Select[*tuple[Any, ...]], but: Collection[int]) -> Select[*tuple[Any, ...]]:
    return query.where(alert_groups.c.id.not_in(sorted(but))) if but else query


def holding(connection: Connection, alert_id: int) -> Group | None:
    """The group the alert is in now, the first of several; one that is not scheduled counts as flushed at its making."""
    query = (
        select(alert_groups)
        .join(group_members, group_members.c.group_id == alert_groups.c.id)
        .where(group_members.c.alert_id == alert_id, group_members.c.left_at.is_(None))
        .order_by(alert_groups.c.id)
        .limit(1)
    )
    row = connection.execute(query).mappings().first()
    return None if row is None else as_group({**row, "flush_at": row["flush_at"] or row["created_at"]})


def as_group(row: Mapping[Any, Any]) -> Group:
    """The group a row keeps; it must be scheduled."""
    return Group(
        id=row["id"],
        route_id=row["route_id"],
        labels=Labels(row["labels"]),
        dedup_key=row["dedup_key"],
        flush_at=row["flush_at"],
        muted={int(number): _muters(found) for number, found in row["muted"].items()},
    )


def _muters(content: Sequence[Sequence[str]]) -> tuple[Muter, ...]:
    return tuple((MuteKind(kind), by) for kind, by in content)


def members(connection: Connection, group_id: int) -> dict[int, Alert]:
    """The alerts in the group now, by number."""
    query = select(group_members.c.alert_id).where(
        group_members.c.group_id == group_id, group_members.c.left_at.is_(None)
    )
    return alert_rows.by_id(connection, connection.execute(query).scalars())


def standings(connection: Connection, group_id: int) -> dict[Target, Standing]:
    """What every addressee the group ever had was told."""
    query = select(group_channels).where(group_channels.c.group_id == group_id)
    return {Target(row["channel"], row["recipient"]): standing_of(row) for row in connection.execute(query).mappings()}


def standing_of(row: RowMapping) -> Standing:
    """What a row of group_channels says of its addressee."""
    return Standing(
        decided=told_from_json(row["decided"]),
        delivered=told_from_json(row["delivered"]),
        last_reason=row["last_reason"],
    )


def save(connection: Connection, group_id: int, target: Target, standing: Standing) -> None:
    """Write all of what one addressee was told, as decided and as arrived."""
    row = {
        "group_id": group_id,
        "channel": target.channel,
        "recipient": target.recipient,
        "decided": told_to_json(standing.decided),
        "delivered": told_to_json(standing.delivered),
        "last_reason": standing.last_reason,
    }
    upsert(connection, group_channels, [row], key=["group_id", "channel", "recipient"])


def set_delivered(connection: Connection, arrived: Sequence[tuple[int, Target, Mapping[str, Any], str | None]]) -> None:
    """Note what has arrived: by group and addressee what counts as told there, and the service's name for the message."""
    if not arrived:
        return
    noting = update(group_channels).where(
        group_channels.c.group_id == bindparam("of_group"),
        group_channels.c.channel == bindparam("of_channel"),
        group_channels.c.recipient == bindparam("of_recipient"),
    )
    rows = [
        {
            "of_group": group_id,
            "of_channel": target.channel,
            "of_recipient": target.recipient,
            "told": dict(told),
            "name": name,
        }
        for group_id, target, told, name in sorted(arrived, key=lambda one: (one[0], one[1]))
    ]
    connection.execute(noting.values(delivered=bindparam("told"), reference=bindparam("name")), rows)


def standing_references(connection: Connection, group_ids: Collection[int]) -> dict[tuple[int, Target], str]:
    """The service's name for the message that tells each addressee of what fires now; none once all was told as over."""
    query = select(group_channels).where(
        group_channels.c.group_id.in_(sorted(group_ids)), group_channels.c.reference.is_not(None)
    )
    rows = connection.execute(query).mappings()
    return {
        (row["group_id"], Target(row["channel"], row["recipient"])): row["reference"]
        for row in rows
        if row["delivered"].get("firing")
    }


def hold(connection: Connection, group_ids: Collection[int]) -> None:
    """Keep others from flushing these groups until the transaction ends; it waits for a flush that is under way."""
    if group_ids:
        chosen = alert_groups.c.id.in_(sorted(set(group_ids)))
        connection.execute(select(alert_groups.c.id).where(chosen).order_by(alert_groups.c.id).with_for_update())


def roll_back(connection: Connection, group_id: int, target: Target, again_at: datetime) -> None:
    """Forget what was decided but never arrived, and see to it that the group is flushed again."""
    connection.execute(_of(group_id, target).values(decided=group_channels.c.delivered, last_reason=""))
    scheduled = func.coalesce(alert_groups.c.flush_at, literal(again_at, Instant()))
    connection.execute(update(alert_groups).where(alert_groups.c.id == group_id).values(flush_at=scheduled))


def correct_delivered(connection: Connection, group_id: int, target: Target, delivered: Told) -> None:
    """Write what has arrived where no message made the difference."""
    connection.execute(_of(group_id, target).values(delivered=told_to_json(delivered)))


def muted_to_json(mutes: Mutes) -> dict[str, Any]:
    """What a group remembers of its mutes, as its column keeps it."""
    return {str(number): [[mute.kind.value, mute.by] for mute in every] for number, every in mutes.items()}


def leave(connection: Connection, group_id: int, alert_ids: Iterable[int], *, at: datetime) -> None:
    """End these alerts' membership."""
    ids = sorted(alert_ids)
    for start in range(0, len(ids), 500):
        leaving = update(group_members).where(
            group_members.c.group_id == group_id,
            group_members.c.alert_id.in_(ids[start : start + 500]),
            group_members.c.left_at.is_(None),
        )
        connection.execute(leaving.values(left_at=at))


def told_to_json(told: Told) -> dict[str, Any]:
    """`Told` as its columns keep it: sorted ids and microseconds."""
    at = None if told.at is None else to_microseconds(told.at)
    return {"firing": sorted(told.firing), "resolved": sorted(told.resolved), "at": at}


def told_from_json(content: Mapping[str, Any]) -> Told:
    """The reverse of told_to_json; an empty object is a `Told` of nothing."""
    at: int | None = content.get("at")
    return Told(
        firing=frozenset(_ids(content, "firing")),
        resolved=frozenset(_ids(content, "resolved")),
        at=None if at is None else from_microseconds(at),
    )


def _ids(content: Mapping[str, Any], name: str) -> Sequence[int]:
    ids: Sequence[int] = content.get(name, ())
    return ids


def _of(group_id: int, target: Target) -> Any:
    return update(group_channels).where(
        group_channels.c.group_id == group_id,
        group_channels.c.channel == target.channel,
        group_channels.c.recipient == target.recipient,
    )
