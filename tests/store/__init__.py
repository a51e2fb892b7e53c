"""The store on real databases, one suite for SQLite and PostgreSQL."""
