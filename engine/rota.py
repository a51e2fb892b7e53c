"""Who evaluates what: which evaluation units the rules need, and which of them this process holds.

A heartbeat row keeps a process's units its own; the units of a process whose lease ran out are taken over under a new term.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from engine.core.scheduling import Schedule, schedule
from engine.loop import FatalError
from engine.store import nodes, outbox, units
from engine.store.database import Database
from engine.store.definitions import Definitions
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
    epoch: int = 0
    _definitions: Definitions | None = None
    _beat_at: datetime | None = None
    _schedules: dict[tuple[object, ...], Schedule] = field(default_factory=dict)
    _rules: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    _units: Mapping[str, Schedule] = field(default_factory=dict)

    @property
    def holder(self) -> str:
        """The name under which this process holds units: its node and which of its lives this is."""
        return f"{self.node}/{self.epoch}"

    def register(self) -> None:
        """Announce this process; what its former life held is free at once."""
        with self.database.write() as connection:
            now = self.database.now(connection)
            self.epoch = nodes.register(connection, self.node, now=now, lease=self.lease, address=self.address)
            outbox.release(connection, self.node)

    def keep(self, definitions: Definitions, now: datetime) -> bool:
        """Renew the lease when a third of it is gone, and follow the rules; whether the rules had changed."""
        # Compared by identity: on PostgreSQL a late commit changes the content without raising the largest id.
        changed = definitions is not self._definitions
        if changed:
            self._follow(definitions)
        if changed or self._beat_at is None or now >= self._beat_at:
            self._renew(changed=changed, now=now)
        self._definitions = definitions
        return changed

    def leave(self) -> None:
        """Give everything back at once."""
        with self.database.write() as connection:
            nodes.leave(connection, self.node, self.epoch, now=self.database.now(connection))

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
                query_offset=rule.query_offset or timedelta(0),
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

    def _renew(self, *, changed: bool, now: datetime) -> None:
        with self.database.write() as connection:
            if not nodes.beat(connection, self.node, self.epoch, now=now, lease=self.lease):
                raise DeposedError(f"another process runs as node {self.node!r}; set TOCSIN_NODE to tell them apart")
            if changed:
                present = units.ids(connection)
                units.add(connection, [one for name, one in self._units.items() if name not in present], now)
                units.remove(connection, present - self._units.keys())
            units.claim(connection, self.holder, now)
        self._beat_at = now + self.lease / 3


def _decisive(rule: Rule) -> tuple[object, ...]:
    """All of the rule that its schedule hangs on; not its version, which a row replaced in a shell begins anew."""
    asked = rule.expr, rule.metric_name, rule.condition, rule.threshold
    return rule.datasource, rule.interval, rule.query_offset, *asked
