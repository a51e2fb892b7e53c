"""Open the database, and the two ways into it: read and write.

SQLite traps, each reproduced in the tests: the driver's own transactions let a SELECT run outside of them and lose updates
silently, and a deferred BEGIN fails with "database is locked" when it turns into a write. So the driver is put into
autocommit, every write begins IMMEDIATE, and writers of this process queue in order at one lock, because SQLite's own
busy-wait is not fair. Reads take connections of their own; in WAL mode they never wait for the writer.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final

from sqlalchemy import URL, Connection, Engine, create_engine, event, func, make_url, select
from sqlalchemy.exc import ArgumentError

from engine.clock import Clock
from engine.store import json_text

BUSY_TIMEOUT_MS = 5000
WAL_ATTEMPTS = 100
POOL_SIZE = 16
PATIENCE: Final = timedelta(seconds=10)

# A view that stays the same from the first statement to the last, on both, and in which nothing can be written.
READING: Final[Mapping[str, Mapping[str, Any]]] = {
    "sqlite": {"tocsin_begin": "DEFERRED"},
    "postgresql": {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True},
}

# A server that went away without a word is noticed within these seconds, not after the operating system's two hours.
_POSTGRESQL_DEFAULTS: Final = {
    "application_name": "tocsin",
    "connect_timeout": "10",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "30000",
}
_EXAMPLES: Final = "write sqlite:///tocsin.db or postgresql://user@host/name"


class DatabaseAddressError(ValueError):
    """A database URL that Tocsin cannot open; the message never holds the password."""


class FairLock:
    """A lock that is given in the order it was asked for; a busy loop cannot starve the others.

    A thread that asks for it while holding it gets a RuntimeError: it would wait for itself for ever.
    """

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._waiting: deque[threading.Lock] = deque()
        self._held = False
        self._holder: int | None = None

    @property
    def waiting(self) -> int:
        """How many threads are queueing."""
        return len(self._waiting)

    def acquire(self) -> None:
        if self._holder == threading.get_ident():
            raise RuntimeError("a write inside a write of the same thread: pass the outer connection on")
        turn = self._queue()
        if turn is not None:
            came = False
            try:
                came = turn.acquire()
            finally:
                if not came:  # A signal's exception ended the wait.
                    self._leave(turn)
        self._holder = threading.get_ident()

    def release(self) -> None:
        with self._guard:
            self._holder = None
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._held = False

    def _queue(self) -> threading.Lock | None:
        """The turn to wait for; `None` when the lock was free and is now held."""
        with self._guard:
            if not self._held:
                self._held = True
                return None
            turn = threading.Lock()
            turn.acquire()
            self._waiting.append(turn)
            return turn

    def _leave(self, turn: threading.Lock) -> None:
        """Give up waiting; a turn that had just come is passed on, or everybody behind would wait for ever."""
        with self._guard:
            if turn in self._waiting:
                self._waiting.remove(turn)
                return
        self.release()


class Database:
    """One database; `clock` overrules its own time only when it is authoritative (a virtual clock)."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self.engine = engine
        self.clock = clock
        self.is_sqlite = engine.dialect.name == "sqlite"
        self._writer = FairLock()
        self._seen: tuple[datetime, float] | None = None

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One consistent view; a write in it is refused by the database."""
        with self.engine.connect().execution_options(**READING[self.engine.dialect.name]) as connection:
            yield connection
            connection.rollback()

    @contextmanager
    def write(self, author: str | None = None) -> Iterator[Connection]:
        """One transaction, committed when the block ends and rolled back when it raises.

        `author` is who the change feed names for definitions changed in it; `None` is the database's own word.
        """
        if self.is_sqlite:
            self._writer.acquire()
        try:
            with self.engine.begin() as connection:
                if author is not None:
                    self._name_author(connection, author)
                yield connection
                if author is not None and self.is_sqlite:
                    connection.exec_driver_sql("DELETE FROM change_author")
        finally:
            if self.is_sqlite:
                self._writer.release()

    def now(self, connection: Connection) -> datetime:
        """The time all comparisons are made with: the server's on PostgreSQL, the system's on SQLite. Aware, UTC."""
        if self.is_sqlite or self.clock.authoritative:
            return self.clock.now()
        found: datetime = connection.execute(select(func.clock_timestamp())).scalar_one()
        # It comes in the zone of the connection, where adding a span would be wrong over a change of summer time.
        moment = found.astimezone(UTC)
        self._seen = moment, self.clock.monotonic()
        return moment

    def reckon(self) -> datetime:
        """What `now` would be, by the host's stopwatch since it was last asked; asks nobody. Never for a comparison in SQL."""
        if self._seen is None:
            return self.clock.now()
        moment, at = self._seen
        return moment + timedelta(seconds=self.clock.monotonic() - at)

    @property
    def file(self) -> Path | None:
        """The SQLite file; `None` on PostgreSQL."""
        return Path(str(self.engine.url.database)) if self.is_sqlite else None

    def ping(self) -> None:
        """One round trip; raises what the driver raises when the database is away."""
        with self.read() as connection:
            connection.execute(select(1))

    def close(self) -> None:
        """Close every pooled connection."""
        self.engine.dispose()

    def _name_author(self, connection: Connection, author: str) -> None:
        if self.is_sqlite:
            connection.exec_driver_sql("INSERT OR REPLACE INTO change_author (id, author) VALUES (1, ?)", (author,))
        else:
            connection.execute(select(func.set_config("tocsin.author", author, True)))


