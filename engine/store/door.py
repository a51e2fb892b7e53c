"""What those outside the store may know of its library: the type of a connection, and how a database says no.

Nobody else imports SQLAlchemy, so what a surface must name to catch or to annotate is named here.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection
from sqlalchemy.exc import DataError, IntegrityError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from engine.store.definition_table import HOLDS

__all__ = ["CONFLICTS", "OUT_OF_REACH", "UNSTORABLE", "Connection", "holding"]

OUT_OF_REACH: Final = (OperationalError, InterfaceError, PoolTimeout)
"""The database cannot be reached, is locked for too long, or has no connection left: try again later."""

CONFLICTS: Final = IntegrityError
"""The database is well and refuses this row: a constraint is broken, or another row refers to it."""

UNSTORABLE: Final = DataError
"""The database is well and cannot take this value: a NUL in a text, on PostgreSQL even in a question."""


def holding(connection: Connection) -> Connection:
    """The connection, which from now on keeps others from changing what it gets. On SQLite there is but one writer anyway."""
    return connection.execution_options(**{HOLDS: True})
