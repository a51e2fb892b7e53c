"""How a datasource is connected to: headers of its own, and TLS settings.

Revision ID: 0003
Revises: 0002
Create Date: 2026-11-28
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from migrations import change_triggers, checks, remaking

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    connection = op.get_bind()
    remaking.add_columns(
        "datasources",
        [
            f"{check.name} JSON NOT NULL DEFAULT '{{}}' CONSTRAINT ck_datasources_{check.name} CHECK ({check.sqltext})"
            for check in checks.datasource_connections(connection.dialect.name)
        ],
    )
    remaking.remake_triggers("datasources", "name")
    if connection.dialect.name == "postgresql":
        schema: str = connection.execute(sa.text("SELECT quote_ident(current_schema())")).scalar_one()
        for statement in change_triggers.postgresql_redaction(schema):
            connection.exec_driver_sql(statement.replace("%", "%%"))


def downgrade() -> None:
    """Nothing: a column more does no harm, and SQLite would have to copy the table."""
