"""The triggers that record every change of a definition row, whoever makes it, as the migrations make them.

`definition_changes` gets one row per change: the table, the row's key, its version, who, when, and the row before and
after, with secrets redacted, encrypted ones (`enc:`) too. Running engines follow it. The version counter and `updated_at`
are the triggers' too, so a plain UPDATE typed into a shell is versioned as well as one made by REST. A row whose key changes
is recorded twice: the old key as deleted, the new one as updated.

PostgreSQL: the author is `SET LOCAL tocsin.author`, else the SQL user. SQLite: the row of `change_author`, else `sql`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

# In `channels.settings`, a name that holds one of these words is a secret's; in the `auth`, `headers` and `tls` of a
# datasource every name is but these.
SECRET_WORDS = ("password", "token", "secret", "key", "auth", "credential", "header", "cookie")
OPEN_NAMES = (
    *("kind", "type", "user", "username"),
    *("ca", "ca_file", "cert", "cert_file", "key_file"),
    *("insecure_skip_verify", "max_version", "min_version", "server_name"),
)
SECRET_COLUMNS = ("auth", "headers", "tls")

SQLITE_NOW = "(CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER) * 1000)"
_SQLITE_AUTHOR = "coalesce(nullif((SELECT author FROM change_author LIMIT 1), ''), 'sql')"
_POSTGRESQL_AUTHOR = "coalesce(nullif(current_setting('tocsin.author', true), ''), session_user::text)"
_KEPT_BY_TRIGGERS = ("version", "updated_at")


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """A definition table: its key, and its columns with their types (json, boolean, float, or other).

    `instants` are the two in which SQLite takes a time typed as text, the second after the first; either may be NULL.
    """

    table: str
    key: str
    columns: Mapping[str, str]
    instants: Sequence[str] = ()


def sqlite_statements(definition: Definition) -> list[str]:
    """The three triggers of one table on SQLite."""
    table, key = definition.table, definition.key
    changed = f'(SELECT {_sqlite_row("t", definition)} FROM "{table}" t WHERE t."{key}" = NEW."{key}")'
    old = _sqlite_row("OLD", definition)
    convert = _sqlite_conversion(definition)
    watched = ", ".join(f'"{column}"' for column in definition.columns if column not in _KEPT_BY_TRIGGERS)
    # The inner UPDATEs must not be recorded: they set no watched column, or turn the text of the outer one into a time.
    settled = " AND ".join(f"typeof(OLD.{column}) <> 'text'" for column in definition.instants)

    def record(prefix: str, operation: str, version: str, before: str, after: str) -> str:
        return (
            "INSERT INTO definition_changes (table_name, row_id, operation, version, author, at, before, after) "
            f"SELECT '{table}', {prefix}.\"{key}\", '{operation}', {version}, {_SQLITE_AUTHOR}, {SQLITE_NOW}, "
            f"{before}, {after}"
        )

    return [
        (
            f'CREATE TRIGGER {table}_inserted AFTER INSERT ON "{table}" BEGIN '
            f"{convert}{record('NEW', 'insert', 'NEW.version', 'NULL', changed)}; END"
        ),
        (
            f'CREATE TRIGGER {table}_updated AFTER UPDATE OF {watched} ON "{table}" {f"WHEN {settled} " if settled else ""}BEGIN '
            f'{convert}UPDATE "{table}" SET version = OLD.version + 1, updated_at = {SQLITE_NOW} WHERE "{key}" = NEW."{key}"; '
            f'{record("OLD", "delete", "OLD.version", old, "NULL")} WHERE OLD."{key}" <> NEW."{key}"; '
            f"{record('NEW', 'update', 'OLD.version + 1', old, changed)}; END"
        ),
        (
            f'CREATE TRIGGER {table}_deleted AFTER DELETE ON "{table}" BEGIN '
            f"{record('OLD', 'delete', 'OLD.version', old, 'NULL')}; END"
        ),
    ]


def sqlite_dropped(table: str) -> list[str]:
    """What takes these triggers away, so that they can be made anew for a table that has got a column."""
    return [f"DROP TRIGGER IF EXISTS {table}_{operation}" for operation in ("inserted", "updated", "deleted")]


def sqlite_cascade(table: str, key: str, child: str, reference: str) -> str:
    """What goes with a deleted row goes, and is recorded, also in a shell, where SQLite looks at no foreign key."""
    return (
        f'CREATE TRIGGER {table}_deleted_{child} AFTER DELETE ON "{table}" BEGIN '
        f'DELETE FROM "{child}" WHERE "{reference}" = OLD."{key}"; END'
    )


def _sqlite_row(prefix: str, definition: Definition) -> str:
    """SQL for the row as a JSON object."""
    values = {column: f'{prefix}."{column}"' for column in definition.columns}
    pairs = (
        f"'{column}', {_sqlite_value(values[column], column, kind)}" for column, kind in definition.columns.items()
    )
    return f"json_object({', '.join(pairs)})"


def _sqlite_value(value: str, column: str, kind: str) -> str:
    match column, kind:
        case "url", _:
            return f"CASE WHEN {_sqlite_is_reference(value)} THEN {value} ELSE '[redacted]' END"
        case (("settings" | "auth" | "headers" | "tls" | "urls"), _):
            return _sqlite_redacted(value, column)
        case _, "json":
            return f"json({value})"
        case _, "boolean":
            return f"json(CASE WHEN {value} THEN 'true' ELSE 'false' END)"
        case _, "float":
            return _sqlite_float(value)
        case _:
            return value


def _sqlite_float(value: str) -> str:
    # JSON has no infinity, so it is a text, the same as PostgreSQL's. SQLite prints 15 digits, which not every number
    # survives, so those that do not are printed with 17.
    return (
        f"CASE WHEN abs({value}) > 1.7976931348623157e308 THEN iif({value} > 0, 'Infinity', '-Infinity') "
        f"WHEN CAST(printf('%!.15g', {value}) AS REAL) <> {value} THEN json(printf('%!.17g', {value})) ELSE {value} END"
    )


def _sqlite_is_reference(value: str) -> str:
    return f"({value} = '' OR {value} GLOB 'env:*' OR {value} GLOB 'file:*')"


def _sqlite_redacted(value: str, column: str) -> str:
    hidden = "j.type IN ('object', 'array') OR j.value LIKE '%://%@%' OR j.value LIKE 'enc:%'"
    made = "json_group_array" if column == "urls" else "json_group_object"
    if column == "settings":
        hidden += "".join(f" OR j.key LIKE '%{word}%'" for word in SECRET_WORDS)
    elif column in SECRET_COLUMNS:
        hidden += f" OR j.key NOT IN ({_quoted(OPEN_NAMES)})"
    entry = (
        f"CASE WHEN j.type = 'text' AND {_sqlite_is_reference('j.value')} THEN j.value "
        f"WHEN {hidden} THEN '[redacted]' "
        "WHEN j.type IN ('true', 'false') THEN json(j.type) ELSE j.value END"
    )
    return f"json((SELECT {made}({'j.key, ' if column != 'urls' else ''}{entry}) FROM json_each({value}) j))"


def _sqlite_conversion(definition: Definition) -> str:
    """Statements that turn a time typed as text (`2026-11-21T12:00:00+02:00`) into the microseconds the column holds.

    SQLite would keep the text as it is, and a text compares greater than every number. The offset is honoured, a time
    without one is UTC, six digits of a second are kept; what is no time is refused with a message.
    """
    if not definition.instants:
        return ""
    table, (first, last) = definition.table, definition.instants
    counted = {column: _sqlite_microseconds(f"NEW.{column}") for column in definition.instants}
    refusals = "".join(
        f"SELECT RAISE(ABORT, '{table}.{column} is no time: write 2026-11-21T12:00:00Z or 2026-11-21 14:00:00+02:00') "
        f"WHERE NEW.{column} IS NOT NULL AND {count} IS NULL; "
        for column, count in counted.items()
    )
    assignments = ", ".join(f"{column} = {count}" for column, count in counted.items())
    typed = " OR ".join(f"typeof(NEW.{column}) = 'text'" for column in counted)
    return (
        f"{refusals}SELECT RAISE(ABORT, '{table}.{last} is not after {table}.{first}') "
        f"WHERE {counted[last]} <= {counted[first]}; "
        f'UPDATE {table} SET {assignments} WHERE "{definition.key}" = NEW."{definition.key}" AND ({typed}); '
    )


def _sqlite_microseconds(value: str) -> str:
    """SQL for the microseconds of a time given as text (or as the integer it already is); NULL when it is no time.

    SQLite's own functions round to the millisecond, ignore what follows and take 30 February for 2 March. So the text is
    taken apart: zone, fraction, and the rest, whose day must come out as it was written.
    """
    zone = (
        f"CASE WHEN {value} GLOB '*[+-][0-9][0-9]:[0-9][0-9]' THEN substr({value}, -6) "
        f"WHEN {value} GLOB '*[Zz]' THEN 'Z' ELSE '' END"
    )
    return (
        "(SELECT CASE WHEN typeof(given) = 'integer' THEN given "
        "WHEN date(whole, '+0 days') = substr(whole, 1, 10) AND fraction GLOB '[0-9]*' AND fraction NOT GLOB '*[^0-9]*' "
        "AND (point = 0 OR length(whole) = 19) "
        "THEN strftime('%s', whole || zone) * 1000000 + CAST(substr(fraction || '00000', 1, 6) AS INTEGER) END "
        "FROM (SELECT given, zone, point, CASE WHEN point THEN substr(body, 1, point - 1) ELSE body END AS whole, "
        "CASE WHEN point THEN substr(body, point + 1) ELSE '0' END AS fraction "
        "FROM (SELECT given, zone, body, instr(body, '.') AS point "
        "FROM (SELECT given, zone, rtrim(substr(given, 1, length(given) - length(zone))) AS body "
        f"FROM (SELECT {value} AS given, {zone} AS zone)))))"
    )


def postgresql_functions(schema: str) -> list[str]:
    """The functions all tables share on PostgreSQL, made in `schema` (quoted where it needs to be).

    They record with their owner's rights and find the tables by themselves: someone who may edit rules and nothing else
    can, from any search path, and can neither skip nor rewrite the record.
    """
    as_owner = f"SECURITY DEFINER SET search_path = {schema}, pg_temp"
    return [
        *postgresql_redaction(schema),
        """
        CREATE FUNCTION tocsin_version() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            NEW.version := OLD.version + 1;
            NEW.updated_at := clock_timestamp();
            RETURN NEW;
        END $$""",
        f"""
        CREATE FUNCTION tocsin_record_change() RETURNS trigger LANGUAGE plpgsql {as_owner} AS $$
        DECLARE
            old_row jsonb := CASE WHEN TG_OP IN ('UPDATE', 'DELETE') THEN tocsin_redacted(to_jsonb(OLD)) END;
            new_row jsonb := CASE WHEN TG_OP IN ('UPDATE', 'INSERT') THEN tocsin_redacted(to_jsonb(NEW)) END;
            subject jsonb := coalesce(new_row, old_row);
        BEGIN
            IF TG_OP = 'UPDATE' AND old_row->>TG_ARGV[0] <> new_row->>TG_ARGV[0] THEN
                INSERT INTO definition_changes (table_name, row_id, operation, version, author, at, txid, before)
                VALUES (TG_TABLE_NAME, old_row->>TG_ARGV[0], 'delete', (old_row->>'version')::int, {_POSTGRESQL_AUTHOR},
                        clock_timestamp(), pg_current_xact_id()::text::bigint, old_row);
            END IF;
            INSERT INTO definition_changes (table_name, row_id, operation, version, author, at, txid, before, after)
            VALUES (TG_TABLE_NAME, subject->>TG_ARGV[0], lower(TG_OP), (subject->>'version')::int, {_POSTGRESQL_AUTHOR},
                    clock_timestamp(), pg_current_xact_id()::text::bigint, old_row, new_row);
            PERFORM pg_notify('tocsin_definitions', TG_TABLE_NAME);
            RETURN NULL;
        END $$""",
        f"""
        CREATE FUNCTION tocsin_record_truncate() RETURNS trigger LANGUAGE plpgsql {as_owner} AS $$
        BEGIN
            INSERT INTO definition_changes (table_name, row_id, operation, author, at, txid)
            VALUES (TG_TABLE_NAME, '', 'truncate', {_POSTGRESQL_AUTHOR}, clock_timestamp(), pg_current_xact_id()::text::bigint);
            PERFORM pg_notify('tocsin_definitions', TG_TABLE_NAME);
            RETURN NULL;
        END $$""",
    ]


def postgresql_redaction(schema: str) -> list[str]:
    """The functions that take the secrets out of a row before it is recorded; made again, they replace what stands."""
    return [
        f"""
        CREATE OR REPLACE FUNCTION tocsin_redacted_entry(name text, value jsonb, all_secret boolean) RETURNS jsonb
        LANGUAGE sql IMMUTABLE AS $$
            SELECT CASE
                WHEN jsonb_typeof(value) = 'string' AND value #>> '{{}}' ~ '^(env:|file:|$)' THEN value
                WHEN jsonb_typeof(value) IN ('object', 'array') OR value #>> '{{}}' ~ '^enc:|://.*@' THEN '"[redacted]"'
                WHEN all_secret AND name NOT IN ({_quoted(OPEN_NAMES)}) THEN '"[redacted]"'
                WHEN NOT all_secret AND name ~* '{"|".join(SECRET_WORDS)}' THEN '"[redacted]"'
                ELSE value END
        $$""",
        f"""
        CREATE OR REPLACE FUNCTION tocsin_redacted(source jsonb) RETURNS jsonb
        LANGUAGE sql IMMUTABLE SET search_path = {schema} AS $$
            SELECT source
                || CASE WHEN source->>'url' !~ '^(env:|file:|$)' THEN '{{"url": "[redacted]"}}'::jsonb ELSE '{{}}' END
                || CASE WHEN source ? 'urls' THEN jsonb_build_object('urls', (
                    SELECT coalesce(jsonb_agg(tocsin_redacted_entry('', value, false) ORDER BY place), '[]')
                    FROM jsonb_array_elements(source->'urls') WITH ORDINALITY AS e(value, place))) ELSE '{{}}' END
                || coalesce((
                    SELECT jsonb_object_agg(column_.key, coalesce((
                        SELECT jsonb_object_agg(e.key, tocsin_redacted_entry(e.key, e.value, column_.key <> 'settings'))
                        FROM jsonb_each(column_.value) e), '{{}}'))
                    FROM jsonb_each(source) column_ WHERE column_.key IN ('settings', {_quoted(SECRET_COLUMNS)})), '{{}}')
        $$""",
    ]


def postgresql_statements(definition: Definition) -> list[str]:
    """The triggers of one table on PostgreSQL."""
    table = definition.table
    return [
        f"CREATE TRIGGER {table}_version BEFORE UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION tocsin_version()",
        (
            f"CREATE TRIGGER {table}_changed AFTER INSERT OR UPDATE OR DELETE ON {table} "
            f"FOR EACH ROW EXECUTE FUNCTION tocsin_record_change('{definition.key}')"
        ),
        f"CREATE TRIGGER {table}_truncated AFTER TRUNCATE ON {table} EXECUTE FUNCTION tocsin_record_truncate()",
    ]


def _quoted(words: Sequence[str]) -> str:
    return ", ".join(f"'{word}'" for word in words)
