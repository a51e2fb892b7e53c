"""What a process does and whether it left in order, so that several can share the work and a lost one is missed.

Revision ID: 0002
Revises: 0001
Create Date: 2026-11-28
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from engine.store.types import Instant

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # NULL in `roles` is a process of the first version, which does everything and does not say that it leaves.
    op.add_column("nodes", sa.Column("roles", sa.Text()))
    op.add_column("nodes", sa.Column("left_at", Instant()))


def downgrade() -> None:
    op.drop_column("nodes", "left_at")
    op.drop_column("nodes", "roles")
