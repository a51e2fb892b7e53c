"""What this process remembers of its units between slots, so that a steady cycle reads nothing.

A memory is good only while the unit's (term, last_slot) are what this process last committed; otherwise somebody else has
evaluated the unit meanwhile, and everything is read again.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from engine.core.alert import Alert
from engine.judging import Judgement
from engine.store import alerts, rule_status
from engine.store.database import Database
from engine.store.rule_status import RuleStatus
from engine.store.units import Unit
from rules.labels import Labels


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """The active alerts and the status of each rule of a unit, as of its last slot."""

    term: int
    last_slot: datetime | None
    alerts: Mapping[str, Mapping[Labels, Alert]] = field(default_factory=dict)
    statuses: Mapping[str, RuleStatus] = field(default_factory=dict)


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
        missing = [rule_id for rule_id in rule_ids if rule_id not in known.alerts]
        if not missing:
            return known
        with self.database.read() as connection:
            found = alerts.active_of(connection, missing)
            statuses = rule_status.all_of(connection, missing)
        return replace(known, alerts={**known.alerts, **found}, statuses={**known.statuses, **statuses})

    def remember(
        self,
        unit: Unit,
        slot: datetime,
        judgements: Mapping[str, Judgement],
        known: Known,
        numbers: Mapping[alerts.Identity, int],
    ) -> None:
        """Keep what was just committed; `numbers` are the rows of alerts that are new."""
        fresh = {name: one.status for name, one in judgements.items() if one.status is not None}
        self._known[unit.id] = Known(
            term=unit.term,
            last_slot=slot,
            alerts={name: _numbered(one, numbers) for name, one in judgements.items()},
            statuses={name: status for name, status in {**known.statuses, **fresh}.items() if name in judgements},
        )

    def forget(self, unit_id: str) -> None:
        """Read this unit anew at its next slot."""
        self._known.pop(unit_id, None)


def _numbered(judgement: Judgement, numbers: Mapping[alerts.Identity, int]) -> Mapping[Labels, Alert]:
    return {
        labels: alert if alert.id is not None else replace(alert, id=numbers[alert.source, labels.key()])
        for labels, alert in judgement.alerts.items()
    }
