"""The two ways into the database, its addresses and its file, with every SQLite trap they avoid reproduced."""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, func, insert, select, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError

from engine.clock import SystemClock
from engine.store.database import Database, DatabaseAddressError, connect

counter = Table("counter", MetaData(), Column("n", Integer, nullable=False))
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


class Interruption(Exception):  # noqa: N818 - no error, but what ends a block early
    """Raised by the tests themselves."""


class StoppedClock(SystemClock):
    """Always noon; `authoritative` as a virtual clock is."""

    authoritative = True

    def now(self) -> datetime:
        return NOON


@pytest.fixture
def counting(empty: Database) -> Database:
    """A database with one counter, at 0."""
    with empty.write() as connection:
        counter.create(connection)
        connection.execute(insert(counter).values(n=0))
    return empty


def count(database: Database) -> int:
    with database.read() as connection:
        n: int = connection.execute(select(counter.c.n)).scalar_one()
    return n


def increment(database: Database, times: int) -> None:
    for _ in range(times):
        with database.write() as connection:
            n = connection.execute(select(counter.c.n).with_for_update()).scalar_one()
            connection.execute(update(counter).values(n=n + 1))


# Writing and reading


def test_of_600_increments_by_6_threads_none_is_lost_and_none_fails(counting: Database) -> None:
    with ThreadPoolExecutor(6) as pool:
        for done in [pool.submit(increment, counting, 100) for _ in range(6)]:
            done.result()
    assert count(counting) == 600


def test_a_write_that_raises_leaves_nothing_and_lets_the_next_one_in(counting: Database) -> None:
    def fail() -> None:
        with counting.write() as connection:
            connection.execute(update(counter).values(n=99))
            raise Interruption

    with pytest.raises(Interruption):
        fail()
    increment(counting, 1)
    assert count(counting) == 1


def test_a_reader_neither_waits_for_a_writer_nor_sees_what_is_not_committed(counting: Database) -> None:
    with counting.write() as connection:
        connection.execute(update(counter).values(n=1))
        assert count(counting) == 0
    assert count(counting) == 1


def test_a_reader_keeps_one_view_while_others_commit(counting: Database) -> None:
    with counting.read() as connection:
        before = connection.execute(select(counter.c.n)).scalar_one()
        increment(counting, 1)
        assert connection.execute(select(counter.c.n)).scalar_one() == before
    assert count(counting) == 1


def test_a_reader_cannot_write(counting: Database) -> None:
    with counting.read() as connection, pytest.raises(DBAPIError, match=r"read-?only"):
        connection.execute(update(counter).values(n=5))
    assert count(counting) == 0


def test_a_connection_that_was_read_with_can_be_written_with(counting: Database) -> None:
    for expected in (0, 1, 2):
        assert count(counting) == expected
        increment(counting, 1)


def test_a_write_inside_a_write_fails_at_once_where_it_would_wait_for_itself(sqlite: Database) -> None:
    with pytest.raises(RuntimeError, match="pass the outer connection on"), sqlite.write(), sqlite.write():
        pass
    with sqlite.write():
        pass


# SQLite's traps, as they are without Database


@pytest.fixture
def two_plain(tmp_path: Path) -> tuple[sqlite3.Connection, sqlite3.Connection]:
    """Two connections as the driver makes them, to a write-ahead logged file with one counter at 0."""
    first, second = (sqlite3.connect(tmp_path / "plain.db", timeout=0) for _ in range(2))
    first.execute("PRAGMA journal_mode=WAL")
    first.execute("CREATE TABLE counter (n)")
    first.execute("INSERT INTO counter VALUES (0)")
    first.commit()
    return first, second


def test_the_trap_the_drivers_own_transactions_lose_an_update_silently(
    two_plain: tuple[sqlite3.Connection, sqlite3.Connection],
) -> None:
    read = [connection.execute("SELECT n FROM counter").fetchone()[0] for connection in two_plain]
    for connection, n in zip(two_plain, read, strict=True):
        connection.execute("UPDATE counter SET n = ?", (n + 1,))
        connection.commit()
    assert two_plain[0].execute("SELECT n FROM counter").fetchone() == (1,)
    for connection in two_plain:
        connection.close()


