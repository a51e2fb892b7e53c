"""The feed of definitions: it follows every edit, keeps what was good, and ends where a fresh start begins."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event, text

from engine.publishing import Publishing
from engine.store import routes, silences
from engine.store.dangling import MISSING
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
    run(postgresql, "TRUNCATE alert_rules CASCADE")
    assert not look(feed, postgresql).rules
    add_rule(postgresql, "s")
    assert set(look(feed, postgresql).rules) == {"s"}


def test_a_truncate_that_takes_other_tables_along_empties_them_too(postgresql: Database) -> None:
    feed = DefinitionFeed()
    add_rule(postgresql, "r")
    look(feed, postgresql)
    run(postgresql, "TRUNCATE datasources CASCADE")
    found = look(feed, postgresql)
    assert (dict(found.datasources), dict(found.rules)) == ({}, {})


def test_a_truncate_that_is_rolled_back_leaves_everything(postgresql: Database) -> None:
    feed = DefinitionFeed()
    add_rule(postgresql, "r")
    before = look(feed, postgresql)
    with postgresql.engine.connect() as doomed:
        doomed.execute(text("TRUNCATE alert_rules CASCADE"))
        doomed.rollback()
    assert look(feed, postgresql) is before


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


def accept(feed: DefinitionFeed, database: Database) -> Definitions:
    """What is in force once it was accepted."""
    Publishing(database=database, feed=feed).publish()
    return look(feed, database)


def test_without_a_change_the_value_is_the_same_and_costs_one_query(database: Database, feed: DefinitionFeed) -> None:
    before = accept(feed, database)
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


def add_ten_thousand(database: Database) -> None:
    numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000) SELECT"
    columns = "id, name, metric_name, condition, threshold"
    run(database, f"INSERT INTO alert_rules ({columns}) {numbers} 'r' || i, 'n', 'up', '<', i FROM n")


@contextmanager
def rules_read_from(database: Database) -> Iterator[list[object]]:
    """The keys by which rules were read inside the block; reading without a key is `all`."""
    keys: list[object] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        if "FROM alert_rules" in statement:
            keys.extend((parameters.values() if isinstance(parameters, dict) else parameters) or ["all"])

    event.listen(database.engine, "before_cursor_execute", note)
    yield keys
    event.remove(database.engine, "before_cursor_execute", note)


def test_one_edit_among_ten_thousand_rules_reads_one_row(database: Database) -> None:
    add_ten_thousand(database)
    feed = DefinitionFeed()
    with rules_read_from(database) as keys:
        before = look(feed, database)
    assert set(keys) == {"all"}
    edit_rule(database, "severity = 'page'", key="r77")
    with rules_read_from(database) as keys:
        after = look(feed, database)
    # Twice: for its digest and for its value.
    assert keys == ["r77", "r77"]
    assert sum(after.rules[key] is not rule for key, rule in before.rules.items()) == 1
    assert len(after.rules) == 10_000


def test_one_bad_row_among_ten_thousand_is_set_aside_alone(database: Database) -> None:
    add_ten_thousand(database)
    edit_rule(database, "metric_name = NULL, condition = NULL, threshold = NULL, expr = 'up ==='", key="r77")
    add_rule(database, "new", expr="up ===")
    found = restarted(database)
    assert set(found.quarantined) == {"r77", "new"}
    assert (len(found.rules), found.rules["r77"].version) == (10_000, 1)


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
        # The number of the configuration is asked for until somebody has published it, which nobody does here.
        assert len([one for one in seen if "FROM configurations" not in one]) == 1
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


def test_a_channel_or_time_interval_that_a_route_names_and_nobody_declared_is_a_problem(
    database: Database, feed: DefinitionFeed
) -> None:
    run(
        database,
        """INSERT INTO routes (id, parent_id, channels, mute_time_intervals, active_time_intervals)
        VALUES ('db', 'root', '["log", "gone"]', '["nights"]', '["office", "nights"]')""",
        "INSERT INTO routes (id, parent_id) VALUES ('below', 'db')",
        """INSERT INTO time_intervals (name, time_intervals) VALUES ('office', '[{"times": []}]')""",
    )
    for found in (look(feed, database), restarted(database)):
        assert "db" in found.tree.policies
        assert [problem for problem in found.problems if problem.startswith("routes")] == [
            "routes 'db': channels names the channel 'gone', which does not exist; declare it, or name another",
            f"routes 'db': mute_time_intervals names the time interval 'nights', {MISSING}",
            f"routes 'db': active_time_intervals names the time interval 'nights', {MISSING}",
        ]
    run(database, """INSERT INTO time_intervals (name, time_intervals) VALUES ('nights', '[{"months": ["may"]}]')""")
    run(database, "UPDATE routes SET channels = NULL WHERE id = 'db'")
    assert not [problem for problem in look(feed, database).problems if problem.startswith("routes")]


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


# What refines a rule, and what keeps notifications quiet


def add_threshold(database: Database, key: str, rule_id: str = "r", matchers: str = "") -> None:
    columns = "id, rule_id, threshold, matchers, valid_from"
    written = f'["{matchers}"]' if matchers else "[]"
    run(
        database,
        f"INSERT INTO thresholds ({columns}) VALUES ('{key}', '{rule_id}', 5, '{written}', '2026-11-21T12:00:00Z')",
    )


def rows_of(found: Definitions, rule_id: str = "r") -> list[tuple[str, float]]:
    return [(row.id, row.threshold) for row in found.thresholds.get(rule_id, ())]


def test_the_threshold_rows_of_each_rule_are_in_force_by_their_ids(database: Database, feed: DefinitionFeed) -> None:
    for key in ("r", "s"):
        add_rule(database, key)
    for key, rule_id in (("b", "r"), ("c", "s"), ("a", "r")):
        add_threshold(database, key, rule_id)
    for found in (look(feed, database), restarted(database)):
        assert {rule_id: [row.id for row in rows] for rule_id, rows in found.thresholds.items()} == {
            "r": ["a", "b"],
            "s": ["c"],
        }
        assert found.problems == ()


def test_a_threshold_row_edited_moved_and_deleted_is_followed(database: Database, feed: DefinitionFeed) -> None:
    for key in ("r", "s"):
        add_rule(database, key)
    add_threshold(database, "a")
    add_threshold(database, "b")
    look(feed, database)
    run(database, "UPDATE thresholds SET threshold = 7 WHERE id = 'b'")
    assert rows_of(look(feed, database)) == [("a", 5), ("b", 7)]
    run(database, "UPDATE thresholds SET rule_id = 's' WHERE id = 'a'")
    moved = look(feed, database)
    assert (rows_of(moved), rows_of(moved, "s")) == ([("b", 7)], [("a", 5)])
    run(database, "DELETE FROM thresholds")
    assert not look(feed, database).thresholds


def test_a_deleted_rules_threshold_rows_are_gone_from_what_is_in_force(
    database: Database, feed: DefinitionFeed
) -> None:
    for key in ("r", "s"):
        add_rule(database, key)
        add_threshold(database, f"of {key}", key)
    look(feed, database)
    run(database, "DELETE FROM alert_rules WHERE id = 'r'")
    for found in (look(feed, database), restarted(database)):
        assert (set(found.thresholds), found.problems) == ({"s"}, ())


def test_what_refines_and_inhibits_is_shared_with_the_next_value_where_it_did_not_change(
    database: Database, feed: DefinitionFeed
) -> None:
    for key in ("r", "s"):
        add_rule(database, key)
        add_threshold(database, f"of {key}", key)
    before = look(feed, database)
    run(database, "UPDATE alert_rules SET severity = 'page'")
    edited = look(feed, database)
    assert edited.thresholds is before.thresholds
    assert edited.inhibit_rules is before.inhibit_rules
    assert edited.time_intervals is before.time_intervals
    run(database, "UPDATE thresholds SET threshold = 7 WHERE rule_id = 'r'")
    refined = look(feed, database)
    assert refined.thresholds["s"] is before.thresholds["s"]
    assert refined.thresholds["r"] is not before.thresholds["r"]


def test_a_threshold_row_without_its_rule_is_a_problem_and_stops_nothing(sqlite: Database) -> None:
    add_rule(sqlite, "r")
    add_threshold(sqlite, "a")
    # As SQLite's shell does, which looks at no foreign key.
    with closing(sqlite3.connect(str(sqlite.engine.url.database))) as shell, shell:
        shell.execute("INSERT INTO thresholds (id, rule_id, threshold) VALUES ('stray', 'nobody', 5)")
    found = restarted(sqlite)
    assert rows_of(found) == [("a", 5)]
    assert found.problems == (
        "thresholds 'stray': rule_id names the rule 'nobody', which does not exist; delete the row",
    )


def test_a_quarantined_rules_threshold_rows_are_no_strays(database: Database, feed: DefinitionFeed) -> None:
    add_rule(database, "r", expr="up ===")
    add_threshold(database, "a")
    assert look(feed, database).problems == ()


QUIETING = [
    "INSERT INTO alert_rules (id, name, expr) VALUES ('r', 'n', 'up > 1')",
    "INSERT INTO thresholds (id, rule_id, threshold, valid_to) VALUES ('good', 'r', 5, '2099-01-01T00:00:00Z')",
    "INSERT INTO thresholds (id, rule_id, threshold) VALUES ('other', 'r', 6)",
    """INSERT INTO inhibit_rules (id, source_matchers, target_matchers) VALUES ('good', '["a=b"]', '["c=d"]')""",
    """INSERT INTO inhibit_rules (id, source_matchers, target_matchers) VALUES ('other', '["a=b"]', '["c=e"]')""",
    """INSERT INTO time_intervals (name, time_intervals) VALUES ('good', '[{"months": ["may"]}]')""",
    """INSERT INTO time_intervals (name, time_intervals) VALUES ('other', '[{"months": ["june"]}]')""",
]
BAD_EDITS = [
    """UPDATE thresholds SET threshold = 9, matchers = '["a=~("]' WHERE id = 'good'""",
    """UPDATE inhibit_rules SET target_matchers = '[]', name = 'edited' WHERE id = 'good'""",
    """UPDATE time_intervals SET time_intervals = '[{"months": ["mai"]}]', team = 'edited' WHERE name = 'good'""",
]


def test_a_bad_edit_of_what_refines_or_quiets_keeps_the_last_good_version(
    database: Database, feed: DefinitionFeed
) -> None:
    run(database, *QUIETING)
    good = look(feed, database)
    run(database, *BAD_EDITS)
    for found in (look(feed, database), restarted(database)):
        assert found.thresholds == good.thresholds
        assert found.inhibit_rules == good.inhibit_rules
        assert found.time_intervals == good.time_intervals
        assert [problem.split(":")[0] for problem in found.problems] == [
            "thresholds 'good'",
            "inhibit_rules 'good'",
            "time_intervals 'good'",
        ]
    assert [row.id for row in good.thresholds["r"]] == [rule.id for rule in good.inhibit_rules] == ["good", "other"]


def test_a_row_that_was_never_good_leaves_its_neighbours_alone(database: Database, feed: DefinitionFeed) -> None:
    run(database, *QUIETING)
    for table in ("thresholds", "inhibit_rules", "time_intervals"):
        run(database, f"DELETE FROM {table} WHERE {'name' if table == 'time_intervals' else 'id'} = 'good'")
    run(
        database,
        """INSERT INTO thresholds (id, rule_id, threshold, matchers) VALUES ('good', 'r', 5, '[1]')""",
        """INSERT INTO inhibit_rules (id, source_matchers, target_matchers) VALUES ('good', '[]', '["c=d"]')""",
        """INSERT INTO time_intervals (name, time_intervals) VALUES ('good', '[]')""",
    )
    for found in (look(feed, database), restarted(database)):
        assert rows_of(found) == [("other", 6)]
        assert [rule.id for rule in found.inhibit_rules] == ["other"]
        assert set(found.time_intervals) == {"other"}
        assert len(found.problems) == 3


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
    # A rule that something refines keeps its id.
    st.builds(
        "UPDATE alert_rules SET id = id || '{}' WHERE id = '{}' AND id NOT IN (SELECT rule_id FROM thresholds)".format,
        KEYS,
        KEYS,
    ),
    st.builds("DELETE FROM alert_rules WHERE id = '{}'".format, KEYS),
    st.just("""UPDATE channels SET settings = '{"to": []}' WHERE name = 'slack'"""),
    st.just("""UPDATE channels SET settings = '{}' WHERE name = 'slack'"""),
    st.builds("INSERT INTO routes (id, parent_id) VALUES ('{}', 'root') ON CONFLICT DO NOTHING".format, KEYS),
    st.builds("""UPDATE routes SET receiver = '{}', matchers = '["a=b"]' WHERE id = '{}'""".format, KEYS, KEYS),
    st.builds("""UPDATE routes SET matchers = '["a=~("]' WHERE id = '{}'""".format, KEYS),
    st.builds(
        "INSERT INTO thresholds (id, rule_id, threshold) SELECT '{}', id, 5 FROM alert_rules WHERE id = '{}' "
        "ON CONFLICT DO NOTHING".format,
        KEYS,
        KEYS,
    ),
    st.builds("UPDATE thresholds SET threshold = version WHERE id = '{}'".format, KEYS),
    st.builds("""UPDATE thresholds SET matchers = '["a=~("]', threshold = -1 WHERE id = '{}'""".format, KEYS),
    st.builds("DELETE FROM thresholds WHERE id = '{}'".format, KEYS),
    st.just("LOOK"),
    st.just("COMPARE"),
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
        elif edit == "COMPARE":
            with database.read() as connection:
                feed.compare(connection)
        else:
            run(database, edit)
    assert look(feed, database) == restarted(database)
