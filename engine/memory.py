"""What this process remembers of its units between slots, so that a steady cycle reads nothing.

A memory is good only while the unit's (term, last_slot) are what this process last committed; otherwise somebody else has
evaluated the unit meanwhile, and everything is read again.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from engine import unit_state
from engine.core.alert import Alert
from engine.core.standing import Standing
from engine.judging import Judgement
from engine.store import alerts, rule_status
from engine.store.database import Database
from engine.store.rule_status import RuleStatus
from engine.store.units import Unit
from rules.labels import Labels
from rules.rule import Rule
from rules.thresholds import Threshold

Resting = tuple[Rule, tuple[Threshold, ...]]
"""A rule and its rows, as they were when a slot without samples left nothing to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """The active alerts and the status of each rule of a unit, as of its last slot.

    `resting` are the rules for which another slot without samples changes nothing: what they are judged by has no clock in it.
    """

    term: int
    last_slot: datetime | None
    alerts: Mapping[str, Mapping[Labels, Alert]] = field(default_factory=dict)
    statuses: Mapping[str, RuleStatus] = field(default_factory=dict)
    resting: Mapping[str, Resting] = field(default_factory=dict)

    def is_resting(self, rule_id: str, rule: Rule, rows: tuple[Threshold, ...]) -> bool:
        """Whether the rule need not be judged at a slot at which it brings nothing: it and its rows are the same objects."""
        known = self.resting.get(rule_id)
        return known is not None and known[0] is rule and known[1] is rows


@dataclass(frozen=True, slots=True)
class Memory:
    """Every unit's memory; a unit is only ever evaluated by one thread at a time."""

    database: Database
    _known: dict[str, Known] = field(default_factory=dict)

    def recall(self, unit: Unit, rule_ids: Collection[str]) -> Known:
        """What is known of these rules, read from the database where it is not remembered."""
        known = self._known.get(unit.id)
        if known is None or (known.term, known.last_slot) != (unit.term, unit.last_slot):
            known = Known(term=unit.term, last_slot=unit.last_slot)
        if not known.alerts.keys() <= (wanted := frozenset(rule_ids)):
            # Whoever left the unit may come back with another history.
            known = _only(known, wanted)
        missing = [rule_id for rule_id in rule_ids if rule_id not in known.alerts]
        if not missing:
            return known
        with self.database.read() as connection:
            found = _as_last_evaluated(alerts.active_of(connection, missing), unit)
            statuses = rule_status.all_of(connection, missing)
        return replace(known, alerts={**known.alerts, **found}, statuses={**known.statuses, **statuses})

    def remember(
        self,
        unit: Unit,
        slot: datetime,
        judgements: Mapping[str, Judgement],
        known: Known,
        numbers: Mapping[alerts.Identity, int],
        *,
        resting: Mapping[str, Resting],
    ) -> None:
        """Keep what was just committed; `numbers` are the rows of alerts that are new. Who was not judged is as before."""
        fresh = {name: one.status for name, one in judgements.items() if one.status is not None}
        rested = {name: one for name, one in known.resting.items() if name not in judgements}
        self._known[unit.id] = Known(
            term=unit.term,
            last_slot=slot,
            alerts={**known.alerts, **{name: numbered(one, numbers) for name, one in judgements.items()}},
            statuses={**known.statuses, **fresh},
            resting={**rested, **resting},
        )

    def knows(self, unit_id: str) -> bool:
        """Whether the unit was evaluated here before, so that little is left to read."""
        return unit_id in self._known

    def keep(self, unit_ids: Collection[str]) -> None:
        """Forget every other unit."""
        for unit_id in self._known.keys() - set(unit_ids):
            self.forget(unit_id)

    def forget(self, unit_id: str) -> None:
        """Read this unit anew at its next slot."""
        self._known.pop(unit_id, None)


def _only(known: Known, rule_ids: frozenset[str]) -> Known:
    """What is known, without rules that are not in the unit any more."""
    return replace(
        known,
        alerts={name: one for name, one in known.alerts.items() if name in rule_ids},
        statuses={name: one for name, one in known.statuses.items() if name in rule_ids},
        resting={name: one for name, one in known.resting.items() if name in rule_ids},
    )


def _as_last_evaluated(found: Mapping[str, Mapping[Labels, Alert]], unit: Unit) -> Mapping[str, Mapping[Labels, Alert]]:
    """The alerts with the values of the unit's last slot; their rows have those of their last transitions."""
    known = {} if unit.state is None else unit_state.decode(unit.state)
    values = {number: value for timing in known.values() for number, value in timing.current.items()}
    return {
        source: {labels: alert.at(values.get(alert.id or 0, alert.value)) for labels, alert in of_rule.items()}
        for source, of_rule in found.items()
    }


def numbered(judgement: Judgement, numbers: Mapping[alerts.Identity, int]) -> Mapping[Labels, Alert]:
    """The alerts of a judgement as they are remembered: with the numbers of their rows, standing where they can."""
    if isinstance(judgement.alerts, Standing):
        return judgement.alerts
    found = {
        labels: alert if alert.id is not None else replace(alert, id=numbers[alert.source, labels.key()])
        for labels, alert in judgement.alerts.items()
    }
    return found if judgement.stance is None else Standing.of(judgement.stance, found)
