"""The record of changes as it is read: once, in order, and nothing lost to a transaction that commits late."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from engine.store import changes
from engine.store.changes import Change, Mark, Operation, Touched
from engine.store.database import Database


def run(database: Database, *statements: str) -> None:
    with database.write() as connection:
        for statement in statements:
            connection.execute(text(statement))


def read(database: Database, mark: Mark) -> tuple[list[tuple[str, str, str]], Mark]:
    with database.read() as connection:
        found, mark = changes.since(connection, mark)
    return [(change.table, change.key, change.operation) for change in found], mark


@pytest.fixture
def mark(database: Database) -> Mark:
    """Where a fresh database's record ends."""
    with database.read() as connection:
        return changes.start(connection)


def test_changes_are_read_once_and_in_order(database: Database, mark: Mark) -> None:
    run(
        database,
        "INSERT INTO datasources (name) VALUES ('d')",
        "UPDATE datasources SET tenant = 'x' WHERE name = 'd'",
        "DELETE FROM datasources WHERE name = 'd'",
    )
    found, after = read(database, mark)
    assert found == [("datasources", "d", word) for word in ("insert", "update", "delete")]
    assert read(database, after) == ([], after)


def test_a_changed_key_is_a_delete_and_an_update(database: Database, mark: Mark) -> None:
    run(
        database,
        "INSERT INTO datasources (name) VALUES ('old')",
        "UPDATE datasources SET name = 'new' WHERE name = 'old'",
    )
    assert read(database, mark)[0][1:] == [("datasources", "old", "delete"), ("datasources", "new", "update")]


def test_a_start_leaves_nothing_to_read_although_a_transaction_is_open(postgresql: Database) -> None:
    with postgresql.write() as slow:
        slow.execute(text("SELECT pg_current_xact_id()"))
        run(postgresql, "INSERT INTO datasources (name) VALUES ('d')")
        with postgresql.read() as connection:
            mark = changes.start(connection)
        assert read(postgresql, mark)[0] == []


def test_a_mark_forgets_what_no_open_transaction_can_hide(postgresql: Database) -> None:
    with postgresql.read() as connection:
        mark = changes.start(connection)
    with postgresql.write() as slow:
        slow.execute(text("SELECT pg_current_xact_id()"))
        run(postgresql, "INSERT INTO datasources (name) VALUES ('d')")
        _, mark = read(postgresql, mark)
        assert len(mark.read) == 1
    run(postgresql, "INSERT INTO datasources (name) VALUES ('e')")
    assert read(postgresql, mark)[1].read == {}


def test_a_reader_with_an_older_view_does_not_take_the_mark_back(postgresql: Database) -> None:
    with postgresql.read() as older:
        first = changes.start(older)
        run(postgresql, "INSERT INTO datasources (name) VALUES ('d')")
        _, newer = read(postgresql, first)
        assert changes.since(older, newer) == ([], newer)
    assert read(postgresql, newer)[0] == []


def change(key: str, operation: Operation, table: str = "routes") -> Change:
    return Change(id=1, table=table, key=key, operation=operation)


@pytest.mark.parametrize(
    ("found", "touched"),
    [
        pytest.param([], {}, id="nothing"),
        pytest.param(
            [change("a", Operation.UPDATE), change("b", Operation.INSERT), change("a", Operation.UPDATE)],
            {"routes": Touched(keys=frozenset("ab"))},
            id="a key once however often it changed",
        ),
        pytest.param(
            [change("a", Operation.DELETE), change("a", Operation.INSERT)],
            {"routes": Touched(keys=frozenset("a"), ended=frozenset("a"))},
            id="ended although there again",
        ),
        pytest.param(
            [change("", Operation.TRUNCATE)],
            {"routes": Touched(keys=frozenset([""]), ended=frozenset([""]), whole=True)},
            id="the whole table",
        ),
        pytest.param(
            [change("a", Operation.UPDATE), change("a", Operation.UPDATE, "channels")],
            {"routes": Touched(keys=frozenset("a")), "channels": Touched(keys=frozenset("a"))},
            id="tables apart",
        ),
    ],
)
def test_what_must_be_read_again(found: list[Change], touched: dict[str, Touched]) -> None:
    assert changes.touched(found) == touched


def tenants(database: Database, key: str) -> list[object]:
    with database.read() as connection:
        return [row["tenant"] for row in changes.versions(connection, "datasources", key) or ()]


def test_versions_come_newest_first_and_of_one_row_only(database: Database) -> None:
    run(database, "INSERT INTO datasources (name, tenant) VALUES ('d', '0'), ('e', 'x')")
    for number in range(1, 3):
        run(database, f"UPDATE datasources SET tenant = '{number}' WHERE name = 'd'")
    assert tenants(database, "d") == ["2", "1", "0"]


def test_versions_end_where_the_row_was_deleted(database: Database) -> None:
    run(database, "INSERT INTO datasources (name, tenant) VALUES ('d', 'first life')")
    run(database, "DELETE FROM datasources WHERE name = 'd'")
    assert tenants(database, "d") == []
    run(database, "INSERT INTO datasources (name, tenant) VALUES ('d', 'second life')")
    assert tenants(database, "d") == ["second life"]


def test_versions_end_where_the_table_was_truncated(postgresql: Database) -> None:
    run(postgresql, "INSERT INTO datasources (name, tenant) VALUES ('d', 'before')")
    run(postgresql, "TRUNCATE datasources CASCADE")
    run(postgresql, "INSERT INTO datasources (name, tenant) VALUES ('d', 'after')")
    assert tenants(postgresql, "d") == ["after"]


def test_at_most_twenty_versions_are_looked_through(database: Database) -> None:
    run(database, "INSERT INTO datasources (name) VALUES ('d')")
    run(database, *(f"UPDATE datasources SET tenant = '{number}' WHERE name = 'd'" for number in range(30)))
    assert tenants(database, "d") == [str(number) for number in range(29, 9, -1)]
