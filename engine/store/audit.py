"""What the auditor reads: whatever has no next step, each found by one query, and the repairs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, Table, Text, and_, cast, exists, func, literal, or_, select, update

from engine.core.alert import State
from engine.core.auditing import LATE_AFTER, STUCK_AFTER, WAIT_AT_MOST, Finding, Flaw, Stretch
from engine.store.groups import told_from_json
from engine.store.outbox import Status
from engine.store.row_ends import row_ends
from engine.store.tables import (
    alert_groups,
    alerts,
    channel_state,
    evaluation_units,
    group_channels,
    group_members,
    outbox,
)
from engine.store.types import Instant

LIMIT = 1000
"""How many of a kind one look finds; the next look finds the others."""

_OPEN = group_members.c.left_at.is_(None)


def unplaced(connection: Connection, among: Stretch | None = None) -> list[int]:
    """The firing alerts that are in no group, of those with these row numbers or of all."""
    placed = exists().where(group_members.c.alert_id == alerts.c.id, _OPEN)
    query = select(alerts.c.id).where(alerts.c.state == State.FIRING, ~placed, *_within(alerts.c.id, among))
    return list(connection.execute(query.order_by(alerts.c.id).limit(LIMIT)).scalars())


def unscheduled(connection: Connection, among: Stretch | None = None) -> list[int]:
    """The groups that have members, firing or not yet told to have ended, and will never be flushed; of these or of all."""
    peopled = exists().where(group_members.c.group_id == alert_groups.c.id, _OPEN)
    never = alert_groups.c.flush_at.is_(None)
    query = select(alert_groups.c.id).where(never, peopled, *_within(alert_groups.c.id, among)).limit(LIMIT)
    return list(connection.execute(query).scalars())


def alert_numbers(connection: Connection) -> tuple[int, int]:
    """The first and the last row number of the alerts; 1 and 0 where there is none."""
    return _ends(connection, alerts)


def group_numbers(connection: Connection) -> tuple[int, int]:
    """The same of the groups."""
    return _ends(connection, alert_groups)


def _ends(connection: Connection, table: Table) -> tuple[int, int]:
    ends = row_ends(connection, table)
    return (1, 0) if ends is None else ends


def _within(number: ColumnElement[int], among: Stretch | None) -> tuple[ColumnElement[bool], ...]:
    return () if among is None else (number > among.after, number <= among.until)


def scheduled_after(connection: Connection, moment: datetime) -> list[tuple[int, str, datetime]]:
    """The groups that are flushed later than that, with their routes and when."""
    query = select(alert_groups.c.id, alert_groups.c.route_id, alert_groups.c.flush_at)
    found = connection.execute(query.where(alert_groups.c.flush_at > moment).limit(LIMIT))
    return [(number, route_id, flush_at) for number, route_id, flush_at in found]


def untold(connection: Connection, among: Stretch | None = None) -> list[Finding]:
    """The addressees who count as told of other alerts than what was delivered to them, and for whom no message waits.

    Those of all groups, or of those with these row numbers.
    """
    waiting = exists().where(
        outbox.c.group_id == group_channels.c.group_id,
        outbox.c.channel == group_channels.c.channel,
        outbox.c.recipient == group_channels.c.recipient,
        outbox.c.status == Status.PENDING.value,
    )
    differing = cast(group_channels.c.decided, Text) != cast(group_channels.c.delivered, Text)
    query = select(group_channels).where(differing, ~waiting, *_within(group_channels.c.group_id, among))
    found = connection.execute(query).mappings()
    return [
        Finding(flaw=Flaw.UNTOLD, subject=str(row["group_id"]), channel=row["channel"], recipient=row["recipient"])
        for row in found
        if told_from_json(row["decided"]).firing != told_from_json(row["delivered"]).firing
    ]


def late_flushes(connection: Connection, now: datetime) -> list[Finding]:
    """The groups whose flush is overdue."""
    query = select(alert_groups.c.id).where(alert_groups.c.flush_at < now - LATE_AFTER).limit(LIMIT)
    return [_of(Flaw.FLUSH_LATE, number) for number in connection.execute(query).scalars()]


def stuck_messages(connection: Connection, now: datetime) -> list[Finding]:
    """The messages at the head of their queues that somebody should have sent long ago."""
    head = outbox.alias("head")
    older = exists().where(
        head.c.group_id == outbox.c.group_id,
        head.c.channel == outbox.c.channel,
        head.c.recipient == outbox.c.recipient,
        head.c.status == Status.PENDING.value,
        head.c.id < outbox.c.id,
    )
    since = now - STUCK_AFTER
    query = (
        select(outbox.c.id)
        .outerjoin(channel_state, channel_state.c.channel == outbox.c.channel)
        .where(outbox.c.status == Status.PENDING.value, outbox.c.next_attempt_at < since, ~older)
        .where(or_(outbox.c.lease_until.is_(None), outbox.c.lease_until < since))
        .where(or_(channel_state.c.next_send_at.is_(None), channel_state.c.next_send_at < since))
        .limit(LIMIT)
    )
    return [_of(Flaw.MESSAGE_STUCK, number) for number in connection.execute(query).scalars()]


def late_units(connection: Connection, now: datetime) -> list[Finding]:
    """The evaluation units that nobody evaluated when they were due."""
    query = select(evaluation_units.c.id).where(evaluation_units.c.due_at < now - LATE_AFTER)
    return [_of(Flaw.EVALUATION_LATE, unit) for unit in connection.execute(query.limit(LIMIT)).scalars()]


def schedule(connection: Connection, group_ids: Sequence[int], at: datetime) -> int:
    """Flush these groups at `at`, unless they are flushed sooner; how many that changed."""
    later = or_(alert_groups.c.flush_at.is_(None), alert_groups.c.flush_at > at)
    moving = update(alert_groups).where(alert_groups.c.id.in_(list(group_ids)), later).values(flush_at=at)
    return connection.execute(moving).rowcount


def take_back(connection: Connection, finding: Finding, at: datetime) -> bool:
    """Let the addressee count as told of what was delivered, and flush the group; False when it is well meanwhile."""
    group_id = int(finding.subject)
    # The group first, as a flush does it, so that none is under way.
    query = select(alert_groups.c.id).where(alert_groups.c.id == group_id).with_for_update()
    if connection.execute(query).first() is None or finding not in untold(connection, Stretch(group_id - 1, group_id)):
        return False
    one = and_(
        group_channels.c.group_id == group_id,
        group_channels.c.channel == finding.channel,
        group_channels.c.recipient == finding.recipient,
    )
    connection.execute(update(group_channels).where(one).values(decided=group_channels.c.delivered, last_reason=""))
    schedule(connection, [group_id], at)
    return True


def release_waits(connection: Connection, now: datetime) -> int:
    """Let go what waits for longer than anything may, as after a clock that was set back; how many rows that were."""
    bound = literal(now + WAIT_AT_MOST, Instant())
    pending = outbox.c.status == Status.PENDING.value
    attempts = update(outbox).where(pending, outbox.c.next_attempt_at > bound).values(next_attempt_at=now)
    leases = update(outbox).where(pending, outbox.c.lease_until > bound).values(lease_until=None, holder=None)
    wishes = update(channel_state).where(channel_state.c.next_send_at > bound).values(next_send_at=None)
    return sum(connection.execute(one).rowcount for one in (attempts, leases, wishes))


def firing(connection: Connection) -> int:
    """How many alerts fire."""
    return connection.execute(
        select(func.count()).select_from(alerts).where(alerts.c.state == State.FIRING)
    ).scalar_one()


def _of(flaw: Flaw, subject: object) -> Finding:
    return Finding(flaw=flaw, subject=str(subject))
