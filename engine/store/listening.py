"""Hear of edits soon after they are committed: PostgreSQL tells, by the NOTIFY of the change triggers; SQLite is watched.

Nothing hangs on it. What is in force is read from the record of changes at each tick, so an engine that hears nothing
(behind a pooler that keeps no session, while the database is away) follows an edit a second later instead of at once.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from sqlalchemy import Connection, func, select

from engine.store.database import Database
from engine.store.tables import definition_changes

CHANNEL: Final = "tocsin_definitions"
ATTENTION: Final = timedelta(milliseconds=250)
"""How long one tick listens; a stop waits for its end."""
BREATH: Final = timedelta(milliseconds=100)
"""Between two wakes: a thousand edits in a second wake the loops ten times, not a thousand."""
GLANCE: Final = timedelta(milliseconds=200)
"""Between two looks at an SQLite file."""

_NEWEST: Final = select(func.coalesce(func.max(definition_changes.c.id), 0))


class Ear(Protocol):
    """Hears of edits: `tick` answers when to listen again, `close` hangs up."""

    def tick(self) -> datetime | None: ...

    def close(self) -> None: ...


def ear(database: Database, wake: Callable[[], None]) -> Ear:
    """What hears of edits in this database and calls `wake` at each."""
    return Watcher(database, wake) if database.is_sqlite else Listener(database, wake)


class Watcher:
    """Looks at an SQLite file, which tells nobody of an edit: first whether anything at all was committed, then what.

    The first is one number that SQLite keeps for each connection, so a look at a file in which nothing happens costs next to
    nothing. The connection is the watcher's own, outside the pool.
    """

    def __init__(self, database: Database, wake: Callable[[], None]) -> None:
        self._database = database
        self._wake = wake
        self._connection: Connection | None = None
        self._state: int | None = None
        self._seen: int | None = None

    def tick(self) -> datetime | None:
        """Look once; answers when to look again."""
        with ExitStack() as failed:
            failed.callback(self.close)
            state = self._committed()
            newest = self._newest() if state != self._state else self._seen
            failed.pop_all()
        self._state = state
        if newest != self._seen:
            self._seen = newest
            self._wake()
        return self._database.clock.now() + GLANCE

    def close(self) -> None:
        """Close the file."""
        connection, self._connection, self._state = self._connection, None, None
        if connection is not None:
            connection.close()

    def _committed(self) -> int:
        """A number that changes with every commit of anybody else to this file."""
        if self._connection is None:
            opened = self._database.engine.connect()
            with ExitStack() as failed:
                failed.callback(opened.close)
                opened.detach()
                failed.pop_all()
            self._connection = opened
        driver: Any = self._connection.connection.dbapi_connection
        return int(driver.execute("PRAGMA data_version").fetchone()[0])

    def _newest(self) -> int:
        with self._database.read() as connection:
            return int(connection.execute(_NEWEST).scalar_one())


class Listener:
    """Listens on a connection of its own, outside the pool, and calls `wake` when definitions have changed.

    A tick connects where that is needed, and raises what the driver raises when the database is away: the loop that calls it
    logs that and tries again, with growing pauses.
    """

    def __init__(self, database: Database, wake: Callable[[], None]) -> None:
        self._database = database
        self._wake = wake
        self._connection: Connection | None = None

    def tick(self) -> datetime | None:
        """Listen until something was heard, a quarter of a second at most; answers when to listen again."""
        with ExitStack() as failed:
            failed.callback(self.close)
            if self._connection is None:
                self._connection = self._listening()
                heard = True  # What was committed while nobody listened.
            else:
                heard = _heard(self._connection)
            failed.pop_all()
        if heard:
            self._wake()
        return self._database.clock.now() + (BREATH if heard else timedelta(0))

    def close(self) -> None:
        """Hang up."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _listening(self) -> Connection:
        connection = self._database.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        with ExitStack() as failed:
            failed.callback(connection.close)
            connection.detach()
            connection.exec_driver_sql(f"LISTEN {CHANNEL}")
            failed.pop_all()
        return connection


def _heard(connection: Connection) -> bool:
    """Whether anything was said since the last look; all that waits is taken at once."""
    driver: Any = connection.connection.dbapi_connection
    return bool(list(driver.notifies(timeout=ATTENTION.total_seconds(), stop_after=1)))