def connect(url: str, clock: Clock, *, patience: timedelta = PATIENCE) -> Database:
    """Open `sqlite:///path`, a bare path, or `postgresql://…`. Opens no connection yet.

    `patience` is how long PostgreSQL bears a transaction in which nothing is said: that of a process that was stopped in the
    middle of it, whose locks keep others from its rows. Raises DatabaseAddressError when the URL is of no kind Tocsin knows.
    """
    if "://" not in url:
        return Database(_sqlite(url), clock)
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        # Not chained: the cause can quote a part of the URL in which the password stands.
        raise DatabaseAddressError(f"not a database URL; {_EXAMPLES}") from None
    if parsed.get_backend_name() == "sqlite":
        return Database(_sqlite(_path(parsed)), clock)
    if parsed.drivername in {"postgres", "postgresql", "postgresql+psycopg"}:
        return Database(_postgresql(parsed, patience), clock)
    raise DatabaseAddressError(f"{parsed.drivername}:// is not supported; {_EXAMPLES}")


def _postgresql(url: URL, patience: timedelta) -> Engine:
    # An error never repeats what was to be written (a channel's token), here and on SQLite.
    defaults = {name: value for name, value in _POSTGRESQL_DEFAULTS.items() if name not in url.query}
    engine = create_engine(
        url.set(drivername="postgresql+psycopg"),
        pool_size=POOL_SIZE,
        max_overflow=POOL_SIZE,
        pool_pre_ping=True,
        hide_parameters=True,
        json_serializer=json_text.dumps,
        json_deserializer=json_text.loads,
        connect_args=defaults,
    )
    event.listen(engine, "connect", partial(_limit_idling, patience // timedelta(milliseconds=1)))
    return engine


def _limit_idling(milliseconds: int, connection: Any, _record: object) -> None:
    # Said in the session, not at its start, where poolers refuse options they do not know.
    with connection.cursor() as cursor:
        cursor.execute(f"SET idle_in_transaction_session_timeout = {milliseconds}")
    connection.commit()


def _path(url: URL) -> str:
    if url.host is not None:
        raise DatabaseAddressError(
            "an SQLite URL has no host: write three slashes before a relative path (sqlite:///tocsin.db), "
            "four before an absolute one"
        )
    if url.query:
        raise DatabaseAddressError(
            "an SQLite URL takes no options: write sqlite:///tocsin.db, with nothing behind the path"
        )
    return url.database or ""


def _sqlite(path: str) -> Engine:
    if not path or path == ":memory:":
        raise DatabaseAddressError(
            "an SQLite database needs a file, e.g. sqlite:///tocsin.db: state in memory would not outlive the process"
        )
    place = Path(path).absolute()
    engine = create_engine(
        URL.create("sqlite", database=str(place)),
        pool_size=POOL_SIZE,
        max_overflow=POOL_SIZE,
        hide_parameters=True,
        json_serializer=json_text.dumps,
        json_deserializer=json_text.loads,
        creator=partial(_open_sqlite, place),
    )
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _open_sqlite(path: Path) -> sqlite3.Connection:
    try:
        _create_private(path)
        with ExitStack() as undone:
            connection = sqlite3.connect(
                path, timeout=BUSY_TIMEOUT_MS / 1000, isolation_level=None, check_same_thread=False
            )
            undone.callback(connection.close)
            _prepare_sqlite(connection)
            undone.pop_all()
    except OSError as error:
        raise sqlite3.OperationalError(f"{path}: {error.strerror}; its directory must exist and be writable") from error
    except sqlite3.Error as error:
        raise sqlite3.OperationalError(f"{path}: {error}") from error
    return connection


def _create_private(path: Path) -> None:
    """Make a new file readable by its owner only, since channels may hold secrets; SQLite's -wal and -shm follow it."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except FileExistsError:
        return


def _prepare_sqlite(connection: sqlite3.Connection) -> None:
    mode = _into_wal(connection)
    if mode != "wal":
        raise sqlite3.OperationalError(f"the file system allows no write-ahead log (journal mode stays {mode})")
    for pragma in ("synchronous=NORMAL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _into_wal(connection: sqlite3.Connection) -> str:
    """Switch the file to write-ahead logging; answers the mode it is in then.

    Two processes that open a new file at once get in each other's way here, and SQLite refuses at once instead of waiting.
    An empty transaction waits for the other with the usual patience.
    """
    for _ in range(WAL_ATTEMPTS):
        try:
            return str(connection.execute("PRAGMA journal_mode=WAL").fetchone()[0])
        except sqlite3.OperationalError as busy:
            if busy.sqlite_errorcode != sqlite3.SQLITE_BUSY:
                raise
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("ROLLBACK")
    return str(connection.execute("PRAGMA journal_mode=WAL").fetchone()[0])


def _begin_sqlite(connection: Connection) -> None:
    mode = connection.get_execution_options().get("tocsin_begin", "IMMEDIATE")
    connection.exec_driver_sql(f"PRAGMA query_only={'ON' if mode == 'DEFERRED' else 'OFF'}")
    connection.exec_driver_sql(f"BEGIN {mode}")
