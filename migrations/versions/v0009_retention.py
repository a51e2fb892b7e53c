"""Indexes by age, so that what is old is found without reading what is not.

Revision ID: 0009
Revises: 0008
Create Date: 2026-11-28
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

AGES = (
    ("ix_outbox_finished_at", "outbox", "finished_at", "status <> 'pending'"),
    ("ix_alerts_resolved_at", "alerts", "resolved_at", "state = 'inactive'"),
    ("ix_group_members_left_at", "group_members", "left_at", "left_at IS NOT NULL"),
)


def upgrade() -> None:
    for name, table, column, where in AGES:
        op.create_index(name, table, [column], sqlite_where=sa.text(where), postgresql_where=sa.text(where))


def downgrade() -> None:
    for name, table, *_ in AGES:
        op.drop_index(name, table_name=table)
