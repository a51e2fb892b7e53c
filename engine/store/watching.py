"""Look at an SQLite file, which tells nobody of an edit: first whether anything at all was committed, then what.

Linux says when the write-ahead log is written to, whoever writes; so nothing is looked at meanwhile. What it does not say (a
file shared from another machine, another operating system) is found by looking once a second, or five times where it says
nothing at all.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, Protocol

from sqlalchemy import Connection, func, select
from sqlalchemy.dialects import sqlite

from engine.store.attention import Attention
from engine.store.database import Database
from engine.store.tables import definition_changes

if sys.platform == "linux":
    from inotify_simple import INotify, flags

GLANCE: Final = timedelta(milliseconds=200)
"""Between two looks at a file that is written to all the time, or of which nobody says when it is."""
IMPATIENT: Final = (timedelta(milliseconds=5), timedelta(milliseconds=20), GLANCE)
"""The next looks after something was written that is not committed: SQLite says so a moment after its last write to the log."""
ATTENTION: Final = timedelta(seconds=1)
"""Between two looks at a file of which nothing is said."""

_NEWEST: Final = str(select(func.max(definition_changes.c.id)).compile(dialect=sqlite.dialect()))


class Log(Protocol):
    """Says when a write-ahead log is written to, by what can be read from `fileno`."""

    def fileno(self) -> int: ...

    def is_still_there(self) -> bool: ...

    def close(self) -> None: ...


class Watcher:
    """Calls `wake` when a definition was changed. What a look costs is one number that SQLite keeps for each connection.

    The connection is the watcher's own, outside the pool.
    """

    hears: Final = True

    def __init__(
        self,
        database: Database,
        wake: Callable[[], None],
        *,
        attention: timedelta = ATTENTION,
        log_of: Callable[[Path | None], Log | None] | None = None,
    ) -> None:
        self._database = database
        self._wake = wake
        self._span = attention
        self._log_of = log_of or watched_log
        self._attention = Attention()
        self._connection: Connection | None = None
        self._log: Log | None = None
        self._patience: Sequence[timedelta] = ()
        self._state: int | None = None
        self._seen: int | None = None

    def tick(self) -> datetime | None:
        """Wait for a write, a second at most, and look; answers when to do so again."""
        with ExitStack() as failed:
            failed.callback(self.close)
            written = self._wait()
            state = self._committed()
            newest = self._asked(_NEWEST) if state != self._state else self._seen
            failed.pop_all()
        committed, self._state = state != self._state, state
        self._patience = IMPATIENT if written and not committed else self._patience[1:]
        if newest != self._seen:
            self._seen = newest
            self._wake()
        return self._database.clock.now() + (GLANCE if committed or self._log is None else timedelta(0))

    def rouse(self) -> None:
        """End the wait under way."""
        self._attention.rouse()

    def close(self) -> None:
        """Close the file."""
        self._attention.close()
        connection, self._connection, self._state = self._connection, None, None
        if connection is not None:
            connection.close()
        log, self._log = self._log, None
        if log is not None:
            log.close()

    def _wait(self) -> bool:
        """Whether the file was written to; at the first look, which is due at once, there is nothing to wait for."""
        if self._connection is None or self._log is None:
            return False
        if not self._attention.wait(self._log.fileno(), next(iter(self._patience), self._span)):
            return False
        if not self._log.is_still_there():
            self._log.close()
            self._log = self._log_of(self._database.file)
        return True

    def _committed(self) -> int:
        """A number that changes with every commit of anybody else to this file."""
        if self._connection is None:
            opened = self._database.engine.connect()
            with ExitStack() as failed:
                failed.callback(opened.close)
                opened.detach()
                failed.pop_all()
            self._connection = opened
            self._log = self._log_of(self._database.file)
        return self._asked("PRAGMA data_version")

    def _asked(self, question: str) -> int:
        """Ask the driver itself: this is done at every commit of anybody, and costs next to nothing so."""
        assert self._connection is not None
        driver: Any = self._connection.connection.dbapi_connection
        return int(driver.execute(question).fetchone()[0] or 0)


if sys.platform == "linux":

    class _WatchedLog:
        """The kernel's word on one file."""

        def __init__(self, path: Path) -> None:
            with ExitStack() as failed:
                self._inotify = INotify(nonblocking=True)
                failed.callback(self._inotify.close)
                self._inotify.add_watch(path, flags.MODIFY | flags.DELETE_SELF | flags.MOVE_SELF)
                failed.pop_all()

        def fileno(self) -> int:
            return int(self._inotify.fileno())

        def is_still_there(self) -> bool:
            """Take what was said; False when the file was removed meanwhile, of which nothing more will be said."""
            gone = flags.DELETE_SELF | flags.MOVE_SELF | flags.IGNORED
            return not any(event.mask & gone for event in self._inotify.read(timeout=0))

        def close(self) -> None:
            self._inotify.close()


def watched_log(file: Path | None) -> Log | None:
    """The log beside the database's file; `None` where nobody says anything of it."""
    if sys.platform != "linux" or file is None:
        return None
    try:
        return _WatchedLog(file.with_name(f"{file.name}-wal"))
    except OSError:
        # There is no log yet, or no more may be watched here.
        return None
