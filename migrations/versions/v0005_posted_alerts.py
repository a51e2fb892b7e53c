"""Posted alerts: until when each is believed, and what it names as its origin.

Revision ID: 0005
Revises: 0004
Create Date: 2026-11-28
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from engine.store.types import Instant, RowNumber

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("alerts", sa.Column("generator_url", sa.Text(), server_default="", nullable=False))
    op.create_table(
        "external_expiry",
        sa.Column("alert_id", RowNumber, autoincrement=False, nullable=False),
        sa.Column("ends_at", Instant(), nullable=False),
        sa.Column("timeout", sa.Boolean(), nullable=False),
        sa.Column("updated_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["alert_id"], ["alerts.id"], name=op.f("fk_external_expiry_alert_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("alert_id", name=op.f("pk_external_expiry")),
    )
    op.create_index("ix_external_expiry_ends_at", "external_expiry", ["ends_at"], unique=False)


def downgrade() -> None:
    op.drop_table("external_expiry")
    op.drop_column("alerts", "generator_url")
