"""API keys in the database: only hashes are kept, a name is one live key's, and what is over opens nothing."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import product

import pytest

from engine.store import api_keys, ledger
from engine.store.api_keys import ApiKey, ApiKeyError, KeyState, Scope
from engine.store.database import Database
from engine.store.door import CONFLICTS, Connection
from tests.peers.processes import wait_until

MOMENT = timedelta(microseconds=1)


@pytest.fixture
def connection(database: Database) -> Iterator[Connection]:
    with database.write() as opened:
        yield opened


def made(
    connection: Connection, database: Database, name: str = "ci", lasting: timedelta | None = None
) -> tuple[ApiKey, str]:
    now = database.now(connection)
    return api_keys.create(connection, name=name, scope=Scope.WRITE, created_by="root", lasting=lasting, now=now)


def test_a_key_names_its_row_and_holds_256_random_bits(connection: Connection, database: Database) -> None:
    key, text = made(connection, database)
    assert re.fullmatch(r"tocsin_[0-9a-f]{8}_[A-Za-z0-9_-]{43}", text)
    assert api_keys.id_of(text) == key.id
    assert made(connection, database, "other")[1] != text


def test_the_row_comes_back_as_it_was_made(connection: Connection, database: Database) -> None:
    key, text = made(connection, database, lasting=timedelta(days=30))
    assert api_keys.get(connection, key.id) == key
    assert (key.name, key.scope, key.created_by) == ("ci", Scope.WRITE, "root")
    assert key.hash == hashlib.sha256(text.encode()).hexdigest()
    assert key.expires_at == key.created_at + timedelta(days=30)
    assert (key.revoked_at, key.last_used_at) == (None, None)


def test_the_text_stands_nowhere_in_the_database(connection: Connection, database: Database) -> None:
    key, text = made(connection, database)
    api_keys.revoke(connection, key.id, by="root", now=key.created_at)
    secret = text.rpartition("_")[2] if text.count("_") == 2 else text[16:]
    kept = [
        *connection.exec_driver_sql("SELECT * FROM api_keys").all(),
        *connection.exec_driver_sql("SELECT * FROM ledger").all(),
        *connection.exec_driver_sql("SELECT * FROM definition_changes WHERE row_id = 'ci'").all(),
    ]
    assert secret not in repr(kept)
    assert key.hash not in repr(kept[1:])
    assert key.hash not in repr(key)


def test_making_and_revoking_are_in_the_ledger(connection: Connection, database: Database) -> None:
    key, _ = made(connection, database)
    api_keys.revoke(connection, key.id, by="alice", now=key.created_at)
    api_keys.revoke(connection, key.id, by="bob", now=key.created_at)
    told = ledger.of(connection, ledger.Subject.KEY, key.id)
    assert [(entry.reason, entry.detail["by"]) for entry in told] == [("key created", "root"), ("key revoked", "alice")]
    assert {**told[0].detail} == {"name": "ci", "scope": "write", "expires_at": None, "by": "root"}


def test_a_name_belongs_to_one_live_key(connection: Connection, database: Database) -> None:
    key, _ = made(connection, database)
    with pytest.raises(ApiKeyError, match=f"'ci': the live key {key.id} has it"):
        made(connection, database)
    api_keys.revoke(connection, key.id, by="root", now=database.now(connection))
    assert made(connection, database)[0].id != key.id


def test_a_name_is_free_again_when_its_key_has_expired(connection: Connection, database: Database) -> None:
    key, _ = made(connection, database, lasting=timedelta(days=1))
    assert key.expires_at is not None
    again = {"name": "ci", "scope": Scope.READ, "created_by": "root", "lasting": None}
    with pytest.raises(ApiKeyError):
        api_keys.create(connection, **again, now=key.expires_at - MOMENT)  # type: ignore[arg-type]
    api_keys.create(connection, **again, now=key.expires_at)  # type: ignore[arg-type]


@pytest.mark.peer("postgresql")
def test_of_two_that_make_the_same_name_at_once_one_is_refused(postgresql: Database) -> None:
    queueing = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'api_keys'::regclass"

    def second() -> None:
        with postgresql.write() as connection:
            made(connection, postgresql)

    def waits() -> bool:
        with postgresql.read() as connection:
            return other.done() or bool(connection.exec_driver_sql(queueing).scalar_one())

    with ThreadPoolExecutor(1) as pool:
        with postgresql.write() as connection:
            made(connection, postgresql)
            other = pool.submit(second)
            wait_until(waits, what="the second to wait for the first", within=timedelta(seconds=45))
        with pytest.raises(ApiKeyError, match="the live key"):
            other.result()


@pytest.mark.parametrize("name", ["", " ", "two words", "-x", "a/b", "ä", "x" * 65, "a\n", "key:x", "0123abcd"])
def test_a_name_that_could_not_sign_is_refused(sqlite: Database, name: str) -> None:
    with sqlite.write() as connection, pytest.raises(ApiKeyError, match=r"^name "):
        made(connection, sqlite, name)


@pytest.mark.parametrize("name", ["a", "Grafana", "ci.deploy-2", "a_b@example.org", "0123abcde", "x" * 64])
def test_a_name_may_look_like_this(sqlite: Database, name: str) -> None:
    with sqlite.write() as connection:
        assert made(connection, sqlite, name)[0].name == name


def test_a_key_is_over_at_its_expiry_and_when_it_is_revoked(connection: Connection, database: Database) -> None:
    key, _ = made(connection, database, lasting=timedelta(days=1))
    assert key.expires_at is not None
    assert key.state(key.expires_at - MOMENT) is KeyState.LIVE
    assert key.state(key.expires_at) is KeyState.EXPIRED
    assert api_keys.any_alive(connection, key.expires_at - MOMENT)
    assert not api_keys.any_alive(connection, key.expires_at)
    revoked = api_keys.revoke(connection, key.id, by="root", now=key.created_at)
    assert revoked is not None
    assert revoked.state(key.created_at) is revoked.state(key.expires_at) is KeyState.REVOKED
    assert not api_keys.any_alive(connection, key.created_at)


def test_revoking_again_leaves_the_time_as_it_was(connection: Connection, database: Database) -> None:
    key, _ = made(connection, database)
    first = api_keys.revoke(connection, key.id, by="root", now=key.created_at)
    assert api_keys.revoke(connection, key.id, by="root", now=key.created_at + timedelta(days=1)) == first


def test_a_key_that_is_not_there_cannot_be_revoked(sqlite: Database) -> None:
    with sqlite.write() as connection:
        assert api_keys.revoke(connection, "00000000", by="root", now=sqlite.now(connection)) is None


def test_use_is_noted_once_a_minute(connection: Connection, database: Database) -> None:
    key, _ = made(connection, database)
    noted = []
    for seconds in (0, 59, 60, 61):
        api_keys.note_use(connection, key.id, key.created_at + timedelta(seconds=seconds))
        found = api_keys.get(connection, key.id)
        assert found is not None
        assert found.last_used_at is not None
        noted.append((found.last_used_at - key.created_at).total_seconds())
    assert noted == [0, 0, 60, 60]


def test_all_are_listed_oldest_first(connection: Connection, database: Database) -> None:
    keys = [made(connection, database, name)[0] for name in ("b", "a", "c")]
    assert [key.name for key in api_keys.every(connection)] == [key.name for key in keys]


def test_the_database_takes_no_other_scope(database: Database) -> None:
    with database.write() as connection:
        made(connection, database)
    with pytest.raises(CONFLICTS), database.write() as connection:
        connection.exec_driver_sql("UPDATE api_keys SET scope = 'root'")
    with database.write() as connection:
        connection.exec_driver_sql("UPDATE api_keys SET scope = 'admin'")


@pytest.mark.parametrize(("held", "needed"), list(product(Scope, Scope)))
def test_a_scope_covers_itself_and_those_before_it(held: Scope, needed: Scope) -> None:
    covered = {"read": "read", "silence": "read silence", "write": "read silence write"}
    assert held.covers(needed) == (held == "admin" or needed in covered[held].split())


@pytest.mark.parametrize(
    "text", ["", "tocsin_", "tocsin_0123abcd", "tocsin_0123ABCD_" + "a" * 43, "tocsin_0123abcd_" + "a" * 42, "x" * 60]
)
def test_what_is_no_key_of_the_database_has_no_id(text: str) -> None:
    assert api_keys.id_of(text) is None
