"""The database's own command line tools are enough to declare, edit and silence."""

from __future__ import annotations

import json
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from engine.store import api_keys, inhibit_rules, thresholds, time_intervals
from engine.store.database import Database
from engine.store.tables import alert_rules, definition_changes, silences
from rules.inhibition import InhibitRule
from rules.matchers import parse_matchers
from rules.thresholds import Threshold
from rules.time_intervals import TimeInterval, parse_period
from tests.peers.require import find_binary, require_peer

# As people have it in their own documentation; not a letter of it may need changing.
SEED = """\
INSERT INTO alert_rules (id, name, metric_name, condition, threshold, severity, notification_channels)
VALUES ('alert_rule_high_error_rate', 'High Error Rate', 'error_rate', '>', 10.0, 'critical', '["slack", "email"]');
"""


def shell(database: Database, statement: str) -> subprocess.CompletedProcess[str]:
    """What someone gets who types the statement into the database's own shell."""
    if database.is_sqlite:
        command = ["sqlite3", "-batch", str(database.engine.url.database)]
    else:
        url = database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
        command = ["psql", "--no-psqlrc", "--quiet", "--no-align", "--tuples-only", "--set=ON_ERROR_STOP=1", url]
    require_peer(command[0])
    command[0] = str(find_binary(command[0]))
    return subprocess.run(command, input=statement, capture_output=True, text=True, timeout=30, check=False)


def typed(database: Database, statement: str) -> str:
    """The shell's answer to a statement that it takes."""
    done = shell(database, statement)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.strip()


def test_a_rule_is_one_insert_away_from_a_fresh_database(database: Database) -> None:
    typed(database, SEED)
    with database.read() as connection:
        (rule,) = connection.execute(select(alert_rules)).all()
    assert (rule.id, rule.name, rule.severity) == ("alert_rule_high_error_rate", "High Error Rate", "critical")
    assert (rule.metric_name, rule.condition, rule.threshold, rule.expr) == ("error_rate", ">", 10.0, None)
    assert rule.notification_channels == ["slack", "email"]
    assert (rule.enabled, rule.datasource, rule.for_seconds, rule.version) == (True, "default", 0, 1)


def test_an_edit_typed_into_a_shell_is_versioned_and_recorded_with_its_author(database: Database) -> None:
    typed(database, SEED)
    typed(database, "UPDATE alert_rules SET threshold = 12.5 WHERE id = 'alert_rule_high_error_rate';")
    assert typed(database, "SELECT version FROM alert_rules;") == "2"
    typed(database, "DELETE FROM alert_rules;")
    with database.read() as connection:
        found = connection.execute(
            select(definition_changes).where(definition_changes.c.table_name == "alert_rules").order_by("id")
        ).all()
    assert [(change.operation, change.version) for change in found] == [("insert", 1), ("update", 2), ("delete", 2)]
    assert {change.author for change in found} == {"sql" if database.is_sqlite else "postgres"}
    assert (found[1].before["threshold"], found[1].after["threshold"]) == (10.0, 12.5)


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        pytest.param(SEED.replace("'>'", "'>>'"), "ck_alert_rules_condition", id="an operator there is not"),
        pytest.param(SEED.replace('["slack", "email"]', "slack, email"), "", id="channels that are no list"),
        pytest.param(SEED.replace("10.0", "'ten'"), "", id="a threshold in words"),
        pytest.param(SEED + SEED, "alert_rules", id="the same id twice"),
        pytest.param(
            "INSERT INTO silences (matchers, ends_at) VALUES ('[]', 'when it is fixed');",
            "when it is fixed|silences.ends_at is no time: write 2026-11-21T12:00:00Z",
            id="an end that is no time",
        ),
        pytest.param(
            SEED + "INSERT INTO thresholds (rule_id, threshold, valid_to) "
            "VALUES ('alert_rule_high_error_rate', 25, 'end of the quarter');",
            "end of the quarter|thresholds.valid_to is no time: write 2026-11-21T12:00:00Z",
            id="a validity that is no time",
        ),
    ],
)
def test_a_mistake_is_answered_by_the_shell_at_once(database: Database, statement: str, message: str) -> None:
    done = shell(database, statement)
    assert done.returncode != 0
    assert any(part in done.stderr for part in message.split("|"))


