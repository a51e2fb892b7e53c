"""Rows of silences as people write them by SQL, and the silences they mean."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import text

from engine.store import silences
from engine.store.database import Database
from rules.errors import RulesError
from rules.matchers import parse_matchers
from rules.silences import Silence

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
DISK = parse_matchers('alertname="Disk"')


def insert(database: Database, matchers: str, ends_at: str = "2099-01-01T00:00:00Z") -> Silence | None:
    with database.write() as connection:
        connection.execute(
            text("INSERT INTO silences (id, matchers, ends_at) VALUES ('s', :matchers, :ends_at)"),
            {"matchers": matchers, "ends_at": ends_at},
        )
    with database.read() as connection:
        return silences.get(connection, "s")


def test_the_shortest_insert_makes_a_silence_that_starts_now(database: Database) -> None:
    found = insert(database, '["alertname=Disk"]')
    assert found is not None
    assert (found.matchers, found.ends_at) == (DISK, datetime(2099, 1, 1, tzinfo=UTC))
    with database.read() as connection:
        assert abs(database.now(connection) - found.starts_at) < timedelta(minutes=1)


def test_matchers_may_be_objects(database: Database) -> None:
    found = insert(database, '[{"name": "alertname", "operator": "=", "value": "Disk"}]')
    assert found is not None
    assert found.matchers == DISK


def test_a_moment_keeps_its_microseconds_and_loses_its_offset_not_its_meaning(database: Database) -> None:
    berlin = timezone(timedelta(hours=1))
    start = datetime(2026, 11, 21, 13, 0, 0, 1, tzinfo=berlin)
    given = Silence(id="s", matchers=DISK, starts_at=start, ends_at=start + timedelta(microseconds=1))
    with database.write() as connection:
        stored = silences.put(connection, given)
    assert stored == given
    assert stored.starts_at.utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    ("matchers", "field", "message"),
    [
        pytest.param("[]", "matchers", "needs at least one matcher", id="none"),
        pytest.param('["team!=db"]', "matchers", "would silence nearly everything", id="only negative"),
        pytest.param('["a=~("]', "matchers", "matchers: ", id="broken regex"),
        pytest.param("[null]", "matchers", "matchers is NULL; give a JSON list", id="null in the list"),
    ],
)
def test_a_silence_over_everything_or_nothing_is_refused(
    database: Database, matchers: str, field: str, message: str
) -> None:
    with pytest.raises(RulesError, match=message) as refused:
        insert(database, matchers)
    assert refused.value.field == field


@pytest.mark.parametrize("value", [None, 1, "soon"])
def test_a_row_without_a_moment_is_refused(value: object) -> None:
    with pytest.raises(RulesError, match=r"ends_at is .*; give a moment such as") as refused:
        silences.from_row({"id": "s", "matchers": ["a=b"], "starts_at": NOON, "ends_at": value})
    assert refused.value.field == "ends_at"
