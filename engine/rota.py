"""Who evaluates what: which evaluation units the rules need, and which of them this process holds.

A heartbeat row keeps a process's units its own; the units of a process whose lease ran out are taken over under a new term,
by all that are alive in equal parts, and a process that joins is given its part by those who have more.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

from engine.core import sharing
from engine.core.roles import EVERY, Role
from engine.core.scheduling import Schedule, is_due, schedule
from engine.loop import FatalError
from engine.store import exclusive, leasing, nodes, units
from engine.store.database import Database
from engine.store.definitions import Definitions
from engine.store.door import Connection
from engine.store.nodes import Node
from rules import promql, query
from rules.rule import Rule


class DeposedError(FatalError):
    """A newer process runs under this one's node name, so this one must stop."""


@dataclass(slots=True, kw_only=True)
class Rota:
    """Keeps the units in step with the rules, and this process alive in the eyes of the others."""

    database: Database
    node: str
    address: str
    interval: timedelta
    lease: timedelta
    roles: frozenset[Role] = EVERY
    query_offset: timedelta = timedelta(0)
    epoch: int = 0
    _definitions: Definitions | None = None
    _beat_at: datetime | None = None
    _current_until: float = 0.0
    _alive: tuple[Node, ...] = ()
    _unneeded: frozenset[str] = frozenset()
    _schedules: dict[tuple[object, ...], Schedule] = field(default_factory=dict)
    _rules: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    _units: Mapping[str, Schedule] = field(default_factory=dict)

    @property
    def holder(self) -> str:
        """The name under which this process holds units: its node and which of its lives this is."""
        return nodes.holder(self.node, self.epoch)

    @property
    def is_first(self) -> bool:
        """Whether what is done once per cluster is this process's to do: it is the first by name of those that evaluate.

        As of its last heartbeat. Two may think so for a moment, so whatever hangs on it must do no harm when done twice.
        """
        able = [node for node in self._alive if Role.EVALUATOR in node.roles] or self._alive
        return bool(able) and able[0].id == self.node

    @property
    def beat_at(self) -> datetime | None:
        """When the next heartbeat is due; `None` before the first."""
        return self._beat_at

    @property
    def alive(self) -> tuple[Node, ...]:
        """The processes that were alive at the last heartbeat, by name."""
        return self._alive

    @property
    def beside(self) -> tuple[frozenset[Role], ...]:
        """The roles of each other process that was alive at the last heartbeat."""
        return tuple(node.roles for node in self._alive if node.id != self.node)

    @property
    def is_current(self) -> bool:
        """Whether the lease cannot have run out yet by this machine's own stopwatch, so that nobody has taken over.

        Asked before what no database can fence off: a send.
        """
        return self.database.clock.monotonic() < self._current_until

    def register(self) -> None:
        """Announce this process; what its former life held is free at once."""
        began = self.database.clock.monotonic()
        with self.database.write() as connection:
            now = self.database.now(connection)
            self.epoch = nodes.register(
                connection, self.node, now=now, lease=self.lease, address=self.address, does=self.roles
            )
            leasing.release(connection, self.node)
        self._current_until = began + self.lease.total_seconds()

    def beat(self) -> datetime | None:
        """Keep a process alive that evaluates nothing; answers when to do so again."""
        with self.database.read() as connection:
            now = self.database.now(connection)
        if is_due(self._beat_at, now, self.lease):
            self._renew(changed=False, busy=())
        return self._beat_at

    def keep(self, definitions: Definitions, now: datetime, busy: Collection[str] = ()) -> bool:
        """Renew the lease when a third of it is gone, and follow the rules; whether the rules had changed.

        No unit that is `busy`, being evaluated now, is given away.
        """
        # Compared by identity: on PostgreSQL a late commit changes the content without raising the largest id.
        changed = definitions is not self._definitions
        if changed:
            self._follow(definitions)
        if changed or is_due(self._beat_at, now, self.lease):
            self._renew(changed=changed, busy=busy)
        self._definitions = definitions
        return changed

    def leave(self) -> None:
        """Give everything back at once."""
        with self.database.write() as connection:
            nodes.leave(connection, self.node, self.epoch, now=self.database.now(connection))

    @property
    def units(self) -> Collection[str]:
        """The ids of the units that the rules need, whoever holds them."""
        return self._units.keys()

    def rules_of(self, unit_id: str) -> tuple[str, ...]:
        """The ids of the rules evaluated in this unit."""
        return self._rules.get(unit_id, ())

    def schedule_of(self, rule: Rule) -> Schedule:
        """When this rule is evaluated."""
        key = _decisive(rule)
        known = self._schedules.get(key)
        if known is None:
            known = schedule(
                datasource=rule.datasource,
                interval=rule.interval or self.interval,
                query_offset=self.query_offset if rule.query_offset is None else rule.query_offset,
                skeleton=promql.skeleton(query.query_text(rule)),
            )
            self._schedules[key] = known
        return known

    def _follow(self, definitions: Definitions) -> None:
        enabled = [rule for rule in definitions.rules.values() if rule.enabled]
        current: dict[tuple[object, ...], Schedule] = {}
        found: dict[Schedule, list[str]] = {}
        for rule in enabled:
            one = current[_decisive(rule)] = self.schedule_of(rule)
            found.setdefault(one, []).append(rule.id)
        units_rules: dict[str, list[str]] = {}
        for one, names in found.items():
            units_rules.setdefault(one.id, []).extend(names)
        self._units = {one.id: one for one in found}
        self._rules = {unit_id: tuple(names) for unit_id, names in units_rules.items()}
        # Replaced and never gone through: those who ask about single rules add to it meanwhile.
        self._schedules = current

    def _renew(self, *, changed: bool, busy: Collection[str]) -> None:
        began = self.database.clock.monotonic()
        with self.database.write() as connection:
            now = self.database.now(connection)
            if not nodes.beat(connection, self.node, self.epoch, now=now, lease=self.lease):
                raise DeposedError(f"another process runs as node {self.node!r}; set TOCSIN_NODE to tell them apart")
            if changed:
                present = units.ids(connection)
                units.add(connection, [one for name, one in self._units.items() if name not in present], now)
        self._current_until = began + self.lease.total_seconds()
        with self.database.write() as connection:
            alive = tuple(node for node in nodes.every(connection) if node.is_alive(now))
            if {node.holder for node in self._alive} - {node.holder for node in alive} or not self._alive:
                # What the dead had leased for a send need not wait for the end of that lease.
                leasing.release_but(connection, [node.holder for node in alive])
            self._alive = alive
            shared = self._share(connection, now, busy) if Role.EVALUATOR in self.roles else True
        self._beat_at = self._next_beat(now) if shared else now

    def _share(self, connection: Connection, now: datetime, busy: Collection[str]) -> bool:
        """Take over from the dead, even out among the living, drop what nobody needs; False when others are at it."""
        if self.is_first:
            self._tidy(connection, now)
        held = units.holders(connection)
        weights = {unit: len(names) for unit, names in self._rules.items()}
        able = [node.holder for node in self._alive if Role.EVALUATOR in node.roles]
        if not sharing.moves(held, weights, able, giver=self.holder, busy=busy):
            return True
        if not exclusive.attempt(connection, exclusive.SHARING):
            return False
        held = units.holders(connection)
        moves = sharing.moves(held, weights, able, giver=self.holder, busy=busy)
        taken = [unit for unit, new in moves.items() if held[unit] is not None and held[unit] not in able]
        if taken:
            lost = sorted({str(held[unit]) for unit in taken})
            structlog.get_logger("tocsin.rota").info("taking over", units=len(taken), of=lost)
        units.hand_over(connection, moves, held)
        return True

    def _tidy(self, connection: Connection, now: datetime) -> None:
        """What one process does for all: units that no rule needs go, and a clock that was set back stops nothing."""
        unneeded = units.ids(connection) - self._units.keys()
        # Seen twice, a heartbeat apart: a process that has not followed an edit yet must not drop what another has just made.
        units.remove(connection, unneeded & self._unneeded)
        self._unneeded = unneeded
        again = units.wind_back(connection, now)
        if again:
            log = structlog.get_logger("tocsin.rota")
            log.warning("the clock was set back; evaluating from here on", units=len(again))

    def _next_beat(self, now: datetime) -> datetime:
        """When a third of the lease is gone, or sooner when another's lease ends before that: it has missed two beats."""
        ends = [node.lease_until for node in self._alive if node.id != self.node]
        return min([now + self.lease / 3, *ends])


def _decisive(rule: Rule) -> tuple[object, ...]:
    """All of the rule that its schedule hangs on; not its version, which a row replaced in a shell begins anew."""
    asked = rule.expr, rule.language, rule.metric_name, rule.condition, rule.threshold
    return rule.datasource, rule.interval, rule.query_offset, *asked
