"""Hear of edits soon after they are committed: PostgreSQL tells, by the NOTIFY of the change triggers; SQLite is watched.

Nothing hangs on it. What is in force is read from the record of changes at each tick, so an engine that hears nothing
(behind a pooler that keeps no session, while the database is away) follows an edit a second later instead of at once.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime, timedelta
from typing import Any, Final, Protocol
from uuid import uuid4

from sqlalchemy import Connection, func, select

from engine.store.attention import Attention
from engine.store.database import Database
from engine.store.watching import Watcher

CHANNEL: Final = "tocsin_definitions"
ATTENTION: Final = timedelta(seconds=3)
"""How long one tick listens; `rouse` ends it."""
BREATH: Final = timedelta(milliseconds=100)
"""Between two wakes: a thousand edits in a second wake the loops ten times, not a thousand."""
GREETING: Final = "greeting "
"""How what a listener says to itself begins."""


class Ear(Protocol):
    """Hears of edits: `tick` answers when to listen again, `rouse` ends a tick that listens, `close` hangs up.

    `hears` is whether an edit would be heard now: who counts on being woken must else look by himself.
    """

    @property
    def hears(self) -> bool: ...

    def tick(self) -> datetime | None: ...

    def rouse(self) -> None: ...

    def close(self) -> None: ...


def ear(database: Database, wake: Callable[[], None]) -> Ear:
    """What hears of edits in this database and calls `wake` at each."""
    return Watcher(database, wake) if database.is_sqlite else Listener(database, wake)


class Listener:
    """Listens on a connection of its own, outside the pool, and calls `wake` when definitions have changed.

    A tick connects where that is needed, and raises what the driver raises when the database is away: the loop that calls it
    logs that and tries again, with growing pauses. It greets itself over another connection: what it hears of that shows that
    nothing stands between it and the server (a pooler) that keeps the news.
    """

    def __init__(self, database: Database, wake: Callable[[], None], *, greets: bool = True) -> None:
        self._database = database
        self._wake = wake
        self._greets = greets
        self._attention = Attention()
        self._connection: Connection | None = None
        self._greeting = GREETING + uuid4().hex
        self._hears = False

    @property
    def hears(self) -> bool:
        """Whether the greeting arrived on the connection that listens now."""
        return self._hears

    def tick(self) -> datetime | None:
        """Listen until something was heard, some seconds at most; answers when to listen again."""
        with ExitStack() as failed:
            failed.callback(self.close)
            if self._connection is None:
                self._connection = self._listening()
                self._greet()
                heard = True  # What was committed while nobody listened.
            else:
                heard = self._heard(self._connection)
            failed.pop_all()
        if heard:
            self._wake()
        return self._database.clock.now() + (BREATH if heard else timedelta(0))

    def rouse(self) -> None:
        """End the tick that listens now."""
        self._attention.rouse()

    def close(self) -> None:
        """Hang up."""
        self._attention.close()
        connection, self._connection, self._hears = self._connection, None, False
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

    def _greet(self) -> None:
        if not self._greets:
            return
        with self._database.write() as connection:
            connection.execute(select(func.pg_notify(CHANNEL, self._greeting)))

    def _heard(self, connection: Connection) -> bool:
        """Whether an edit was told of since the last look; all that waits is taken at once."""
        driver: Any = connection.connection.dbapi_connection
        told = [one.payload for one in driver.notifies(timeout=0)]
        if not told and self._attention.wait(driver.fileno(), ATTENTION):
            told = [one.payload for one in driver.notifies(timeout=0)]
        self._hears |= self._greeting in told
        return any(not payload.startswith(GREETING) for payload in told)