def test_the_trap_a_deferred_begin_is_locked_out_when_it_turns_to_writing(
    two_plain: tuple[sqlite3.Connection, sqlite3.Connection],
) -> None:
    for connection in two_plain:
        connection.isolation_level = None
        connection.execute("BEGIN DEFERRED")
        connection.execute("SELECT n FROM counter").fetchone()
    two_plain[0].execute("UPDATE counter SET n = 1")
    two_plain[0].execute("COMMIT")
    with pytest.raises(sqlite3.OperationalError, match="database is locked"):
        two_plain[1].execute("UPDATE counter SET n = 1")
    for connection in two_plain:
        connection.close()


@pytest.mark.parametrize(
    ("pragma", "value"), [("journal_mode", "wal"), ("synchronous", 1), ("foreign_keys", 1), ("busy_timeout", 5000)]
)
def test_every_sqlite_connection_is_prepared(sqlite: Database, pragma: str, value: object) -> None:
    with sqlite.read() as first, sqlite.read() as second:
        assert {c.exec_driver_sql(f"PRAGMA {pragma}").scalar_one() for c in (first, second)} == {value}


def test_a_foreign_key_is_enforced_on_both(database: Database) -> None:
    with pytest.raises(IntegrityError), database.write() as connection:
        connection.execute(text("INSERT INTO alert_rules (name, expr, datasource) VALUES ('n', 'up', 'nowhere')"))


# Time


def test_the_time_is_the_databases_own_on_postgresql_and_the_systems_on_sqlite(database: Database) -> None:
    span = timedelta(seconds=5)
    with database.read() as connection:
        first, second = database.now(connection), database.now(connection)
    assert abs(first - datetime.now(UTC)) < span
    assert first <= second  # It goes on within a transaction.
    assert first.tzinfo is UTC


def test_the_servers_time_is_utc_whatever_zone_the_database_is_set_to(postgresql: Database) -> None:
    name = postgresql.engine.url.database
    with postgresql.write() as connection:
        connection.execute(text(f"ALTER DATABASE {name} SET timezone = 'Europe/Berlin'"))
    postgresql.close()
    with postgresql.read() as connection:
        assert connection.execute(text("SHOW timezone")).scalar_one() == "Europe/Berlin"
        assert postgresql.now(connection).tzinfo is UTC
        raw = connection.execute(select(func.clock_timestamp())).scalar_one()
        assert raw.utcoffset() != timedelta(0)


def test_a_virtual_clock_overrules_the_databases_time(empty: Database) -> None:
    virtual = Database(empty.engine, StoppedClock())
    with virtual.read() as connection:
        assert virtual.now(connection) == NOON


# Addresses


@pytest.mark.parametrize(
    ("url", "message"),
    [
        pytest.param("", "needs a file", id="nothing"),
        pytest.param(":memory:", "needs a file", id="memory"),
        pytest.param("sqlite://", "needs a file", id="memory as a URL"),
        pytest.param("sqlite:///:memory:", "needs a file", id="memory named in a URL"),
        pytest.param("sqlite://folder/tocsin.db", "three slashes", id="a folder in the host's place"),
        pytest.param("sqlite:///tocsin.db?mode=ro", "takes no options", id="options SQLite would never see"),
        pytest.param("mysql://u:hunter2@host/name", "mysql:// is not supported", id="another database"),
        pytest.param("postgresql+asyncpg://u:hunter2@host/n", r"asyncpg:// is not supported", id="another driver"),
        pytest.param("postgresql://u:hunter2@host:port/n", "not a database URL", id="a port that is no number"),
        pytest.param("://hunter2", "not a database URL", id="no scheme"),
    ],
)
def test_an_address_of_no_known_kind_is_refused_with_an_example_and_without_the_password(
    url: str, message: str
) -> None:
    with pytest.raises(DatabaseAddressError, match=message) as refused:
        connect(url, SystemClock())
    assert "sqlite:///" in str(refused.value)
    assert "hunter2" not in f"{refused.value} {refused.value.__cause__!r}"


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_every_usual_spelling_of_postgresql_is_taken(scheme: str) -> None:
    database = connect(f"{scheme}://user:hunter2@host:5433/name", SystemClock())
    assert not database.is_sqlite
    assert "hunter2" not in repr(database.engine)


