"""The outbox: messages decided and not yet delivered, first in first out per (group, channel, recipient).

Only the head of such a queue may be sent, so a retried trigger can never overtake its resolve. A row is leased for the time
of a send; a process that dies with a lease leaves the row to the next one when the lease ends.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, and_, func, or_, select, update

from engine.core.facts import Facts
from engine.core.flush import Target
from engine.core.notifying import Told
from engine.store import bulk
from engine.store import facts as facts_codec
from engine.store.bulk import Bulk
from engine.store.groups import told_to_json
from engine.store.json_text import dumps
from engine.store.tables import channel_state, notification_facts, outbox
from engine.store.upsert import insert


class Status(StrEnum):
    """What became of a message."""

    PENDING = "pending"
    SENT = "sent"
    DEAD = "dead"
    SUPERSEDED = "superseded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """One message for one addressee. `attempts` counts the one under way; `rendered` are the bytes of an earlier attempt."""

    id: int
    facts_id: int
    group_id: int
    target: Target
    reason: str
    attempts: int
    created_at: datetime
    told: Mapping[str, Any]
    rendered: bytes | None


def add_facts(connection: Connection, told: Sequence[tuple[int, Facts]]) -> list[int]:
    """Keep what flushes say, each once for all its addressees, beside its group's number; answers the rows' numbers."""
    if not told:
        return []
    rows = [
        {"group_id": group_id, "at": facts.flush_at, "content": facts_codec.encode(facts)} for group_id, facts in told
    ]
    if len({group_id for group_id, _ in told}) == len(told):
        # To be told apart by their groups, they may come back in any order, which SQLite answers for many rows at once.
        made = connection.execute(_FACTS.returning(notification_facts.c.group_id, notification_facts.c.id), rows)
        numbers: dict[int, int] = {row[0]: row[1] for row in made}
        return [numbers[group_id] for group_id, _ in told]
    ordered = _FACTS.returning(notification_facts.c.id, sort_by_parameter_order=True)
    return list(connection.execute(ordered, rows).scalars())


_FACTS: Final = notification_facts.insert()


def read_facts(connection: Connection, facts_ids: Collection[int]) -> dict[int, Facts]:
    """What flushes say, by number."""
    query = select(notification_facts).where(notification_facts.c.id.in_(sorted(set(facts_ids))))
    return {row.id: facts_codec.decode(row.content) for row in connection.execute(query)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Queued:
    """A message to be queued for one addressee, and what counts as told once it is."""

    facts_id: int
    group_id: int
    target: Target
    reason: str
    told: Told


def add(connection: Connection, messages: Sequence[Queued], now: datetime) -> None:
    """Queue messages; one to the same addressee that nobody has tried yet is superseded, for the new one says it all."""
    if not messages:
        return
    _supersede(connection, messages, now)
    moment = bulk.moment(connection)(now)
    rows = [
        (
            message.facts_id,
            message.group_id,
            message.target.channel,
            message.target.recipient,
            message.reason,
            moment,
            dumps(told_to_json(message.told)),
            moment,
        )
        for message in messages
    ]
    _QUEUING.run(connection, rows)


_QUEUING: Final = Bulk(
    lambda connection: insert(connection, outbox),
    ("facts_id", "group_id", "channel", "recipient", "reason", "next_attempt_at", "told", "created_at"),
)


def _supersede(connection: Connection, messages: Sequence[Queued], now: datetime) -> None:
    untried = and_(outbox.c.status == Status.PENDING.value, outbox.c.attempts == 0)
    groups = {message.group_id for message in messages}
    waiting = select(outbox.c.group_id).where(outbox.c.group_id.in_(sorted(groups)), untried)
    late = set(connection.execute(waiting).scalars())
    for message in messages:
        if message.group_id in late:
            stale = and_(_same_queue(message.group_id, message.target), untried)
            connection.execute(update(outbox).where(stale).values(status=Status.SUPERSEDED.value, finished_at=now))


NOTED_AT_ONCE: Final = 200
"""How many messages that are held back are looked at together."""


def resting(connection: Connection, now: datetime) -> dict[str, datetime]:
    """The channels that take no message now, and until when."""
    query = select(channel_state.c.channel, channel_state.c.next_send_at).where(channel_state.c.next_send_at > now)
    return {row.channel: row.next_send_at for row in connection.execute(query)}


def next_due(connection: Connection, now: datetime) -> datetime | None:
    """When the next message that must still wait may be tried, were its channel to take one."""
    query = select(func.min(outbox.c.next_attempt_at)).where(
        outbox.c.status == Status.PENDING.value, outbox.c.next_attempt_at > now
    )
    moment: datetime | None = connection.execute(query).scalar_one()
    return moment


def held_back(connection: Connection, now: datetime, until: Mapping[str, datetime]) -> list[tuple[Parcel, datetime]]:
    """Messages that could go but for their channel, which takes none `until` then, and that this was not yet noted of."""
    if not until:
        return []
    waiting = select(outbox).where(
        outbox.c.status == Status.PENDING.value,
        outbox.c.next_attempt_at <= now,
        outbox.c.channel.in_(sorted(until)),
        outbox.c.deferred_until.is_(None),
        or_(outbox.c.lease_until.is_(None), outbox.c.lease_until <= now),
    )
    rows = connection.execute(waiting.order_by(outbox.c.id).limit(NOTED_AT_ONCE)).mappings()
    return [(from_row(row), until[row["channel"]]) for row in rows]


def defer(connection: Connection, parcel: Parcel, until: datetime) -> bool:
    """Note that the message was kept waiting; False when that was noted already, or it is gone."""
    noting = update(outbox).where(
        outbox.c.id == parcel.id, outbox.c.status == Status.PENDING.value, outbox.c.deferred_until.is_(None)
    )
    return connection.execute(noting.values(deferred_until=until)).rowcount == 1


def has_later(connection: Connection, parcel: Parcel) -> bool:
    """Whether a younger message to the same addressee waits, which says what this one would have said."""
    query = select(outbox.c.id).where(_same_queue(parcel.group_id, parcel.target), outbox.c.id > parcel.id).limit(1)
    return connection.execute(query).first() is not None


def awaited(connection: Connection, group_ids: Collection[int]) -> set[tuple[int, Target]]:
    """The addressees of these groups to whom a message is on its way."""
    query = select(outbox.c.group_id, outbox.c.channel, outbox.c.recipient).where(
        outbox.c.group_id.in_(sorted(group_ids)), outbox.c.status == Status.PENDING.value
    )
    return {(group_id, Target(channel, recipient)) for group_id, channel, recipient in connection.execute(query)}


def pending(connection: Connection) -> int:
    """How many messages wait."""
    query = select(func.count()).select_from(outbox).where(outbox.c.status == Status.PENDING.value)
    return connection.execute(query).scalar_one()


def _same_queue(group_id: int, target: Target) -> Any:
    return and_(
        outbox.c.group_id == group_id,
        outbox.c.channel == target.channel,
        outbox.c.recipient == target.recipient,
        outbox.c.status == Status.PENDING.value,
    )


def from_row(row: RowMapping) -> Parcel:
    """The message that a row of the table is."""
    return Parcel(
        id=row["id"],
        facts_id=row["facts_id"],
        group_id=row["group_id"],
        target=Target(row["channel"], row["recipient"]),
        reason=row["reason"],
        attempts=row["attempts"],
        created_at=row["created_at"],
        told=row["told"],
        rendered=row["rendered"],
    )
