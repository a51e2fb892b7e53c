"""Everything people have declared, as one immutable value, and the feed that keeps it up to date.

The first refresh reads every table; later ones ask `definition_changes` what is new and read only those rows again. What was
written past the triggers is in no such list: `compare` finds it.
Nothing bad in a row stops the rest: a rule that cannot be evaluated is quarantined at its last good version, a route, a
threshold row, an inhibit rule and a time interval are replaced by their last good version, a tree that is none leaves the
previous one in force, other rows are skipped.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import chain, cycle, groupby
from types import MappingProxyType
from typing import Any, Final

import structlog
from sqlalchemy import Connection

from engine.store import (
    changes,
    channels,
    dangling,
    datasources,
    inhibit_rules,
    routes,
    rules,
    silences,
    thresholds,
    time_intervals,
)
from engine.store.changes import Mark, Touched
from engine.store.fields import Row
from engine.store.parts import Part, Reader, Then
from engine.store.planting import Planted, Soil, check_route, plant, settle
from rules.channels import Channel
from rules.configuration import Configuration
from rules.datasource import Datasource
from rules.inhibition import InhibitRule
from rules.problems import Problem, check_evaluable
from rules.routing import Route, Tree
from rules.rule import Rule
from rules.silences import Silence
from rules.thresholds import Threshold
from rules.time_intervals import TimeInterval

EXPIRED_FOR: Final = timedelta(hours=1)
"""A silence that ended longer ago than this is of no use to a decision any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Definitions:
    """What is in force. Parts that did not change are the same objects in the next value, so `is` tells what changed.

    `quarantined` names the rules whose row is refused and why; one that is in `rules` too is there at its last good version.
    `thresholds` are the rows of each rule that has some, by the rule's id; they, `silences` and `inhibit_rules` stand in the
    order of their ids. `problems` are sentences naming the table and the key. `version` is the highest change followed; it
    never goes back, and stays where a transaction with lower change ids commits late. `declared` is False while the
    configuration in force is not the one that the rows declare.
    """

    rules: Mapping[str, Rule]
    quarantined: Mapping[str, tuple[Problem, ...]]
    channels: Mapping[str, Channel]
    configuration: Configuration
    silences: tuple[Silence, ...]
    datasources: Mapping[str, Datasource]
    thresholds: Mapping[str, tuple[Threshold, ...]]
    problems: tuple[str, ...]
    version: int
    declared: bool = True

    def problems_of(self, table: str) -> tuple[str, ...]:
        """Those of one table, among which are those of what its rows make together."""
        return tuple(said for said in self.problems if said.startswith((f"{table} ", f"{table}:")))

    @property
    def tree(self) -> Tree:
        return self.configuration.tree

    @property
    def inhibit_rules(self) -> tuple[InhibitRule, ...]:
        return self.configuration.inhibit_rules

    @property
    def time_intervals(self) -> Mapping[str, TimeInterval]:
        return self.configuration.time_intervals


def _switched_off(good: Rule, row: Row) -> Rule:
    """A row that says `enabled = false` switches its rule off, whatever else is wrong with it."""
    return good if row.get("enabled") in (True, None) else replace(good, enabled=False)


_RULES: Final = Reader(table=rules.TABLE, check=check_evaluable, keep=_switched_off)
_CHANNELS: Final = Reader(table=channels.TABLE)
_ROUTES: Final = Reader(table=routes.TABLE, check=check_route, keep=lambda good, _row: good)
_SILENCES: Final = Reader(table=silences.TABLE)
_DATASOURCES: Final = Reader(table=datasources.TABLE)
_THRESHOLDS: Final = Reader(table=thresholds.TABLE, keep=lambda good, _row: good)
_INHIBIT_RULES: Final = Reader(table=inhibit_rules.TABLE, keep=lambda good, _row: good)
_TIME_INTERVALS: Final = Reader(table=time_intervals.TABLE, keep=lambda good, _row: good)


