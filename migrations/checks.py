"""The CHECK constraints of the definition tables, in each database's own words.

They catch at the INSERT what would otherwise be found at the first evaluation. What no constraint can see (a PromQL error)
is found by the engine, which sets the row aside alone. Values of closed sets are the StrEnums of rules/.
"""

from __future__ import annotations

import sqlalchemy as sa


def _json_is(column: str, kind: str, dialect: str) -> str:
    if dialect == "postgresql":
        return f"json_typeof({column}) = '{kind}'"
    # json_type raises on text that is no JSON, so validity comes first.
    return f"CASE WHEN json_valid({column}) THEN json_type({column}) = '{kind}' ELSE 0 END"


def _one_of(column: str, *values: str) -> str:
    return f"{column} IN ({', '.join(repr(value) for value in values)})"


def _not_nan(column: str, dialect: str) -> str:
    # SQLite stores NaN as NULL, which the shape check refuses already.
    return (
        f"{column} <> 'NaN'::float8" if dialect == "postgresql" else f"typeof({column}) IN ('real', 'integer', 'null')"
    )


def _span(column: str, least: str = ">= 0") -> str:
    """A finite span of at most 100 years; the upper bound keeps Infinity out."""
    return f"{column} {least} AND {column} <= 3153600000"


def _whole(column: str, least: str, dialect: str) -> str:
    """A whole number; SQLite would keep a word in an INTEGER column, and every word is greater than every number."""
    return f"{column} {least}" + (f" AND typeof({column}) = 'integer'" if dialect == "sqlite" else "")


def _instant(column: str, dialect: str) -> str:
    """A time that Python can hold in every zone: not infinite, between the years 1 and 9999."""
    if dialect == "postgresql":
        return f"{column} BETWEEN '0001-01-02T00:00:00Z' AND '9999-12-31T00:00:00Z'"
    return f"typeof({column}) = 'integer' AND {column} BETWEEN -62135510400000000 AND 253402214400000000"


def _optional_instant(column: str, dialect: str) -> str:
    return f"{column} IS NULL OR ({_instant(column, dialect)})"


def _period(first: str, last: str, dialect: str) -> dict[str, str]:
    """Two times in their order, either of them absent where the column may be NULL.

    On SQLite a time typed as text is checked by the table's trigger, and so is its order to the one beside it.
    """
    starts = _optional_instant(first, dialect)
    ends = f"{last} IS NULL OR ({_instant(last, dialect)} AND ({first} IS NULL OR {last} > {first}))"
    if dialect == "sqlite":
        starts = f"typeof({first}) = 'text' OR {starts}"
        ends = f"typeof({first}) = 'text' OR typeof({last}) = 'text' OR {ends}"
    return {first: starts, last: ends}


def _switches(dialect: str, *columns: str) -> dict[str, str]:
    """SQLite has no boolean type, and the word 'false' would be true."""
    return {column: f'"{column}" IN (0, 1)' for column in columns} if dialect == "sqlite" else {}


def _provenance(dialect: str) -> dict[str, str]:
    return {
        "version": _whole("version", ">= 1", dialect),
        "created_at": _instant("created_at", dialect),
        "updated_at": _instant("updated_at", dialect),
    }


def _named(checks: dict[str, str]) -> list[sa.CheckConstraint]:
    return [sa.CheckConstraint(text, name=name) for name, text in checks.items()]


def alert_rules(dialect: str) -> list[sa.CheckConstraint]:
    """A rule says what it asks, in one of its three forms, with spans that are spans."""
    return _named(
        {
            "id": "id <> ''",
            "name": "length(name) BETWEEN 1 AND 1000",
            "expr_or_metric_name": "(expr IS NOT NULL AND metric_name IS NULL AND (condition IS NULL) = (threshold IS NULL)) OR "
            "(expr IS NULL AND metric_name IS NOT NULL AND condition IS NOT NULL AND threshold IS NOT NULL)",
            "expr": "length(expr) BETWEEN 1 AND 16384",
            "metric_name": "length(metric_name) BETWEEN 1 AND 1024",
            "condition": _one_of("condition", ">", ">=", "<", "<=", "==", "!="),
            "threshold": _not_nan("threshold", dialect),
            "for_seconds": _span("for_seconds"),
            "keep_firing_for_seconds": _span("keep_firing_for_seconds"),
            "interval_seconds": _span("interval_seconds", "> 0"),
            "query_offset_seconds": _span("query_offset_seconds"),
            "missing_for_seconds": _span("missing_for_seconds"),
            "labels": _json_is("labels", "object", dialect),
            "annotations": _json_is("annotations", "object", dialect),
            "notification_channels": _json_is("notification_channels", "array", dialect),
            "no_data": _one_of("no_data", "ok", "keep", "alert"),
            "missing_series": _one_of("missing_series", "resolve", "keep"),
            "on_error": _one_of("on_error", "keep", "alert", "ok"),
            "alert_limit": _whole("alert_limit", ">= 0", dialect),
            "plan": _one_of("plan", "auto", "alone"),
            **_switches(dialect, "enabled"),
            **_provenance(dialect),
        }
    )


def rule_languages() -> list[sa.CheckConstraint]:
    """A rule's expression is in a language that some datasource is asked in."""
    return _named({"language": _one_of("language", "promql", "logql", "logsql")})


