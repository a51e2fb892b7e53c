"""Rows that go to the driver as tuples read back as those that SQLAlchemy writes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import select, update

from engine.store import bulk, ledger
from engine.store.bulk import Bulk
from engine.store.database import Database
from engine.store.ledger import Entry, Kind, Subject
from engine.store.tables import alert_groups
from engine.store.tables import ledger as rows

AT = datetime(2026, 6, 1, 12, 0, 0, 123456, tzinfo=timezone(timedelta(hours=2)))


def test_a_row_reads_back_to_the_microsecond_and_to_the_character(database: Database) -> None:
    told = Entry(
        at=AT,
        kind=Kind.DECISION,
        reason="100 % of %s, ? and 'quoted'",
        subject_type=Subject.GROUP,
        subject_id="7",
        alert_ids=[3, 1],
        detail={"text": 'über "alles" \\ 🚨', "nested": {"list": [1.5, None, True]}},
    )
    with database.write() as connection:
        ledger.write(connection, [told, told])
        ledger.write(connection, [])
        found = ledger.of(connection, Subject.GROUP, "7")
        plain = connection.execute(select(rows.c.alert_ids, rows.c.detail)).all()
    assert [(one.at, one.reason, one.alert_ids, one.detail) for one in found] == [
        (AT.astimezone(UTC), told.reason, (3, 1), told.detail)
    ] * 2
    assert plain == [([3, 1], told.detail)] * 2


def test_a_time_without_a_zone_is_refused(database: Database) -> None:
    with database.read() as connection, pytest.raises((TypeError, ValueError), match="naive"):
        bulk.moment(connection)(AT.replace(tzinfo=None))


def test_a_statement_with_a_value_of_its_own_is_refused(database: Database) -> None:
    def idle(_connection: object) -> object:
        return update(alert_groups).where(alert_groups.c.id == 1).values(flush_at=None)

    broken = Bulk(idle, ("flush_at",))  # type: ignore[arg-type]  # what it returns is what is wrong with it
    with database.write() as connection, pytest.raises(ValueError, match="the statement takes"):
        broken.run(connection, [(None,)])
