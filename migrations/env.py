"""Alembic's entry: runs on the connection that engine.store.schema hands over, never on one of its own."""

from __future__ import annotations

from alembic import context

from engine.store.tables import metadata


def run() -> None:
    """Run the migrations inside the caller's connection, one transaction for all of them."""
    connection = context.config.attributes["connection"]
    context.configure(
        connection=connection,
        target_metadata=metadata,
        render_as_batch=True,
        compare_type=True,
        transaction_per_migration=False,
    )
    with context.begin_transaction():
        context.run_migrations()


run()
