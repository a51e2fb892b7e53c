"""Rows out of the record of changes, which keeps them as JSON: moments are read back into what the tables hold."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from engine.store.tables import metadata
from engine.store.types import Instant, from_microseconds


def moment(value: object) -> datetime | None:
    """The recorded moment: SQLite's microseconds, or PostgreSQL's text in the zone of whoever wrote; `None` if neither."""
    try:
        if isinstance(value, int):
            return from_microseconds(value)
        return datetime.fromisoformat(str(value)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def readable(table: str, row: Mapping[str, object]) -> dict[str, object]:
    """The row with moments in the place of their texts, as a row of the table has them."""
    columns = metadata.tables[table].c
    moments = {
        name: moment(value)
        for name, value in row.items()
        if name in columns and isinstance(columns[name].type, Instant)
    }
    return {**row, **moments}