def test_a_server_that_cannot_be_reached_is_reported_without_the_password() -> None:
    database = connect("postgresql://user:hunter2@127.0.0.1:1/name", SystemClock())
    with pytest.raises(OperationalError, match="port 1 failed") as failed, database.read():
        pass
    assert "hunter2" not in str(failed.value)


def test_a_statement_that_fails_is_reported_without_what_it_was_to_write(database: Database) -> None:
    with pytest.raises(IntegrityError) as failed, database.write() as connection:
        connection.execute(text("INSERT INTO channels (name, kind) VALUES ('slack', :url)"), {"url": "hunter2"})
    assert "hunter2" not in str(failed.value).partition("DETAIL")[0]


def test_what_a_postgresql_url_says_of_the_connection_wins_over_our_defaults(postgresql: Database) -> None:
    url = postgresql.engine.url.render_as_string(hide_password=False)
    named = urlunsplit(urlsplit(url)._replace(query="application_name=mine"))
    for address, expected in ((url, "tocsin"), (named, "mine")):
        database = connect(address, SystemClock())
        with database.read() as connection:
            assert connection.execute(text("SHOW application_name")).scalar_one() == expected
        database.close()


# The SQLite file


@pytest.mark.parametrize(
    "spelled",
    [
        pytest.param(str, id="bare"),
        pytest.param(lambda path: f"sqlite:///{path}", id="as a URL"),
    ],
)
def test_a_path_is_taken_bare_or_as_a_url(tmp_path: Path, spelled: Callable[[Path], str]) -> None:
    database = connect(spelled(tmp_path / "my alerts.db"), SystemClock())
    with database.write() as connection:
        counter.create(connection)
    database.close()
    assert (tmp_path / "my alerts.db").stat().st_size > 0


def test_a_bare_path_may_hold_what_a_url_would_give_a_meaning(tmp_path: Path) -> None:
    path = tmp_path / "50%25?mode=ro#1.db"
    database = connect(str(path), SystemClock())
    with database.read():
        assert path.exists()
    database.close()


def test_a_new_file_and_its_log_are_for_their_owner_only_since_channels_may_hold_secrets(tmp_path: Path) -> None:
    database = connect(str(tmp_path / "tocsin.db"), SystemClock())
    with database.write() as connection:
        counter.create(connection)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    database.close()
    assert modes == dict.fromkeys(("tocsin.db", "tocsin.db-wal", "tocsin.db-shm"), 0o600)


def test_a_file_that_is_there_keeps_the_mode_its_owner_gave_it(tmp_path: Path) -> None:
    path = tmp_path / "tocsin.db"
    path.touch()
    path.chmod(0o660)
    database = connect(str(path), SystemClock())
    with database.read():
        assert stat.S_IMODE(path.stat().st_mode) == 0o660
    database.close()


def test_a_file_that_cannot_be_made_is_named_with_what_to_do(tmp_path: Path) -> None:
    database = connect(str(tmp_path / "missing" / "tocsin.db"), SystemClock())
    with pytest.raises(OperationalError, match=r"missing/tocsin\.db: No such file.*directory must exist"):
        database.engine.connect()


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("not a database at all, but long enough to have a header\n" * 20)
    with pytest.raises(OperationalError, match=r"notes\.txt: file is not a database"):
        connect(str(path), SystemClock()).engine.connect()