def severities(dialect: str) -> list[sa.CheckConstraint]:
    """A severity has a name, and a whole number for its rank."""
    rank = {"rank": _whole("rank", "IS NOT NULL", dialect)} if dialect == "sqlite" else {}
    return _named({"name": "name <> ''", **rank})


def datasources(dialect: str) -> list[sa.CheckConstraint]:
    """A datasource has a name, a list of addresses and a table of credentials."""
    return _named(
        {
            "name": "name <> ''",
            "kind": _one_of("kind", "prometheus", "victoriametrics", "thanos", "mimir", "loki", "victorialogs"),
            "urls": _json_is("urls", "array", dialect),
            "auth": _json_is("auth", "object", dialect),
            **_provenance(dialect),
        }
    )


def datasource_connections(dialect: str) -> list[sa.CheckConstraint]:
    """How a datasource is connected to is two tables of texts."""
    return _named({column: _json_is(column, "object", dialect) for column in ("headers", "tls")})


def channels(dialect: str) -> list[sa.CheckConstraint]:
    """A channel has a name and a kind that Tocsin can deliver to."""
    return _named(
        {
            "name": "length(name) BETWEEN 1 AND 200",
            "kind": _one_of("kind", "slack", "pagerduty", "email", "webhook", "apprise", "log"),
            "settings": _json_is("settings", "object", dialect),
            "templates": _json_is("templates", "object", dialect),
            "rate_limit": _json_is("rate_limit", "object", dialect),
            **_switches(dialect, "send_resolved"),
            **_provenance(dialect),
        }
    )


def routes(dialect: str) -> list[sa.CheckConstraint]:
    """A route's lists are lists and its timings are spans; only the root has no parent and it matches everything."""
    return _named(
        {
            "id": "id <> ''",
            "root": "(parent_id IS NULL) = (id = 'root')",
            "channels": f"channels IS NULL OR {_json_is('channels', 'array', dialect)}",
            "matchers": _json_is("matchers", "array", dialect),
            "group_by": f"group_by IS NULL OR {_json_is('group_by', 'array', dialect)}",
            "group_wait_seconds": _span("group_wait_seconds"),
            "group_interval_seconds": _span("group_interval_seconds", "> 0"),
            "repeat_interval_seconds": _span("repeat_interval_seconds", "> 0"),
            "labels": _json_is("labels", "object", dialect),
            "mute_time_intervals": _json_is("mute_time_intervals", "array", dialect),
            "active_time_intervals": _json_is("active_time_intervals", "array", dialect),
            "notify_on_unmute": _one_of("notify_on_unmute", "never", "needed", "always"),
            **({"position": _whole("position", "IS NOT NULL", dialect)} if dialect == "sqlite" else {}),
            **_switches(dialect, "continue"),
            **_provenance(dialect),
        }
    )


def silences(dialect: str) -> list[sa.CheckConstraint]:
    """A silence names what it hides and ends after it starts."""
    return _named(
        {
            "id": "id <> ''",
            "matchers": _json_is("matchers", "array", dialect),
            **_period("starts_at", "ends_at", dialect),
            **_provenance(dialect),
        },
    )


def silence_kinds(dialect: str) -> list[sa.CheckConstraint]:
    """What kind of silence it is: a list of intervals, and two switches."""
    return _named(
        {
            "time_intervals": _json_is("time_intervals", "array", dialect),
            **_switches(dialect, "until_resolved", "force"),
        }
    )


def thresholds(dialect: str) -> list[sa.CheckConstraint]:
    """A threshold row compares with numbers, for a span that is one, in a time that ends after it begins."""
    return _named(
        {
            "id": "id <> ''",
            "matchers": _json_is("matchers", "array", dialect),
            "threshold": _not_nan("threshold", dialect),
            "recovery_threshold": _not_nan("recovery_threshold", dialect),
            "for_seconds": _span("for_seconds"),
            **_period("valid_from", "valid_to", dialect),
            **({"priority": _whole("priority", "IS NOT NULL", dialect)} if dialect == "sqlite" else {}),
            **_provenance(dialect),
        }
    )


def inhibit_rules(dialect: str) -> list[sa.CheckConstraint]:
    """An inhibit rule's sides, and the labels both must share, are lists."""
    return _named(
        {
            "id": "id <> ''",
            "source_matchers": _json_is("source_matchers", "array", dialect),
            "target_matchers": _json_is("target_matchers", "array", dialect),
            "equal": _json_is("equal", "array", dialect),
            **_provenance(dialect),
        }
    )


def time_intervals(dialect: str) -> list[sa.CheckConstraint]:
    """A time interval has a name and a list of periods."""
    return _named(
        {
            "name": "name <> ''",
            "time_intervals": _json_is("time_intervals", "array", dialect),
            **_provenance(dialect),
        }
    )


def api_keys(dialect: str) -> list[sa.CheckConstraint]:
    """A key has a name, one of four scopes, and the SHA-256 of its text in hex."""
    return _named(
        {
            "id": "id <> ''",
            "name": "name <> ''",
            "hash": "length(hash) = 64",
            "scope": _one_of("scope", "read", "silence", "write", "admin"),
            "created_at": _instant("created_at", dialect),
            **{name: _optional_instant(name, dialect) for name in ("expires_at", "revoked_at", "last_used_at")},
        }
    )
