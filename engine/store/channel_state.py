"""How each channel is doing: when it may next be sent to, its last success, its last error."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select, update

from engine.core.rate_limiting import next_send, within
from engine.store.tables import channel_state
from engine.store.types import from_microseconds, to_microseconds
from engine.store.upsert import insert, upsert
from rules.channels import RateLimit


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelState:
    """One channel's standing: `state` is ok | failing | unconfigured | unknown.

    Until `next_send_at` nothing is sent: its service asked for that, or its own limit is used up.
    """

    channel: str
    state: str = "unknown"
    next_send_at: datetime | None = None
    last_success_at: datetime | None = None
    last_error: str | None = None
    last_error_at: datetime | None = None


def all_states(connection: Connection) -> dict[str, ChannelState]:
    """Every channel's state that is known."""
    shown = [column for column in channel_state.c if column.name != "sent"]
    return {row["channel"]: ChannelState(**row) for row in connection.execute(select(*shown)).mappings()}


def states(connection: Connection, channels: Collection[str]) -> dict[str, ChannelState]:
    """The states of these channels that are known."""
    shown = [column for column in channel_state.c if column.name != "sent"]
    query = select(*shown).where(channel_state.c.channel.in_(sorted(channels)))
    return {row["channel"]: ChannelState(**row) for row in connection.execute(query).mappings()}


def take(connection: Connection, channel: str, limit: RateLimit, now: datetime) -> datetime:
    """Take leave to send one message now, and note it; answers `now`, or when there is leave again.

    Until the transaction ends nobody else can take one.
    """
    connection.execute(
        insert(connection, channel_state).on_conflict_do_nothing(index_elements=["channel"]), [{"channel": channel}]
    )
    query = select(channel_state.c.sent).where(channel_state.c.channel == channel).with_for_update()
    sent = [from_microseconds(at) for at in connection.execute(query).scalar_one()]
    at = next_send(sent, limit, now)
    kept = within(sent, limit, now) if at > now else (*within(sent, limit, now), now)
    waits = next_send(kept, limit, now)
    values = {"sent": [to_microseconds(one) for one in kept], "next_send_at": waits if waits > now else None}
    connection.execute(update(channel_state).where(channel_state.c.channel == channel).values(values))
    return at


def full_until(connection: Connection, channel: str, limit: RateLimit, now: datetime) -> datetime | None:
    """Until when the channel's own limit is used up; `None` when it is not."""
    query = select(channel_state.c.sent).where(channel_state.c.channel == channel)
    sent = [from_microseconds(at) for at in connection.execute(query).scalar_one_or_none() or ()]
    at = next_send(sent, limit, now)
    return at if at > now else None


def succeeded(connection: Connection, channel: str, at: datetime, *, next_send_at: datetime | None = None) -> None:
    """Note a delivery, and until when the channel's own limit is used up."""
    row = {"channel": channel, "state": "ok", "last_success_at": at, "next_send_at": next_send_at}
    upsert(connection, channel_state, [row], key=["channel"])


def failed(connection: Connection, channel: str, at: datetime, *, error: str, next_send_at: datetime | None) -> None:
    """Note a failed delivery, and until when the service asked to be left alone."""
    row = {
        "channel": channel,
        "state": "failing",
        "last_error": error,
        "last_error_at": at,
        "next_send_at": next_send_at,
    }
    upsert(connection, channel_state, [row], key=["channel"])


def unconfigured(connection: Connection, channel: str, reason: str, at: datetime) -> None:
    """Note that the channel has no address."""
    row = {"channel": channel, "state": "unconfigured", "last_error": reason, "last_error_at": at}
    upsert(connection, channel_state, [row], key=["channel"])
