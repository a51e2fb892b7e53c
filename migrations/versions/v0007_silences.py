"""Silences that hold within time intervals, that end with their alerts, and that say they mean nearly everything.

Revision ID: 0007
Revises: 0006
Create Date: 2026-11-28
"""

from __future__ import annotations

from typing import Final

from alembic import op

from migrations import checks, remaking

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

COLUMNS: Final = {
    "time_intervals": "JSON NOT NULL DEFAULT '[]'",
    "until_resolved": "BOOLEAN NOT NULL DEFAULT false",
    "force": "BOOLEAN NOT NULL DEFAULT false",
}


def upgrade() -> None:
    refused = {str(check.name): str(check.sqltext) for check in checks.silence_kinds(op.get_bind().dialect.name)}
    remaking.add_columns(
        "silences",
        [
            f"{name} {kind}" + (f" CONSTRAINT ck_silences_{name} CHECK ({refused[name]})" if name in refused else "")
            for name, kind in COLUMNS.items()
        ],
    )
    remaking.remake_triggers("silences", "id", instants=("starts_at", "ends_at"))


def downgrade() -> None:
    """Nothing: a column more does no harm, and SQLite would have to copy the table."""
