"""The first schema: definitions with their change feed, and everything the engine keeps.

Revision ID: 0001
Revises:
Create Date: 2026-11-21
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from engine.store.types import Instant, RowNumber, present, random_id
from migrations import change_triggers, checks, first_rows

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

DEFINITIONS = {
    "datasources": "name",
    "alert_rules": "id",
    "channels": "name",
    "routes": "id",
    "silences": "id",
    "thresholds": "id",
    "inhibit_rules": "id",
    "time_intervals": "name",
}
INSTANTS = {"silences": ("starts_at", "ends_at"), "thresholds": ("valid_from", "valid_to")}
FUNCTIONS = (
    "tocsin_record_change()",
    "tocsin_record_truncate()",
    "tocsin_version()",
    "tocsin_redacted(jsonb)",
    "tocsin_redacted_entry(text, jsonb, boolean)",
)


def upgrade() -> None:
    dialect = op.get_bind().dialect.name
    create_definitions(dialect)
    create_refinements(dialect)
    create_api_keys(dialect)
    create_runtime()
    create_triggers()
    first_rows.insert(op.get_bind())


def create_definitions(dialect: str) -> None:
    op.create_table(
        "severities",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        *checks.severities(dialect),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_severities")),
    )
    op.create_table(
        "datasources",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), server_default="prometheus", nullable=False),
        sa.Column("urls", sa.JSON(), server_default=sa.text("'[]'"), nullable=False),
        sa.Column("tenant", sa.Text(), server_default="", nullable=False),
        sa.Column("auth", sa.JSON(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("team", sa.Text(), server_default="", nullable=False),
        sa.Column("origin", sa.Text(), server_default="sql", nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("created_at", Instant(), server_default=present(), nullable=False),
        sa.Column("updated_at", Instant(), server_default=present(), nullable=False),
        *checks.datasources(dialect),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_datasources")),
    )
    op.create_table(
        "alert_rules",
        sa.Column("id", sa.Text(), server_default=random_id(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("group_name", sa.Text(), server_default="", nullable=False),
        sa.Column("expr", sa.Text(), nullable=True),
        sa.Column("metric_name", sa.Text(), nullable=True),
        sa.Column("condition", sa.Text(), nullable=True),
        sa.Column("threshold", sa.Float(precision=53), nullable=True),
        sa.Column("for_seconds", sa.Float(precision=53), server_default=sa.text("0"), nullable=False),
        sa.Column("keep_firing_for_seconds", sa.Float(precision=53), server_default=sa.text("0"), nullable=False),
        sa.Column("interval_seconds", sa.Float(precision=53), nullable=True),
        sa.Column("query_offset_seconds", sa.Float(precision=53), nullable=True),
        sa.Column("severity", sa.Text(), server_default="", nullable=False),
        sa.Column("labels", sa.JSON(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("annotations", sa.JSON(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("notification_channels", sa.JSON(), server_default=sa.text("'[]'"), nullable=False),
        sa.Column("datasource", sa.Text(), server_default="default", nullable=False),
        sa.Column("enabled", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("no_data", sa.Text(), server_default="ok", nullable=False),
        sa.Column("missing_series", sa.Text(), server_default="resolve", nullable=False),
        sa.Column("missing_for_seconds", sa.Float(precision=53), server_default=sa.text("86400"), nullable=False),
        sa.Column("on_error", sa.Text(), server_default="keep", nullable=False),
        sa.Column("alert_limit", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("plan", sa.Text(), server_default="auto", nullable=False),
        sa.Column("team", sa.Text(), server_default="", nullable=False),
        sa.Column("origin", sa.Text(), server_default="sql", nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("created_at", Instant(), server_default=present(), nullable=False),
        sa.Column("updated_at", Instant(), server_default=present(), nullable=False),
        sa.ForeignKeyConstraint(["datasource"], ["datasources.name"], name=op.f("fk_alert_rules_datasource")),
        *checks.alert_rules(dialect),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert_rules")),
    )
    op.create_table(
        "channels",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), server_default="", nullable=False),
        sa.Column("settings", sa.JSON(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("send_resolved", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("templates", sa.JSON(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("rate_limit", sa.JSON(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("team", sa.Text(), server_default="", nullable=False),
        sa.Column("origin", sa.Text(), server_default="sql", nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("created_at", Instant(), server_default=present(), nullable=False),
        sa.Column("updated_at", Instant(), server_default=present(), nullable=False),
        *checks.channels(dialect),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_channels")),
    )
    op.create_table(
        "routes",
        sa.Column("id", sa.Text(), server_default=random_id(), nullable=False),
        sa.Column("parent_id", sa.Text(), nullable=True),
        sa.Column("position", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("receiver", sa.Text(), server_default="", nullable=False),
        sa.Column("channels", sa.JSON(), nullable=True),
        sa.Column("matchers", sa.JSON(), server_default=sa.text("'[]'"), nullable=False),
        sa.Column("group_by", sa.JSON(), nullable=True),
        sa.Column("group_wait_seconds", sa.Float(precision=53), nullable=True),
        sa.Column("group_interval_seconds", sa.Float(precision=53), nullable=True),
        sa.Column("repeat_interval_seconds", sa.Float(precision=53), nullable=True),
        sa.Column("continue", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("labels", sa.JSON(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("mute_time_intervals", sa.JSON(), server_default=sa.text("'[]'"), nullable=False),
        sa.Column("active_time_intervals", sa.JSON(), server_default=sa.text("'[]'"), nullable=False),
        sa.Column("notify_on_unmute", sa.Text(), nullable=True),
        sa.Column("team", sa.Text(), server_default="", nullable=False),
        sa.Column("origin", sa.Text(), server_default="sql", nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("created_at", Instant(), server_default=present(), nullable=False),
        sa.Column("updated_at", Instant(), server_default=present(), nullable=False),
        sa.ForeignKeyConstraint(["parent_id"], ["routes.id"], name=op.f("fk_routes_parent_id")),
        *checks.routes(dialect),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_routes")),
    )
    op.create_table(
        "silences",
        sa.Column("id", sa.Text(), server_default=random_id(), nullable=False),
        sa.Column("matchers", sa.JSON(), nullable=False),
        sa.Column("starts_at", Instant(), server_default=present(), nullable=False),
        sa.Column("ends_at", Instant(), nullable=False),
        sa.Column("created_by", sa.Text(), server_default="", nullable=False),
        sa.Column("comment", sa.Text(), server_default="", nullable=False),
        sa.Column("team", sa.Text(), server_default="", nullable=False),
        sa.Column("origin", sa.Text(), server_default="sql", nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("created_at", Instant(), server_default=present(), nullable=False),
        sa.Column("updated_at", Instant(), server_default=present(), nullable=False),
        *checks.silences(dialect),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_silences")),
    )
    op.create_table(
        "definition_changes",
        sa.Column("id", RowNumber, nullable=False),
        sa.Column("table_name", sa.Text(), nullable=False),
        sa.Column("row_id", sa.Text(), nullable=False),
        sa.Column("operation", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=True),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("txid", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("before", sa.JSON(), nullable=True),
        sa.Column("after", sa.JSON(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_definition_changes")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_definition_changes_table_name_row_id", "definition_changes", ["table_name", "row_id", "id"], unique=False
    )
    op.create_index("ix_definition_changes_txid", "definition_changes", ["txid"], unique=False)
    op.create_table(
        "change_author",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_change_author")),
    )


def create_refinements(dialect: str) -> None:
    op.create_table(
        "thresholds",
        sa.Column("id", sa.Text(), server_default=random_id(), nullable=False),
        sa.Column("rule_id", sa.Text(), nullable=False),
        sa.Column("matchers", sa.JSON(), server_default=sa.text("'[]'"), nullable=False),
        sa.Column("threshold", sa.Float(precision=53), nullable=False),
        sa.Column("recovery_threshold", sa.Float(precision=53), nullable=True),
        sa.Column("severity", sa.Text(), server_default="", nullable=False),
        sa.Column("for_seconds", sa.Float(precision=53), nullable=True),
        sa.Column("valid_from", Instant(), nullable=True),
        sa.Column("valid_to", Instant(), nullable=True),
        sa.Column("priority", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("team", sa.Text(), server_default="", nullable=False),
        sa.Column("origin", sa.Text(), server_default="sql", nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("created_at", Instant(), server_default=present(), nullable=False),
        sa.Column("updated_at", Instant(), server_default=present(), nullable=False),
        sa.ForeignKeyConstraint(
            ["rule_id"], ["alert_rules.id"], name=op.f("fk_thresholds_rule_id"), ondelete="CASCADE"
        ),
        *checks.thresholds(dialect),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_thresholds")),
    )
    op.create_index("ix_thresholds_rule_id", "thresholds", ["rule_id"], unique=False)
    op.create_table(
        "inhibit_rules",
        sa.Column("id", sa.Text(), server_default=random_id(), nullable=False),
        sa.Column("name", sa.Text(), server_default="", nullable=False),
        sa.Column("source_matchers", sa.JSON(), nullable=False),
        sa.Column("target_matchers", sa.JSON(), nullable=False),
        sa.Column("equal", sa.JSON(), server_default=sa.text("'[]'"), nullable=False),
        sa.Column("team", sa.Text(), server_default="", nullable=False),
        sa.Column("origin", sa.Text(), server_default="sql", nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("created_at", Instant(), server_default=present(), nullable=False),
        sa.Column("updated_at", Instant(), server_default=present(), nullable=False),
        *checks.inhibit_rules(dialect),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inhibit_rules")),
    )
    op.create_table(
        "time_intervals",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("time_intervals", sa.JSON(), nullable=False),
        sa.Column("team", sa.Text(), server_default="", nullable=False),
        sa.Column("origin", sa.Text(), server_default="sql", nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("created_at", Instant(), server_default=present(), nullable=False),
        sa.Column("updated_at", Instant(), server_default=present(), nullable=False),
        *checks.time_intervals(dialect),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_time_intervals")),
    )


def create_api_keys(dialect: str) -> None:
    op.create_table(
        "api_keys",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("created_at", Instant(), server_default=present(), nullable=False),
        sa.Column("created_by", sa.Text(), server_default="", nullable=False),
        sa.Column("expires_at", Instant(), nullable=True),
        sa.Column("revoked_at", Instant(), nullable=True),
        sa.Column("last_used_at", Instant(), nullable=True),
        *checks.api_keys(dialect),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
        sa.UniqueConstraint("hash", name=op.f("uq_api_keys_hash")),
    )


def create_runtime() -> None:
    op.create_table(
        "nodes",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("lease_until", Instant(), nullable=False),
        sa.Column("started_at", Instant(), nullable=False),
        sa.Column("address", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_nodes")),
    )
    op.create_table(
        "evaluation_units",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("datasource", sa.Text(), nullable=False),
        sa.Column("interval_seconds", sa.Float(precision=53), nullable=False),
        sa.Column("query_offset_seconds", sa.Float(precision=53), nullable=False),
        sa.Column("phase_seconds", sa.Float(precision=53), nullable=False),
        sa.Column("due_at", Instant(), nullable=False),
        sa.Column("last_slot", Instant(), nullable=True),
        sa.Column("holder", sa.Text(), nullable=True),
        sa.Column("term", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("missed_slots", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("state", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_evaluation_units")),
    )
    op.create_index("ix_evaluation_units_due_at", "evaluation_units", ["due_at"], unique=False)
    op.create_table(
        "rule_status",
        sa.Column("rule_id", sa.Text(), nullable=False),
        sa.Column("health", sa.Text(), nullable=False),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("problem", sa.JSON(), nullable=True),
        sa.Column("checked_version", sa.Integer(), nullable=True),
        sa.Column("good_version", sa.Integer(), nullable=True),
        sa.Column("last_data_at", Instant(), nullable=True),
        sa.Column("changed_at", Instant(), nullable=False),
        sa.CheckConstraint("health IN ('ok', 'err', 'unknown', 'never_had_data', 'quarantined')", name="health"),
        sa.PrimaryKeyConstraint("rule_id", name=op.f("pk_rule_status")),
    )
    op.create_table(
        "alerts",
        sa.Column("id", RowNumber, nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("labels", sa.JSON(), nullable=False),
        sa.Column("sample_labels", sa.JSON(), nullable=False),
        sa.Column("annotations", sa.JSON(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("threshold", sa.Text(), nullable=True),
        sa.Column("threshold_id", sa.Text(), nullable=True),
        sa.Column("active_at", Instant(), nullable=False),
        sa.Column("fired_at", Instant(), nullable=True),
        sa.Column("keep_firing_since", Instant(), nullable=True),
        sa.Column("missing_since", Instant(), nullable=True),
        sa.Column("resolved_at", Instant(), nullable=True),
        sa.Column("episode", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("rule_version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.CheckConstraint("state IN ('pending', 'firing', 'inactive')", name="state"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alerts")),
        sa.UniqueConstraint("source", "key", name=op.f("uq_alerts_source_key")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_alerts_fingerprint", "alerts", ["fingerprint"], unique=False)
    op.create_index(
        "ix_alerts_source_active",
        "alerts",
        ["source"],
        unique=False,
        sqlite_where=sa.text("state <> 'inactive'"),
        postgresql_where=sa.text("state <> 'inactive'"),
    )
    op.create_index("ix_alerts_state_id", "alerts", ["state", "id"], unique=False)
    op.create_table(
        "alert_groups",
        sa.Column("id", RowNumber, nullable=False),
        sa.Column("route_id", sa.Text(), nullable=False),
        sa.Column("labels_hash", sa.Text(), nullable=False),
        sa.Column("labels", sa.JSON(), nullable=False),
        sa.Column("dedup_key", sa.Text(), nullable=False),
        sa.Column("flush_at", Instant(), nullable=True),
        sa.Column("muted", sa.JSON(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert_groups")),
        sa.UniqueConstraint("route_id", "labels_hash", name=op.f("uq_alert_groups_route_id_labels_hash")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_alert_groups_due",
        "alert_groups",
        ["flush_at"],
        unique=False,
        sqlite_where=sa.text("flush_at IS NOT NULL"),
        postgresql_where=sa.text("flush_at IS NOT NULL"),
    )
    op.create_table(
        "group_members",
        sa.Column("id", RowNumber, nullable=False),
        sa.Column("group_id", RowNumber, nullable=False),
        sa.Column("alert_id", RowNumber, nullable=False),
        sa.Column("joined_at", Instant(), nullable=False),
        sa.Column("left_at", Instant(), nullable=True),
        sa.Column("placed_version", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.ForeignKeyConstraint(
            ["alert_id"], ["alerts.id"], name=op.f("fk_group_members_alert_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["group_id"], ["alert_groups.id"], name=op.f("fk_group_members_group_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_group_members")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_group_members_alert_id", "group_members", ["alert_id", "joined_at"], unique=False)
    op.create_index(
        "uq_group_members_open",
        "group_members",
        ["group_id", "alert_id"],
        unique=True,
        sqlite_where=sa.text("left_at IS NULL"),
        postgresql_where=sa.text("left_at IS NULL"),
    )
    op.create_table(
        "group_channels",
        sa.Column("group_id", RowNumber, nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("recipient", sa.Text(), server_default="", nullable=False),
        sa.Column("decided", sa.JSON(), nullable=False),
        sa.Column("delivered", sa.JSON(), nullable=False),
        sa.Column("last_reason", sa.Text(), server_default="", nullable=False),
        sa.Column("reference", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["group_id"], ["alert_groups.id"], name=op.f("fk_group_channels_group_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("group_id", "channel", "recipient", name=op.f("pk_group_channels")),
    )
    op.create_table(
        "notification_facts",
        sa.Column("id", RowNumber, nullable=False),
        sa.Column("group_id", RowNumber, nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["group_id"], ["alert_groups.id"], name=op.f("fk_notification_facts_group_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notification_facts")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_notification_facts_group_id", "notification_facts", ["group_id"], unique=False)
    op.create_table(
        "outbox",
        sa.Column("id", RowNumber, nullable=False),
        sa.Column("facts_id", RowNumber, nullable=False),
        sa.Column("group_id", RowNumber, nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("recipient", sa.Text(), server_default="", nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), server_default="pending", nullable=False),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("next_attempt_at", Instant(), nullable=False),
        sa.Column("lease_until", Instant(), nullable=True),
        sa.Column("holder", sa.Text(), nullable=True),
        sa.Column("told", sa.JSON(), nullable=False),
        sa.Column("rendered", sa.LargeBinary(), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("finished_at", Instant(), nullable=True),
        sa.ForeignKeyConstraint(
            ["facts_id"], ["notification_facts.id"], name=op.f("fk_outbox_facts_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["group_id"], ["alert_groups.id"], name=op.f("fk_outbox_group_id"), ondelete="CASCADE"),
        sa.CheckConstraint("status IN ('pending', 'sent', 'dead', 'superseded')", name="status"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_outbox_due",
        "outbox",
        ["next_attempt_at"],
        unique=False,
        sqlite_where=sa.text("status = 'pending'"),
        postgresql_where=sa.text("status = 'pending'"),
    )
    op.create_index("ix_outbox_facts_id", "outbox", ["facts_id"], unique=False)
    op.create_index(
        "ix_outbox_queue",
        "outbox",
        ["group_id", "channel", "recipient", "id"],
        unique=False,
        sqlite_where=sa.text("status = 'pending'"),
        postgresql_where=sa.text("status = 'pending'"),
    )
    op.create_table(
        "channel_state",
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default="unknown", nullable=False),
        sa.Column("next_send_at", Instant(), nullable=True),
        sa.Column("last_success_at", Instant(), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("last_error_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("channel", name=op.f("pk_channel_state")),
    )
    op.create_table(
        "ledger",
        sa.Column("id", RowNumber, nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("subject_type", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.Text(), nullable=False),
        sa.Column("alert_ids", sa.JSON(), server_default=sa.text("'[]'"), nullable=False),
        sa.Column("detail", sa.JSON(), server_default=sa.text("'{}'"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ledger")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_ledger_at", "ledger", ["at"], unique=False)
    op.create_index(
        "ix_ledger_subject_type_subject_id_id", "ledger", ["subject_type", "subject_id", "id"], unique=False
    )


def create_triggers() -> None:
    connection = op.get_bind()
    made = [definition(table, key) for table, key in DEFINITIONS.items()]
    if connection.dialect.name == "postgresql":
        schema: str = connection.execute(sa.text("SELECT quote_ident(current_schema())")).scalar_one()
        statements = change_triggers.postgresql_functions(schema)
        statements += [statement for each in made for statement in change_triggers.postgresql_statements(each)]
    else:
        statements = [statement for each in made for statement in change_triggers.sqlite_statements(each)]
        statements.append(change_triggers.sqlite_cascade("alert_rules", "id", "thresholds", "rule_id"))
    for statement in statements:
        # The driver takes a percent sign for the start of a parameter only on PostgreSQL.
        connection.exec_driver_sql(
            statement.replace("%", "%%") if connection.dialect.name == "postgresql" else statement
        )


def definition(table: str, key: str) -> change_triggers.Definition:
    """The table as the triggers see it, its columns read from the database that was just made."""
    kinds = ((sa.JSON, "json"), (sa.Boolean, "boolean"), (sa.Float, "float"))
    columns = {
        column["name"]: next((kind for type_, kind in kinds if isinstance(column["type"], type_)), "other")
        for column in sa.inspect(op.get_bind()).get_columns(table)
    }
    return change_triggers.Definition(table=table, key=key, columns=columns, instants=INSTANTS.get(table, ()))


def downgrade() -> None:
    for table in reversed(sa.inspect(op.get_bind()).get_sorted_table_and_fkc_names()):
        if table[0] is not None and table[0] != "alembic_version":
            op.drop_table(table[0])
    if op.get_bind().dialect.name == "postgresql":
        for function in FUNCTIONS:
            op.execute(f"DROP FUNCTION IF EXISTS {function} CASCADE")
