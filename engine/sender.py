"""The sending loop: messages that are due, each rendered once, delivered with a deadline, and marked with what came of it.

Messages are claimed by the handful and sent in a bounded pool with a share per channel, so a channel that hangs delays no
other. Whoever has sent one waits until that is noted before it sends another, and what is noted at the same moment goes into
one commit: a crash between send and mark repeats the messages that were being sent then, once each, with the same key.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import structlog

from engine.addressing import Addressing, Deliver, channel_named
from engine.clock import Clock
from engine.conclusions import Conclusion, conclude, deferral
from engine.core import messages
from engine.core.messages import Message
from engine.core.outcome import Delivered, Failed, FailureReason, Outcome
from engine.core.scheduling import is_due
from engine.delivery.addresses import Unconfigured, following
from engine.hands import Errand, Hands
from engine.joint_writes import JointWrites
from engine.loop import guarded
from engine.present import Present
from engine.store import channel_state, groups, leasing, ledger, outbox
from engine.store.database import Database
from engine.store.definitions import DefinitionFeed, Definitions
from engine.store.door import CONFLICTS, OUT_OF_REACH, UNSTORABLE, Connection
from engine.store.outbox import Parcel
from engine.telemetry import Metrics
from rules.channels import Channel
from rules.errors import ChannelError

IN_HAND: Final = 128
"""How many messages one process claims ahead, for all channels together."""
NOTED_AT_ONCE: Final = 64
LEASE_MARGIN: Final = timedelta(seconds=10)
"""How long a message may wait in hand for its turn; a lease is that much longer than a delivery may take."""
HELD_EVERY: Final = timedelta(seconds=1)


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
    _hands: Hands = field(default_factory=lambda: Hands(IN_HAND))
    _notes: JointWrites[Conclusion, str] = field(init=False)
    _held_at: datetime | None = None

    def __post_init__(self) -> None:
        refusals = (CONFLICTS, UNSTORABLE)
        self._notes = JointWrites(self._note, most=NOTED_AT_ONCE, refusals=refusals)

    def tick(self) -> datetime | None:
        """Hand messages that may be tried to the pool; answers when the next waiting one may be."""
        with self.database.read() as connection:
            now = self.database.now(connection)
            definitions = self.feed.refresh(connection)
            wanted = self._hands.wanted(leasing.channels_due(connection, now))
            resting = outbox.resting(connection, now)
            moments = (outbox.next_due(connection, now), *resting.values())
            # What is held back is found by going through it: that need not be done at every message that was sent.
            looks = is_due(self._held_at, now, HELD_EVERY)
            held = outbox.held_back(connection, now, resting) if looks else []
        if looks:
            self._held_at = now + HELD_EVERY
        self._note_held(held, now)
        if wanted:
            self._take(wanted, definitions)
        return min((at for at in moments if at is not None), default=None)

    def _take(self, wanted: Mapping[str, int], definitions: Definitions) -> None:
        """Claim that many messages of each channel, render them, and set threads to them."""
        claimed_at = self.clock.monotonic()
        parcels = self._claim(wanted, definitions)
        for channel, claimed in parcels.items():
            self._hands.claim(channel, [parcel.id for parcel in claimed])
        begun: Sequence[Errand] = ()
        try:
            begun = self._begin([one for claimed in parcels.values() for one in claimed], definitions, claimed_at)
        finally:
            self._drop_all_but({errand.parcel.id for errand in begun}, parcels)
        for channel in parcels:
            self._queue(channel, [errand for errand in begun if errand.parcel.target.channel == channel])

    def _drop_all_but(self, kept: Collection[int], parcels: Mapping[str, Sequence[Parcel]]) -> None:
        for channel, claimed in parcels.items():
            self._hands.drop(channel, [parcel.id for parcel in claimed if parcel.id not in kept])

    def _queue(self, channel: str, errands: Sequence[Errand]) -> None:
        for _ in range(self._hands.queue(channel, errands)):
            self.pool.submit(self._send_next, channel)

    def _claim(self, wanted: Mapping[str, int], definitions: Definitions) -> dict[str, list[Parcel]]:
        holder, but = self.holder(), self._hands.held()
        claimed: dict[str, list[Parcel]] = {}
        with self.database.write() as connection:
            now = self.database.now(connection)
            # By name, as whoever notes what came of them has it: two that lock channels must not wait for each other.
            for channel in sorted(wanted):
                ready = leasing.heads(connection, channel, now, limit=wanted[channel], holder=holder, but=but)
                known = channel_named(channel, definitions)
                claimed[channel] = [parcel for parcel in ready if _has_leave(connection, known, now)]
            numbers = [parcel.id for parcels in claimed.values() for parcel in parcels]
            if numbers:
                leasing.claim(connection, numbers, holder, now + self.deadline + LEASE_MARGIN)
        return claimed

    def _begin(self, claimed: Sequence[Parcel], definitions: Definitions, claimed_at: float) -> list[Errand]:
        """Render what is to be sent for the first time and count the attempts; answers what is still to be sent."""
        if not claimed:
            return []
        fresh = [parcel for parcel in claimed if parcel.rendered is None]
        with self.database.read() as connection:
            told = outbox.read_facts(connection, [parcel.facts_id for parcel in fresh])
            look = self.present.look(connection, told.values(), definitions.rules)
            earlier = groups.standing_references(connection, {parcel.group_id for parcel in claimed})
        errands: dict[int, Errand] = {}
        for parcel in claimed:
            channel = channel_named(parcel.target.channel, definitions)

            def render(parcel: Parcel = parcel, channel: Channel | None = channel) -> None:
                kept = parcel.rendered
                made = (
                    Message(body=kept)
                    if kept
                    else messages.message(channel, self.present.renewed(told[parcel.facts_id], look))
                )
                before = earlier.get((parcel.group_id, parcel.target))
                errands[parcel.id] = Errand(
                    parcel=parcel, made=made, channel=channel, earlier=before, claimed_at=claimed_at
                )

            guarded("sender", self.metrics, render)
        with self.database.write() as connection:
            bodies = {number: errand.made.body for number, errand in errands.items()}
            kept = leasing.begin(connection, bodies, self.holder())
        return [errand.begun() for number, errand in errands.items() if number in kept]

    def _send_next(self, channel: str) -> None:
        errand = self._hands.following(channel)
        if errand is None:
            return
        took: list[timedelta] = []
        # When the database goes away between lease and mark, the lease ends by itself and the message is tried again.
        guarded("sender", self.metrics, lambda: took.extend(self._send(errand)))
        if self._hands.ended(errand, took[0] if took else None):
            self.wake()
        # Behind what waits in the pool already, so that a channel with a long queue lets the others have their turns.
        self.pool.submit(self._send_next, channel)

    def _send(self, errand: Errand) -> list[timedelta]:
        """Try it once and note what came of it; answers how long a delivery took that went well."""
        began = self.clock.monotonic()
        if not self.is_current() or began - errand.claimed_at > LEASE_MARGIN.total_seconds():
            # It waited, or all was stopped, for so long that another process may have it by the end of a delivery.
            with self.database.write() as connection:
                leasing.give_back(connection, errand.parcel, self.holder())
            return []
        outcome = self._deliver(errand)
        took = timedelta(seconds=self.clock.monotonic() - began)
        ended = Conclusion(parcel=errand.parcel, outcome=outcome, channel=errand.channel, problems=errand.made.problems)
        note = self._notes.write(ended)
        self._measure("unknown" if errand.channel is None else errand.channel.kind.value, outcome, note)
        self._report(errand.parcel, outcome, note)
        return [took] if isinstance(outcome, Delivered) else []

    def _deliver(self, errand: Errand) -> Outcome:
        channel, target = errand.channel, errand.parcel.target
        if channel is None:
            gone = f"channel {target.channel!r} is no longer defined"
            return Failed(reason=FailureReason.UNCONFIGURED, retryable=False, detail=gone)
        try:
            address = self.addressing.address(channel)
        except ChannelError as error:
            return Failed(reason=FailureReason.UNCONFIGURED, retryable=True, detail=str(error))
        if isinstance(address, Unconfigured):
            return Failed(reason=FailureReason.UNCONFIGURED, retryable=True, detail=address.reason)
        return self.deliver(following(address, errand.earlier), errand.made.body, target.recipient, self.deadline)

    def _note(self, ended: Sequence[Conclusion]) -> list[str]:
        """One transaction. What was sent is sent, so a connection that broke is worth another try on a fresh one."""
        try:
            return self._noted(ended)
        except OUT_OF_REACH:
            return self._noted(ended)

    def _noted(self, ended: Sequence[Conclusion]) -> list[str]:
        with self.database.write() as connection:
            return conclude(connection, ended, self.holder(), self.database.now(connection))

    def _note_held(self, held: Sequence[tuple[Parcel, datetime]], now: datetime) -> None:
        """Write down, once for each message, that its channel takes nothing now."""
        if not held:
            return
        with self.database.write() as connection:
            noted = [(parcel, until) for parcel, until in held if outbox.defer(connection, parcel, until)]
            ledger.write(connection, [deferral(parcel, until, now) for parcel, until in noted])

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


def _has_leave(connection: Connection, channel: Channel | None, now: datetime) -> bool:
    """Whether the channel's own limit lets a message go now, which is then counted."""
    if channel is None or channel.rate_limit is None:
        return True
    return channel_state.take(connection, channel.name, channel.rate_limit, now) <= now
