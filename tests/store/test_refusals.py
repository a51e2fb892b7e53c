"""A row the database refuses may hold a secret, and PostgreSQL repeats the row: no log line does."""

from __future__ import annotations

import pytest
from sqlalchemy import insert
from sqlalchemy.exc import DBAPIError

from engine import tracebacks
from engine.store.database import Database
from engine.store.tables import channels

CANARY = "canary-0123456789\nand its second line"


def test_a_refused_row_is_not_repeated(database: Database) -> None:
    with pytest.raises(DBAPIError) as caught, database.write() as connection:
        connection.execute(insert(channels).values(name="c", kind="fax", url=CANARY))
    repeated = "canary-0123456789" in str(caught.value)
    assert repeated is not database.is_sqlite, "what PostgreSQL does, and what this is about"
    shown = tracebacks.text(caught.value)
    assert "canary" not in shown
    assert "second line" not in shown
    assert "constraint" in shown.lower()


def test_a_refused_key_is_not_repeated(database: Database) -> None:
    with pytest.raises(DBAPIError) as caught, database.write() as connection:
        connection.execute(insert(channels).values(name="slack", kind="log", url=CANARY))
    assert "canary" not in tracebacks.text(caught.value)
