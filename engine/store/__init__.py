"""The only SQL: one file per concept, rows ⇄ values. The same suite runs on SQLite and PostgreSQL."""
