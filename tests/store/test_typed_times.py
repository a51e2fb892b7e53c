"""A time typed as text into SQLite's shell becomes the exact microsecond, or is refused; a bound may be absent."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Row, delete, insert, select, text
from sqlalchemy.exc import IntegrityError

from engine.store.database import Database
from engine.store.tables import alert_rules, definition_changes, silences, thresholds
from engine.store.types import from_microseconds, to_microseconds

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def changes(connection: Connection, table: str = "silences") -> Sequence[Row[Any]]:
    """What was recorded of the table, oldest first."""
    columns = definition_changes.c
    return connection.execute(select(definition_changes).where(columns.table_name == table).order_by(columns.id)).all()


@pytest.mark.parametrize(
    ("typed", "instant"),
    [
        ("2099-11-21", "2099-11-21T00:00:00+00:00"),
        ("2099-11-21 12:30", "2099-11-21T12:30:00+00:00"),
        ("2099-11-21 12:30:15", "2099-11-21T12:30:15+00:00"),
        ("2099-11-21T12:30:15Z", "2099-11-21T12:30:15+00:00"),
        ("2099-11-21T12:30:15z", "2099-11-21T12:30:15+00:00"),
        ("2099-11-21T12:30:15+02:00", "2099-11-21T10:30:15+00:00"),
        ("2099-11-21 12:30:15 -05:30", "2099-11-21T18:00:15+00:00"),
        ("2099-11-21 00:30+02:00", "2099-11-20T22:30:00+00:00"),
        ("2099-11-21T12:30:15.1Z", "2099-11-21T12:30:15.100000+00:00"),
        ("2099-11-21T12:30:15.000001", "2099-11-21T12:30:15.000001+00:00"),
        ("2099-11-21T12:30:15.999999+02:00", "2099-11-21T10:30:15.999999+00:00"),
        ("2099-11-21T12:30:15.1234567891Z", "2099-11-21T12:30:15.123456+00:00"),
        ("2096-02-29T23:59:59.5-14:00", "2096-03-01T13:59:59.500000+00:00"),
    ],
)
def test_a_time_typed_as_text_becomes_the_exact_microsecond(sqlite: Database, typed: str, instant: str) -> None:
    with sqlite.write() as connection:
        connection.execute(
            text("INSERT INTO silences (id, matchers, starts_at, ends_at) VALUES ('r', '[]', '1970-01-02', :typed)"),
            {"typed": typed},
        )
        assert connection.execute(select(silences.c.ends_at)).scalar_one() == datetime.fromisoformat(instant)
        (change,) = changes(connection)
    assert (change.operation, change.version) == ("insert", 1)
    assert change.after["ends_at"] == to_microseconds(datetime.fromisoformat(instant))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(count=st.integers(to_microseconds(NOON), to_microseconds(NOON) * 4), zone=st.integers(-14 * 60, 14 * 60))
def test_every_time_that_python_writes_is_read_exactly(sqlite: Database, count: int, zone: int) -> None:
    offset = f"{'-' if zone < 0 else '+'}{abs(zone) // 60:02}:{abs(zone) % 60:02}"
    there = (from_microseconds(count) + timedelta(minutes=zone)).replace(tzinfo=None)
    with sqlite.write() as connection:
        connection.execute(delete(silences))
        connection.execute(
            text("INSERT INTO silences (matchers, starts_at, ends_at) VALUES ('[]', 0, :typed)"),
            {"typed": f"{there.isoformat()}{offset}"},
        )
        assert connection.execute(text("SELECT ends_at FROM silences")).scalar_one() == count


@pytest.mark.parametrize(
    "typed",
    [
        "nonsense",
        "",
        "tomorrow",
        "12:00",
        "2099-13-01",
        "2099-02-30",
        "2099-11-21T24:00:00Z",
        "2099-11-21T12:00:60Z",
        "2099-11-21T12:00:00 PM",
        "2099-11-21T12:00:00 Europe/Berlin",
        "2099-11-21T12:00:00+0200",
        "2099-11-21T12:00:00+99:00",
        "2099-11-21T12:00:00+02:00Z",
        "2099-11-21T12:00:00.5e3",
        "2099-11-21T12:00:00.",
        "2099-11-21T12:00.5Z",
        "21.11.2099",
    ],
)
@pytest.mark.parametrize("column", ["starts_at", "ends_at"])
def test_what_is_no_time_is_refused_with_an_example(sqlite: Database, column: str, typed: str) -> None:
    times = {"starts_at": "2026-01-01", "ends_at": "2099-12-31"} | {column: typed}
    statement = text("INSERT INTO silences (matchers, starts_at, ends_at) VALUES ('[]', :starts_at, :ends_at)")
    with (
        pytest.raises(IntegrityError, match=rf"silences\.{column} is no time: write 2026-"),
        sqlite.write() as connection,
    ):
        connection.execute(statement, times)


def test_a_silence_typed_to_end_before_it_starts_is_refused(sqlite: Database) -> None:
    statement = "INSERT INTO silences (matchers, starts_at, ends_at) VALUES ('[]', '2026-11-21 12:00', '2026-11-21 13:00+02:00')"
    with pytest.raises(IntegrityError, match=r"ends_at is not after silences\.starts_at"), sqlite.write() as connection:
        connection.execute(text(statement))


def test_an_update_may_type_a_time_too_and_is_one_change(sqlite: Database) -> None:
    with sqlite.write() as connection:
        connection.execute(
            insert(silences).values(id="r", matchers=[], starts_at=NOON, ends_at=NOON + timedelta(hours=1))
        )
        connection.execute(text("UPDATE silences SET ends_at = '2026-11-21T14:30:00.25+01:00', comment = 'longer'"))
        (_, updated) = changes(connection)
        row = connection.execute(select(silences)).one()
    assert row.ends_at == NOON + timedelta(hours=1, minutes=30, milliseconds=250)
    assert (row.version, updated.version, updated.after["ends_at"]) == (2, 2, to_microseconds(row.ends_at))
    assert updated.before["ends_at"] == to_microseconds(NOON + timedelta(hours=1))


# Where a time may be absent


@pytest.fixture
def refined(sqlite: Database) -> Database:
    """A database with a rule `r` to refine."""
    with sqlite.write() as connection:
        connection.execute(insert(alert_rules).values(id="r", name="n", expr="up > 1"))
    return sqlite


def refine(connection: Connection, valid_from: str | None, valid_to: str | None) -> None:
    connection.execute(
        text(
            "INSERT INTO thresholds (rule_id, threshold, valid_from, valid_to) VALUES ('r', 5, :valid_from, :valid_to)"
        ),
        {"valid_from": valid_from, "valid_to": valid_to},
    )


@pytest.mark.parametrize(
    ("valid_from", "valid_to"),
    [
        pytest.param("2026-11-21T13:00:00.000001+01:00", None, id="only a beginning"),
        pytest.param(None, "2026-11-21 12:00:00.000001", id="only an end"),
        pytest.param(None, None, id="neither"),
        pytest.param("2026-11-21 12:00", "2026-11-21T12:00:00.000001Z", id="both"),
    ],
)
def test_a_bound_of_a_threshold_row_may_be_typed_or_left_out(
    refined: Database, valid_from: str | None, valid_to: str | None
) -> None:
    def meant(typed: str | None) -> datetime | None:
        return None if typed is None else datetime.fromisoformat(typed).replace(tzinfo=UTC, hour=12)

    with refined.write() as connection:
        refine(connection, valid_from, valid_to)
        found = connection.execute(select(thresholds.c.valid_from, thresholds.c.valid_to)).one()
        (change,) = changes(connection, "thresholds")
    assert tuple(found) == (meant(valid_from), meant(valid_to))
    recorded = [bound and to_microseconds(bound) for bound in found]
    assert [change.after["valid_from"], change.after["valid_to"]] == recorded


def test_a_bound_can_be_taken_away_and_typed_again_each_as_one_change(refined: Database) -> None:
    with refined.write() as connection:
        refine(connection, "2026-11-21", "2026-11-22")
        connection.execute(text("UPDATE thresholds SET valid_to = NULL"))
        connection.execute(text("UPDATE thresholds SET valid_to = '2026-11-23'"))
        found = [(change.version, change.after["valid_to"]) for change in changes(connection, "thresholds")]
    days = [to_microseconds(datetime(2026, 11, day, tzinfo=UTC)) for day in (22, 23)]
    assert found == [(1, days[0]), (2, None), (3, days[1])]


@pytest.mark.parametrize("column", ["valid_from", "valid_to"])
def test_a_bound_that_is_no_time_is_refused_with_an_example(refined: Database, column: str) -> None:
    bounds: dict[str, str | None] = {"valid_from": None, "valid_to": None, column: "next week"}
    with (
        pytest.raises(IntegrityError, match=rf"thresholds\.{column} is no time: write 2026-"),
        refined.write() as connection,
    ):
        refine(connection, **bounds)


def test_bounds_typed_the_wrong_way_round_are_refused(refined: Database) -> None:
    message = r"thresholds\.valid_to is not after thresholds\.valid_from"
    with pytest.raises(IntegrityError, match=message), refined.write() as connection:
        refine(connection, "2026-11-21 12:00", "2026-11-21 13:00+02:00")
