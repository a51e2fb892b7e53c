"""Every change of a definition is recorded, whoever makes it, with its author and without secrets."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Row, delete, func, insert, select, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError

from engine.store.database import Database
from engine.store.tables import (
    alert_rules,
    channels,
    datasources,
    definition_changes,
    inhibit_rules,
    metadata,
    routes,
    silences,
    thresholds,
    time_intervals,
)

RULE: dict[str, Any] = {"id": "r", "name": "n", "metric_name": "m", "condition": ">", "threshold": 1.0}
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
Change = Row[Any]


def changes(connection: Connection, row_id: str = "r") -> Sequence[Change]:
    """What was recorded of the row, oldest first."""
    columns = definition_changes.c
    return connection.execute(select(definition_changes).where(columns.row_id == row_id).order_by(columns.id)).all()


def sql_user(database: Database) -> str:
    return "sql" if database.is_sqlite else "postgres"


# What is recorded


def test_a_rules_life_is_recorded_with_version_and_the_row_before_and_after(database: Database) -> None:
    with database.write() as connection:
        connection.execute(insert(alert_rules).values(RULE))
        connection.execute(update(alert_rules).values(threshold=2.5))
        connection.execute(update(alert_rules).values(enabled=False))
        connection.execute(delete(alert_rules))
        found = changes(connection)
    assert [(change.operation, change.version) for change in found] == [
        ("insert", 1),
        ("update", 2),
        ("update", 3),
        ("delete", 3),
    ]
    befores, afters = [change.before for change in found], [change.after for change in found]
    assert befores[0] is afters[3] is None
    assert befores[1:] == afters[:3]
    assert [(row["version"], row["threshold"], row["enabled"]) for row in afters[:3]] == [
        (1, 1, True),
        (2, 2.5, True),
        (3, 2.5, False),
    ]


@pytest.mark.parametrize(
    ("table", "row"),
    [
        (alert_rules, RULE),
        (channels, {"name": "r", "kind": "log"}),
        (datasources, {"name": "r"}),
        (routes, {"id": "r", "parent_id": "root"}),
        (silences, {"id": "r", "matchers": [], "ends_at": NOON + timedelta(days=99999)}),
        (thresholds, {"id": "r", "rule_id": "refined", "threshold": 2.5, "valid_from": NOON}),
        (inhibit_rules, {"id": "r", "source_matchers": ["a=b"], "target_matchers": ["c=d"]}),
        (time_intervals, {"name": "r", "time_intervals": [{"months": ["may"]}]}),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_every_definition_table_records_every_column_of_its_rows(
    database: Database, table: Any, row: dict[str, Any]
) -> None:
    with database.write() as connection:
        connection.execute(insert(alert_rules).values(RULE | {"id": "refined"}))
        connection.execute(insert(table).values(row))
        connection.execute(update(table).where(table.primary_key.columns[0] == "r").values(team="sre"))
        inserted, updated = changes(connection)
    assert (inserted.table_name, updated.table_name) == (table.name, table.name)
    assert set(inserted.after) == set(updated.before) == set(table.columns.keys())
    assert (updated.before["team"], updated.after["team"], updated.after["version"]) == ("", "sre", 2)


def test_every_table_that_says_who_owns_its_rows_is_a_recorded_one(database: Database) -> None:
    owned = {table.name for table in metadata.sorted_tables if "origin" in table.columns}
    with database.read() as connection:
        catalogue = "sqlite_master WHERE type = 'trigger'" if database.is_sqlite else "information_schema.triggers"
        column = "tbl_name" if database.is_sqlite else "event_object_table"
        recorded = set(connection.execute(text(f"SELECT {column} FROM {catalogue}")).scalars())
    assert recorded == owned


def test_a_change_counts_up_the_version_and_the_time_of_the_row_whatever_it_says_itself(database: Database) -> None:
    with database.write() as connection:
        connection.execute(insert(alert_rules).values(RULE | {"updated_at": NOON}))
        connection.execute(update(alert_rules).values(name="other", version=77))
        row = connection.execute(select(alert_rules)).one()
        assert [change.version for change in changes(connection)] == [1, 2]
    assert row.version == 2
    assert abs(row.updated_at - datetime.now(UTC)) < timedelta(minutes=1)


def test_several_rows_changed_at_once_are_recorded_each(database: Database) -> None:
    with database.write() as connection:
        connection.execute(insert(alert_rules), [RULE | {"id": f"r{number}"} for number in range(3)])
        connection.execute(update(alert_rules).values(severity="page"))
        found = [[change.operation for change in changes(connection, f"r{number}")] for number in range(3)]
    assert found == [["insert", "update"]] * 3


def test_a_row_under_a_new_key_is_recorded_as_gone_under_the_old_one(database: Database) -> None:
    with database.write() as connection:
        connection.execute(insert(alert_rules).values(RULE))
        connection.execute(update(alert_rules).values(id="renamed"))
        old, new = changes(connection)[1:], changes(connection, "renamed")
    assert [(change.operation, change.version, change.before["id"], change.after) for change in old] == [
        ("delete", 1, "r", None)
    ]
    assert [(change.operation, change.version, change.before["id"], change.after["id"]) for change in new] == [
        ("update", 2, "r", "renamed")
    ]


def test_an_upsert_is_recorded_as_what_it_did(database: Database) -> None:
    upsert = text(
        "INSERT INTO alert_rules (id, name, expr) VALUES ('r', 'n', 'up') ON CONFLICT (id) DO UPDATE SET name = 'again'"
    )
    with database.write() as connection:
        connection.execute(upsert)
        connection.execute(upsert)
        assert [change.operation for change in changes(connection)] == ["insert", "update"]


def test_a_change_that_is_rolled_back_is_not_recorded(database: Database) -> None:
    with pytest.raises(IntegrityError), database.write() as connection:
        connection.execute(insert(alert_rules), [RULE, RULE])
    with database.read() as connection:
        assert changes(connection) == []


def test_emptying_a_table_is_recorded(database: Database) -> None:
    with database.write() as connection:
        connection.execute(insert(alert_rules).values(RULE))
        connection.execute(delete(alert_rules) if database.is_sqlite else text("TRUNCATE alert_rules CASCADE"))
        recorded = connection.execute(select(definition_changes).order_by(definition_changes.c.id)).all()
    found = {(change.table_name, change.operation, change.row_id) for change in recorded}
    if database.is_sqlite:
        assert ("alert_rules", "delete", "r") in found
    else:
        assert {("alert_rules", "truncate", ""), ("thresholds", "truncate", "")} <= found


def test_the_threshold_rows_that_go_with_a_rule_are_recorded_each_with_who_deleted_the_rule(database: Database) -> None:
    with database.write() as connection:
        connection.execute(insert(alert_rules), [RULE, RULE | {"id": "other"}])
        rows = [("t1", "r"), ("t2", "r"), ("t3", "other")]
        connection.execute(
            insert(thresholds), [{"id": key, "rule_id": rule_id, "threshold": 5.5} for key, rule_id in rows]
        )
        connection.execute(update(thresholds).where(thresholds.c.id == "t2").values(reason="batch night"))
    with database.write(author="zoe") as connection:
        connection.execute(delete(alert_rules).where(alert_rules.c.id == "r"))
        assert connection.execute(select(thresholds.c.id)).scalars().all() == ["t3"]
        gone = [changes(connection, key)[-1] for key in ("t1", "t2")]
        assert [change.operation for change in changes(connection, "t3")] == ["insert"]
    assert [(change.operation, change.version, change.author) for change in gone] == [
        ("delete", 1, "zoe"),
        ("delete", 2, "zoe"),
    ]
    assert [(change.before["threshold"], change.before["reason"]) for change in gone] == [
        (5.5, ""),
        (5.5, "batch night"),
    ]


def test_a_change_is_announced_to_who_listens_when_it_is_committed(postgresql: Database) -> None:
    with postgresql.engine.connect() as listener:
        listener.exec_driver_sql("LISTEN tocsin_definitions")
        listener.commit()
        with postgresql.write() as connection:
            connection.execute(insert(alert_rules).values(RULE))
        driver: Any = listener.connection.driver_connection
        assert [note.payload for note in driver.notifies(timeout=10, stop_after=1)] == ["alert_rules"]


def test_the_transaction_of_a_change_is_named_on_postgresql(postgresql: Database) -> None:
    with postgresql.write() as connection:
        connection.execute(insert(alert_rules).values(RULE))
        here = connection.execute(text("SELECT pg_current_xact_id()::text::bigint")).scalar_one()
        assert [change.txid for change in changes(connection)] == [here]


# Who


def test_the_author_is_the_sql_user_unless_it_is_said(database: Database) -> None:
    with database.write() as connection:
        connection.execute(insert(alert_rules).values(RULE))
        assert [change.author for change in changes(connection)] == [sql_user(database)]


def test_a_write_names_its_author_and_the_next_one_does_not_inherit_it(database: Database) -> None:
    with database.write(author="key:ops, “Zoë's”") as connection:
        connection.execute(insert(alert_rules).values(RULE))
    with database.write() as connection:
        connection.execute(update(alert_rules).values(name="other"))
        assert [change.author for change in changes(connection)] == ["key:ops, “Zoë's”", sql_user(database)]


def test_a_write_that_fails_leaves_no_author_behind(database: Database) -> None:
    with pytest.raises(IntegrityError), database.write(author="key:ops") as connection:
        connection.execute(insert(alert_rules), [RULE, RULE])
    with database.write() as connection:
        connection.execute(insert(alert_rules).values(RULE))
        assert [change.author for change in changes(connection)] == [sql_user(database)]


def test_set_local_names_the_author_of_one_transaction(postgresql: Database) -> None:
    with postgresql.write() as connection:
        connection.execute(text("SET LOCAL tocsin.author = 'zoe'"))
        connection.execute(insert(alert_rules).values(RULE))
    with postgresql.write() as connection:
        connection.execute(delete(alert_rules))
        assert [change.author for change in changes(connection)] == ["zoe", "postgres"]


def test_someone_who_may_edit_rules_and_nothing_else_can_and_is_recorded(postgresql: Database) -> None:
    with postgresql.write() as connection:
        connection.execute(text("DROP ROLE IF EXISTS tocsin_editor"))
        connection.execute(text("CREATE ROLE tocsin_editor LOGIN"))
        connection.execute(text("GRANT SELECT, INSERT ON alert_rules, datasources TO tocsin_editor"))
        connection.execute(text("SET LOCAL SESSION AUTHORIZATION tocsin_editor"))
        connection.execute(insert(alert_rules).values(RULE))
        with pytest.raises(DBAPIError, match="permission denied"), connection.begin_nested():
            connection.execute(delete(definition_changes))
        connection.execute(text("SET LOCAL SESSION AUTHORIZATION DEFAULT"))
        assert [change.author for change in changes(connection)] == ["tocsin_editor"]
        connection.execute(text("DROP OWNED BY tocsin_editor"))
        connection.execute(text("DROP ROLE tocsin_editor"))


# The row as JSON


@pytest.mark.parametrize("threshold", [math.inf, -math.inf])
def test_an_infinite_threshold_is_a_word_as_json_has_none(database: Database, threshold: float) -> None:
    with database.write() as connection:
        connection.execute(insert(alert_rules).values(RULE | {"threshold": threshold}))
        (change,) = changes(connection)
        raw = (
            connection.execute(select(func.cast(definition_changes.c.after, alert_rules.c.id.type))).scalars().all()[-1]
        )
    assert change.after["threshold"] == ("Infinity" if threshold > 0 else "-Infinity")
    assert float(change.after["threshold"]) == threshold
    assert json.loads(raw, parse_constant=pytest.fail) == change.after


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(threshold=0.1 + 0.2)
@example(threshold=10.0)
@example(threshold=-1 / 3)
@given(threshold=st.floats(-1e15, 1e15))
def test_a_threshold_is_recorded_to_its_last_digit(database: Database, threshold: float) -> None:
    with database.write() as connection:
        connection.execute(delete(alert_rules))
        connection.execute(insert(alert_rules).values(RULE | {"threshold": threshold}))
        assert changes(connection)[-1].after["threshold"] == threshold


TRICKY = """it's "quoted", {"json": [1]}, \\ back\\n, 50 % of $1 :colon → ü 🚨"""


