"""Column types and server-side defaults that mean the same on SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import BigInteger, Dialect, Integer, types
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)

RowNumber = BigInteger().with_variant(Integer(), "sqlite")
"""A 64-bit row number; on SQLite the plain INTEGER that is an alias of the rowid."""


class Instant(types.TypeDecorator[datetime]):
    """An aware instant, kept to the microsecond with no offset lost.

    PostgreSQL: `timestamptz`. SQLite: microseconds since 1970 UTC as an integer, because SQLite has no instants and
    SQLAlchemy's own text form drops the offset without converting it (12:00+02:00 reads back as 12:00). Naive times are
    refused: they do not say when.
    """

    impl = BigInteger
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> types.TypeEngine[datetime] | types.TypeEngine[int]:
        if dialect.name == "postgresql":
            return dialect.type_descriptor(TIMESTAMP(timezone=True))
        return dialect.type_descriptor(BigInteger())

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | int | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"naive time {value.isoformat()}: an instant needs a zone, e.g. datetime.now(UTC)")
        if dialect.name == "postgresql":
            return value.astimezone(UTC)
        return to_microseconds(value)

    def process_result_value(
        self,
        value: datetime | int | str | None,
        dialect: Dialect,  # noqa: ARG002 - SQLAlchemy's signature
    ) -> datetime | None:
        return _instant(value)

    def result_processor(
        self,
        dialect: Dialect,  # noqa: ARG002 - SQLAlchemy's signature
        coltype: object,  # noqa: ARG002
    ) -> Callable[[datetime | int | str | None], datetime | None]:
        # SQLAlchemy's own goes through two calls more for each of the half a million instants that a start may read.
        return _instant


def _instant(value: datetime | int | str | None) -> datetime | None:
    if value is None:
        return None
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    return from_microseconds(int(value))


def to_microseconds(instant: datetime) -> int:
    """Whole microseconds since 1970 UTC, exact (a float would lose the last digit)."""
    return (instant - EPOCH) // _MICROSECOND


def from_microseconds(count: int) -> datetime:
    """The instant that many microseconds after 1970 UTC."""
    return EPOCH + timedelta(microseconds=count)


class random_id(FunctionElement[str]):  # noqa: N801 - reads as the SQL function it stands for
    """A fresh random id made by the database, so that an INSERT typed by hand needs none."""

    inherit_cache = True


class present(FunctionElement[datetime]):  # noqa: N801
    """The database's clock as an Instant, for server-side defaults."""

    inherit_cache = True


@compiles(random_id, "sqlite")
def _random_id_sqlite(_element: random_id, _compiler: SQLCompiler, **_: object) -> str:
    return "(lower(hex(randomblob(16))))"


@compiles(random_id, "postgresql")
def _random_id_postgresql(_element: random_id, _compiler: SQLCompiler, **_: object) -> str:
    return "replace(gen_random_uuid()::text, '-', '')"


@compiles(present, "sqlite")
def _present_sqlite(_element: present, _compiler: SQLCompiler, **_: object) -> str:
    # julianday has millisecond precision, which is what SQLite's own clock gives.
    return "(CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER) * 1000)"


@compiles(present, "postgresql")
def _present_postgresql(_element: present, _compiler: SQLCompiler, **_: object) -> str:
    return "clock_timestamp()"
