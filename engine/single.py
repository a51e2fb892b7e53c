"""One engine per SQLite file: a second one refuses to start, naming the first.

The lock is an flock on a file beside the database; the kernel drops it when the process ends, however it ends.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import IO

from engine.store.database import Database


class AlreadyRunningError(RuntimeError):
    """Another engine has this SQLite database."""


class Lock:
    """The right to run the engine on one file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[str] | None = None

    def acquire(self) -> None:
        """Take it, or raise AlreadyRunningError naming the process that has it."""
        held = self._path.open("a+", encoding="utf-8")
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            held.seek(0)
            other = held.read().strip() or "unknown"
            held.close()
            message = (
                f"another engine (process {other}) runs on this SQLite file; stop it, or use PostgreSQL for replicas"
            )
            raise AlreadyRunningError(message) from error
        held.truncate(0)
        held.write(str(os.getpid()))
        held.flush()
        self._file = held

    def release(self) -> None:
        """Give it back."""
        if self._file is not None:
            self._file.close()
            self._file = None


def lock_for(database: Database) -> Lock | None:
    """The lock of an SQLite database; `None` for PostgreSQL, where processes share the work."""
    path = database.file
    return None if path is None else Lock(path.with_name(f"{path.name}.lock"))
