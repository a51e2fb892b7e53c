"""A channel may be any service that Apprise speaks to: `kind` takes one word more.

Revision ID: 0010
Revises: 0009
Create Date: 2026-11-28
"""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from alembic import op

from migrations import checks, remaking

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

BEFORE: Final = "kind IN ('slack', 'pagerduty', 'email', 'webhook', 'log')"


def upgrade() -> None:
    dialect = op.get_bind().dialect.name
    refused = {str(check.name): str(check.sqltext) for check in checks.channels(dialect)}["kind"]
    if dialect == "postgresql":
        op.drop_constraint(op.f("ck_channels_kind"), "channels", type_="check")
        op.create_check_constraint(op.f("ck_channels_kind"), "channels", sa.text(refused))
    else:
        remaking.replace_in_table("channels", BEFORE, refused)
        remaking.remake_triggers("channels", "name")


def downgrade() -> None:
    """Nothing: a word more does no harm, and a channel that has it would have to go."""
