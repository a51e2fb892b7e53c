"""What only one process at a time may do on PostgreSQL: whoever comes second does it later, or sees that it is done.

On SQLite there is one process, and writers queue.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, func, select

SHARING: Final = 0x746F63730001
"""Giving evaluation units to processes."""
CHORES: Final = 0x746F63730002
"""What is done once per cluster: the engine's own alerts, ends of alerts without a rule, pruning, auditing."""
POSTS: Final = 0x746F63730003
"""Writing posted alerts: two who take in the same alert must see what the other made of it."""

MOVES: Final = 0x746F63730004
"""Moving alerts from group to group, which takes rows of several groups."""


def attempt(connection: Connection, duty: int) -> bool:
    """Take on the duty until the transaction ends; False when another process is at it."""
    if connection.dialect.name == "sqlite":
        return True
    return bool(connection.execute(select(func.pg_try_advisory_xact_lock(duty))).scalar_one())


def take(connection: Connection, duty: int) -> None:
    """The same, waiting for whoever is at it."""
    if connection.dialect.name != "sqlite":
        connection.execute(select(func.pg_advisory_xact_lock(duty)))
