"""What was accepted stays in force over bad edits, restarts and on another replica, and of two who accept at once one does."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from engine.publishing import Publishing
from engine.store import configurations
from engine.store.database import Database
from engine.store.definitions import DefinitionFeed, Definitions
from rules.labels import Labels

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def run(database: Database, *statements: str) -> None:
    for statement in statements:
        with database.write() as connection:
            connection.execute(text(statement))


def look(feed: DefinitionFeed, database: Database) -> Definitions:
    with database.read() as connection:
        return feed.refresh(connection)


def accept(feed: DefinitionFeed, database: Database) -> Definitions:
    Publishing(database=database, feed=feed).publish()
    return look(feed, database)


def rings(database: Database) -> None:
    """An edit after which the routes a and b hang on each other; with it, an interval goes and an inhibit rule comes."""
    inhibit = (
        """INSERT INTO inhibit_rules (id, source_matchers, target_matchers) VALUES ('late', '["a=b"]', '["c=d"]')"""
    )
    run(database, "UPDATE routes SET parent_id = 'b' WHERE id = 'a'", "DELETE FROM time_intervals", inhibit)


def planted(database: Database) -> None:
    run(
        database,
        """INSERT INTO time_intervals (name, time_intervals) VALUES ('night', '[{"weekdays": ["sunday"]}]')""",
        """INSERT INTO routes (id, parent_id, receiver, matchers, mute_time_intervals, labels)
           VALUES ('a', 'root', 'dba', '["team=db"]', '["night"]', '{"team": "db"}')""",
        "INSERT INTO routes (id, parent_id, receiver) VALUES ('b', 'a', 'below')",
    )


def test_what_is_declared_is_accepted_under_the_next_number(database: Database) -> None:
    feed = DefinitionFeed()
    assert look(feed, database).configuration.version == 0
    assert accept(feed, database).configuration.version == 1
    run(database, "UPDATE routes SET receiver = 'ops' WHERE id = 'root'")
    assert accept(feed, database).configuration.version == 2
    assert accept(DefinitionFeed(), database).configuration.version == 2


def test_what_is_no_part_of_it_makes_no_new_one(database: Database) -> None:
    feed = DefinitionFeed()
    accept(feed, database)
    run(database, "INSERT INTO alert_rules (id, name, expr) VALUES ('r', 'Down', 'up == 0')")
    assert accept(feed, database).configuration.version == 1


def test_an_edit_that_makes_no_tree_leaves_routes_inhibitions_and_intervals_of_the_accepted_one_in_force(
    database: Database,
) -> None:
    feed = DefinitionFeed()
    planted(database)
    before = accept(feed, database)
    rings(database)
    for found in (accept(feed, database), accept(DefinitionFeed(), database)):
        assert found.configuration.version == 1
        assert found.tree.routes == before.tree.routes
        assert found.time_intervals == before.time_intervals
        assert found.inhibit_rules == ()
        assert [policy.receiver for policy in found.tree.match(Labels({"team": "db"}))] == ["below"]
        assert "(configuration 1)" in found.problems[0]


def test_a_mended_tree_is_accepted_with_all_that_was_edited_meanwhile(database: Database) -> None:
    feed = DefinitionFeed()
    planted(database)
    accept(feed, database)
    rings(database)
    accept(feed, database)
    run(database, "UPDATE routes SET parent_id = 'root', mute_time_intervals = '[]' WHERE id = 'a'")
    found = accept(feed, database)
    assert (found.configuration.version, found.problems) == (2, ())
    assert [rule.id for rule in found.inhibit_rules] == ["late"]


def test_a_replica_that_never_saw_the_good_edit_keeps_it_all_the_same(database: Database) -> None:
    here, there = DefinitionFeed(), DefinitionFeed()
    planted(database)
    accept(there, database)
    run(database, "UPDATE routes SET receiver = 'new' WHERE id = 'a'")
    accept(here, database)
    rings(database)
    found = look(there, database)
    assert found.configuration.version == 2
    assert found.tree.policies["a"].receiver == "new"


def test_a_channel_is_part_of_it_by_version_and_never_by_address(database: Database) -> None:
    feed = DefinitionFeed()
    run(
        database,
        "INSERT INTO channels (name, kind, url) VALUES ('hook', 'webhook', 'https://user:secret@example.org/')",
    )
    assert accept(feed, database).configuration.channels["hook"] == 1
    with database.read() as connection:
        content = connection.execute(text("SELECT content FROM configurations")).scalar_one()
    assert "secret" not in str(content)
    run(database, "UPDATE channels SET url = 'https://user:other@example.org/' WHERE name = 'hook'")
    found = accept(feed, database)
    assert (found.configuration.version, found.configuration.channels["hook"]) == (2, 2)


def test_one_who_knows_less_accepts_nothing(database: Database) -> None:
    early = look(DefinitionFeed(), database)
    run(database, "UPDATE routes SET receiver = 'ops' WHERE id = 'root'")
    accept(DefinitionFeed(), database)
    with database.write() as connection:
        refused = configurations.publish(connection, early.configuration, change_id=early.version, at=NOON)
    assert refused is None


def test_two_who_accept_at_once_agree_on_one_row(postgresql: Database) -> None:
    first, second = DefinitionFeed(), DefinitionFeed()
    with ThreadPoolExecutor(1) as pool:
        with postgresql.write() as connection:
            early = Publishing(database=postgresql, feed=first).accepted(connection)
            waiting = pool.submit(accept, second, postgresql)
            with pytest.raises(FutureTimeoutError):
                waiting.result(timeout=0.3)
        late = waiting.result(timeout=30)
    assert early is not None
    assert late.configuration.version == early.configuration.version == 1


def test_what_a_transaction_that_failed_accepted_is_not_taken_for_accepted(database: Database) -> None:
    feed = DefinitionFeed()
    try:
        with database.write() as connection:
            assert Publishing(database=database, feed=feed).accepted(connection) is not None
            raise ValueError("the flush failed")
    except ValueError:
        pass
    assert look(feed, database).configuration.version == 0
    assert accept(feed, database).configuration.version == 1


def test_the_configuration_of_a_moment_is_found_again(database: Database) -> None:
    feed = DefinitionFeed()
    planted(database)
    for place, version in enumerate((1, 2)):
        found = look(feed, database)
        with database.write() as connection:
            at = NOON + timedelta(hours=place)
            assert configurations.publish(connection, found.configuration, change_id=found.version, at=at) == version
        run(database, "UPDATE routes SET receiver = 'other' WHERE id = 'a'")
    with database.read() as connection:
        assert configurations.at(connection, NOON - timedelta(seconds=1)) is None
        then = configurations.at(connection, NOON + timedelta(minutes=5))
        now = configurations.at(connection, NOON + timedelta(minutes=65))
    assert then is not None
    assert now is not None
    assert (then.version, then.tree.policies["a"].receiver) == (1, "dba")
    assert (now.version, now.tree.policies["a"].receiver) == (2, "other")


def test_two_people_whose_edits_make_a_circle_only_together_leave_the_accepted_tree_in_force(
    postgresql: Database,
) -> None:
    feed = DefinitionFeed()
    run(postgresql, "INSERT INTO routes (id, parent_id) VALUES ('a', 'root'), ('b', 'root')")
    accept(feed, postgresql)
    with postgresql.write() as one, postgresql.write() as other:
        one.execute(text("UPDATE routes SET parent_id = 'b' WHERE id = 'a'"))
        other.execute(text("UPDATE routes SET parent_id = 'a' WHERE id = 'b'"))
    found = accept(feed, postgresql)
    assert (found.configuration.version, found.declared) == (1, False)
    assert [route.parent_id for route in found.tree.routes] == [None, "root", "root"]
    assert "go round in a circle" in found.problems[0]
    run(postgresql, "UPDATE routes SET parent_id = 'root' WHERE id = 'b'")
    assert accept(feed, postgresql).configuration.version == 2
