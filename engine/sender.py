"""The sending loop: messages that are due, each rendered once, delivered with a deadline, and marked with what came of it.

Sends run in a bounded pool with a share per channel, so a channel that hangs delays no other. A crash between send and mark
repeats the message once, with the same key: at least once, never silently dropped.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, assert_never

import structlog

from engine.addressing import Addressing, Deliver, channel_named
from engine.clock import Clock
from engine.core import messages
from engine.core.messages import Message
from engine.core.outcome import Delivered, Failed, FailureReason, Outcome
from engine.core.retrying import GIVE_UP_AFTER, next_attempt
from engine.delivery.addresses import Unconfigured, following
from engine.loop import guarded
from engine.present import Present
from engine.store import channel_state, groups, ledger, outbox
from engine.store.database import Database
from engine.store.definitions import DefinitionFeed
from engine.store.door import Connection
from engine.store.ledger import Entry, Kind, Subject
from engine.store.outbox import Parcel, Status
from engine.telemetry import Metrics
from rules.channels import Channel
from rules.errors import ChannelError

BATCH: Final = 50
"""How many messages of one channel a tick looks at."""
PER_CHANNEL: Final = 4
LEASE_MARGIN: Final = timedelta(seconds=10)
TELL_AGAIN_AFTER: Final = timedelta(minutes=5)
"""When a group without a next flush is flushed again after one of its messages died."""


@dataclass(slots=True, kw_only=True)
class Sender:
    """Sends what the outbox holds, as `holder`; `deliver` is the way out.

    Nothing is sent unless `is_current`: a process that was paused for longer than its lease must ask anew.
    """

    database: Database
    feed: DefinitionFeed
    addressing: Addressing
    present: Present
    deliver: Deliver
    holder: Callable[[], str]
    metrics: Metrics
    pool: Executor
    deadline: timedelta
    channel_health: Callable[[str, str | None], None]
    wake: Callable[[], None]
    clock: Clock
    is_current: Callable[[], bool]
    _busy: set[int] = field(default_factory=set)
    _channels: Counter[str] = field(default_factory=Counter)
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def tick(self) -> datetime | None:
        """Hand every message that may be tried to the pool; answers when the next waiting one may be."""
        with self.database.read() as connection:
            now = self.database.now(connection)
            self.feed.refresh(connection)
            ready = outbox.due(connection, now, per_channel=BATCH)
            upcoming = outbox.next_due(connection, now)
            held = outbox.held_back(connection, now)
        for number, channel in ready:
            if self._take(number, channel):
                self.pool.submit(self._send_apart, number, channel)
        self._note_held(held, now)
        return upcoming

    def send(self, number: int) -> Outcome | None:
        """Try one message once; `None` when somebody else has it or it is gone."""
        with self.database.read() as connection:
            definitions = self.feed.refresh(connection)
            waiting = outbox.find(connection, number)
            facts = None if waiting is None else outbox.read_facts(connection, waiting.facts_id)
            look = None if facts is None else self.present.look(connection, facts, definitions.rules)
            earlier = (
                None if waiting is None else groups.standing_reference(connection, waiting.group_id, waiting.target)
            )
        if waiting is None or facts is None or look is None:
            return None
        channel = channel_named(waiting.target.channel, definitions)
        kept = waiting.rendered
        made = Message(body=kept) if kept else messages.message(channel, self.present.renewed(facts, look))
        body = made.body
        began = self.clock.monotonic()
        with self.database.write() as connection:
            now = self.database.now(connection)
            if not _has_leave(connection, channel, now):
                return None
            until = now + self.deadline + LEASE_MARGIN
            parcel = outbox.lease(connection, number, self.holder(), now=now, until=until, rendered=body)
        if parcel is None:
            return None
        if not self.is_current() or self.clock.monotonic() - began > LEASE_MARGIN.total_seconds():
            # Stopped for so long between the lease and here that another process may have it by now.
            with self.database.write() as connection:
                outbox.give_back(connection, parcel, self.holder())
            return None
        outcome = self._deliver(channel, body, parcel, earlier)
        self._conclude(parcel, outcome, channel, made.problems)
        return outcome

    def _deliver(self, channel: Channel | None, body: bytes, parcel: Parcel, earlier: str | None) -> Outcome:
        if channel is None:
            gone = f"channel {parcel.target.channel!r} is no longer defined"
            return Failed(reason=FailureReason.UNCONFIGURED, retryable=False, detail=gone)
        try:
            address = self.addressing.address(channel)
        except ChannelError as error:
            return Failed(reason=FailureReason.UNCONFIGURED, retryable=True, detail=str(error))
        if isinstance(address, Unconfigured):
            return Failed(reason=FailureReason.UNCONFIGURED, retryable=True, detail=address.reason)
        return self.deliver(following(address, earlier), body, parcel.target.recipient, self.deadline)

    def _conclude(self, parcel: Parcel, outcome: Outcome, channel: Channel | None, problems: Sequence[str]) -> None:
        with self.database.write() as connection:
            now = self.database.now(connection)
            match outcome:
                case Delivered():
                    note = self._sent(connection, parcel, outcome, _full_until(connection, channel, now), now)
                case Failed():
                    note = self._failed(connection, parcel, outcome, _full_until(connection, channel, now), now)
                case _:
                    assert_never(outcome)
            ledger.write(connection, [_attempt(parcel, outcome, note, now, problems)])
        self._measure("unknown" if channel is None else channel.kind.value, outcome, note)
        self._report(parcel, outcome, note)

    def _note_held(self, held: Sequence[tuple[Parcel, datetime]], now: datetime) -> None:
        """Write down, once for each message, that its channel takes nothing now."""
        if not held:
            return
        with self.database.write() as connection:
            noted = [(parcel, until) for parcel, until in held if outbox.defer(connection, parcel, until)]
            ledger.write(connection, [_deferral(parcel, until, now) for parcel, until in noted])

    def _sent(
        self, connection: Connection, parcel: Parcel, outcome: Delivered, full: datetime | None, now: datetime
    ) -> str:
        channel_state.succeeded(connection, parcel.target.channel, now, next_send_at=full)
        if not outbox.mark(connection, parcel, self.holder(), status=Status.SENT, now=now):
            # It took longer than its lease, and somebody else is at it: the same message with the same key goes out twice.
            return "sent late"
        groups.set_delivered(connection, parcel.group_id, parcel.target, parcel.told, outcome.reference)
        return "sent"

    def _failed(
        self, connection: Connection, parcel: Parcel, failed: Failed, full: datetime | None, now: datetime
    ) -> str:
        asked = None if failed.retry_after is None else now + failed.retry_after
        hold_back = max((moment for moment in (asked, full) if moment is not None), default=None)
        channel_state.failed(connection, parcel.target.channel, now, error=failed.detail, next_send_at=hold_back)
        at = next_attempt(failed, attempts=parcel.attempts, created_at=parcel.created_at, now=now)
        if at is not None:
            outbox.retry(connection, parcel, self.holder(), at=at, error=failed.detail)
            return "retry"
        died = outbox.mark(connection, parcel, self.holder(), status=Status.DEAD, now=now, error=failed.detail)
        if died and not outbox.has_later(connection, parcel):
            groups.roll_back(connection, parcel.group_id, parcel.target, now + TELL_AGAIN_AFTER)
        return "dead"

    def _measure(self, kind: str, outcome: Outcome, note: str) -> None:
        if isinstance(outcome, Delivered):
            self.metrics.notifications.labels(kind).inc()
        else:
            self.metrics.notification_failures.labels(kind, outcome.reason.value).inc()
        if note == "dead":
            self.metrics.notifications_dead.inc()

    def _report(self, parcel: Parcel, outcome: Outcome, note: str) -> None:
        self.channel_health(parcel.target.channel, outcome.detail if isinstance(outcome, Failed) else None)
        if isinstance(outcome, Failed):
            structlog.get_logger("tocsin.sender").warning(
                "notification given up" if note == "dead" else "notification failed, will be tried again",
                channel=parcel.target.channel,
                group=parcel.group_id,
                attempts=parcel.attempts,
                reason=outcome.reason.value,
                detail=outcome.detail,
            )

    def _take(self, number: int, channel: str) -> bool:
        with self._guard:
            if number in self._busy or self._channels[channel] >= PER_CHANNEL:
                return False
            self._busy.add(number)
            self._channels[channel] += 1
            return True

    def _send_apart(self, number: int, channel: str) -> None:
        # When the database goes away between lease and mark, the lease ends by itself and the message is tried again.
        guarded("sender", self.metrics, lambda: self.send(number))
        with self._guard:
            self._busy.discard(number)
            self._channels[channel] -= 1
        self.wake()


def _has_leave(connection: Connection, channel: Channel | None, now: datetime) -> bool:
    """Whether the channel's own limit lets a message go now, which is then counted."""
    if channel is None or channel.rate_limit is None:
        return True
    return channel_state.take(connection, channel.name, channel.rate_limit, now) <= now


