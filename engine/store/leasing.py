"""Which messages of the outbox may be tried now, and who tries them.

A message goes through two steps here. It is *claimed*: nobody else takes it, and a newer one may still replace it. Then it is
*begun*: its bytes are kept, so that every retry sends the same, and the attempt counts. Only the head of a queue (group,
channel, recipient) can be claimed. On PostgreSQL processes that claim at the same time step around each other's rows.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Select, and_, bindparam, exists, or_, select, text, update

from engine.store.outbox import Parcel, Status, from_row
from engine.store.tables import channel_state, outbox

_PENDING: Final = outbox.c.status == text("'pending'")
"""Said as in the indexes' own conditions, which a parameter would hide from the planner."""


def channels_due(connection: Connection, now: datetime) -> list[str]:
    """The channels that take messages and have one that is due, by name; one step into an index for each of them."""
    return list(connection.execute(_CHANNELS_DUE, {"now": now}).scalars())


def _channels_due() -> Select[str]:
    now = bindparam("now", type_=outbox.c.next_attempt_at.type)
    waiting = (
        select(outbox.c.channel).where(_PENDING, outbox.c.next_attempt_at <= now).order_by(outbox.c.channel).limit(1)
    )
    found = select(waiting.scalar_subquery().label("channel")).cte("found", recursive=True)
    following = waiting.where(outbox.c.channel > found.c.channel).correlate(found).scalar_subquery()
    found = found.union_all(select(following).where(found.c.channel.is_not(None)))
    resting = exists().where(channel_state.c.channel == found.c.channel, channel_state.c.next_send_at > now)
    return select(found.c.channel).where(found.c.channel.is_not(None), ~resting)


_CHANNELS_DUE: Final = _channels_due()


def heads(
    connection: Connection, channel: str, now: datetime, *, limit: int, holder: str, but: Collection[int]
) -> list[Parcel]:
    """The heads of the channel's queues that may be tried now, the longest waiting first, locked until the transaction ends.

    `but` are those that `holder` has in its hands; what it holds beside them it has lost sight of, and may take again.
    """
    head = outbox.alias("head")
    older = exists().where(
        head.c.group_id == outbox.c.group_id,
        head.c.channel == outbox.c.channel,
        head.c.recipient == outbox.c.recipient,
        head.c.status == text("'pending'"),
        head.c.id < outbox.c.id,
    )
    free = or_(outbox.c.lease_until.is_(None), outbox.c.lease_until <= now, outbox.c.holder == holder)
    ready = (
        select(outbox)
        .where(_PENDING, outbox.c.channel == channel, outbox.c.next_attempt_at <= now, free, ~older)
        .where(outbox.c.id.not_in(sorted(but)))
        .order_by(outbox.c.next_attempt_at, outbox.c.id)
        .limit(limit)
        .with_for_update(of=outbox, skip_locked=True)
    )
    return [from_row(row) for row in connection.execute(ready).mappings()]


def claim(connection: Connection, numbers: Collection[int], holder: str, until: datetime) -> None:
    """Take these messages, which this transaction has locked, into the holder's hands."""
    taking = update(outbox).where(outbox.c.id.in_(sorted(numbers)))
    connection.execute(taking.values(holder=holder, lease_until=until))


def begin(connection: Connection, rendered: Mapping[int, bytes], holder: str) -> set[int]:
    """Count an attempt of each claimed message and keep its bytes; answers those that are still the holder's to send.

    The others were replaced by a newer message, or their lease was lost.
    """
    held = and_(outbox.c.id.in_(sorted(rendered)), _PENDING, outbox.c.holder == holder)
    kept = select(outbox.c.id).where(held).order_by(outbox.c.id).with_for_update()
    numbers = list(connection.execute(kept).scalars())
    beginning = update(outbox).where(outbox.c.id == bindparam("number"))
    beginning = beginning.values(attempts=outbox.c.attempts + 1, rendered=bindparam("body"))
    if numbers:
        connection.execute(beginning, [{"number": number, "body": rendered[number]} for number in numbers])
    return set(numbers)


def give_back(connection: Connection, begun: Parcel, holder: str) -> bool:
    """Return a message that was begun and not tried, as if it never had been; False when its lease was lost."""
    returning = _leased([begun], holder).values(lease_until=None, holder=None, attempts=outbox.c.attempts - 1)
    return bool(connection.execute(returning).rowcount == 1)


def mark_sent(connection: Connection, sent: Sequence[Parcel], holder: str, now: datetime) -> set[int]:
    """End the life of messages that arrived; answers which, for a lease may have been lost and somebody else be at it."""
    marked: set[int] = set()
    for attempts in sorted({one.attempts for one in sent}):
        ending = _leased([one for one in sent if one.attempts == attempts], holder)
        ending = ending.values(status=Status.SENT.value, finished_at=now, lease_until=None, last_error=None)
        marked |= set(connection.execute(ending.returning(outbox.c.id)).scalars())
    return marked


def mark(
    connection: Connection, parcel: Parcel, holder: str, *, status: Status, now: datetime, error: str | None = None
) -> bool:
    """End the message's life; False when the lease was lost and somebody else has decided."""
    ending = _leased([parcel], holder).values(status=status.value, finished_at=now, lease_until=None, last_error=error)
    return bool(connection.execute(ending).rowcount == 1)


def retry(connection: Connection, parcel: Parcel, holder: str, *, at: datetime, error: str) -> bool:
    """Give the message back to be tried at `at`; False when the lease was lost."""
    waiting = _leased([parcel], holder).values(next_attempt_at=at, lease_until=None, holder=None, last_error=error)
    return bool(connection.execute(waiting).rowcount == 1)


def marked_before(connection: Connection, sent: Sequence[Parcel], holder: str) -> set[int]:
    """Which of these the holder has marked already: its commit went through, but the answer to it was lost."""
    own = (outbox.c.status == Status.SENT.value, outbox.c.holder == holder)
    query = select(outbox.c.id, outbox.c.attempts).where(outbox.c.id.in_([one.id for one in sent]), *own)
    attempts = {row.id: row.attempts for row in connection.execute(query)}
    return {one.id for one in sent if attempts.get(one.id) == one.attempts}


def release(connection: Connection, node: str) -> int:
    """Free what former processes of this node held when they died, so that their successor need not wait; how many."""
    freeing = update(outbox).where(_PENDING, outbox.c.holder.startswith(f"{node}/", autoescape=True))
    return connection.execute(freeing.values(holder=None, lease_until=None)).rowcount


def release_but(connection: Connection, alive: Collection[str]) -> int:
    """Free what is leased by none of these processes; how many."""
    freeing = update(outbox).where(_PENDING, outbox.c.holder.not_in(sorted(alive)))
    return connection.execute(freeing.values(holder=None, lease_until=None)).rowcount


def _leased(begun: Sequence[Parcel], holder: str) -> Any:
    """An update of these messages, all of the same number of attempts, as long as the attempt is still the holder's."""
    return update(outbox).where(
        outbox.c.id.in_([one.id for one in begun]),
        _PENDING,
        outbox.c.holder == holder,
        outbox.c.attempts == begun[0].attempts,
    )
