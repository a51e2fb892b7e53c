"""When each rule was last evaluated, with how many samples, and when it is next: read from the blobs of their units."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime

from engine import unit_state
from engine.core.scheduling import Schedule
from engine.store import units
from engine.store.door import Connection
from rules.errors import RulesError
from rules.rule import Rule


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """One rule's clock; `None` where it has not been evaluated yet, or nobody will."""

    last_evaluation_at: datetime | None = None
    next_evaluation_at: datetime | None = None
    last_sample_count: int | None = None


def timings(
    connection: Connection, rules: Collection[Rule], schedule_of: Callable[[Rule], Schedule]
) -> dict[str, Timing]:
    """The timing of each rule that is evaluated at all: enabled, and fit to be asked."""
    unit_of = {rule.id: unit_id for rule in rules if (unit_id := _unit(rule, schedule_of)) is not None}
    found = units.by_id(connection, set(unit_of.values()))
    states = {unit_id: unit_state.decode(unit.state) for unit_id, unit in found.items() if unit.state is not None}
    told = {}
    for rule_id, unit_id in unit_of.items():
        if unit_id in found:
            last = states.get(unit_id, {}).get(rule_id)
            told[rule_id] = Timing(
                last_evaluation_at=None if last is None else found[unit_id].last_slot,
                next_evaluation_at=found[unit_id].due_at,
                last_sample_count=None if last is None else last.sample_count,
            )
    return told


def _unit(rule: Rule, schedule_of: Callable[[Rule], Schedule]) -> str | None:
    if not rule.enabled:
        return None
    try:
        return schedule_of(rule).id
    except RulesError:
        # Set aside: the row cannot be asked, and its last good version may ask something else.
        return None
