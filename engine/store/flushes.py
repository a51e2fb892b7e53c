"""Many groups at once, as a flush reads and writes them: one statement for all of a batch instead of one for each group."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import BindParameter, Connection, Text, bindparam, case, cast, func, select, update

from engine.core.alert import Alert, State
from engine.core.flush import Flush, Group, Target
from engine.core.notifying import Told
from engine.store import alerts as alert_rows
from engine.store.groups import Standing, as_group, leave, muted_to_json, standing_of, told_to_json
from engine.store.tables import alert_groups, alerts, group_channels, group_members
from engine.store.upsert import upsert


@dataclass(frozen=True, slots=True, kw_only=True)
class Stand:
    """A group that is due, and all a flush must know to see that it would find what the last one found.

    `told` is what counts as told to each addressee, as it is stored, and why; `members` the numbers of its alerts. `unfiring`
    counts those of them that do not fire, and `oldest` is the lowest number of a configuration that placed one.
    """

    id: int
    flush_at: datetime
    route_id: str
    labels_hash: str
    muted: str
    told: Hashable
    members: str
    unfiring: int
    oldest: int

    @property
    def content(self) -> Hashable:
        """All of it but the timer."""
        return self.route_id, self.labels_hash, self.muted, self.told, self.members, self.unfiring, self.oldest


_IDS: Final[BindParameter[int]] = bindparam("ids", expanding=True)
_OPEN: Final = group_members.c.left_at.is_(None)

_LOCKED: Final = (
    select(alert_groups)
    .where(alert_groups.c.id.in_(_IDS), alert_groups.c.flush_at <= bindparam("now"))
    .order_by(alert_groups.c.flush_at, alert_groups.c.id)
    .with_for_update(skip_locked=True)
)
_STANDS: Final = (
    select(
        alert_groups.c.id,
        alert_groups.c.flush_at,
        alert_groups.c.route_id,
        alert_groups.c.labels_hash,
        cast(alert_groups.c.muted, Text),
    )
    .where(alert_groups.c.id.in_(_IDS), alert_groups.c.flush_at <= bindparam("now"))
    .order_by(alert_groups.c.id)
    .with_for_update(skip_locked=True)
)
_TOLD: Final = select(
    group_channels.c.group_id,
    group_channels.c.channel,
    group_channels.c.recipient,
    cast(group_channels.c.decided, Text),
    group_channels.c.last_reason,
).where(group_channels.c.group_id.in_(_IDS))
_MEMBERSHIPS: Final = (
    select(
        group_members.c.group_id,
        func.aggregate_strings(cast(group_members.c.alert_id, Text), ","),
        func.sum(case((alerts.c.state == State.FIRING.value, 0), else_=1)),
        func.min(group_members.c.placed_version),
    )
    .join(alerts, alerts.c.id == group_members.c.alert_id)
    .where(group_members.c.group_id.in_(_IDS), _OPEN)
    .group_by(group_members.c.group_id)
)
_SIZES: Final = (
    select(group_members.c.group_id, func.count())
    .where(group_members.c.group_id.in_(_IDS), _OPEN)
    .group_by(group_members.c.group_id)
)
_MEMBERS: Final = (
    select(group_members.c.group_id, group_members.c.placed_version, *alert_rows.COLUMNS)
    .join(alerts, alerts.c.id == group_members.c.alert_id)
    .where(group_members.c.group_id.in_(_IDS), _OPEN)
    .order_by(group_members.c.group_id, group_members.c.alert_id)
)
_STANDINGS: Final = select(group_channels).where(group_channels.c.group_id.in_(_IDS))
_FINISHING: Final = (
    update(alert_groups)
    .where(alert_groups.c.id == bindparam("number"))
    .values(flush_at=bindparam("next"), flushed_at=bindparam("flushed"), muted=bindparam("quiet"))
)
_MOVING_ON: Final = (
    update(alert_groups)
    .where(alert_groups.c.id == bindparam("number"))
    .values(flush_at=bindparam("next"), flushed_at=bindparam("flushed"))
)


def stands(connection: Connection, ids: Sequence[int], now: datetime) -> list[Stand]:
    """How those of these groups stand that are due and free, each locked until the transaction ends."""
    rows = connection.execute(_STANDS, {"ids": ids, "now": now}).all()
    chosen = [row[0] for row in rows]
    if not chosen:
        return []
    told: dict[int, list[tuple[str, ...]]] = {}
    for group_id, *content in connection.execute(_TOLD, {"ids": chosen}):
        told.setdefault(group_id, []).append(tuple(content))
    members = {row[0]: row for row in connection.execute(_MEMBERSHIPS, {"ids": chosen})}
    return [
        Stand(
            id=number,
            flush_at=flush_at,
            route_id=route_id,
            labels_hash=labels_hash,
            muted=muted,
            told=tuple(sorted(told.get(number, ()))),
            members=among[1],
            unfiring=among[2],
            oldest=among[3],
        )
        for number, flush_at, route_id, labels_hash, muted in rows
        if (among := members.get(number)) is not None
    ]


def sizes(connection: Connection, ids: Sequence[int]) -> dict[int, int]:
    """How many members these groups have now; one without any is absent."""
    if not ids:
        return {}
    return {row[0]: row[1] for row in connection.execute(_SIZES, {"ids": ids})}


def lock(connection: Connection, ids: Sequence[int], now: datetime) -> list[Group]:
    """Those of these groups that are due and free, the longest waiting first, each locked until the transaction ends."""
    return [as_group(row) for row in connection.execute(_LOCKED, {"ids": ids, "now": now}).mappings()]


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """The members of one group, and the lowest number of a configuration that placed one of them."""

    alerts: Mapping[int, Alert]
    oldest: int | None


def members(connection: Connection, ids: Collection[int]) -> dict[int, Membership]:
    """Who is in each of these groups."""
    found: dict[int, dict[int, Alert]] = {number: {} for number in ids}
    oldest: dict[int, int] = {}
    for group_id, version, *columns in connection.execute(_MEMBERS, {"ids": list(ids)}) if ids else ():
        found[group_id][columns[0]] = alert_rows.from_columns(columns)
        oldest[group_id] = min(version, oldest.get(group_id, version))
    return {number: Membership(alerts=alerts, oldest=oldest.get(number)) for number, alerts in found.items()}


def standings(connection: Connection, ids: Collection[int]) -> dict[int, dict[Target, Standing]]:
    """What every addressee these groups ever had was told, by group."""
    found: dict[int, dict[Target, Standing]] = {number: {} for number in ids}
    for row in connection.execute(_STANDINGS, {"ids": list(ids)}).mappings() if ids else ():
        found[row["group_id"]][Target(row["channel"], row["recipient"])] = standing_of(row)
    return found


def save_decided(connection: Connection, decided: Mapping[int, Mapping[Target, tuple[Told, str]]]) -> None:
    """Write what addressees count as told from now on, and why, by group; what has arrived is left as it is."""
    nothing = told_to_json(Told())
    rows = [
        {
            "group_id": group_id,
            "channel": target.channel,
            "recipient": target.recipient,
            "decided": told_to_json(told),
            "delivered": nothing,
            "last_reason": reason,
        }
        for group_id, changed in decided.items()
        for target, (told, reason) in changed.items()
    ]
    key = ["group_id", "channel", "recipient"]
    upsert(connection, group_channels, rows, key=key, also={"delivered": group_channels.c.delivered})


def finish(connection: Connection, flushes: Iterable[tuple[Group, Flush]]) -> None:
    """Schedule each group's next flush, remember who is muted, and let the resolved go."""
    done = list(flushes)
    rows = [
        {
            "number": group.id,
            "next": decided.next_flush_at,
            "flushed": None if decided.next_flush_at is None else decided.at,
            "quiet": muted_to_json(decided.mutes),
        }
        for group, decided in done
    ]
    if rows:
        connection.execute(_FINISHING, rows)
    for group, decided in done:
        if decided.leaving:
            leave(connection, group.id, decided.leaving, at=decided.at)


def move_on(connection: Connection, timers: Sequence[tuple[int, datetime, datetime]]) -> None:
    """Let the timers of groups go on to whom nothing has happened: number, the flush this was, and the next one."""
    rows = [{"number": number, "flushed": at, "next": following} for number, at, following in timers]
    if rows:
        connection.execute(_MOVING_ON, rows)
