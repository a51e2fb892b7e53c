"""When each rule was last evaluated, with how many samples, and when it is next: read from the blobs of their units."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from engine import unit_state
from engine.core.scheduling import Schedule
from engine.store import rule_status, units
from engine.store.door import Connection
from rules.errors import RulesError
from rules.rule import Rule


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """One rule's clock; `None` where it has not been evaluated yet, or nobody will."""

    last_evaluation_at: datetime | None = None
    next_evaluation_at: datetime | None = None
    last_sample_count: int | None = None
    last_duration: timedelta | None = None
    interval: timedelta | None = None
    last: unit_state.RuleTiming | None = None

    def value(self, number: int | None) -> float | None:
        """The current value of the active alert of this row, where it has one."""
        return None if self.last is None or number is None else self.last.current.get(number)


def timings(
    connection: Connection, rules: Collection[Rule], schedule_of: Callable[[Rule], Schedule]
) -> dict[str, Timing]:
    """The timing of each rule that is evaluated at all: enabled, and fit to be asked."""
    schedules = {rule.id: schedule for rule in rules if (schedule := _schedule(rule, schedule_of)) is not None}
    unit_of = {rule_id: schedule.id for rule_id, schedule in schedules.items()}
    found = units.by_id(connection, set(unit_of.values()))
    states = {unit_id: unit_state.decode(unit.state) for unit_id, unit in found.items() if unit.state is not None}
    unnamed = [rule_id for rule_id, unit_id in unit_of.items() if rule_id not in states.get(unit_id, {})]
    # A rule that the blob does not name was quiet, or has never been evaluated: then it has no status either.
    quiet = rule_status.all_of(connection, unnamed).keys()
    told = {}
    for rule_id, unit_id in unit_of.items():
        if unit_id in found:
            last = states.get(unit_id, {}).get(unit_state.QUIET if rule_id in quiet else rule_id)
            told[rule_id] = _timing(found[unit_id], last, schedules[rule_id].interval)
    return told


def _timing(unit: units.Unit, last: unit_state.RuleTiming | None, interval: timedelta) -> Timing:
    if last is None:
        return Timing(next_evaluation_at=unit.due_at, interval=interval)
    return Timing(
        last_evaluation_at=unit.last_slot,
        next_evaluation_at=unit.due_at,
        last_sample_count=last.sample_count,
        last_duration=last.duration,
        interval=interval,
        last=last,
    )


def _schedule(rule: Rule, schedule_of: Callable[[Rule], Schedule]) -> Schedule | None:
    if not rule.enabled:
        return None
    try:
        return schedule_of(rule)
    except RulesError:
        # Set aside: the row cannot be asked, and its last good version may ask something else.
        return None
