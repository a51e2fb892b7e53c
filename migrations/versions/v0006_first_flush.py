"""Groups know their last flush: one that waits for its first can be hurried by an alert that is old already.

Revision ID: 0006
Revises: 0005
Create Date: 2026-11-28
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from engine.store.types import Instant

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("alert_groups", sa.Column("flushed_at", Instant(), nullable=True))
    # Whoever has told somebody of a busy group has flushed it.
    op.execute(
        "UPDATE alert_groups SET flushed_at = created_at WHERE flush_at IS NOT NULL "
        "AND EXISTS (SELECT 1 FROM group_channels WHERE group_channels.group_id = alert_groups.id)"
    )


def downgrade() -> None:
    op.drop_column("alert_groups", "flushed_at")