def test_quotes_and_every_script_survive(database: Database) -> None:
    row = RULE | {"name": TRICKY, "labels": {TRICKY: TRICKY}, "annotations": {"list": [1, {"a": None}], "yes": True}}
    with database.write() as connection:
        connection.execute(insert(alert_rules).values(row))
        (change,) = changes(connection)
    assert {name: change.after[name] for name in ("name", "labels", "annotations")} == {
        name: row[name] for name in ("name", "labels", "annotations")
    }


# Secrets

HIDDEN = "[redacted]"
SECRET = {"password": "s3cret", "bot_token": "s3cret", "authorization": "Bearer s3cret", "Api_Key": 12345}
REFERENCE = {"password": "env:SMTP_PASSWORD", "token": "file:/run/secrets/token", "secret": ""}
PLAIN = {"channel": "#alerts", "port": "587", "tls": True, "ratio": 1.5, "none": None}


@pytest.mark.parametrize(
    ("url", "recorded"),
    [
        ("https://hooks.slack.com/services/T0/B0/s3cret", HIDDEN),
        ("xoxb-s3cret", HIDDEN),
        ("ENV:s3cret", HIDDEN),
        ("enc:gAAAAAs3cret", HIDDEN),
        ("env:SLACK_WEBHOOK_URL", "env:SLACK_WEBHOOK_URL"),
        ("file:/run/secrets/slack", "file:/run/secrets/slack"),
        ("", ""),
    ],
)
def test_a_channels_address_is_hidden_unless_it_is_a_reference(database: Database, url: str, recorded: str) -> None:
    with database.write() as connection:
        connection.execute(insert(channels).values(name="r", kind="slack", url=url))
        connection.execute(update(channels).where(channels.c.name == "r").values(team="sre"))
        inserted, updated = changes(connection)
        stored = connection.execute(select(channels.c.url).where(channels.c.name == "r")).scalar_one()
    assert [inserted.after["url"], updated.before["url"], updated.after["url"]] == [recorded] * 3
    assert stored == url


