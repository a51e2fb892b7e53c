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
from engine.store import bulk
from engine.store.bulk import Bulk
from engine.store.groups import Standing, as_group, leave, muted_to_json, standing_of, told_to_json
from engine.store.json_text import dumps
from engine.store.tables import alert_groups, alerts, group_channels, group_members
from engine.store.upsert import Insert, insert


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


def _timing(*columns: str) -> Bulk:
    """Setting these columns of a group; its number is the last value of a row."""
    values = {name: bindparam(name, type_=alert_groups.c[name].type) for name in columns}
    moving = update(alert_groups).where(alert_groups.c.id == bindparam("number")).values(values)
    return Bulk(lambda _connection: moving, (*columns, "number"))


_FINISHING: Final = _timing("flush_at", "flushed_at", "muted")
_MOVING_ON: Final = _timing("flush_at", "flushed_at")


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
    for group_id, version, *columns in connection.execute(_MEMBERS, {"ids": list(ids)}).all() if ids else ():
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
    nothing = dumps(told_to_json(Told()))
    rows = [
        (group_id, target.channel, target.recipient, dumps(told_to_json(told)), nothing, reason)
        for group_id, changed in decided.items()
        for target, (told, reason) in changed.items()
    ]
    _DECIDING.run(connection, rows)


def _deciding(connection: Connection) -> Insert:
    statement = insert(connection, group_channels)
    changed = {name: statement.excluded[name] for name in ("decided", "last_reason")}
    return statement.on_conflict_do_update(index_elements=["group_id", "channel", "recipient"], set_=changed)


_DECIDING: Final = Bulk(_deciding, ("group_id", "channel", "recipient", "decided", "delivered", "last_reason"))


def finish(connection: Connection, flushes: Iterable[tuple[Group, Flush]]) -> None:
    """Schedule each group's next flush, remember who is muted, and let the resolved go."""
    done = list(flushes)
    instant = bulk.maybe(connection)
    rows = [
        (
            instant(decided.next_flush_at),
            None if decided.next_flush_at is None else instant(decided.at),
            dumps(muted_to_json(decided.mutes)) if decided.mutes else "{}",
            group.id,
        )
        for group, decided in done
    ]
    _FINISHING.run(connection, rows)
    for group, decided in done:
        if decided.leaving:
            leave(connection, group.id, decided.leaving, at=decided.at)


def move_on(connection: Connection, timers: Sequence[tuple[int, datetime, datetime]]) -> None:
    """Let the timers of groups go on to whom nothing has happened: number, the flush this was, and the next one."""
    instant = bulk.moment(connection)
    _MOVING_ON.run(connection, [(instant(following), instant(at), number) for number, at, following in timers])
