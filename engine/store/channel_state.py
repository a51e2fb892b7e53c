"""How each channel is doing: when it may next be sent to, its last success, its last error."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from engine.store.tables import channel_state
from engine.store.upsert import upsert


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelState:
    """One channel's standing: `state` is ok | failing | unconfigured | unknown; `next_send_at` obeys its Retry-After."""

    channel: str
    state: str = "unknown"
    next_send_at: datetime | None = None
    last_success_at: datetime | None = None
    last_error: str | None = None
    last_error_at: datetime | None = None


def all_states(connection: Connection) -> dict[str, ChannelState]:
    """Every channel's state that is known."""
    return {row["channel"]: ChannelState(**row) for row in connection.execute(select(channel_state)).mappings()}


def succeeded(connection: Connection, channel: str, at: datetime) -> None:
    """Note a delivery."""
    row = {"channel": channel, "state": "ok", "last_success_at": at, "next_send_at": None}
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
