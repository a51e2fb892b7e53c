"""The tables as SQLAlchemy sees them. The migrations make them, with the CHECKs and triggers that only the database needs.

Definition tables are a public interface (people write them by SQL): typed, with units in the names, and with a server-side
default for everything but what a rule cannot be without. Runtime tables are the engine's own; no runtime column ever stands
in a definition table, where it would fire the change triggers.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
    true,
)

from engine.store.types import Instant, RowNumber, present, random_id

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)


def _provenance() -> list[Column[Any]]:
    """Who owns a definition row and since when; the change triggers keep version and updated_at."""
    return [
        Column("team", Text, nullable=False, server_default=""),
        Column("origin", Text, nullable=False, server_default="sql"),
        Column("version", Integer, nullable=False, server_default=text("1")),
        Column("created_at", Instant, nullable=False, server_default=present()),
        Column("updated_at", Instant, nullable=False, server_default=present()),
    ]


severities = Table(
    "severities",
    metadata,
    Column("name", Text, primary_key=True),
    Column("rank", Integer, nullable=False),
)

datasources = Table(
    "datasources",
    metadata,
    Column("name", Text, primary_key=True),
    Column("kind", Text, nullable=False, server_default="prometheus"),
    Column("urls", JSON, nullable=False, server_default=text("'[]'")),
    Column("tenant", Text, nullable=False, server_default=""),
    Column("auth", JSON, nullable=False, server_default=text("'{}'")),
    *_provenance(),
)

alert_rules = Table(
    "alert_rules",
    metadata,
    Column("id", Text, primary_key=True, server_default=random_id()),
    Column("name", Text, nullable=False),
    Column("group_name", Text, nullable=False, server_default=""),
    Column("expr", Text),
    Column("metric_name", Text),
    Column("condition", Text),
    Column("threshold", Float(53)),
    Column("for_seconds", Float(53), nullable=False, server_default=text("0")),
    Column("keep_firing_for_seconds", Float(53), nullable=False, server_default=text("0")),
    Column("interval_seconds", Float(53)),
    Column("query_offset_seconds", Float(53)),
    Column("severity", Text, nullable=False, server_default=""),
    Column("labels", JSON, nullable=False, server_default=text("'{}'")),
    Column("annotations", JSON, nullable=False, server_default=text("'{}'")),
    Column("notification_channels", JSON, nullable=False, server_default=text("'[]'")),
    Column("datasource", Text, ForeignKey("datasources.name"), nullable=False, server_default="default"),
    Column("enabled", Boolean, nullable=False, server_default=true()),
    Column("no_data", Text, nullable=False, server_default="ok"),
    Column("missing_series", Text, nullable=False, server_default="resolve"),
    Column("missing_for_seconds", Float(53), nullable=False, server_default=text("86400")),
    Column("on_error", Text, nullable=False, server_default="keep"),
    Column("alert_limit", Integer, nullable=False, server_default=text("0")),
    Column("plan", Text, nullable=False, server_default="auto"),
    *_provenance(),
)

channels = Table(
    "channels",
    metadata,
    Column("name", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("url", Text, nullable=False, server_default=""),
    Column("settings", JSON, nullable=False, server_default=text("'{}'")),
    Column("send_resolved", Boolean, nullable=False, server_default=true()),
    Column("templates", JSON, nullable=False, server_default=text("'{}'")),
    Column("rate_limit", JSON, nullable=False, server_default=text("'{}'")),
    *_provenance(),
)

routes = Table(
    "routes",
    metadata,
    Column("id", Text, primary_key=True, server_default=random_id()),
    Column("parent_id", Text, ForeignKey("routes.id")),
    Column("position", Integer, nullable=False, server_default=text("0")),
    Column("receiver", Text, nullable=False, server_default=""),
    Column("channels", JSON),
    Column("matchers", JSON, nullable=False, server_default=text("'[]'")),
    Column("group_by", JSON),
    Column("group_wait_seconds", Float(53)),
    Column("group_interval_seconds", Float(53)),
    Column("repeat_interval_seconds", Float(53)),
    Column("continue", Boolean, nullable=False, server_default=text("false")),
    Column("labels", JSON, nullable=False, server_default=text("'{}'")),
    Column("mute_time_intervals", JSON, nullable=False, server_default=text("'[]'")),
    Column("active_time_intervals", JSON, nullable=False, server_default=text("'[]'")),
    Column("notify_on_unmute", Text),
    *_provenance(),
)

silences = Table(
    "silences",
    metadata,
    Column("id", Text, primary_key=True, server_default=random_id()),
    Column("matchers", JSON, nullable=False),
    Column("starts_at", Instant, nullable=False, server_default=present()),
    Column("ends_at", Instant, nullable=False),
    Column("created_by", Text, nullable=False, server_default=""),
    Column("comment", Text, nullable=False, server_default=""),
    *_provenance(),
)

definition_changes = Table(
    "definition_changes",
    metadata,
    Column("id", RowNumber, primary_key=True),
    Column("table_name", Text, nullable=False),
    Column("row_id", Text, nullable=False),
    Column("operation", Text, nullable=False),
    Column("version", Integer),
    Column("author", Text, nullable=False),
    Column("at", Instant, nullable=False),
    # PostgreSQL's transaction id: a change that commits late has a smaller id than one already read, but not a smaller txid
    # than the oldest transaction then open, so followers re-read from there. Always 0 on SQLite, where writers queue.
    Column("txid", BigInteger, nullable=False, server_default=text("0")),
    Column("before", JSON),
    Column("after", JSON),
    Index("ix_definition_changes_table_name_row_id", "table_name", "row_id", "id"),
    Index("ix_definition_changes_txid", "txid"),
    sqlite_autoincrement=True,
)

change_author = Table(
    "change_author",
    metadata,
    # At most one row, written and removed inside one transaction: how a writer of ours names itself to SQLite's triggers.
    Column("id", Integer, primary_key=True),
    Column("author", Text, nullable=False),
)

nodes = Table(
    "nodes",
    metadata,
    Column("id", Text, primary_key=True),
    Column("epoch", BigInteger, nullable=False, server_default=text("0")),
    Column("lease_until", Instant, nullable=False),
    Column("started_at", Instant, nullable=False),
    Column("address", Text, nullable=False, server_default=""),
)

evaluation_units = Table(
    "evaluation_units",
    metadata,
    Column("id", Text, primary_key=True),
    Column("datasource", Text, nullable=False),
    Column("interval_seconds", Float(53), nullable=False),
    Column("query_offset_seconds", Float(53), nullable=False),
    Column("phase_seconds", Float(53), nullable=False),
    Column("due_at", Instant, nullable=False),
    Column("last_slot", Instant),
    Column("holder", Text),
    Column("term", BigInteger, nullable=False, server_default=text("0")),
    Column("missed_slots", BigInteger, nullable=False, server_default=text("0")),
    Column("state", LargeBinary),
    Index("ix_evaluation_units_due_at", "due_at"),
)

rule_status = Table(
    "rule_status",
    metadata,
    Column("rule_id", Text, primary_key=True),
    Column("health", Text, nullable=False),
    Column("last_error", Text),
    Column("problem", JSON),
    Column("checked_version", Integer),
    Column("good_version", Integer),
    Column("last_data_at", Instant),
    Column("changed_at", Instant, nullable=False),
)

alerts = Table(
    "alerts",
    metadata,
    Column("id", RowNumber, primary_key=True),
    Column("source", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("labels", JSON, nullable=False),
    Column("sample_labels", JSON, nullable=False),
    Column("annotations", JSON, nullable=False),
    Column("state", Text, nullable=False),
    # Text, because SQLite turns a NaN into NULL and JSON has none.
    Column("value", Text, nullable=False),
    Column("threshold", Text),
    Column("active_at", Instant, nullable=False),
    Column("fired_at", Instant),
    Column("keep_firing_since", Instant),
    Column("resolved_at", Instant),
    Column("episode", Integer, nullable=False, server_default=text("1")),
    Column("reason", Text, nullable=False),
    Column("rule_version", Integer, nullable=False, server_default=text("1")),
    UniqueConstraint("source", "key"),
    Index("ix_alerts_fingerprint", "fingerprint"),
    Index(
        "ix_alerts_source_active",
        "source",
        sqlite_where=text("state <> 'inactive'"),
        postgresql_where=text("state <> 'inactive'"),
    ),
    Index("ix_alerts_state_id", "state", "id"),
    sqlite_autoincrement=True,
)

alert_groups = Table(
    "alert_groups",
    metadata,
    Column("id", RowNumber, primary_key=True),
    Column("route_id", Text, nullable=False),
    Column("labels_hash", Text, nullable=False),
    Column("labels", JSON, nullable=False),
    # The key that leaves the system; it stays when the group moves to another route.
    Column("dedup_key", Text, nullable=False),
    # When the group is next flushed, on its own grid of group_interval; NULL while nothing is left to tell.
    Column("flush_at", Instant),
    Column("muted", JSON, nullable=False, server_default=text("'{}'")),
    Column("created_at", Instant, nullable=False),
    UniqueConstraint("route_id", "labels_hash"),
    Index(
        "ix_alert_groups_due",
        "flush_at",
        sqlite_where=text("flush_at IS NOT NULL"),
        postgresql_where=text("flush_at IS NOT NULL"),
    ),
    sqlite_autoincrement=True,
)

group_members = Table(
    "group_members",
    metadata,
    Column("id", RowNumber, primary_key=True),
    Column("group_id", RowNumber, ForeignKey("alert_groups.id", ondelete="CASCADE"), nullable=False),
    Column("alert_id", RowNumber, ForeignKey("alerts.id", ondelete="CASCADE"), nullable=False),
    Column("joined_at", Instant, nullable=False),
    Column("left_at", Instant),
    Column("placed_version", BigInteger, nullable=False, server_default=text("0")),
    Index(
        "uq_group_members_open",
        "group_id",
        "alert_id",
        unique=True,
        sqlite_where=text("left_at IS NULL"),
        postgresql_where=text("left_at IS NULL"),
    ),
    Index("ix_group_members_alert_id", "alert_id", "joined_at"),
    sqlite_autoincrement=True,
)

group_channels = Table(
    "group_channels",
    metadata,
    Column("group_id", RowNumber, ForeignKey("alert_groups.id", ondelete="CASCADE"), primary_key=True),
    Column("channel", Text, primary_key=True),
    Column("recipient", Text, primary_key=True, server_default=""),
    Column("decided", JSON, nullable=False),
    Column("delivered", JSON, nullable=False),
    Column("last_reason", Text, nullable=False, server_default=""),
    Column("reference", Text),
)

notification_facts = Table(
    "notification_facts",
    metadata,
    Column("id", RowNumber, primary_key=True),
    Column("group_id", RowNumber, ForeignKey("alert_groups.id", ondelete="CASCADE"), nullable=False),
    Column("at", Instant, nullable=False),
    Column("content", LargeBinary, nullable=False),
    Index("ix_notification_facts_group_id", "group_id"),
    sqlite_autoincrement=True,
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", RowNumber, primary_key=True),
    Column("facts_id", RowNumber, ForeignKey("notification_facts.id", ondelete="CASCADE"), nullable=False),
    Column("group_id", RowNumber, ForeignKey("alert_groups.id", ondelete="CASCADE"), nullable=False),
    Column("channel", Text, nullable=False),
    Column("recipient", Text, nullable=False, server_default=""),
    Column("reason", Text, nullable=False),
    Column("status", Text, nullable=False, server_default="pending"),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("next_attempt_at", Instant, nullable=False),
    Column("lease_until", Instant),
    Column("holder", Text),
    Column("told", JSON, nullable=False),
    Column("rendered", LargeBinary),
    Column("last_error", Text),
    Column("created_at", Instant, nullable=False),
    Column("finished_at", Instant),
    Index(
        "ix_outbox_queue",
        "group_id",
        "channel",
        "recipient",
        "id",
        sqlite_where=text("status = 'pending'"),
        postgresql_where=text("status = 'pending'"),
    ),
    Index(
        "ix_outbox_due",
        "next_attempt_at",
        sqlite_where=text("status = 'pending'"),
        postgresql_where=text("status = 'pending'"),
    ),
    Index("ix_outbox_facts_id", "facts_id"),
    sqlite_autoincrement=True,
)

channel_state = Table(
    "channel_state",
    metadata,
    Column("channel", Text, primary_key=True),
    Column("state", Text, nullable=False, server_default="unknown"),
    Column("next_send_at", Instant),
    Column("last_success_at", Instant),
    Column("last_error", Text),
    Column("last_error_at", Instant),
)

ledger = Table(
    "ledger",
    metadata,
    Column("id", RowNumber, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("kind", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("subject_type", Text, nullable=False),
    Column("subject_id", Text, nullable=False),
    Column("alert_ids", JSON, nullable=False, server_default=text("'[]'")),
    Column("detail", JSON, nullable=False, server_default=text("'{}'")),
    Index("ix_ledger_subject_type_subject_id_id", "subject_type", "subject_id", "id"),
    Index("ix_ledger_at", "at"),
    sqlite_autoincrement=True,
)
