"""Channels: rows of `channels` ⇄ Channel. References stay references; only a send resolves them."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection

from engine.store import fields
from engine.store.definition_table import DefinitionTable
from engine.store.fields import Row
from engine.store.tables import channels
from rules.channels import Channel, ChannelKind, RateLimit, check_rate_limit
from rules.errors import ChannelError


def from_row(row: Row) -> Channel:
    """The channel the row declares; RulesError, naming the column, when it is none. Numbers in `settings` become text."""
    kind = fields.optional_choice(row, "kind", ChannelKind)
    if kind is None:
        raise ChannelError(f"kind is NULL; give one of {' '.join(ChannelKind)}", field="kind")
    return Channel(
        name=fields.text(row, "name", None),
        kind=kind,
        url=fields.text(row, "url"),
        settings=fields.settings(row, "settings"),
        send_resolved=fields.flag(row, "send_resolved", default=True),
        templates=fields.texts(row, "templates"),
        rate_limit=_rate_limit(row),
        team=fields.text(row, "team"),
        origin=fields.text(row, "origin", "sql"),
        version=fields.whole(row, "version", 1),
    )


def to_row(channel: Channel) -> dict[str, object]:
    """The columns that declare the channel; version and times are the database's own."""
    limit = channel.rate_limit
    return {
        "name": channel.name,
        "kind": channel.kind,
        "url": channel.url,
        "settings": dict(channel.settings),
        "send_resolved": channel.send_resolved,
        "templates": dict(channel.templates),
        "rate_limit": {} if limit is None else {"messages": limit.messages, "per_seconds": limit.per.total_seconds()},
        "team": channel.team,
        "origin": channel.origin,
    }


def _rate_limit(row: Row) -> RateLimit | None:
    """`{}` is none; else both words of it."""
    written = row.get("rate_limit")
    if not written:
        return None
    if not isinstance(written, dict) or written.keys() != {"messages", "per_seconds"}:
        message = f'rate_limit is {ascii(written)[:80]}; give {{"messages": 10, "per_seconds": 60}}, or {{}} for none'
        raise ChannelError(message, field="rate_limit")
    limit = RateLimit(messages=fields.whole(written, "messages", 0), per=fields.span(written, "per_seconds"))
    check_rate_limit(limit)
    return limit


TABLE: Final = DefinitionTable(table=channels, key="name", from_row=from_row, to_row=to_row)


def get(connection: Connection, key: str) -> Channel | None:
    """The channel with this name, or `None`; RulesError when its row cannot be read as one."""
    return TABLE.get(connection, key)


def page(connection: Connection, *, after: str | None = None, limit: int = 100) -> list[Channel]:
    """The channels after this name, by name; shorter than `limit` only at the end. Rows that cannot be read are left out."""
    return TABLE.page(connection, after, limit)


def put(connection: Connection, channel: Channel) -> Channel:
    """Store it under its name, as it stands afterwards, with the version the database gave it; no change, no new version."""
    return TABLE.put(connection, channel)


def delete(connection: Connection, key: str) -> bool:
    """Whether there was a channel with this name to delete."""
    return TABLE.delete(connection, key)
