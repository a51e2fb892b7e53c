"""The processes that share a database: one heartbeat row each. A node whose lease ran out holds nothing."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection, select, update

from engine.store.tables import nodes
from engine.store.upsert import upsert


def register(connection: Connection, node: str, *, now: datetime, lease: timedelta, address: str) -> int:
    """Announce a process under its name and answer its epoch, one more than any that used the name before."""
    last = connection.execute(select(nodes.c.epoch).where(nodes.c.id == node)).scalar_one_or_none()
    epoch = 1 if last is None else int(last) + 1
    row = {"id": node, "epoch": epoch, "lease_until": now + lease, "started_at": now, "address": address}
    upsert(connection, nodes, [row], key=["id"])
    return epoch


def beat(connection: Connection, node: str, epoch: int, *, now: datetime, lease: timedelta) -> bool:
    """Renew the lease; False when a newer process has taken the name, so this one must stop."""
    renewing = update(nodes).where(nodes.c.id == node, nodes.c.epoch == epoch).values(lease_until=now + lease)
    return connection.execute(renewing).rowcount == 1


def leave(connection: Connection, node: str, epoch: int, *, now: datetime) -> None:
    """End the lease at once, so that others need not wait for it."""
    connection.execute(update(nodes).where(nodes.c.id == node, nodes.c.epoch == epoch).values(lease_until=now))
