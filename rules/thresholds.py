"""Threshold rows: which one governs a series, and what that means for the alert's levels.

A level is one severity of a rule, with an alert of its own per series. For a series and a level the governing row is the one
of highest priority, then of most matchers, then of lowest id; where none matches, the rule's own threshold governs the rule's
own severity, and nothing governs any other. Matchers see the sample's labels.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from rules.labels import SEVERITY
from rules.matchers import Matcher, Operator
from rules.promql import Comparison
from rules.rule import Condition, Rule

COMPARED: Final[Mapping[Condition, Callable[[float, float], bool]]] = {
    Condition.ABOVE: operator.gt,
    Condition.AT_LEAST: operator.ge,
    Condition.BELOW: operator.lt,
    Condition.AT_MOST: operator.le,
    Condition.EQUAL: operator.eq,
    Condition.NOT_EQUAL: operator.ne,
}
"""Whether a value is past a number; floats compare as PromQL's do: NaN only ever satisfies `!=`."""
_LOOSEST: Final[Mapping[Condition, Callable[[Iterable[float]], float]]] = {
    Condition.ABOVE: min,
    Condition.AT_LEAST: min,
    Condition.BELOW: max,
    Condition.AT_MOST: max,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """One row refining a rule for the series its matchers match.

    `severity` empty means the rule's own; `hold` (YAML and SQL: `for`) and `recovery_threshold` `None` mean the rule's `for`
    and the threshold itself. Valid from `valid_from` (inclusive) to `valid_to` (exclusive); `None` means no bound.
    """

    id: str
    rule_id: str
    threshold: float
    matchers: tuple[Matcher, ...] = ()
    recovery_threshold: float | None = None
    severity: str = ""
    hold: timedelta | None = None
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    priority: int = 0
    reason: str = ""
    team: str = ""
    origin: str = "sql"
    version: int = 1

    @property
    def recovery(self) -> float:
        """The number a firing alert's value has to be back past."""
        return self.threshold if self.recovery_threshold is None else self.recovery_threshold

    @property
    def precedence(self) -> tuple[int, int]:
        """Rows with a smaller one go first; rows with the same are tied, and the lowest id decides."""
        return -self.priority, -len(self.matchers)

    def is_valid(self, since: datetime, until: datetime | None = None) -> bool:
        """Whether it is valid at `since`, or at any time from then until before `until`."""
        begun = self.valid_from is None or self.valid_from <= since or (until is not None and self.valid_from < until)
        return begun and (self.valid_to is None or self.valid_to > since)

    def covers(self, labels: Mapping[str, str]) -> bool:
        """Whether every matcher matches; time plays no part here."""
        return all(matcher.matches(labels) for matcher in self.matchers)


class Why(StrEnum):
    """Why a row governs a series at a level, or none does."""

    ONLY_ROW = "the only row that matches"
    PRIORITY = "the highest priority"
    MATCHERS = "the most matchers"
    LOWEST_ID = "the lowest id among rows of equal priority and equally many matchers"
    OWN = "no row matches, so the rule's own threshold"
    NOTHING = "no row matches, and the rule's own threshold is for its own severity only"


@dataclass(frozen=True, slots=True, kw_only=True)
class Governance:
    """What governs one series at one level: a row, the rule's own threshold (`row` None), or nothing (`threshold` None too).

    `tied` are the ids of the other rows that nothing but their id sets behind this one.
    """

    why: Why
    threshold: float | None = None
    row: Threshold | None = None
    tied: tuple[str, ...] = ()

    @property
    def recovery(self) -> float | None:
        """The number a firing alert's value has to be back past."""
        return self.threshold if self.row is None else self.row.recovery


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """One severity of a rule at a moment: the rows valid then, first the one that goes before all others.

    `own` is the rule's own threshold, `None` at a level that is not the rule's own severity.
    """

    severity: str
    own: float | None
    rows: tuple[Threshold, ...]


def levels(
    rule: Rule, comparison: Comparison, rows: Iterable[Threshold], now: datetime, ranks: Mapping[str, int]
) -> tuple[Level, ...]:
    """The levels of a rule at `now`, lowest rank first, then by name: its own severity and those of its rows, valid or not.

    A severity without a rank stands below all that have one.
    """
    own = own_severity(rule)
    found: dict[str, list[Threshold]] = {own: []}
    for row in rows:
        of_level = found.setdefault(row.severity or own, [])
        if row.is_valid(now):
            of_level.append(row)
    return tuple(
        Level(
            severity=severity,
            own=comparison.threshold if severity == own else None,
            rows=tuple(sorted(found[severity], key=lambda row: (row.precedence, row.id))),
        )
        for severity in sorted(found, key=lambda severity: (rank(severity, ranks), severity))
    )


def own_severity(rule: Rule) -> str:
    """The rule's own level: its severity, else the text of its label `severity`, unless that is a template."""
    label = rule.labels.get(SEVERITY, "")
    return rule.severity or ("" if "{{" in label else label)


def rank(severity: str, ranks: Mapping[str, int]) -> tuple[bool, int]:
    """Where a severity stands; those that nobody ranked are below all others and equal among themselves."""
    return severity in ranks, ranks.get(severity, 0)


def governing(level: Level, labels: Mapping[str, str]) -> Governance:
    """What governs the series with these labels at this level, and why."""
    return _governance(level, [row for row in level.rows if row.covers(labels)])


class Sieve:
    """A level whose rows are found by the value of a label they ask for; it answers as `governing`, among thousands of rows."""

    def __init__(self, level: Level) -> None:
        self.level = level
        self._by_value: dict[tuple[str, str], list[tuple[int, Threshold]]] = {}
        self._others: list[tuple[int, Threshold]] = []
        for place, row in enumerate(level.rows):
            asked = next(((one.name, one.value) for one in row.matchers if one.operator is Operator.EQUAL), None)
            rows = self._others if asked is None else self._by_value.setdefault(asked, [])
            rows.append((place, row))
        self._names = sorted({name for name, _ in self._by_value})

    def governing(self, labels: Mapping[str, str]) -> Governance:
        """What governs the series with these labels at this level, and why."""
        found = [one for name in self._names for one in self._by_value.get((name, labels.get(name, "")), ())]
        ordered = sorted([*self._others, *found], key=operator.itemgetter(0))
        return _governance(self.level, [row for _, row in ordered if row.covers(labels)])


def _governance(level: Level, matching: list[Threshold]) -> Governance:
    if not matching:
        return Governance(why=Why.NOTHING if level.own is None else Why.OWN, threshold=level.own)
    row, *others = matching
    tied = tuple(other.id for other in others if other.precedence == row.precedence)
    return Governance(why=_why(row, others), threshold=row.threshold, row=row, tied=tied)


def breaches(value: float, condition: Condition, governance: Governance, *, firing: bool) -> bool:
    """Whether the level is active at this value: past the threshold or, while it fires, not yet back past the recovery.

    Floats compare as PromQL's do: NaN only ever satisfies `!=`. With `==` and `!=` there is no way back past a number, so
    no recovery counts.
    """
    compared = COMPARED[condition]
    if governance.threshold is None:
        return False
    if compared(value, governance.threshold):
        return True
    recovery = governance.recovery
    return firing and condition in _LOOSEST and recovery is not None and compared(value, recovery)


def loosest(comparison: Comparison, rows: Iterable[Threshold], *, since: datetime, until: datetime) -> float | None:
    """The one number that lets through every value some threshold or recovery may need from `since` until before `until`.

    `None` where there is none: for `==` and `!=`, which have no direction.
    """
    choose = _LOOSEST.get(comparison.condition)
    if choose is None:
        return None
    valid = [row for row in rows if row.is_valid(since, until)]
    return choose([comparison.threshold, *(number for row in valid for number in (row.threshold, row.recovery))])


def _why(row: Threshold, others: list[Threshold]) -> Why:
    if not others:
        return Why.ONLY_ROW
    second = others[0]
    if second.priority != row.priority:
        return Why.PRIORITY
    return Why.MATCHERS if len(second.matchers) != len(row.matchers) else Why.LOWEST_ID