@pytest.mark.parametrize(
    ("given", "recorded"),
    [
        pytest.param(SECRET, dict.fromkeys(SECRET, HIDDEN), id="secrets"),
        pytest.param(REFERENCE, REFERENCE, id="references"),
        pytest.param(PLAIN, PLAIN, id="what is no secret"),
        pytest.param({"api_url": "https://u:s3cret@host/"}, {"api_url": HIDDEN}, id="a password in a URL"),
        pytest.param({"more": {"password": "s3cret"}}, {"more": HIDDEN}, id="one inside another object"),
        pytest.param({"hello": "enc:gAAAAAs3cret"}, {"hello": HIDDEN}, id="an encrypted one, whatever its name"),
        pytest.param({}, {}, id="nothing"),
    ],
)
def test_a_secret_among_a_channels_settings_is_hidden_and_the_rest_is_not(
    database: Database, given: dict[str, Any], recorded: dict[str, Any]
) -> None:
    with database.write() as connection:
        connection.execute(insert(channels).values(name="r", kind="slack", settings=given))
        connection.execute(delete(channels).where(channels.c.name == "r"))
        inserted, deleted = changes(connection)
    assert inserted.after["settings"] == deleted.before["settings"] == recorded


def test_a_datasources_credentials_are_hidden_whatever_they_are_called(database: Database) -> None:
    secret = ["http://u:s3cret@prometheus:9090", "enc:gAAAAAs3cret"]
    urls = [*secret, "http://prometheus:9090", "env:TOCSIN_PROMETHEUS_URL"]
    auth = {"kind": "basic", "username": "u", "password": "s3cret", "basic": "s3cret", "pass": "env:PASS"}
    headers = {"X-Key": "s3cret", "X-Other": "env:KEY"}
    tls = {"ca_file": "/ca.pem", "key_file": "/key.pem", "key": "s3cret", "insecure_skip_verify": True, "odd": "s3cret"}
    with database.write() as connection:
        connection.execute(insert(datasources).values(name="r", urls=urls, auth=auth, headers=headers, tls=tls))
        (change,) = changes(connection)
    assert change.after["urls"] == [HIDDEN, HIDDEN, *urls[2:]]
    assert change.after["auth"] == auth | {"password": HIDDEN, "basic": HIDDEN}
    assert change.after["headers"] == headers | {"X-Key": HIDDEN}
    assert change.after["tls"] == tls | {"key": HIDDEN, "odd": HIDDEN}


# SQLite's shell


def test_recursive_triggers_switched_on_in_a_shell_do_not_loop(sqlite: Database) -> None:
    with sqlite.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA recursive_triggers=ON")
        connection.execute(insert(alert_rules).values(RULE))
        connection.execute(update(alert_rules).values(name="other"))
        silence = "INSERT INTO silences (id, matchers, ends_at) VALUES ('s', '[]', '2099-01-01')"
        connection.execute(text(silence))
        connection.execute(text("UPDATE silences SET ends_at = '2099-01-02'"))
        assert [change.version for change in changes(connection)] == [1, 2]
        assert [change.version for change in changes(connection, "s")] == [1, 2]
        connection.execute(
            text("INSERT INTO thresholds (id, rule_id, threshold, valid_to) VALUES ('t', 'r', 1, '2099-01-01')")
        )
        connection.execute(text("UPDATE thresholds SET valid_to = NULL, valid_from = '2026-11-21'"))
        connection.execute(delete(alert_rules))
        assert [change.operation for change in changes(connection, "t")] == ["insert", "update", "delete"]
        connection.exec_driver_sql("PRAGMA recursive_triggers=OFF")
