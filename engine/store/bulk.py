"""Many rows by one statement, as the driver takes them: the text worked out once, the rows tuples of what the columns hold.

What hundreds of rows a transaction are written by goes this way, because SQLAlchemy makes a dictionary of each row and
looks at each of its values twice, which costs more than the database's own work. JSON is given as its text
(engine/store/json_text.py) and an instant as `moment` says.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Insert, Update
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

from engine.store.types import to_microseconds

_DIALECTS: Final = {
    "sqlite": SQLiteDialect_pysqlite(paramstyle="qmark"),
    "postgresql": PGDialect_psycopg(paramstyle="format"),  # type: ignore[no-untyped-call]  # SQLAlchemy left it so
}


@dataclass(frozen=True, slots=True)
class Bulk:
    """The statement that `build` makes for a connection; a row has a value for each of `columns`, in their order.

    An INSERT has them in the table's order. The statement may have no other values in it: what is constant is written as a
    literal.
    """

    build: Callable[[Connection], Insert | Update]
    columns: tuple[str, ...]
    _texts: dict[str, str] = field(default_factory=dict)

    def run(self, connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
        """Execute the statement once for each row, in order."""
        if rows:
            connection.exec_driver_sql(self._text(connection), list(rows))

    def _text(self, connection: Connection) -> str:
        name = connection.dialect.name
        if name not in self._texts:
            compiled = self.build(connection).compile(dialect=_DIALECTS[name], column_keys=self.columns)
            order = tuple(compiled.positiontup or ())
            if order != self.columns:
                raise ValueError(f"the statement takes {order}, not {self.columns}")
            self._texts[name] = str(compiled)
        return self._texts[name]


def moment(connection: Connection) -> Callable[[datetime], Any]:
    """What an Instant column of this database is given for an aware instant."""
    return to_microseconds if connection.dialect.name == "sqlite" else _aware


def maybe(connection: Connection) -> Callable[[datetime | None], Any]:
    """The same where there may be none."""
    given = moment(connection)
    return lambda instant: None if instant is None else given(instant)


def _aware(instant: datetime) -> datetime:
    if instant.tzinfo is None:
        raise ValueError(f"naive time {instant.isoformat()}: an instant needs a zone, e.g. datetime.now(UTC)")
    return instant
