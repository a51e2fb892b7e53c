"""What came of attempts to deliver, written down: the message's fate, the channel's standing, what has arrived, the ledger.

Several conclusions go into one transaction, so rows are touched in one order by everybody: the groups of messages that are given
up, as a flush has them first too, then channels by name, then messages.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, assert_never

from engine.core.outcome import Delivered, Failed, FailureReason, Outcome
from engine.core.retrying import GIVE_UP_AFTER, next_attempt
from engine.store import channel_state, groups, leasing, ledger, outbox
from engine.store.channel_state import ChannelState
from engine.store.door import Connection
from engine.store.ledger import Entry, Kind, Subject
from engine.store.outbox import Parcel, Status
from rules.channels import Channel

NOTED_ANEW: Final = timedelta(seconds=1)
"""How exactly a channel's row says when it last took a message."""
TELL_AGAIN_AFTER: Final = timedelta(minutes=5)
"""When a group without a next flush is flushed again after one of its messages died."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conclusion:
    """One attempt's end; `channel` is `None` when it is no longer defined, `problems` are what its making ran into."""

    parcel: Parcel
    outcome: Outcome
    channel: Channel | None
    problems: Sequence[str] = ()


def conclude(connection: Connection, ended: Sequence[Conclusion], holder: str, now: datetime) -> list[str]:
    """Write all of it; answers for each what became of its message: sent, sent late, retry or dead."""
    groups.hold(connection, [one.parcel.group_id for one in ended if _is_given_up(one, now)])
    full = {one.parcel.target.channel: _full_until(connection, one.channel, now) for one in ended}
    _channels(connection, ended, full, now)
    notes = _sent(connection, [one for one in ended if isinstance(one.outcome, Delivered)], holder, now)
    for one in sorted(ended, key=lambda one: (one.parcel.group_id, one.parcel.id)):
        if isinstance(one.outcome, Failed):
            notes[one.parcel.id] = _failed(connection, one.parcel, one.outcome, holder=holder, now=now)
    ledger.write(connection, [_attempt(one, notes[one.parcel.id], now) for one in ended if one.parcel.id in notes])
    return [notes.get(one.parcel.id, "sent") for one in ended]


def _channels(
    connection: Connection, ended: Sequence[Conclusion], full: dict[str, datetime | None], now: datetime
) -> None:
    """Each channel's standing as the last of its attempts has it; the longest rest that any of them asked for is kept."""
    last = {one.parcel.target.channel: one.outcome for one in ended}
    known = channel_state.states(connection, last)
    for channel, outcome in sorted(last.items(), key=lambda pair: pair[0]):
        until = _rests_until(channel, ended, full[channel], now)
        match outcome:
            case Delivered():
                if not _says_so(known.get(channel), until, now):
                    channel_state.succeeded(connection, channel, now, next_send_at=until)
            case Failed():
                channel_state.failed(connection, channel, now, error=outcome.detail, next_send_at=until)
            case _:
                assert_never(outcome)


def _says_so(known: ChannelState | None, until: datetime | None, now: datetime) -> bool:
    """Whether the row says already that the channel is well: all who send to it would queue to write the same."""
    if known is None or known.last_success_at is None or known.state != "ok":
        return False
    return known.next_send_at == until and timedelta(0) <= now - known.last_success_at < NOTED_ANEW


def _rests_until(
    channel: str, ended: Sequence[Conclusion], full_until: datetime | None, now: datetime
) -> datetime | None:
    rests = [_rest(one.outcome, now) for one in ended if one.parcel.target.channel == channel]
    return max((at for at in (*rests, full_until) if at is not None), default=None)


def _rest(outcome: Outcome, now: datetime) -> datetime | None:
    asked = outcome.retry_after if isinstance(outcome, Failed) else None
    return None if asked is None else now + asked


def _sent(connection: Connection, ended: Sequence[Conclusion], holder: str, now: datetime) -> dict[int, str]:
    """What arrived. One that is missing in the answer was noted before: by this transaction, whose commit went unheard."""
    if not ended:
        return {}
    parcels = [one.parcel for one in ended]
    marked = leasing.mark_sent(connection, parcels, holder, now)
    arrived = [one for one in ended if one.parcel.id in marked]
    groups.set_delivered(
        connection,
        [(one.parcel.group_id, one.parcel.target, one.parcel.told, _reference(one.outcome)) for one in arrived],
    )
    late = [parcel for parcel in parcels if parcel.id not in marked]
    noted = leasing.marked_before(connection, late, holder) if late else set()
    # It took longer than its lease, and somebody else is at it: the same message with the same key goes out twice.
    overtaken = {parcel.id: "sent late" for parcel in late if parcel.id not in noted}
    return dict.fromkeys(marked, "sent") | overtaken


def _reference(outcome: Outcome) -> str | None:
    return outcome.reference if isinstance(outcome, Delivered) else None


def _is_given_up(ended: Conclusion, now: datetime) -> bool:
    return isinstance(ended.outcome, Failed) and _again_at(ended.parcel, ended.outcome, now) is None


def _again_at(parcel: Parcel, failed: Failed, now: datetime) -> datetime | None:
    return next_attempt(failed, attempts=parcel.attempts, created_at=parcel.created_at, now=now)


def _failed(connection: Connection, parcel: Parcel, failed: Failed, *, holder: str, now: datetime) -> str:
    at = _again_at(parcel, failed, now)
    if at is not None:
        leasing.retry(connection, parcel, holder, at=at, error=failed.detail)
        return "retry"
    died = leasing.mark(connection, parcel, holder, status=Status.DEAD, now=now, error=failed.detail)
    if died and not outbox.has_later(connection, parcel):
        groups.roll_back(connection, parcel.group_id, parcel.target, now + TELL_AGAIN_AFTER)
    return "dead"


def _full_until(connection: Connection, channel: Channel | None, now: datetime) -> datetime | None:
    """Until when the channel's own limit is used up."""
    if channel is None or channel.rate_limit is None:
        return None
    return channel_state.full_until(connection, channel.name, channel.rate_limit, now)


def deferral(parcel: Parcel, until: datetime, now: datetime) -> Entry:
    """The ledger's row for a message whose channel takes nothing now."""
    detail: dict[str, object] = {
        "failure": FailureReason.RATE_LIMITED.value,
        "detail": f"the channel takes no message until {until.isoformat()}",
        "until": until.isoformat(),
    }
    return _entry(parcel, "deferred", detail, now)


def _attempt(ended: Conclusion, note: str, now: datetime) -> Entry:
    detail: dict[str, object] = {"detail": ended.outcome.detail}
    if ended.problems:
        detail |= {"message": list(ended.problems)}
    if isinstance(ended.outcome, Failed):
        given_up = str(GIVE_UP_AFTER) if note == "dead" else None
        detail |= {"failure": ended.outcome.reason.value, "given_up_after": given_up}
    return _entry(ended.parcel, note, detail, now)


def _entry(parcel: Parcel, reason: str, detail: dict[str, object], now: datetime) -> Entry:
    about: dict[str, object] = {
        "outbox_id": parcel.id,
        "channel": parcel.target.channel,
        "recipient": parcel.target.recipient,
        "attempt": parcel.attempts,
        "reason": parcel.reason,
    }
    return Entry(
        at=now,
        kind=Kind.ATTEMPT,
        reason=reason,
        subject_type=Subject.GROUP,
        subject_id=str(parcel.group_id),
        alert_ids=sorted({*parcel.told.get("firing", ()), *parcel.told.get("resolved", ())}),
        detail=about | detail,
    )
