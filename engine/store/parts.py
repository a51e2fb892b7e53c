"""One definition table in memory: the good values by key, and what is wrong with the other rows.

A part never changes; reading touched rows again gives a new one. A row that is refused spoils only itself, and where the
table remembers, its last good version stays in force, found in the recorded changes so that a restart finds the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Generic, TypeVar

from sqlalchemy import Connection

from engine.store import changes, checksums
from engine.store.changes import EVERY_KEY, Touched
from engine.store.definition_table import DefinitionTable, writable
from engine.store.fields import Row
from rules.errors import RulesError
from rules.problems import Problem, Severity

Value = TypeVar("Value")
Kept = TypeVar("Kept")


@dataclass(frozen=True, slots=True, kw_only=True)
class Part(Generic[Value]):
    """The readable rows of a table as values, and the problems of the others; a key in both is at its last good version.

    `digests` are those of the rows as they were read, readable or not.
    """

    values: Mapping[str, Value] = field(default_factory=dict)
    refused: Mapping[str, tuple[Problem, ...]] = field(default_factory=dict)
    digests: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Then(Generic[Value]):
    """A row at an earlier moment: what was in force of it, and the problems it was refused for; `absent`: there was none."""

    value: Value | None = None
    problems: tuple[Problem, ...] = ()
    absent: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader(Generic[Value]):
    """How a table is read: what makes a value unfit although its row reads, and what stays in force for a refused row.

    `keep` is handed the last good version and the refused row; `None` means that nothing of the kind is kept.
    """

    table: DefinitionTable[Value]
    check: Callable[[Value], tuple[Problem, ...]] = lambda _value: ()
    keep: Callable[[Value, Row], Value] | None = None

    def reread(self, connection: Connection, before: Part[Value], touched: Touched | None) -> Part[Value]:
        """The part with the touched rows read again; `before` itself when nothing was touched."""
        if touched is None:
            return before
        keys = None if touched.whole else touched.keys
        values, refused = _untouched(before.values, touched), _untouched(before.refused, touched)
        # Before the rows: where the view is not one, what changes in between is found different, and not taken for read.
        digests = _untouched(before.digests, touched) | checksums.digests(connection, self.table, keys)
        for row in list(self.table.rows(connection, keys)):
            key = writable(row[self.table.key])
            value, problems = self._judge(row)
            if value is None:
                refused[key] = problems
                forgotten = not touched.ended.isdisjoint({key, EVERY_KEY})
                value = self._kept(connection, row, key, None if forgotten else before.values.get(key))
            if value is not None:
                values[key] = value
        return Part(values=MappingProxyType(values), refused=MappingProxyType(refused), digests=digests)

    def differing(self, connection: Connection, known: Part[Value]) -> Touched | None:
        """What the table holds otherwise than it was read, whether or not a change of it was recorded."""
        return checksums.differing(checksums.digests(connection, self.table), known.digests)

    def then(self, connection: Connection, key: str, moment: datetime) -> Then[Value] | None:
        """What was in force of this row at an earlier moment; `None` when nothing of it is recorded up to then."""
        recorded = changes.versions(connection, self.table.table.name, key, until=moment)
        if recorded is None:
            return None
        if not recorded:
            return Then(absent=True)
        value, problems = self._judge(recorded[0])
        if value is not None:
            return Then(value=value)
        return Then(value=self._good(recorded, recorded[0], None), problems=problems)

    def _judge(self, row: Row) -> tuple[Value | None, tuple[Problem, ...]]:
        """The value when it can be used, else what is wrong."""
        try:
            value = self.table.from_row(row)
        except RulesError as error:
            return None, (Problem(severity=Severity.ERROR, field=error.field or "", message=error.message),)
        problems = self.check(value)
        unfit = any(problem.severity is Severity.ERROR for problem in problems)
        return None if unfit else value, problems

    def _kept(self, connection: Connection, row: Row, key: str, remembered: Value | None) -> Value | None:
        """The newest good version: the record's, or, where that has been pruned, the one in memory."""
        if self.keep is None:
            return None
        return self._good(changes.versions(connection, self.table.table.name, key) or (), row, remembered)

    def _good(self, recorded: Iterable[Row], row: Row, remembered: Value | None) -> Value | None:
        """What is kept in a refused row's place: the first of the recorded ones that can be used, else what is remembered."""
        usable = (value for value, _ in map(self._judge, recorded) if value is not None)
        good = next(usable, remembered)
        return None if good is None or self.keep is None else self.keep(good, row)


def _untouched(known: Mapping[str, Kept], touched: Touched) -> dict[str, Kept]:
    return {} if touched.whole else {key: value for key, value in known.items() if key not in touched.keys}
