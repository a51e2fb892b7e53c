"""Instants and the database's own defaults mean the same on SQLite and PostgreSQL, to the microsecond."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import Column, Connection, DateTime, Float, Integer, MetaData, Table, Text, delete, func, insert, select
from sqlalchemy.exc import StatementError

from engine.store.database import Database
from engine.store.types import EPOCH, Instant, from_microseconds, present, random_id, to_microseconds

moments = Table(
    "moments",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("at", Instant),
    Column("made_at", Instant, server_default=present()),
    Column("token", Text, server_default=random_id()),
)

offsets = st.timedeltas(timedelta(hours=-23, minutes=-59), timedelta(hours=23, minutes=59)).map(timezone)
# The years both databases and Python can tell in every zone; Hypothesis wants the ends naive.
first, last = (datetime(*day, tzinfo=UTC).replace(tzinfo=None) for day in ((1, 1, 3), (9999, 12, 29)))
instants = st.datetimes(first, last, timezones=st.one_of(offsets, st.timezones()))


@pytest.fixture
def table(empty: Database) -> Iterator[Connection]:
    """A database with nothing but the table of this file, inside one transaction."""
    with empty.write() as connection:
        moments.create(connection)
        yield connection


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(at=datetime(2026, 11, 21, 12, 0, 0, 1, timezone(timedelta(hours=2))))
@example(at=datetime(1969, 12, 31, 23, 59, 59, 999999, UTC))
@given(at=instants)
def test_an_instant_of_any_offset_comes_back_exactly_and_in_utc(table: Connection, at: datetime) -> None:
    table.execute(delete(moments))
    table.execute(insert(moments).values(at=at))
    found = table.execute(select(moments.c.at)).scalar_one()
    assert found == at.astimezone(UTC)
    assert found.utcoffset() == timedelta(0)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(several=st.lists(instants, min_size=2, max_size=6, unique_by=lambda at: at.astimezone(UTC)))
def test_the_database_orders_instants_as_time_does_whatever_their_offsets(
    table: Connection, several: list[datetime]
) -> None:
    table.execute(delete(moments))
    table.execute(insert(moments), [{"at": at} for at in several])
    ordered = table.execute(select(moments.c.at).order_by(moments.c.at)).scalars().all()
    assert ordered == sorted(at.astimezone(UTC) for at in several)


def test_an_instant_may_be_absent(table: Connection) -> None:
    table.execute(insert(moments).values(at=None))
    assert table.execute(select(moments.c.at)).scalar_one() is None


def test_a_naive_time_is_refused_because_it_does_not_say_when(table: Connection) -> None:
    with pytest.raises(StatementError, match=r"naive time 2026-11-21T12:00:00.*datetime\.now\(UTC\)"):
        table.execute(insert(moments).values(at=datetime(2026, 11, 21, 12)))  # noqa: DTZ001 - the mistake itself


def test_an_instant_is_compared_with_one_of_another_offset(table: Connection) -> None:
    noon = datetime(2026, 11, 21, 12, tzinfo=UTC)
    table.execute(insert(moments).values(at=noon))
    berlin = (noon + timedelta(microseconds=1)).astimezone(timezone(timedelta(hours=1)))
    assert table.execute(select(func.count()).where(moments.c.at < berlin)).scalar_one() == 1


@given(at=instants)
def test_microseconds_since_1970_are_exact_both_ways(at: datetime) -> None:
    assert from_microseconds(to_microseconds(at)) == at.astimezone(UTC)


@pytest.mark.parametrize(
    ("at", "count"),
    [
        pytest.param(EPOCH, 0, id="the epoch"),
        pytest.param(datetime(1970, 1, 1, 2, tzinfo=timezone(timedelta(hours=2))), 0, id="the epoch elsewhere"),
        pytest.param(EPOCH - timedelta(microseconds=1), -1, id="before it"),
        pytest.param(datetime(9999, 12, 31, 23, 59, 59, 999999, UTC), 253402300799999999, id="beyond a float's digits"),
    ],
)
def test_microseconds_are_counted_from_1970_utc(at: datetime, count: int) -> None:
    assert to_microseconds(at) == count


def test_the_database_gives_the_present_moment_by_default(table: Connection) -> None:
    before = datetime.now(UTC) - timedelta(milliseconds=2)  # SQLite's clock counts milliseconds.
    table.execute(insert(moments).values(id=1))
    made = table.execute(select(moments.c.made_at)).scalar_one()
    assert before <= made <= datetime.now(UTC) + timedelta(milliseconds=2)


def test_the_database_makes_random_ids_of_its_own(table: Connection) -> None:
    table.execute(insert(moments), [{"id": number} for number in range(50)])
    tokens = table.execute(select(moments.c.token)).scalars().all()
    assert len(set(tokens)) == 50
    assert all(len(token) == 32 and int(token, 16) >= 0 for token in tokens)


def test_the_trap_an_ordinary_datetime_column_of_sqlite_forgets_the_offset(sqlite: Database) -> None:
    plain = Table("plain", MetaData(), Column("at", DateTime(timezone=True)))
    at = datetime(2026, 11, 21, 12, tzinfo=timezone(timedelta(hours=2)))
    with sqlite.write() as connection:
        plain.create(connection)
        connection.execute(insert(plain).values(at=at))
        assert connection.execute(select(plain.c.at)).scalar_one() == at.replace(tzinfo=None)


def test_the_trap_a_number_column_of_sqlite_loses_nan_and_a_text_keeps_it(sqlite: Database) -> None:
    plain = Table("plain", MetaData(), Column("number", Float), Column("word", Text))
    with sqlite.write() as connection:
        plain.create(connection)
        connection.execute(insert(plain).values(number=math.nan, word=str(math.nan)))
        connection.execute(insert(plain).values(number=-math.inf, word=str(-math.inf)))
        (lost, kept), (infinite, word) = connection.execute(select(plain)).all()
    assert lost is None
    assert math.isnan(float(kept))
    assert infinite == float(word) == -math.inf
