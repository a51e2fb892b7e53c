"""An index of what waits by channel, so that a channel with a long queue is never read to find the next message of another.

Revision ID: 0012
Revises: 0011
Create Date: 2026-11-28
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

WAITING = sa.text("status = 'pending'")


def upgrade() -> None:
    op.create_index(
        "ix_outbox_channel",
        "outbox",
        ["channel", "next_attempt_at", "id"],
        sqlite_where=WAITING,
        postgresql_where=WAITING,
    )


def downgrade() -> None:
    op.drop_index("ix_outbox_channel", table_name="outbox")
