"""The feed of definitions: it follows every edit, keeps what was good, and ends where a fresh start begins."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event, text

from engine.store import routes, silences
from engine.store.database import Database
from engine.store.definitions import DefinitionFeed, Definitions
from rules.labels import Labels
from rules.matchers import parse_matchers
from rules.routing import Route
from rules.silences import Silence

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def run(database: Database, *statements: str) -> None:
    """Each statement in a transaction of its own, as from a shell."""
    for statement in statements:
        with database.write() as connection:
            connection.execute(text(statement))


def add_rule(database: Database, key: str, expr: str = "up == 0") -> None:
    run(database, f"INSERT INTO alert_rules (id, name, expr) VALUES ('{key}', 'Down', '{expr}')")


def edit_rule(database: Database, assignment: str, key: str = "r") -> None:
    run(database, f"UPDATE alert_rules SET {assignment} WHERE id = '{key}'")


def look(feed: DefinitionFeed, database: Database) -> Definitions:
    with database.read() as connection:
        return feed.refresh(connection)


def restarted(database: Database) -> Definitions:
    return look(DefinitionFeed(), database)


@contextmanager
def statements_of(database: Database) -> Iterator[list[str]]:
    """The SQL executed inside the block, transaction control aside."""
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if not statement.startswith(("BEGIN", "PRAGMA")):
            seen.append(statement)

    event.listen(database.engine, "before_cursor_execute", note)
    yield seen
    event.remove(database.engine, "before_cursor_execute", note)


@pytest.fixture
def feed(database: Database) -> DefinitionFeed:
    """A feed that has read the fresh database."""
    feed = DefinitionFeed()
    look(feed, database)
    return feed


# Following


def test_a_fresh_database_is_read_whole(database: Database) -> None:
    found = restarted(database)
    assert (dict(found.rules), found.silences, found.problems) == ({}, (), ())
    assert set(found.channels) == {"slack", "pagerduty", "email", "log"}
    assert set(found.datasources) == {"default"}
    assert found.tree.root.policy.channels == ("slack",)
    assert found.version > 0


def test_an_inserted_an_edited_and_a_deleted_rule_are_followed(database: Database, feed: DefinitionFeed) -> None:
    add_rule(database, "r")
    inserted = look(feed, database)
    edit_rule(database, "severity = 'page'")
    edited = look(feed, database)
    run(database, "DELETE FROM alert_rules")
    deleted = look(feed, database)
    assert [found.rules.get("r") and found.rules["r"].severity for found in (inserted, edited, deleted)] == [
        "",
        "page",
        None,
    ]
    assert inserted.version < edited.version < deleted.version
    assert edited.rules["r"].version == 2


def test_a_rule_given_another_id_leaves_its_old_one(database: Database, feed: DefinitionFeed) -> None:
    add_rule(database, "old")
    look(feed, database)
    edit_rule(database, "id = 'new'", key="old")
    assert set(look(feed, database).rules) == {"new"}


def test_a_truncated_table_is_empty(postgresql: Database) -> None:
    feed = DefinitionFeed()
    add_rule(postgresql, "r")
    look(feed, postgresql)
    run(postgresql, "TRUNCATE alert_rules")
    assert not look(feed, postgresql).rules
    add_rule(postgresql, "s")
    assert set(look(feed, postgresql).rules) == {"s"}


def test_a_replaced_row_is_followed(sqlite: Database) -> None:
    feed = DefinitionFeed()
    add_rule(sqlite, "r")
    look(feed, sqlite)
    run(sqlite, "INSERT OR REPLACE INTO alert_rules (id, name, expr) VALUES ('r', 'Other', 'up')")
    assert look(feed, sqlite).rules["r"].name == "Other"


def test_edits_of_every_other_table_are_followed(database: Database, feed: DefinitionFeed) -> None:
    run(
        database,
        "UPDATE channels SET team = 'ops' WHERE name = 'slack'",
        "INSERT INTO datasources (name) VALUES ('second')",
        """INSERT INTO routes (id, parent_id, receiver, matchers) VALUES ('db', 'root', 'dba', '["team=db"]')""",
        """INSERT INTO silences (id, matchers, ends_at) VALUES ('s', '["a=b"]', '2099-01-01T00:00:00Z')""",
    )
    found = look(feed, database)
    assert found.channels["slack"].team == "ops"
    assert "second" in found.datasources
    assert [policy.receiver for policy in found.tree.match(Labels({"team": "db"}))] == ["dba"]
    assert [silence.id for silence in found.silences] == ["s"]


def test_without_a_change_the_value_is_the_same_and_costs_one_query(database: Database, feed: DefinitionFeed) -> None:
    before = look(feed, database)
    with statements_of(database) as seen:
        assert look(feed, database) is before
    assert len(seen) == 1


def test_what_did_not_change_is_shared_with_the_next_value(database: Database, feed: DefinitionFeed) -> None:
    before = look(feed, database)
    add_rule(database, "r")
    after = look(feed, database)
    assert after.rules is not before.rules
    assert after.channels is before.channels
    assert after.tree is before.tree
    assert after.silences is before.silences
    assert not before.rules


def test_one_edit_among_ten_thousand_rules_reads_one_row(database: Database) -> None:
    numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000) SELECT"
    run(
        database,
        f"INSERT INTO alert_rules (id, name, metric_name, condition, threshold) {numbers} 'r' || i, 'n', 'up', '<', i FROM n",
    )
    feed = DefinitionFeed()
    before = look(feed, database)
    edit_rule(database, "severity = 'page'", key="r77")
    with statements_of(database) as seen:
        after = look(feed, database)
    assert len(seen) == 2
    assert sum(after.rules[key] is not rule for key, rule in before.rules.items()) == 1
    assert len(after.rules) == 10_000


def test_a_read_that_fails_leaves_the_feed_as_it_was(database: Database, feed: DefinitionFeed) -> None:
    before = look(feed, database)
    add_rule(database, "r")
    with database.read() as connection:
        connection.close()
        with pytest.raises(Exception, match="closed"):
            feed.refresh(connection)
    assert before.version < look(feed, database).version


def test_threads_that_refresh_together_see_the_same(database: Database, feed: DefinitionFeed) -> None:
    add_rule(database, "r")
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: look(feed, database), range(16)))
    assert all(each is found[0] for each in found)
    assert set(found[0].rules) == {"r"}


# Late commits, which only PostgreSQL has


def test_a_transaction_that_commits_late_is_not_lost(postgresql: Database) -> None:
    feed = DefinitionFeed()
    with postgresql.write() as slow:
        slow.execute(text("INSERT INTO alert_rules (id, name, expr) VALUES ('slow', 'n', 'up')"))
        look(feed, postgresql)
        add_rule(postgresql, "fast")
        assert set(look(feed, postgresql).rules) == {"fast"}
    late = look(feed, postgresql)
    assert set(late.rules) == {"fast", "slow"}
    assert look(feed, postgresql) is late


def test_while_a_transaction_stays_open_nothing_is_read_twice(postgresql: Database) -> None:
    feed = DefinitionFeed()
    with postgresql.write() as slow:
        slow.execute(text("SELECT pg_current_xact_id()"))
        add_rule(postgresql, "before")
        look(feed, postgresql)
        add_rule(postgresql, "after")
        found = look(feed, postgresql)
        with statements_of(postgresql) as seen:
            assert look(feed, postgresql) is found
        assert len(seen) == 1
    assert set(found.rules) == {"before", "after"}


def test_a_transaction_that_is_rolled_back_leaves_nothing(postgresql: Database) -> None:
    feed = DefinitionFeed()
    with postgresql.engine.connect() as doomed:
        doomed.execute(text("INSERT INTO alert_rules (id, name, expr) VALUES ('r', 'n', 'up')"))
        before = look(feed, postgresql)
        doomed.rollback()
    assert look(feed, postgresql) is before


def test_changes_restored_from_another_server_are_not_read_for_ever(postgresql: Database) -> None:
    add_rule(postgresql, "r")
    run(postgresql, "UPDATE definition_changes SET txid = 4000000000")
    feed = DefinitionFeed()
    before = look(feed, postgresql)
    assert look(feed, postgresql) is before
    add_rule(postgresql, "s")
    assert set(look(feed, postgresql).rules) == {"r", "s"}


# Quarantine

BAD = [
    pytest.param("expr = 'up ==='", "expr", id="PromQL that does not parse"),
    pytest.param("""labels = '{"team": 1}'""", "labels.team", id="label that is no text"),
    pytest.param("""annotations = '{"summary": "{{ $value"}'""", "annotations.summary", id="broken template"),
]


@pytest.mark.parametrize(("assignment", "field"), BAD)
def test_a_bad_edit_keeps_the_last_good_version(
    database: Database, feed: DefinitionFeed, assignment: str, field: str
) -> None:
    add_rule(database, "r")
    edit_rule(database, "severity = 'page'")
    edit_rule(database, assignment)
    for found in (look(feed, database), restarted(database)):
        assert (found.rules["r"].version, found.rules["r"].severity) == (2, "page")
        assert field in [problem.field for problem in found.quarantined["r"]]


def test_a_rule_that_was_never_good_is_absent_and_alone_in_that(database: Database, feed: DefinitionFeed) -> None:
    add_rule(database, "bad", expr="up ===")
    add_rule(database, "good")
    for found in (look(feed, database), restarted(database)):
        assert (set(found.rules), set(found.quarantined)) == ({"good"}, {"bad"})


def test_a_mended_rule_leaves_the_quarantine(database: Database, feed: DefinitionFeed) -> None:
    add_rule(database, "r", expr="up ===")
    look(feed, database)
    edit_rule(database, "expr = 'up == 1'")
    found = look(feed, database)
    assert not found.quarantined
    assert found.rules["r"].expr == "up == 1"


def test_a_bad_rule_that_is_deleted_is_gone_with_its_good_version(database: Database, feed: DefinitionFeed) -> None:
    add_rule(database, "r")
    edit_rule(database, "expr = 'up ==='")
    look(feed, database)
    run(database, "DELETE FROM alert_rules")
    found = look(feed, database)
    assert not found.rules
    assert not found.quarantined


def test_a_deleted_rule_does_not_stand_in_for_a_bad_one_of_the_same_id(
    database: Database, feed: DefinitionFeed
) -> None:
    add_rule(database, "r")
    look(feed, database)
    run(database, "DELETE FROM alert_rules")
    add_rule(database, "r", expr="up ===")
    for found in (look(feed, database), restarted(database)):
        assert (set(found.rules), set(found.quarantined)) == (set(), {"r"})


def test_a_bad_row_that_says_disabled_switches_its_good_version_off(database: Database, feed: DefinitionFeed) -> None:
    add_rule(database, "r")
    edit_rule(database, "expr = 'up ===', enabled = false")
    for found in (look(feed, database), restarted(database)):
        assert found.rules["r"].enabled is False


def test_after_twenty_bad_versions_only_memory_knows_the_good_one(database: Database, feed: DefinitionFeed) -> None:
    add_rule(database, "r")
    look(feed, database)
    for number in range(20):
        edit_rule(database, f"expr = 'up === {number}'")
    assert look(feed, database).rules["r"].version == 1
    assert "r" not in restarted(database).rules


def test_a_good_version_keeps_an_infinite_threshold(database: Database) -> None:
    infinity = "9e999" if database.is_sqlite else "'Infinity'"
    columns = "id, name, metric_name, condition, threshold"
    run(database, f"INSERT INTO alert_rules ({columns}) VALUES ('r', 'n', 'up', '<', {infinity})")
    edit_rule(database, "metric_name = ''' '")
    assert restarted(database).rules["r"].threshold == float("inf")


def test_a_rule_whose_id_is_no_utf8_is_quarantined_under_an_escaped_one(sqlite: Database) -> None:
    run(sqlite, "INSERT INTO alert_rules (id, name, expr) VALUES (CAST(x'FC' AS TEXT), 'n', 'up')")
    add_rule(sqlite, "r")
    feed = DefinitionFeed()
    found = look(feed, sqlite)
    assert (set(found.rules), set(found.quarantined)) == ({"r"}, {"\\udcfc"})
    run(sqlite, "DELETE FROM alert_rules WHERE id <> 'r'")
    assert not look(feed, sqlite).quarantined


# The other tables


def test_a_bad_channel_silence_and_datasource_are_named_and_skipped(database: Database, feed: DefinitionFeed) -> None:
    run(
        database,
        """UPDATE channels SET settings = '{"to": []}' WHERE name = 'slack'""",
        "UPDATE datasources SET urls = '[1]' WHERE name = 'default'",
        """INSERT INTO silences (id, matchers, ends_at) VALUES ('s', '["a!=b"]', '2099-01-01T00:00:00Z')""",
    )
    for found in (look(feed, database), restarted(database)):
        assert ("slack" in found.channels, dict(found.datasources), found.silences) == (False, {}, ())
        assert [problem.split(":")[0] for problem in found.problems] == [
            "channels 'slack'",
            "silences 's'",
            "datasources 'default'",
        ]


def test_a_bad_edit_of_a_route_keeps_its_last_good_version(database: Database, feed: DefinitionFeed) -> None:
    with database.write() as connection:
        routes.put(connection, Route(id="db", parent_id="root", receiver="dba", matchers=parse_matchers("team=db")))
    run(database, """UPDATE routes SET receiver = 'web', matchers = '["team=~("]' WHERE id = 'db'""")
    for found in (look(feed, database), restarted(database)):
        assert [policy.receiver for policy in found.tree.match(Labels({"team": "db"}))] == ["dba"]
        assert found.problems[0].startswith("routes 'db': matchers: ")


def test_a_root_with_matchers_keeps_its_last_good_version(database: Database, feed: DefinitionFeed) -> None:
    run(database, """UPDATE routes SET matchers = '["a=b"]', group_wait_seconds = 99 WHERE id = 'root'""")
    for found in (look(feed, database), restarted(database)):
        assert found.tree.root.policy.group_wait == timedelta(seconds=30)
        assert "takes every alert" in found.problems[0]


def ring(database: Database) -> None:
    """Two routes that are each other's parents, beside one that hangs on the root."""
    run(
        database,
        "INSERT INTO routes (id, parent_id, receiver) VALUES ('a', 'root', 'a'), ('b', 'a', 'b')",
        """INSERT INTO routes (id, parent_id, receiver, matchers) VALUES ('c', 'root', 'c', '["team=db"]')""",
        "UPDATE routes SET parent_id = 'b' WHERE id = 'a'",
    )


