"""Levels through time against a plain reference, written from the words of docs/thresholds.md and nothing of the code.

The reference knows a series by its labels and a level by its name, and walks minute by minute: which row governs, is the value
past its number, does it hold by its recovery, has it held for its `for`.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from hypothesis import event, given, settings
from hypothesis import strategies as st

from engine.core.alert import Alert, Sample, State
from engine.core.evaluation import evaluate
from engine.core.levels import levelled
from rules import query, thresholds
from rules.labels import Labels
from rules.matchers import Matcher, Operator
from rules.rule import Condition, Rule
from rules.thresholds import Threshold
from tests.core.alarms import MINUTE, NOON

RANKS: Final = {"warning": 20, "critical": 30}
SERIES: Final = tuple({"host": host, "zone": zone} for host in "ab" for zone in "xy")
COMPARE: Final[Mapping[str, Callable[[float, float], bool]]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
}
MATCH: Final[Mapping[str, Callable[[str, str], bool]]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "=~": lambda value, pattern: re.fullmatch(pattern, value) is not None,
    "!~": lambda value, pattern: re.fullmatch(pattern, value) is None,
}
NUMBERS: Final = st.sampled_from([70.0, 80.0, 85.0, 90.0, 95.0, math.inf, -math.inf])
VALUES: Final = st.sampled_from([60.0, 70.0, 75.0, 80.0, 85.0, 90.0, 92.0, 99.0, math.nan, None])
MOMENTS: Final = st.none() | st.integers(-2, 8)
"""Minutes after NOON, on the slots themselves, where an open and a closed end differ."""


@dataclass(frozen=True, slots=True)
class Row:
    """A threshold row as its columns have it; times are minutes."""

    id: str
    matchers: tuple[tuple[str, str, str], ...]
    threshold: float
    recovery: float | None
    severity: str
    hold: int | None
    since: int | None
    until: int | None
    priority: int

    def built(self) -> Threshold:
        return Threshold(
            id=self.id,
            rule_id="r",
            matchers=tuple(Matcher(name, Operator(op), value) for name, op, value in self.matchers),
            threshold=self.threshold,
            recovery_threshold=self.recovery,
            severity=self.severity,
            hold=None if self.hold is None else self.hold * MINUTE,
            valid_from=None if self.since is None else NOON + self.since * MINUTE,
            valid_to=None if self.until is None else NOON + self.until * MINUTE,
            priority=self.priority,
        )


MATCHERS: Final = st.lists(
    st.tuples(
        st.sampled_from(["host", "zone", "rack"]), st.sampled_from(list(MATCH)), st.sampled_from(["a", "x", "", "[ab]"])
    ),
    max_size=3,
).map(tuple)


@st.composite
def rows(draw: st.DrawFn) -> list[Row]:
    return [
        Row(
            id=f"{draw(st.integers(0, 9))}-{number}",
            matchers=draw(MATCHERS),
            threshold=draw(NUMBERS),
            recovery=draw(st.none() | NUMBERS),
            severity=draw(st.sampled_from(["", "warning", "critical", "unranked"])),
            hold=draw(st.none() | st.integers(0, 3)),
            since=draw(MOMENTS),
            until=draw(MOMENTS),
            priority=draw(st.integers(-1, 1)),
        )
        for number in range(draw(st.integers(0, 5)))
    ]


def governing(found: Sequence[Row], series: Mapping[str, str], level: str, minute: int) -> Row | None:
    """The valid row of this level that matches: of highest priority, then of most matchers, then of lowest id."""
    fitting = [
        row
        for row in found
        if (row.severity or "warning") == level
        and (row.since is None or row.since <= minute)
        and (row.until is None or minute < row.until)
        and all(MATCH[op](series.get(name, ""), value) for name, op, value in row.matchers)
    ]
    for row in fitting:
        others = [other for other in fitting if other is not row]
        if all(_goes_before(row, other) for other in others):
            return row
    return None


def _goes_before(row: Row, other: Row) -> bool:
    if row.priority != other.priority:
        return row.priority > other.priority
    if len(row.matchers) != len(other.matchers):
        return len(row.matchers) > len(other.matchers)
    return row.id < other.id


def reference(
    found: Sequence[Row],
    condition: str,
    hold: int,
    *,
    course: Sequence[float | None],
    series: Mapping[str, str],
    level: str,
) -> str:
    """A letter a minute: f(iring), p(ending) or nothing."""
    compare = COMPARE[condition]
    state, since, letters = "-", 0, ""
    for minute, value in enumerate(course):
        row = governing(found, series, level, minute)
        number = row.threshold if row is not None else 80.0 if level == "warning" else None
        active = value is not None and number is not None and compare(value, number)
        directed = condition not in ("==", "!=")
        if state == "f" and value is not None and row is not None and row.recovery is not None and directed:
            active = active or compare(value, row.recovery)
        if not active:
            state = "-"
        else:
            since = minute if state == "-" else since
            needed = hold if row is None or row.hold is None else row.hold
            state = "f" if minute - since >= needed else "p"
        letters += state
    return letters


def run(
    found: Sequence[Row], condition: str, hold: int, courses: Sequence[Sequence[float | None]]
) -> Mapping[tuple[str, str, str], str]:
    """The same by the code that evaluates rules, for all series at once."""
    rule = Rule(
        id="r",
        name="Disk",
        metric_name="disk",
        condition=Condition(condition),
        threshold=80,
        severity="warning",
        hold=hold * MINUTE,
    )
    cut = query.comparison(rule)
    assert cut is not None
    built = [row.built() for row in found]
    known: Mapping[Labels, Alert] = {}
    story: dict[tuple[str, str, str], str] = {}
    length = len(courses[0])
    for minute in range(length):
        slot = NOON + minute * MINUTE
        samples = asked(rule, built, courses, minute, slot - NOON)
        levels = thresholds.levels(rule, cut, built, slot, RANKS)
        elements = levelled(rule, samples, lambda text, _: text, condition=cut.condition, levels=levels, before=known)
        known = evaluate(rule, elements, known, slot).alerts
        for labels, alert in known.items():
            key = (labels["host"], labels["zone"], labels["severity"])
            letter = "f" if alert.state is State.FIRING else "p"
            story[key] = story.get(key, "").ljust(minute, "-") + letter
    return {key: letters.ljust(length, "-") for key, letters in story.items()}


def asked(
    rule: Rule, built: Sequence[Threshold], courses: Sequence[Sequence[float | None]], minute: int, since: timedelta
) -> list[Sample]:
    """What Prometheus answers: the series that are past the loosest number, or all where there is none."""
    cut = query.comparison(rule)
    assert cut is not None
    number = thresholds.loosest(cut, built, since=NOON + since, until=NOON + since + MINUTE) if built else cut.threshold
    found = []
    for series, course in zip(SERIES, courses, strict=True):
        value = course[minute]
        if value is not None and (number is None or COMPARE[cut.condition](value, number)):
            found.append(Sample(labels=Labels({"__name__": "disk", **series}), value=value))
    return found


@given(
    found=rows(),
    condition=st.sampled_from(list(COMPARE)),
    hold=st.integers(0, 2),
    courses=st.lists(st.lists(VALUES, min_size=7, max_size=7), min_size=len(SERIES), max_size=len(SERIES)),
)
@settings(max_examples=300, deadline=None)
def test_every_level_of_every_series_is_at_every_minute_what_the_plain_reference_says(
    found: list[Row], condition: str, hold: int, courses: list[list[float | None]]
) -> None:
    story = run(found, condition, hold, courses)
    for series, course in zip(SERIES, courses, strict=True):
        for level in ("warning", "critical", "unranked"):
            expected = reference(found, condition, hold, course=course, series=series, level=level)
            assert story.get((series["host"], series["zone"], level), "-" * len(course)) == expected
            event(f"{level}: {'fires' if 'f' in expected else 'waits' if 'p' in expected else 'quiet'}")
