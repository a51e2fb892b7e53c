"""Every CHECK refuses what it is for, by its own name, so that a mistake in a shell says which column is wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from engine.clock import SystemClock
from engine.store import schema
from engine.store.database import Database, connect
from migrations import checks
from tests.peers.postgres_server import PostgresServer

# For each table, columns and their SQL literals that make a good row.
GOOD = {
    "alert_rules": {"name": "'n'", "metric_name": "'m'", "condition": "'>'", "threshold": "1"},
    "datasources": {"name": "'d'"},
    "channels": {"name": "'c'", "kind": "'slack'"},
    "routes": {"parent_id": "'root'"},
    "silences": {"matchers": "'[]'", "ends_at": "'2099-01-01T00:00:00Z'"},
    "thresholds": {"rule_id": "'rule'", "threshold": "1"},
    "inhibit_rules": {"source_matchers": "'[]'", "target_matchers": "'[]'"},
    "time_intervals": {"name": "'t'", "time_intervals": "'[]'"},
    "api_keys": {"id": "'k'", "name": "'n'", "hash": f"'{'a' * 64}'", "scope": "'read'"},
}
VERSIONED = [table for table in GOOD if table != "api_keys"]

LONG = "3153600001.0"  # A second more than a hundred years.

AT_THE_EDGE = [
    ("alert_rules", {"for_seconds": "3153600000", "interval_seconds": "0.001"}),
    ("alert_rules", {"threshold": "-1e308"}),
    ("alert_rules", {"metric_name": "NULL", "expr": "'up'"}),
    ("alert_rules", {"metric_name": "NULL", "expr": "'up'", "condition": "NULL", "threshold": "NULL"}),
    ("routes", {"channels": "NULL", "group_by": "NULL", "group_wait_seconds": "0"}),
    ("silences", {"starts_at": "'2098-12-31T23:59:59.999999Z'"}),
    ("silences", {"ends_at": "'9999-12-31T00:00:00Z'"}),
    ("thresholds", {"threshold": "-1e308", "recovery_threshold": "0", "for_seconds": "3153600000", "priority": "-1"}),
    ("thresholds", {"valid_from": "'2026-11-21T12:00:00Z'", "valid_to": "'2026-11-21T12:00:00.000001Z'"}),
    ("thresholds", {"valid_from": "'9999-12-31T00:00:00Z'", "valid_to": "NULL"}),
    ("thresholds", {"valid_from": "NULL", "valid_to": "'2026-11-21T12:00:00Z'"}),
    ("inhibit_rules", {"equal": "'[\"cluster\"]'"}),
    ("time_intervals", {"time_intervals": '\'[{"weekdays": ["saturday"]}]\''}),
    ("api_keys", {"scope": "'admin'", "expires_at": "NULL", "revoked_at": "NULL", "last_used_at": "NULL"}),
]

BOTH = [
    ("alert_rules", "id", {"id": "''"}),
    ("alert_rules", "name", {"name": "''"}),
    ("alert_rules", "expr_or_metric_name", {"expr": "'up'"}),
    ("alert_rules", "expr_or_metric_name", {"threshold": "NULL"}),
    ("alert_rules", "expr_or_metric_name", {"condition": "NULL"}),
    ("alert_rules", "expr_or_metric_name", {"metric_name": "NULL"}),
    ("alert_rules", "expr_or_metric_name", {"metric_name": "NULL", "expr": "'up'", "condition": "NULL"}),
    ("alert_rules", "expr", {"expr": "''", "metric_name": "NULL"}),
    ("alert_rules", "metric_name", {"metric_name": "''"}),
    ("alert_rules", "condition", {"condition": "'='"}),
    ("alert_rules", "condition", {"condition": "'=>'"}),
    ("alert_rules", "for_seconds", {"for_seconds": "-1"}),
    ("alert_rules", "for_seconds", {"for_seconds": LONG}),
    ("alert_rules", "keep_firing_for_seconds", {"keep_firing_for_seconds": "-0.001"}),
    ("alert_rules", "interval_seconds", {"interval_seconds": "0"}),
    ("alert_rules", "query_offset_seconds", {"query_offset_seconds": "-1"}),
    ("alert_rules", "missing_for_seconds", {"missing_for_seconds": "-1"}),
    ("alert_rules", "labels", {"labels": "'[]'"}),
    ("alert_rules", "annotations", {"annotations": "'\"text\"'"}),
    ("alert_rules", "notification_channels", {"notification_channels": "'{}'"}),
    ("alert_rules", "no_data", {"no_data": "'OK'"}),
    ("alert_rules", "missing_series", {"missing_series": "'alert'"}),
    ("alert_rules", "on_error", {"on_error": "'resolve'"}),
    ("alert_rules", "alert_limit", {"alert_limit": "-1"}),
    ("alert_rules", "plan", {"plan": "'together'"}),
    ("alert_rules", "language", {"language": "'sql'"}),
    ("datasources", "name", {"name": "''"}),
    ("datasources", "kind", {"kind": "'influxdb'"}),
    ("datasources", "urls", {"urls": "'{}'"}),
    ("datasources", "auth", {"auth": "'[]'"}),
    ("datasources", "headers", {"headers": "'[]'"}),
    ("datasources", "tls", {"tls": "'[]'"}),
    ("channels", "name", {"name": "''"}),
    ("channels", "kind", {"kind": "'Slack'"}),
    ("channels", "settings", {"settings": "'[]'"}),
    ("channels", "templates", {"templates": "'null'"}),
    ("channels", "rate_limit", {"rate_limit": "'5'"}),
    ("routes", "id", {"id": "''"}),
    ("routes", "root", {"parent_id": "NULL"}),
    ("routes", "channels", {"channels": "'{}'"}),
    ("routes", "matchers", {"matchers": "'{}'"}),
    ("routes", "group_by", {"group_by": "'\"alertname\"'"}),
    ("routes", "group_wait_seconds", {"group_wait_seconds": "-1"}),
    ("routes", "group_interval_seconds", {"group_interval_seconds": "0"}),
    ("routes", "repeat_interval_seconds", {"repeat_interval_seconds": "0"}),
    ("routes", "labels", {"labels": "'[]'"}),
    ("routes", "mute_time_intervals", {"mute_time_intervals": "'{}'"}),
    ("routes", "active_time_intervals", {"active_time_intervals": "'{}'"}),
    ("routes", "notify_on_unmute", {"notify_on_unmute": "'sometimes'"}),
    ("silences", "id", {"id": "''"}),
    ("silences", "matchers", {"matchers": "'{}'"}),
    ("silences", "time_intervals", {"time_intervals": "'{}'"}),
    ("thresholds", "id", {"id": "''"}),
    ("thresholds", "matchers", {"matchers": "'{}'"}),
    ("thresholds", "for_seconds", {"for_seconds": "-1"}),
    ("thresholds", "for_seconds", {"for_seconds": LONG}),
    ("inhibit_rules", "id", {"id": "''"}),
    ("inhibit_rules", "source_matchers", {"source_matchers": "'{}'"}),
    ("inhibit_rules", "target_matchers", {"target_matchers": "'\"a=b\"'"}),
    ("inhibit_rules", "equal", {"equal": "'\"cluster\"'"}),
    ("time_intervals", "name", {"name": "''"}),
    ("time_intervals", "time_intervals", {"time_intervals": "'{}'"}),
    ("api_keys", "id", {"id": "''"}),
    ("api_keys", "name", {"name": "''"}),
    ("api_keys", "hash", {"hash": "'tocsin_0123_secret'"}),
    ("api_keys", "scope", {"scope": "'root'"}),
]
EVERY_TABLE = [(table, "version", {"version": "0"}) for table in VERSIONED]

ON_SQLITE = [
    ("alert_rules", "for_seconds", {"for_seconds": "'5m'"}),
    ("alert_rules", "threshold", {"threshold": "'ten'"}),
    ("alert_rules", "alert_limit", {"alert_limit": "'many'"}),
    ("alert_rules", "enabled", {"enabled": "'false'"}),
    ("alert_rules", "labels", {"labels": "'{severity: page}'"}),
    ("channels", "send_resolved", {"send_resolved": "'false'"}),
    ("channels", "settings", {"settings": "'{\"port\": NaN}'"}),
    ("routes", "position", {"position": "'first'"}),
    ("routes", "continue", {'"continue"': "'no'"}),
    ("silences", "ends_at", {"starts_at": "1800000000000000", "ends_at": "1700000000000000"}),
    ("silences", "ends_at", {"ends_at": "1800000000000000000"}),
    ("silences", "until_resolved", {"until_resolved": "'no'"}),
    ("silences", "force", {'"force"': "'yes'"}),
    ("silences", "ends_at", {"ends_at": "'2461000.5'"}),
    ("silences", "starts_at", {"starts_at": "-62135596800000001"}),
    ("thresholds", "threshold", {"threshold": "'ten'"}),
    ("thresholds", "recovery_threshold", {"recovery_threshold": "'nine'"}),
    ("thresholds", "for_seconds", {"for_seconds": "'5m'"}),
    ("thresholds", "priority", {"priority": "'high'"}),
    ("thresholds", "valid_from", {"valid_from": "-62135596800000001"}),
    ("thresholds", "valid_from", {"valid_from": "1.5"}),
    ("thresholds", "valid_to", {"valid_to": "1800000000000000000"}),
    ("thresholds", "valid_to", {"valid_from": "1800000000000000", "valid_to": "1800000000000000"}),
    ("inhibit_rules", "source_matchers", {"source_matchers": "'severity=critical'"}),
    ("time_intervals", "time_intervals", {"time_intervals": "'weekends'"}),
    *(("api_keys", name, {name: "'2026-11-21'"}) for name in ("expires_at", "revoked_at", "last_used_at")),
    *((table, "created_at", {"created_at": "'2026-11-21'"}) for table in GOOD),
    *((table, "updated_at", {"updated_at": "9e18"}) for table in VERSIONED),
    *((table, "version", {"version": "'two'"}) for table in VERSIONED),
]
ON_POSTGRESQL = [
    ("alert_rules", "threshold", {"threshold": "'NaN'"}),
    ("alert_rules", "for_seconds", {"for_seconds": "'NaN'"}),
    ("silences", "ends_at", {"starts_at": "'2026-11-21T12:00:00Z'", "ends_at": "'2026-11-21T13:00:00+02:00'"}),
    ("silences", "ends_at", {"ends_at": "'infinity'"}),
    ("silences", "starts_at", {"starts_at": "'-infinity'"}),
    ("thresholds", "threshold", {"threshold": "'NaN'"}),
    ("thresholds", "recovery_threshold", {"recovery_threshold": "'NaN'"}),
    ("thresholds", "for_seconds", {"for_seconds": "'Infinity'"}),
    ("thresholds", "valid_from", {"valid_from": "'-infinity'"}),
    ("thresholds", "valid_to", {"valid_to": "'infinity'"}),
    ("thresholds", "valid_to", {"valid_from": "'2026-11-21T12:00:00Z'", "valid_to": "'2026-11-21T14:00:00+02:00'"}),
    *(("api_keys", name, {name: "'infinity'"}) for name in ("expires_at", "revoked_at", "last_used_at")),
    *((table, "created_at", {"created_at": "'-infinity'"}) for table in GOOD),
    *((table, "updated_at", {"updated_at": "'infinity'"}) for table in VERSIONED),
]

Case = tuple[str, str, dict[str, str]]
CHECKED: dict[str, Callable[[str], list[sa.CheckConstraint]]] = {
    "alert_rules": lambda dialect: [*checks.alert_rules(dialect), *checks.rule_languages()],
    "datasources": lambda dialect: [*checks.datasources(dialect), *checks.datasource_connections(dialect)],
    "channels": checks.channels,
    "routes": checks.routes,
    "silences": lambda dialect: [*checks.silences(dialect), *checks.silence_kinds(dialect)],
    "thresholds": checks.thresholds,
    "inhibit_rules": checks.inhibit_rules,
    "time_intervals": checks.time_intervals,
    "api_keys": checks.api_keys,
}
CASES: dict[str, list[Case]] = {
    "sqlite": BOTH + EVERY_TABLE + ON_SQLITE,
    "postgresql": BOTH + EVERY_TABLE + ON_POSTGRESQL,
}
DIALECTS = ("sqlite", pytest.param("postgresql", marks=pytest.mark.peer("postgresql")))


def in_words(row: dict[str, str]) -> str:
    return ", ".join(f"{name}={value}" for name, value in row.items())


def insert(database: Database, table: str, changed: dict[str, str]) -> None:
    row = GOOD[table] | changed
    with database.write() as connection:
        connection.exec_driver_sql(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({', '.join(row.values())})")


@pytest.fixture(scope="module")
def opened(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], Database]]:
    """One migrated database of each kind for all cases of this file: what is refused leaves nothing."""
    made: dict[str, Database] = {}

    def open_(dialect: str) -> Database:
        if dialect not in made:
            server: PostgresServer | None = None if dialect == "sqlite" else request.getfixturevalue("postgres")
            url = server.create_database() if server else str(tmp_path_factory.mktemp("checks") / "tocsin.db")
            made[dialect] = connect(url, SystemClock())
            schema.upgrade(made[dialect].engine)
            insert(made[dialect], "alert_rules", {"id": "'rule'"})
        return made[dialect]

    yield open_
    for database in made.values():
        database.close()


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    ("table", "changed"),
    [pytest.param(table, changed, id=f"{table} {in_words(changed)}") for table, changed in AT_THE_EDGE],
)
def test_a_row_at_the_edge_of_what_is_allowed_is_taken(
    opened: Callable[[str], Database], dialect: str, table: str, changed: dict[str, str]
) -> None:
    insert(opened(dialect), table, changed)


@pytest.mark.parametrize(
    ("dialect", "table", "check", "wrong"),
    [
        pytest.param(
            dialect,
            *case,
            id=f"{dialect} {case[0]} {in_words(case[2])}",
            marks=[pytest.mark.peer(dialect)] if dialect == "postgresql" else [],
        )
        for dialect, cases in CASES.items()
        for case in cases
    ],
)
def test_a_bad_value_is_refused_by_the_check_that_names_its_column(
    opened: Callable[[str], Database], dialect: str, table: str, check: str, wrong: dict[str, str]
) -> None:
    with pytest.raises(IntegrityError, match=rf"\bck_{table}_{check}\b"):
        insert(opened(dialect), table, wrong)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("table", CHECKED)
def test_every_check_has_a_bad_value_above(dialect: str, table: str) -> None:
    seen = {check for name, check, _ in CASES[dialect] if name == table}
    assert seen == {str(check.name) for check in CHECKED[table](dialect)}