def rule_then(connection: Connection, rule_id: str, moment: datetime) -> Then[Rule] | None:
    """The rule at an earlier moment, by its recorded rows; `None` when nothing of it is recorded up to then."""
    return _RULES.then(connection, rule_id, moment)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parts:
    rules: Part[Rule] = field(default_factory=Part)
    channels: Part[Channel] = field(default_factory=Part)
    routes: Part[Route] = field(default_factory=Part)
    silences: Part[Silence] = field(default_factory=Part)
    datasources: Part[Datasource] = field(default_factory=Part)
    thresholds: Part[Threshold] = field(default_factory=Part)
    inhibit_rules: Part[InhibitRule] = field(default_factory=Part)
    time_intervals: Part[TimeInterval] = field(default_factory=Part)

    def reread(self, connection: Connection, touched: Mapping[str, Touched]) -> _Parts:
        """These parts with the touched rows read again; tables of no interest here may be named too."""
        return _Parts(
            rules=_RULES.reread(connection, self.rules, touched.get("alert_rules")),
            channels=_CHANNELS.reread(connection, self.channels, touched.get("channels")),
            routes=_ROUTES.reread(connection, self.routes, touched.get("routes")),
            silences=_SILENCES.reread(connection, self.silences, touched.get("silences")),
            datasources=_DATASOURCES.reread(connection, self.datasources, touched.get("datasources")),
            thresholds=_THRESHOLDS.reread(connection, self.thresholds, touched.get("thresholds")),
            inhibit_rules=_INHIBIT_RULES.reread(connection, self.inhibit_rules, touched.get("inhibit_rules")),
            time_intervals=_TIME_INTERVALS.reread(connection, self.time_intervals, touched.get("time_intervals")),
        )

    def differing(self, connection: Connection, table: str) -> Touched | None:
        """What this table holds otherwise than it was read; `None` when nothing."""
        looks: Mapping[str, Callable[[], Touched | None]] = {
            "alert_rules": lambda: _RULES.differing(connection, self.rules),
            "channels": lambda: _CHANNELS.differing(connection, self.channels),
            "routes": lambda: _ROUTES.differing(connection, self.routes),
            "silences": lambda: _SILENCES.differing(connection, self.silences),
            "datasources": lambda: _DATASOURCES.differing(connection, self.datasources),
            "thresholds": lambda: _THRESHOLDS.differing(connection, self.thresholds),
            "inhibit_rules": lambda: _INHIBIT_RULES.differing(connection, self.inhibit_rules),
            "time_intervals": lambda: _TIME_INTERVALS.differing(connection, self.time_intervals),
        }
        return looks[table]()


_EVERYTHING: Final = dict.fromkeys(
    (
        "alert_rules",
        "channels",
        "routes",
        "silences",
        "datasources",
        "thresholds",
        "inhibit_rules",
        "time_intervals",
    ),
    Touched(whole=True),
)


