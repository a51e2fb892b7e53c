"""Memberships that an edit may have made wrong, and groups that go elsewhere."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, func, select, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError

from engine.core.alert import State
from engine.core.flush import Group, Target
from engine.core.grouping import Placement
from engine.store import exclusive
from engine.store.database import Database
from engine.store.groups import as_group
from engine.store.tables import alert_groups, alerts, group_channels, group_members
from rules.labels import Labels

BATCH: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One firing alert in one group, with what places it."""

    id: int
    group_id: int
    alert_id: int
    source: str
    labels: Labels


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which members to look at: those placed by a configuration older than `below`, of these rules; `None` is all."""

    below: int | None = None
    sources: frozenset[str] | None = None


def members(connection: Connection, wanted: Wanted, *, after: int, limit: int) -> list[Member]:
    """Open memberships of firing alerts, by number, above `after`."""
    query = (
        select(
            group_members.c.id,
            group_members.c.group_id,
            alerts.c.id.label("alert_id"),
            alerts.c.source,
            alerts.c.labels,
        )
        .join(alerts, alerts.c.id == group_members.c.alert_id)
        .where(group_members.c.id > after, group_members.c.left_at.is_(None), alerts.c.state == State.FIRING.value)
        .order_by(group_members.c.id)
        .limit(limit)
    )
    if wanted.below is not None:
        query = query.where(group_members.c.placed_version < wanted.below)
    if wanted.sources is not None:
        query = query.where(alerts.c.source.in_(sorted(wanted.sources)))
    return [
        Member(id=row.id, group_id=row.group_id, alert_id=row.alert_id, source=row.source, labels=Labels(row.labels))
        for row in connection.execute(query)
    ]


class ContendedError(Exception):
    """Others hold, or have just written, what a move wanted. Nothing of it is done; the next try finds what they wrote."""


@contextmanager
def giving_way(database: Database) -> Iterator[Connection]:
    """A transaction that may move alerts; raises ContendedError where others were in its way."""
    try:
        with database.write() as connection:
            yield connection
    except (IntegrityError, OperationalError) as failure:
        if _is_contention(failure):
            raise ContendedError from failure
        raise


def exclude_others(connection: Connection) -> None:
    """From here on nobody else moves alerts; and on PostgreSQL this transaction gives way to whoever keeps it waiting.

    They may be about to wait for it.
    """
    if connection.dialect.name != "sqlite":
        connection.execute(_PATIENCE, {"span": "50ms"})
        exclusive.take(connection, exclusive.MOVES)
        connection.execute(_PATIENCE, {"span": "200ms"})


_PATIENCE: Final = text("SELECT set_config('lock_timeout', :span, true)")
"""Well below the second after which the server looks for a deadlock, and would end either side."""
_CONTENDED: Final = frozenset({"55P03", "40P01"})
"""A lock that was not to be had, and a deadlock."""
_PLACES: Final = frozenset({"uq_alert_groups_route_id_labels_hash", "uq_group_members_open"})
"""The keys that somebody else may take meanwhile."""


def _is_contention(failure: DBAPIError) -> bool:
    origin: Any = failure.orig
    state = getattr(origin, "sqlstate", None)
    return state in _CONTENDED or (state == "23505" and origin.diag.constraint_name in _PLACES)


def memberships(connection: Connection, alert_ids: Collection[int]) -> dict[int, dict[int, str]]:
    """The groups each of these alerts is in now: alert → group → its route."""
    found: dict[int, dict[int, str]] = {number: {} for number in alert_ids}
    ids = sorted(found)
    for start in range(0, len(ids), BATCH):
        query = (
            select(group_members.c.alert_id, group_members.c.group_id, alert_groups.c.route_id)
            .join(alert_groups, alert_groups.c.id == group_members.c.group_id)
            .where(group_members.c.alert_id.in_(ids[start : start + BATCH]), group_members.c.left_at.is_(None))
            .order_by(group_members.c.id)
        )
        for alert_id, group_id, route_id in connection.execute(query):
            found[alert_id][group_id] = route_id
    return found


def tellers(connection: Connection, alert_ids: Collection[int]) -> dict[Target, dict[int, list[int]]]:
    """The groups that these alerts are or were in and that ever told somebody anything: addressee → alert → groups."""
    found: dict[Target, dict[int, list[int]]] = {}
    ids = sorted(alert_ids)
    for start in range(0, len(ids), BATCH):
        query = (
            select(
                group_channels.c.channel, group_channels.c.recipient, group_members.c.alert_id, group_members.c.group_id
            )
            .join(group_channels, group_channels.c.group_id == group_members.c.group_id)
            .where(group_members.c.alert_id.in_(ids[start : start + BATCH]))
            .distinct()
        )
        for channel, recipient, alert_id, group_id in connection.execute(query):
            found.setdefault(Target(channel, recipient), {}).setdefault(alert_id, []).append(group_id)
    return found


def places(connection: Connection, alert_ids: Collection[int]) -> dict[tuple[int, str], Labels]:
    """The labels of the group each of these alerts is still in, by alert and route; what is in none is absent."""
    found: dict[tuple[int, str], Labels] = {}
    ids = sorted(set(alert_ids))
    for start in range(0, len(ids), BATCH):
        query = (
            select(group_members.c.alert_id, alert_groups.c.route_id, alert_groups.c.labels)
            .join(alert_groups, alert_groups.c.id == group_members.c.group_id)
            .where(group_members.c.alert_id.in_(ids[start : start + BATCH]), group_members.c.left_at.is_(None))
        )
        found |= {(number, route_id): Labels(labels) for number, route_id, labels in connection.execute(query)}
    return found


def routes(connection: Connection, group_ids: Collection[int]) -> dict[int, str]:
    """The route of each of these groups."""
    query = select(alert_groups.c.id, alert_groups.c.route_id).where(alert_groups.c.id.in_(sorted(group_ids)))
    return {row.id: row.route_id for row in connection.execute(query)} if group_ids else {}


def oldest(connection: Connection, group_id: int) -> int | None:
    """The oldest configuration that placed a member the group has now."""
    query = select(func.min(group_members.c.placed_version)).where(
        group_members.c.group_id == group_id, group_members.c.left_at.is_(None)
    )
    version: int | None = connection.execute(query).scalar_one()
    return version


def stamp(connection: Connection, group_id: int, version: int) -> None:
    """Note that this configuration has everyone in the group who fires where they belong; who has ended may fire elsewhere."""
    firing = select(alerts.c.id).where(alerts.c.id == group_members.c.alert_id, alerts.c.state == State.FIRING.value)
    marking = update(group_members).where(
        group_members.c.group_id == group_id,
        group_members.c.left_at.is_(None),
        group_members.c.placed_version < version,
        firing.exists(),
    )
    connection.execute(marking.values(placed_version=version))


def stamp_members(connection: Connection, members: Collection[int], version: int) -> None:
    """The same for single memberships."""
    ids = sorted(members)
    for start in range(0, len(ids), BATCH):
        marking = update(group_members).where(
            group_members.c.id.in_(ids[start : start + BATCH]), group_members.c.placed_version < version
        )
        connection.execute(marking.values(placed_version=version))


def lock(connection: Connection, group_id: int) -> Group | None:
    """The group, locked until the transaction ends, whether or not it is due; `None` when it is idle or somebody has it."""
    query = select(alert_groups).where(alert_groups.c.id == group_id, alert_groups.c.flush_at.is_not(None))
    row = connection.execute(query.with_for_update(skip_locked=True)).mappings().first()
    return None if row is None else as_group(row)


def lock_free(connection: Connection, group_ids: Collection[int]) -> set[int]:
    """Those of these groups that nobody else has, locked until the transaction ends."""
    found: set[int] = set()
    ids = sorted(group_ids)
    for start in range(0, len(ids), BATCH):
        query = select(alert_groups.c.id).where(alert_groups.c.id.in_(ids[start : start + BATCH]))
        locking = query.order_by(alert_groups.c.id).with_for_update(skip_locked=True)
        found |= set(connection.execute(locking).scalars())
    return found


def busy(connection: Connection, group_ids: Collection[int]) -> set[int]:
    """Those of these groups that are to be flushed again."""
    query = select(alert_groups.c.id).where(
        alert_groups.c.id.in_(sorted(group_ids)), alert_groups.c.flush_at.is_not(None)
    )
    return set(connection.execute(query).scalars()) if group_ids else set()


def become(connection: Connection, group: Group, placement: Placement, flush_at: datetime) -> bool:
    """Let the group be that of another route, key, members, messages and all; False when a busy one stands there.

    An idle one that stands there takes this one's old place, so that a key never serves two groups at a time.
    """
    there = _standing(connection, placement)
    if there is not None and not _is_idle(connection, there):
        return False
    old = connection.execute(select(alert_groups).where(alert_groups.c.id == group.id)).mappings().one()
    if there is not None:
        aside = {"route_id": "", "labels_hash": str(there)}
        connection.execute(update(alert_groups).where(alert_groups.c.id == there).values(aside))
    place = {
        "route_id": placement.policy.route_id,
        "labels_hash": placement.labels_hash,
        "labels": dict(placement.labels),
        "flush_at": flush_at,
    }
    connection.execute(update(alert_groups).where(alert_groups.c.id == group.id).values(place))
    if there is not None:
        back = {name: old[name] for name in ("route_id", "labels_hash", "labels")}
        connection.execute(update(alert_groups).where(alert_groups.c.id == there).values(back))
    return True


def forget_mutes(connection: Connection, group_id: int) -> None:
    """Forget whom the group's last flush found muted."""
    connection.execute(update(alert_groups).where(alert_groups.c.id == group_id).values(muted={}))


def _standing(connection: Connection, placement: Placement) -> int | None:
    query = select(alert_groups.c.id).where(
        alert_groups.c.route_id == placement.policy.route_id, alert_groups.c.labels_hash == placement.labels_hash
    )
    number: int | None = connection.execute(query.with_for_update()).scalar_one_or_none()
    return number


def _is_idle(connection: Connection, group_id: int) -> bool:
    """Whether nothing of the group is still to be told."""
    flush_at = connection.execute(select(alert_groups.c.flush_at).where(alert_groups.c.id == group_id)).scalar_one()
    told = connection.execute(select(group_channels.c.decided).where(group_channels.c.group_id == group_id)).scalars()
    return flush_at is None and not any(decided.get("firing") for decided in told)
