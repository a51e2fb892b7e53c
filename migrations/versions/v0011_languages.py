"""Rules in other languages than PromQL: LogQL for Loki, LogsQL for VictoriaLogs.

Revision ID: 0011
Revises: 0010
Create Date: 2026-11-28
"""

from __future__ import annotations

from alembic import op

from migrations import checks, remaking

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    [known] = checks.rule_languages()
    check = f"CONSTRAINT ck_alert_rules_language CHECK ({known.sqltext})"
    remaking.add_columns("alert_rules", [f"language TEXT NOT NULL DEFAULT 'promql' {check}"])
    op.get_bind().exec_driver_sql(
        "UPDATE alert_rules SET language = 'logql' "
        "WHERE expr IS NOT NULL AND datasource IN (SELECT name FROM datasources WHERE kind = 'loki')"
    )
    remaking.remake_triggers("alert_rules", "id")


def downgrade() -> None:
    """Nothing: a column more does no harm, and SQLite would have to copy the table."""
