"""What a channel's rate limit needs: when its last messages went, and which messages it has kept waiting.

Revision ID: 0008
Revises: 0007
Create Date: 2026-11-28
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from engine.store.types import Instant

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("channel_state", sa.Column("sent", sa.JSON(), nullable=False, server_default=sa.text("'[]'")))
    op.add_column("outbox", sa.Column("deferred_until", Instant()))


def downgrade() -> None:
    op.drop_column("outbox", "deferred_until")
    op.drop_column("channel_state", "sent")