def test_a_silence_is_typed_with_times_as_people_write_them(database: Database) -> None:
    typed(
        database,
        "INSERT INTO silences (id, matchers, starts_at, ends_at, created_by) VALUES ('s', "
        """'[{"name": "severity", "value": "warning"}]', '2026-11-21 12:00:00.000001+02:00', '2026-11-21T11:30:00Z', 'zoe');""",
    )
    with database.read() as connection:
        (silence,) = connection.execute(select(silences)).all()
    assert silence.ends_at - silence.starts_at == timedelta(minutes=90) - timedelta(microseconds=1)
    assert silence.starts_at.isoformat() == "2026-11-21T10:00:00.000001+00:00"
    assert silence.matchers == [{"name": "severity", "value": "warning"}]


def test_a_threshold_row_is_typed_with_a_rule_and_a_number(database: Database) -> None:
    typed(
        database,
        SEED + "INSERT INTO thresholds (rule_id, threshold) VALUES ('alert_rule_high_error_rate', 25);",
    )
    with database.read() as connection:
        (row,) = thresholds.page(connection)
    assert row == Threshold(id=row.id, rule_id="alert_rule_high_error_rate", threshold=25.0)


def test_an_inhibit_rule_is_typed_with_its_two_sides(database: Database) -> None:
    typed(
        database,
        "INSERT INTO inhibit_rules (source_matchers, target_matchers) "
        """VALUES ('["severity=critical"]', '["severity=warning"]');""",
    )
    with database.read() as connection:
        (rule,) = inhibit_rules.page(connection)
    assert rule == InhibitRule(
        id=rule.id,
        source_matchers=parse_matchers("severity=critical"),
        target_matchers=parse_matchers("severity=warning"),
    )


def test_a_time_interval_is_typed_as_alertmanager_writes_it(database: Database) -> None:
    periods = '[{"weekdays": ["saturday", "sunday"], "location": "Europe/Berlin"}]'
    typed(database, f"INSERT INTO time_intervals (name, time_intervals) VALUES ('weekends', '{periods}');")
    with database.read() as connection:
        (interval,) = time_intervals.page(connection)
    assert interval == TimeInterval(name="weekends", periods=tuple(map(parse_period, json.loads(periods))))


def test_a_key_is_typed_with_the_hash_of_its_text(database: Database) -> None:
    typed(database, f"INSERT INTO api_keys (id, name, hash, scope) VALUES ('0123abcd', 'ci', '{'ab' * 32}', 'read');")
    with database.read() as connection:
        (key,) = api_keys.every(connection)
    assert (key.id, key.name, key.scope, key.created_by) == ("0123abcd", "ci", api_keys.Scope.READ, "")
    assert (key.expires_at, key.revoked_at, key.last_used_at) == (None, None, None)


def test_a_rule_deleted_in_a_shell_takes_its_threshold_rows_with_it_on_the_record(database: Database) -> None:
    row = "INSERT INTO thresholds (id, rule_id, threshold) VALUES ('t', 'alert_rule_high_error_rate', 25);"
    typed(database, SEED + row)
    typed(database, "DELETE FROM alert_rules;")
    with database.read() as connection:
        assert thresholds.page(connection) == []
        operations = select(definition_changes.c.operation).where(definition_changes.c.row_id == "t").order_by("id")
        assert connection.execute(operations).scalars().all() == ["insert", "delete"]


def test_the_shell_can_write_while_the_engine_reads(database: Database) -> None:
    with database.read() as connection:
        assert connection.execute(select(alert_rules)).all() == []
        typed(database, SEED)
        assert connection.execute(select(alert_rules)).all() == []
    with database.read() as connection:
        assert len(connection.execute(select(alert_rules)).all()) == 1


def test_a_backup_made_by_the_shell_is_a_working_database(sqlite: Database, tmp_path: Path) -> None:
    typed(sqlite, SEED)
    typed(sqlite, f".backup '{tmp_path / 'copy.db'}'")
    done = subprocess.run(
        [str(find_binary("sqlite3")), str(tmp_path / "copy.db"), "SELECT name FROM alert_rules"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "High Error Rate\n"
