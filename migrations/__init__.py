"""The database's shape, step by step (Alembic). Expand first, contract later: old code must run on the new schema."""