def test_a_tree_that_is_none_leaves_the_previous_one_in_force(database: Database, feed: DefinitionFeed) -> None:
    before = look(feed, database)
    ring(database)
    broken = look(feed, database)
    assert broken.tree is before.tree
    assert "the previous tree stays in force" in broken.problems[0]
    run(database, "UPDATE routes SET parent_id = 'root' WHERE id = 'a'")
    assert set(look(feed, database).tree.policies) == {"root", "a", "b", "c"}


def test_a_problem_of_the_tree_stays_while_other_tables_change(database: Database, feed: DefinitionFeed) -> None:
    ring(database)
    broken = look(feed, database)
    add_rule(database, "r")
    assert look(feed, database).problems == broken.problems != ()


def test_at_a_fresh_start_what_hangs_on_the_root_is_in_force(database: Database) -> None:
    ring(database)
    found = restarted(database)
    assert set(found.tree.policies) == {"root", "c"}
    assert "only what hangs on the root is in force" in found.problems[0]


def test_without_a_root_everything_is_written_to_the_log(database: Database) -> None:
    run(database, "DELETE FROM routes")
    found = restarted(database)
    assert [policy.channels for policy in found.tree.match(Labels())] == [("log",)]
    assert "needs one route with id 'root'" in found.problems[0]


