"""The processes that share a database: one heartbeat row each. A node whose lease ran out holds nothing."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, select, update

from engine.core import roles
from engine.core.roles import Role
from engine.store.tables import nodes
from engine.store.upsert import upsert


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One process. `left_at` is set when it ended in order; one that did not and whose lease is over is lost."""

    id: str
    epoch: int
    roles: frozenset[Role]
    lease_until: datetime
    started_at: datetime
    address: str
    left_at: datetime | None
    tells: bool = True

    @property
    def holder(self) -> str:
        """The name under which it holds units and messages."""
        return holder(self.id, self.epoch)

    def is_alive(self, now: datetime) -> bool:
        return self.left_at is None and self.lease_until > now

    def is_lost(self, now: datetime) -> bool:
        """Whether it has gone silent without leaving. A process that does not know how to leave is never missed."""
        return self.left_at is None and self.tells and self.lease_until <= now


def holder(node: str, epoch: int) -> str:
    """A node and which of its lives it is."""
    return f"{node}/{epoch}"


def register(
    connection: Connection, node: str, *, now: datetime, lease: timedelta, address: str, does: Collection[Role]
) -> int:
    """Announce a process under its name and answer its epoch, one more than any that used the name before."""
    last = connection.execute(select(nodes.c.epoch).where(nodes.c.id == node)).scalar_one_or_none()
    epoch = 1 if last is None else int(last) + 1
    row = {
        "id": node,
        "epoch": epoch,
        "lease_until": now + lease,
        "started_at": now,
        "address": address,
        "roles": roles.spelled(does),
        "left_at": None,
    }
    upsert(connection, nodes, [row], key=["id"])
    return epoch


def beat(connection: Connection, node: str, epoch: int, *, now: datetime, lease: timedelta) -> bool:
    """Renew the lease; False when a newer process has taken the name, so this one must stop."""
    renewing = update(nodes).where(nodes.c.id == node, nodes.c.epoch == epoch)
    return connection.execute(renewing.values(lease_until=now + lease, left_at=None)).rowcount == 1


def leave(connection: Connection, node: str, epoch: int, *, now: datetime) -> None:
    """End the lease at once, so that others need not wait for it."""
    leaving = update(nodes).where(nodes.c.id == node, nodes.c.epoch == epoch)
    connection.execute(leaving.values(lease_until=now, left_at=now))


def every(connection: Connection) -> list[Node]:
    """All processes there ever were and that are not forgotten, by name."""
    rows = connection.execute(select(nodes).order_by(nodes.c.id)).mappings()
    return [
        Node(
            id=row["id"],
            epoch=row["epoch"],
            roles=roles.read(row["roles"]),
            lease_until=row["lease_until"],
            started_at=row["started_at"],
            address=row["address"],
            left_at=row["left_at"],
            tells=row["roles"] is not None,
        )
        for row in rows
    ]


def forget(connection: Connection, before: datetime) -> int:
    """Drop the rows of processes whose lease ended before that; how many."""
    return connection.execute(delete(nodes).where(nodes.c.lease_until < before)).rowcount