def _full_until(connection: Connection, channel: Channel | None, now: datetime) -> datetime | None:
    """Until when the channel's own limit is used up."""
    if channel is None or channel.rate_limit is None:
        return None
    return channel_state.full_until(connection, channel.name, channel.rate_limit, now)


def _deferral(parcel: Parcel, until: datetime, now: datetime) -> Entry:
    detail = {
        "outbox_id": parcel.id,
        "channel": parcel.target.channel,
        "recipient": parcel.target.recipient,
        "attempt": parcel.attempts,
        "reason": parcel.reason,
        "failure": FailureReason.RATE_LIMITED.value,
        "detail": f"the channel takes no message until {until.isoformat()}",
        "until": until.isoformat(),
    }
    return Entry(
        at=now,
        kind=Kind.ATTEMPT,
        reason="deferred",
        subject_type=Subject.GROUP,
        subject_id=str(parcel.group_id),
        alert_ids=sorted({*parcel.told.get("firing", ()), *parcel.told.get("resolved", ())}),
        detail=detail,
    )


def _attempt(parcel: Parcel, outcome: Outcome, note: str, now: datetime, problems: Sequence[str]) -> Entry:
    detail: dict[str, object] = {
        "outbox_id": parcel.id,
        "channel": parcel.target.channel,
        "recipient": parcel.target.recipient,
        "attempt": parcel.attempts,
        "reason": parcel.reason,
        "detail": outcome.detail,
        **({"message": list(problems)} if problems else {}),
    }
    if isinstance(outcome, Failed):
        detail |= {"failure": outcome.reason.value, "given_up_after": str(GIVE_UP_AFTER) if note == "dead" else None}
    return Entry(
        at=now,
        kind=Kind.ATTEMPT,
        reason=note,
        subject_type=Subject.GROUP,
        subject_id=str(parcel.group_id),
        alert_ids=sorted({*parcel.told.get("firing", ()), *parcel.told.get("resolved", ())}),
        detail=detail,
    )
