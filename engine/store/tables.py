"""All tables as SQLAlchemy sees them: those people write to, and here the engine's own.

The migrations make them, with the CHECKs and triggers that only the database needs. No runtime column ever stands in a
definition table, where it would fire the change triggers.
"""

from __future__ import annotations

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
    Table,
    Text,
    UniqueConstraint,
    text,
)

from engine.store.declarations import (
    alert_rules,
    channels,
    datasources,
    inhibit_rules,
    metadata,
    routes,
    severities,
    silences,
    thresholds,
    time_intervals,
)
from engine.store.types import Instant, RowNumber, present

__all__ = [
    "alert_groups",
    "alert_rules",
    "alerts",
    "api_keys",
    "change_author",
    "channel_state",
    "channels",
    "configurations",
    "datasources",
    "definition_changes",
    "evaluation_units",
    "external_expiry",
    "group_channels",
    "group_members",
    "inhibit_rules",
    "ledger",
    "metadata",
    "nodes",
    "notification_facts",
    "outbox",
    "routes",
    "rule_status",
    "severities",
    "silences",
    "thresholds",
    "time_intervals",
]

# No definition table: who may come in is no part of what is evaluated, and a hash has no business in the record of changes.
api_keys = Table(
    "api_keys",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("hash", Text, nullable=False),
    Column("scope", Text, nullable=False),
    Column("created_at", Instant, nullable=False, server_default=present()),
    Column("created_by", Text, nullable=False, server_default=""),
    Column("expires_at", Instant),
    Column("revoked_at", Instant),
    Column("last_used_at", Instant),
    UniqueConstraint("hash"),
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

configurations = Table(
    "configurations",
    metadata,
    # Counted without a gap by whoever accepts one, so that of two who accept at once only one can.
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("at", Instant, nullable=False),
    Column("change_id", BigInteger, nullable=False),
    Column("digest", Text, nullable=False),
    Column("content", JSON, nullable=False),
)

nodes = Table(
    "nodes",
    metadata,
    Column("id", Text, primary_key=True),
    Column("epoch", BigInteger, nullable=False, server_default=text("0")),
    Column("lease_until", Instant, nullable=False),
    Column("started_at", Instant, nullable=False),
    Column("address", Text, nullable=False, server_default=""),
    # NULL: a process of the version that knew no roles, which does everything and does not say that it leaves.
    Column("roles", Text),
    Column("left_at", Instant),
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
    Column("threshold_id", Text),
    Column("active_at", Instant, nullable=False),
    Column("fired_at", Instant),
    Column("keep_firing_since", Instant),
    Column("missing_since", Instant),
    Column("resolved_at", Instant),
    Column("episode", Integer, nullable=False, server_default=text("1")),
    Column("reason", Text, nullable=False),
    Column("rule_version", Integer, nullable=False, server_default=text("1")),
    Column("generator_url", Text, nullable=False, server_default=""),
    UniqueConstraint("source", "key"),
    Index("ix_alerts_fingerprint", "fingerprint"),
    Index(
        "ix_alerts_source_active",
        "source",
        sqlite_where=text("state <> 'inactive'"),
        postgresql_where=text("state <> 'inactive'"),
    ),
    Index("ix_alerts_state_id", "state", "id"),
    Index(
        "ix_alerts_resolved_at",
        "resolved_at",
        sqlite_where=text("state = 'inactive'"),
        postgresql_where=text("state = 'inactive'"),
    ),
    sqlite_autoincrement=True,
)

external_expiry = Table(
    "external_expiry",
    metadata,
    # One row per posted alert that fires: when it ends unless it is posted again, whether that end is only the
    # resolve_timeout, and when it was last posted.
    Column("alert_id", RowNumber, ForeignKey("alerts.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("ends_at", Instant, nullable=False),
    Column("timeout", Boolean, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Index("ix_external_expiry_ends_at", "ends_at"),
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
    # Its last flush since it became busy; NULL while it waits for the first one.
    Column("flushed_at", Instant),
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
    Index(
        "ix_group_members_left_at",
        "left_at",
        sqlite_where=text("left_at IS NOT NULL"),
        postgresql_where=text("left_at IS NOT NULL"),
    ),
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
    # Until when its channel let it wait, when that was first written down.
    Column("deferred_until", Instant),
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
    Index(
        "ix_outbox_channel",
        "channel",
        "next_attempt_at",
        "id",
        sqlite_where=text("status = 'pending'"),
        postgresql_where=text("status = 'pending'"),
    ),
    Index("ix_outbox_facts_id", "facts_id"),
    Index(
        "ix_outbox_finished_at",
        "finished_at",
        sqlite_where=text("status <> 'pending'"),
        postgresql_where=text("status <> 'pending'"),
    ),
    sqlite_autoincrement=True,
)

channel_state = Table(
    "channel_state",
    metadata,
    Column("channel", Text, primary_key=True),
    Column("state", Text, nullable=False, server_default="unknown"),
    Column("next_send_at", Instant),
    # When the last messages went, in microseconds, for the channel's own limit; empty without one.
    Column("sent", JSON, nullable=False, server_default=text("'[]'")),
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