# Silences


def silence(key: str, ends_at: datetime) -> Silence:
    return Silence(id=key, matchers=parse_matchers("a=b"), starts_at=NOON - timedelta(days=9), ends_at=ends_at)


def test_silences_that_ended_more_than_an_hour_ago_are_left_out(database: Database) -> None:
    with database.write() as connection:
        for minutes in (-61, -60, -1, 5):
            silences.put(connection, silence(f"s{minutes}", NOON + timedelta(minutes=minutes)))
    feed = DefinitionFeed(now=lambda _connection: NOON)
    assert [each.id for each in look(feed, database).silences] == ["s-1", "s-60", "s5"]
    with database.write() as connection:
        silences.put(connection, silence("s-61", NOON + timedelta(days=1)))
    assert [each.id for each in look(feed, database).silences] == ["s-1", "s-60", "s-61", "s5"]


def test_without_a_clock_every_silence_is_kept(database: Database) -> None:
    with database.write() as connection:
        silences.put(connection, silence("old", NOON - timedelta(days=8)))
    assert [each.id for each in restarted(database).silences] == ["old"]


# The feed against a fresh start

KEYS = st.sampled_from(["a", "b", "c"])
EDITS = st.one_of(
    st.builds(
        "INSERT INTO alert_rules (id, name, expr) VALUES ('{}', 'n', 'up > 1') ON CONFLICT DO NOTHING".format, KEYS
    ),
    st.builds("UPDATE alert_rules SET expr = 'up > ' || version WHERE id = '{}'".format, KEYS),
    st.builds("UPDATE alert_rules SET expr = 'up ===' WHERE id = '{}'".format, KEYS),
    st.builds("UPDATE alert_rules SET enabled = NOT enabled WHERE id = '{}'".format, KEYS),
    st.builds("UPDATE alert_rules SET id = id || '{}' WHERE id = '{}'".format, KEYS, KEYS),
    st.builds("DELETE FROM alert_rules WHERE id = '{}'".format, KEYS),
    st.just("""UPDATE channels SET settings = '{"to": []}' WHERE name = 'slack'"""),
    st.just("""UPDATE channels SET settings = '{}' WHERE name = 'slack'"""),
    st.builds("INSERT INTO routes (id, parent_id) VALUES ('{}', 'root') ON CONFLICT DO NOTHING".format, KEYS),
    st.builds("""UPDATE routes SET receiver = '{}', matchers = '["a=b"]' WHERE id = '{}'""".format, KEYS, KEYS),
    st.builds("""UPDATE routes SET matchers = '["a=~("]' WHERE id = '{}'""".format, KEYS),
    st.just("LOOK"),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(edits=st.lists(EDITS, max_size=25))
def test_following_ends_where_a_fresh_start_begins(database: Database, edits: list[str]) -> None:
    run(database, "DELETE FROM alert_rules", "DELETE FROM routes WHERE id <> 'root'")
    feed = DefinitionFeed()
    look(feed, database)
    for edit in edits:
        if edit == "LOOK":
            look(feed, database)
        else:
            run(database, edit)
    assert look(feed, database) == restarted(database)
