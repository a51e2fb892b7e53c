"""What is written past the triggers is found by comparing, and an undisturbed table costs nothing but the look."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Connection, text

from engine.store.database import Database
from engine.store.definitions import COMPARE_EVERY, DefinitionFeed, Definitions
from engine.store.tables import metadata
from tests.peers.require import find_binary, require_peer

TABLES = sorted(table.name for table in metadata.sorted_tables if "origin" in table.columns)
TURNS = 60 // int(COMPARE_EVERY.total_seconds())
"""After so many looks every table has had its turn."""


def run(database: Database, *statements: str) -> None:
    for statement in statements:
        with database.write() as connection:
            connection.execute(text(statement))


def add_rules(database: Database, count: int, shape: str = "'up > ' || i") -> None:
    numbers = f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})"
    run(database, f"INSERT INTO alert_rules (id, name, expr) {numbers} SELECT 'r' || i, 'n', {shape} FROM n")


@contextmanager
def past_the_triggers(database: Database) -> Iterator[Connection]:
    """A transaction that no trigger records, as a restore or a replica writes."""
    with database.write() as connection:
        if not database.is_sqlite:
            connection.execute(text("SET LOCAL session_replication_role = replica"))
            yield connection
            return
        triggers = connection.execute(text("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")).all()
        for trigger in triggers:
            connection.exec_driver_sql(f'DROP TRIGGER "{trigger.name}"')
        yield connection
        for trigger in triggers:
            connection.exec_driver_sql(trigger.sql)


def slip(database: Database, *statements: str) -> None:
    with past_the_triggers(database) as connection:
        for statement in statements:
            connection.execute(text(statement))


def look(feed: DefinitionFeed, database: Database) -> Definitions:
    with database.read() as connection:
        return feed.refresh(connection)


def compared(feed: DefinitionFeed, database: Database) -> Definitions:
    """What is in force when every table has had its turn."""
    for _ in range(TURNS):
        with database.read() as connection:
            found = feed.compare(connection)
    return found


@pytest.fixture
def feed(database: Database) -> DefinitionFeed:
    """A feed that has read the database with two rules in it."""
    add_rules(database, 2)
    feed = DefinitionFeed()
    look(feed, database)
    return feed


def test_every_table_has_its_turn_within_a_minute() -> None:
    assert len(TABLES) <= TURNS
    assert COMPARE_EVERY.total_seconds() * TURNS <= 60


def test_an_edit_an_insert_and_a_delete_past_the_triggers_are_in_force_after_a_minute(
    database: Database, feed: DefinitionFeed
) -> None:
    slip(
        database,
        "UPDATE alert_rules SET expr = 'up == 0' WHERE id = 'r1'",
        "DELETE FROM alert_rules WHERE id = 'r2'",
        "INSERT INTO alert_rules (id, name, expr) VALUES ('r3', 'n', 'up')",
    )
    assert set(look(feed, database).rules) == {"r1", "r2"}
    found = compared(feed, database)
    assert {key: (rule.expr, rule.version) for key, rule in found.rules.items()} == {
        "r1": ("up == 0", 1),
        "r3": ("up", 1),
    }
    assert look(feed, database) is found


@pytest.mark.parametrize("table", TABLES)
def test_every_table_is_compared(database: Database, feed: DefinitionFeed, table: str) -> None:
    run(
        database,
        """INSERT INTO silences (id, matchers, ends_at) VALUES ('s', '["a=b"]', '2099-01-01T00:00:00Z')""",
        "INSERT INTO thresholds (id, rule_id, threshold) VALUES ('t', 'r1', 1)",
        """INSERT INTO inhibit_rules (id, source_matchers, target_matchers) VALUES ('i', '["a=b"]', '["c=d"]')""",
        "INSERT INTO time_intervals (name, time_intervals) VALUES ('t', '[]')",
    )
    before = compared(feed, database)
    slip(database, f"UPDATE {table} SET team = 'somebody'")
    assert look(feed, database) is before
    assert compared(feed, database) is not before


def test_undisturbed_tables_are_the_same_objects_afterwards(database: Database, feed: DefinitionFeed) -> None:
    before = look(feed, database)
    assert compared(feed, database) is before


def test_only_what_was_disturbed_is_made_anew(database: Database, feed: DefinitionFeed) -> None:
    before = look(feed, database)
    slip(database, "UPDATE alert_rules SET severity = 'page' WHERE id = 'r1'")
    after = compared(feed, database)
    assert after.rules["r1"] is not before.rules["r1"]
    assert after.rules["r2"] is before.rules["r2"]
    assert (after.channels is before.channels, after.tree is before.tree) == (True, True)


def test_recorded_edits_are_not_taken_for_slipped_ones(database: Database, feed: DefinitionFeed) -> None:
    run(database, "UPDATE alert_rules SET severity = 'page' WHERE id = 'r1'", "DELETE FROM alert_rules WHERE id = 'r2'")
    before = look(feed, database)
    assert compared(feed, database) is before


def test_a_recorded_edit_is_followed_by_a_comparison_too(database: Database, feed: DefinitionFeed) -> None:
    run(database, "UPDATE alert_rules SET severity = 'page' WHERE id = 'r1'")
    with database.read() as connection:
        assert feed.compare(connection).rules["r1"].severity == "page"


def test_a_comparison_may_be_the_first_look(database: Database) -> None:
    with database.read() as connection:
        assert set(DefinitionFeed().compare(connection).channels) == {"slack", "pagerduty", "email", "log"}


@pytest.mark.parametrize(("before", "after"), [("-1", "-2"), ("0.1", "0.10000000000000002"), ("1", "NULL")])
def test_the_smallest_difference_counts(database: Database, feed: DefinitionFeed, before: str, after: str) -> None:
    run(database, f"UPDATE alert_rules SET condition = '>', threshold = {before} WHERE id = 'r1'")
    look(feed, database)
    condition = "NULL" if after == "NULL" else "'>'"
    slip(database, f"UPDATE alert_rules SET condition = {condition}, threshold = {after} WHERE id = 'r1'")
    assert compared(feed, database).rules["r1"].threshold == (None if after == "NULL" else float(after))


def test_a_bad_edit_past_the_triggers_keeps_the_last_good_version(database: Database, feed: DefinitionFeed) -> None:
    slip(database, "UPDATE alert_rules SET expr = 'up ===' WHERE id = 'r1'")
    found = compared(feed, database)
    assert (found.rules["r1"].expr, set(found.quarantined)) == ("up > 1", {"r1"})
    assert compared(feed, database) is found


def test_a_comparison_begins_its_own_view(database: Database, feed: DefinitionFeed) -> None:
    with database.read() as connection:
        feed.refresh(connection)
        with pytest.raises(RuntimeError, match="has read nothing"):
            feed.compare(connection)


def test_a_reader_with_an_older_view_does_not_take_the_edit_back(database: Database, feed: DefinitionFeed) -> None:
    with database.read() as older:
        feed.refresh(older)
        slip(database, "UPDATE alert_rules SET severity = 'page' WHERE id = 'r1'")
        found = compared(feed, database)
        assert feed.refresh(older) is found
    assert found.rules["r1"].severity == "page"


def test_nobody_waits_for_a_comparison_to_write(sqlite: Database) -> None:
    feed = DefinitionFeed()
    with sqlite.read() as reading:
        feed.compare(reading)
        run(sqlite, "UPDATE channels SET team = 'ops'")
    assert look(feed, sqlite).channels["slack"].team == "ops"


def test_a_row_whose_key_is_no_utf8_is_found_once_and_then_known(sqlite: Database) -> None:
    feed = DefinitionFeed()
    add_rules(sqlite, 1)
    run(sqlite, "INSERT INTO alert_rules (id, name, expr) VALUES (CAST(x'FC' AS TEXT), 'n', 'up')")
    look(feed, sqlite)
    run(sqlite, "UPDATE alert_rules SET name = 'm' WHERE id <> 'r1'")
    look(feed, sqlite)
    found = compared(feed, sqlite)
    assert (set(found.rules), set(found.quarantined)) == ({"r1"}, {"\\udcfc"})
    assert compared(feed, sqlite) is found


def test_another_zone_of_the_session_is_no_difference(postgresql: Database) -> None:
    feed = DefinitionFeed()
    run(postgresql, """INSERT INTO silences (id, matchers, ends_at) VALUES ('s', '["a=b"]', '2099-01-01T00:00:00Z')""")
    before = look(feed, postgresql)
    name = postgresql.engine.url.database
    run(
        postgresql,
        f"ALTER DATABASE {name} SET timezone = 'Asia/Kolkata'",
        f"ALTER DATABASE {name} SET datestyle = 'German'",
    )
    postgresql.close()
    with postgresql.read() as connection:
        assert connection.execute(text("SHOW timezone")).scalar_one() == "Asia/Kolkata"
    assert compared(feed, postgresql) is before


# The sqlite3 shell, as people use it


def shell(database: Database, statements: str) -> None:
    require_peer("sqlite3")
    command = [str(find_binary("sqlite3")), "-batch", "-bail", str(database.file)]
    subprocess.run(command, input=statements, capture_output=True, text=True, timeout=30, check=True)


def test_a_row_replaced_by_the_shell_begins_at_version_one_and_is_in_force(sqlite: Database) -> None:
    feed = DefinitionFeed()
    add_rules(sqlite, 1)
    run(sqlite, "UPDATE alert_rules SET severity = 'page'", "UPDATE alert_rules SET severity = 'ticket'")
    assert look(feed, sqlite).rules["r1"].version == 3
    shell(sqlite, "INSERT OR REPLACE INTO alert_rules (id, name, expr) VALUES ('r1', 'Other', 'up == 0');")
    found = look(feed, sqlite)
    assert (found.rules["r1"].name, found.rules["r1"].severity, found.rules["r1"].version) == ("Other", "", 1)
    assert compared(feed, sqlite) is found


def test_a_row_that_an_update_replaced_in_the_shell_is_gone(sqlite: Database) -> None:
    feed = DefinitionFeed()
    add_rules(sqlite, 2)
    look(feed, sqlite)
    shell(sqlite, "UPDATE OR REPLACE alert_rules SET id = 'r2' WHERE id = 'r1';")
    found = look(feed, sqlite)
    assert {key: rule.expr for key, rule in found.rules.items()} == {"r2": "up > 1"}
    assert compared(feed, sqlite) is found


def test_rows_orphaned_by_the_shell_are_followed_and_the_others_stay(sqlite: Database) -> None:
    feed = DefinitionFeed()
    add_rules(sqlite, 1)
    run(sqlite, "INSERT INTO routes (id, parent_id, receiver) VALUES ('a', 'root', 'a'), ('b', 'a', 'b')")
    before = look(feed, sqlite)
    shell(sqlite, "DELETE FROM datasources; DELETE FROM routes WHERE id = 'a';")
    found = look(feed, sqlite)
    assert (dict(found.datasources), set(found.rules)) == ({}, {"r1"})
    assert found.tree is before.tree
    assert "the previous tree stays in force" in found.problems[0]
    assert compared(feed, sqlite) is found


def test_a_database_restored_under_the_engine_is_in_force_after_a_minute(sqlite: Database) -> None:
    feed = DefinitionFeed()
    add_rules(sqlite, 1)
    shell(sqlite, f".backup '{sqlite.file}.copy'")
    run(sqlite, "UPDATE alert_rules SET expr = 'up == 0'", "UPDATE channels SET team = 'ops'")
    look(feed, sqlite)
    shell(sqlite, f".restore '{sqlite.file}.copy'")
    found = compared(feed, sqlite)
    assert (found.rules["r1"].expr, found.channels["slack"].team) == ("up > 1", "")