COMPARE_EVERY: Final = timedelta(seconds=60) / len(_EVERYTHING)
"""How often DefinitionFeed.compare is to be called, so that every table has its turn within a minute."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Made:
    """What is made of parts, so that it stays the same object as long as they do."""

    planted: Planted
    silences: tuple[Silence, ...] = ()
    thresholds: Mapping[str, tuple[Threshold, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    mark: Mark
    parts: _Parts
    made: _Made
    definitions: Definitions


class DefinitionFeed:
    """Follows the definition tables; one per process, shared by its threads.

    With `now` (as Database.now) silences that ended more than an hour ago are left out whenever silences are read; without
    it all are kept, which is as right, since Silence.state decides, but slower where years of them are stored. `told` is
    called with problems that are new, and with those that are over.
    """

    def __init__(
        self,
        now: Callable[[Connection], datetime] | None = None,
        told: Callable[[Collection[str], Collection[str]], None] = lambda _new, _over: None,
    ) -> None:
        self._now = now
        self._told = told
        self._lock = threading.Lock()
        self._known: _Known | None = None
        self._turns = cycle(_EVERYTHING)

    def refresh(self, connection: Connection) -> Definitions:
        """What is in force now; the very same value when nothing changed, at the price of one indexed query.

        The connection's transaction must not have changed definitions itself. A failure leaves all as it was.
        """
        with self._lock:
            known = self._load(connection) if self._known is None else self._follow(connection, self._known)
            return self._know(_settled(connection, known))

    def compare(self, connection: Connection) -> Definitions:
        """What is in force when one more table was compared with it, row by row, and read again where it differs.

        This finds what was written past the triggers. The connection is one of Database.read's that has read nothing yet:
        an older view than one already followed would take an edit back.
        """
        if connection.in_transaction():
            raise RuntimeError("compare needs a view that begins with it: give it a connection that has read nothing")
        with self._lock:
            known = self._load(connection) if self._known is None else self._follow(connection, self._known)
            return self._know(self._compare(connection, known, next(self._turns)))

    def _know(self, known: _Known) -> Definitions:
        before = () if self._known is None else self._known.definitions.problems
        self._known = known
        if known.definitions.problems != before:
            now = known.definitions.problems
            self._told([one for one in now if one not in before], [one for one in before if one not in now])
        return known.definitions

    def _compare(self, connection: Connection, known: _Known, table: str) -> _Known:
        touched = known.parts.differing(connection, table)
        if touched is None:
            return known
        structlog.get_logger("tocsin.definitions").warning(
            "rows were written past the triggers, and are in force now", table=table, rows=len(touched.keys)
        )
        return self._read(connection, known, known.mark, {table: touched})

    def _load(self, connection: Connection) -> _Known:
        mark = changes.start(connection)
        parts = _Parts().reread(connection, _EVERYTHING)
        soil = _soil(parts)
        fresh = _Made(planted=plant(connection, soil, soil, None))
        planted = _Parts(
            routes=parts.routes,
            inhibit_rules=parts.inhibit_rules,
            time_intervals=parts.time_intervals,
            channels=parts.channels,
        )
        return _known(mark, parts, self._made(connection, parts, planted, fresh))

    def _follow(self, connection: Connection, known: _Known) -> _Known:
        found, mark = changes.since(connection, known.mark)
        return self._read(connection, known, mark, changes.touched(found)) if found else replace(known, mark=mark)

    def _read(self, connection: Connection, known: _Known, mark: Mark, touched: Mapping[str, Touched]) -> _Known:
        parts = known.parts.reread(connection, touched)
        return _known(mark, parts, self._made(connection, parts, known.parts, known.made))

    def _made(self, connection: Connection, parts: _Parts, before: _Parts, made: _Made) -> _Made:
        soil, ground = _soil(parts), _soil(before)
        if soil.made_anew(ground):
            made = replace(made, planted=plant(connection, soil, ground, made.planted))
        if parts.silences is not before.silences:
            made = replace(made, silences=self._current(connection, parts.silences))
        if parts.thresholds is not before.thresholds:
            made = replace(made, thresholds=_by_rule(parts.thresholds, made.thresholds))
        return made

    def _current(self, connection: Connection, part: Part[Silence]) -> tuple[Silence, ...]:
        ordered = sorted(part.values.values(), key=lambda silence: silence.id)
        if self._now is None:
            return tuple(ordered)
        oldest = self._now(connection) - EXPIRED_FOR
        return tuple(silence for silence in ordered if silence.ends_at >= oldest)


def _soil(parts: _Parts) -> Soil:
    return Soil(
        routes=parts.routes,
        inhibit_rules=parts.inhibit_rules,
        time_intervals=parts.time_intervals,
        channels=parts.channels,
    )


def _settled(connection: Connection, known: _Known) -> _Known:
    """The same, with the number of its configuration as soon as that has one."""
    planted = settle(connection, known.made.planted)
    if planted is known.made.planted:
        return known
    return _known(known.mark, known.parts, replace(known.made, planted=planted))


def _by_rule(part: Part[Threshold], before: Mapping[str, tuple[Threshold, ...]]) -> Mapping[str, tuple[Threshold, ...]]:
    """Each rule's rows in the order of their ids; the same tuple as before where they are."""
    ordered = sorted(part.values.values(), key=lambda row: (row.rule_id, row.id))
    found = {rule_id: tuple(rows) for rule_id, rows in groupby(ordered, key=lambda row: row.rule_id)}
    return MappingProxyType(
        {rule_id: before[rule_id] if before.get(rule_id) == rows else rows for rule_id, rows in found.items()}
    )


def _known(mark: Mark, parts: _Parts, made: _Made) -> _Known:
    definitions = Definitions(
        rules=parts.rules.values,
        quarantined=parts.rules.refused,
        channels=parts.channels.values,
        configuration=made.planted.configuration,
        silences=made.silences,
        datasources=parts.datasources.values,
        thresholds=made.thresholds,
        problems=tuple(chain(_refused(parts), _planting(made.planted), _dangling(parts, made.silences))),
        version=mark.id,
        declared=made.planted.declared,
    )
    return _Known(mark=mark, parts=parts, made=made, definitions=definitions)


def _refused(parts: _Parts) -> Iterator[str]:
    refused = {
        "channels": parts.channels.refused,
        "routes": parts.routes.refused,
        "silences": parts.silences.refused,
        "datasources": parts.datasources.refused,
        "thresholds": parts.thresholds.refused,
        "inhibit_rules": parts.inhibit_rules.refused,
        "time_intervals": parts.time_intervals.refused,
    }
    for table, rows in refused.items():
        for key in sorted(rows):
            yield from (f"{table} {key!r}: {problem.message}" for problem in rows[key])


def _planting(planted: Planted) -> Iterator[str]:
    if planted.problem is not None:
        yield planted.problem


def _dangling(parts: _Parts, silences: Iterable[Silence]) -> Iterator[str]:
    yield from dangling.of_thresholds(parts.thresholds.values.values(), _existing(parts.rules))
    channels, intervals = _existing(parts.channels), _existing(parts.time_intervals)
    yield from dangling.of_rules(parts.rules.values.values(), channels)
    yield from dangling.of_routes(parts.routes.values.values(), channels, intervals)
    yield from dangling.of_silences(silences, intervals)


def _existing(part: Part[Any]) -> Set[str]:
    """The keys of the rows there are, readable or not."""
    return part.values.keys() | part.refused.keys()
