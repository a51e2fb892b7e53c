"""The tables people write to, as SQLAlchemy sees them: a public interface, so changing one is a breaking change.

They are typed, with units in the names, and with a server-side default for everything but what a rule cannot be without.
The migrations make them, with the CHECKs and triggers that only the database needs.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, Boolean, Column, Float, ForeignKey, Index, Integer, MetaData, Table, Text, text, true

from engine.store.types import Instant, present, random_id

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
    Column("headers", JSON, nullable=False, server_default=text("'{}'")),
    Column("tls", JSON, nullable=False, server_default=text("'{}'")),
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
    Column("language", Text, nullable=False, server_default="promql"),
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
    Column("time_intervals", JSON, nullable=False, server_default=text("'[]'")),
    Column("until_resolved", Boolean, nullable=False, server_default=text("false")),
    Column("force", Boolean, nullable=False, server_default=text("false")),
)

thresholds = Table(
    "thresholds",
    metadata,
    Column("id", Text, primary_key=True, server_default=random_id()),
    Column("rule_id", Text, ForeignKey("alert_rules.id", ondelete="CASCADE"), nullable=False),
    Column("matchers", JSON, nullable=False, server_default=text("'[]'")),
    Column("threshold", Float(53), nullable=False),
    Column("recovery_threshold", Float(53)),
    Column("severity", Text, nullable=False, server_default=""),
    Column("for_seconds", Float(53)),
    Column("valid_from", Instant),
    Column("valid_to", Instant),
    Column("priority", Integer, nullable=False, server_default=text("0")),
    Column("reason", Text, nullable=False, server_default=""),
    *_provenance(),
    Index("ix_thresholds_rule_id", "rule_id"),
)

inhibit_rules = Table(
    "inhibit_rules",
    metadata,
    Column("id", Text, primary_key=True, server_default=random_id()),
    Column("name", Text, nullable=False, server_default=""),
    Column("source_matchers", JSON, nullable=False),
    Column("target_matchers", JSON, nullable=False),
    Column("equal", JSON, nullable=False, server_default=text("'[]'")),
    *_provenance(),
)

time_intervals = Table(
    "time_intervals",
    metadata,
    Column("name", Text, primary_key=True),
    Column("time_intervals", JSON, nullable=False),
    *_provenance(),
)
