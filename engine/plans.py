"""The plan of all rules in force, for people: which rules share which query, and why the others do not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from engine.core.batching import Request
from engine.core.planning import Means, Shared
from engine.core.scheduling import Schedule
from engine.planner import Refined
from engine.querying import Querying
from engine.store.definitions import Definitions
from rules.errors import RulesError
from rules.rule import Rule


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedQuery:
    """One query, the rules it answers, and by which means they share it.

    `batch` numbers the requests of the unit that carry several queries, `None` for a query that is a request of its own.
    `why` says why a rule is alone.
    """

    unit: str
    datasource: str
    query: str
    means: Means
    rules: tuple[str, ...]
    labels: tuple[str, ...] = ()
    batch: int | None = None
    why: str = ""


def plans(
    definitions: Definitions, querying: Querying, schedule_of: Callable[[Rule], Schedule], now: datetime
) -> list[PlannedQuery]:
    """Every query that is asked for the enabled rules, those for the most rules first; nothing is asked here."""
    found: list[PlannedQuery] = []
    for schedule, rules in _units(definitions, schedule_of).items():
        refined = Refined(since=now, until=now + schedule.interval, rows=definitions.thresholds)
        plan = querying.planned(schedule.id, schedule.datasource, rules, refined)
        found += _of_unit(schedule, plan.requests)
    return sorted(found, key=lambda one: (-len(one.rules), one.unit, one.rules))


def _units(definitions: Definitions, schedule_of: Callable[[Rule], Schedule]) -> Mapping[Schedule, dict[str, Rule]]:
    units: dict[Schedule, dict[str, Rule]] = {}
    for rule in definitions.rules.values():
        if rule.enabled:
            try:
                units.setdefault(schedule_of(rule), {})[rule.id] = rule
            except RulesError:  # Set aside: it cannot be asked.
                continue
    return units


def _of_unit(schedule: Schedule, requests: tuple[Request, ...]) -> Iterator[PlannedQuery]:
    batches = 0
    for request in requests:
        together = len(request.parts) > 1
        batches += together
        for part in request.parts:
            yield PlannedQuery(
                unit=schedule.id,
                datasource=schedule.datasource,
                query=part.text,
                means=part.means,
                rules=tuple(question.rule_id for question in part.questions),
                labels=part.labels,
                batch=batches if together else None,
                why=_why(part),
            )


def _why(part: Shared) -> str:
    if part.means is not Means.ALONE:
        return ""
    return part.obstacle or "no other rule asks the same, or the same for another value"
