"""What is answered without looking at any alert is what a full judgement of the same slot comes to."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import unit_state
from engine.core.alert import Alert
from engine.core.standing import Standing
from engine.core.vector import Vector
from engine.judging import Judge, Judgement
from engine.memory import numbered
from engine.prometheus import QueryError, QueryErrorKind
from engine.query_answer import instant_answer, read_document, recognition
from engine.querying import Reply
from engine.refining import Refining
from engine.store.rule_status import RuleStatus
from rules import query
from rules.labels import Labels, LabelTexts
from rules.matchers import Matcher, Operator
from rules.rule import MissingSeries, NoData, OnError, Rule
from rules.thresholds import COMPARED, Threshold
from tests.core.alarms import NOON, SECOND

INTERVAL = 10 * SECOND
JUDGE = Judge(external_url="http://here.example")
RULE = Rule(id="r", name="Busy", expr="m > 1", annotations={"is": "{{ $value }}"})
HOSTS = "abcd"


@dataclass
class Engine:
    """Judges one rule slot after slot, with what a memory keeps; `recognises` False never knows an answer's series again."""

    recognises: bool
    before: Mapping[Labels, Alert] = field(default_factory=dict)
    status: RuleStatus | None = None
    refining: Refining = field(default_factory=Refining)
    numbers: dict[tuple[str, str], int] = field(default_factory=dict)
    shortcuts: int = 0

    def slot(
        self, rule: Rule, rows: tuple[Threshold, ...], series: Mapping[str, float] | None, slot: datetime, missed: int
    ) -> Judgement:
        """What the slot comes to; `series` None is a query that failed."""
        made = JUDGE.judge(
            rule,
            self._reply(rule, rows, series, slot),
            self.before,
            self.status,
            slot=slot,
            gap=missed * INTERVAL,
            refinement=self.refining.refinement(rule, rows, {"page": 1}),
        )
        self.shortcuts += isinstance(made.alerts, Standing)
        for change in made.changes:
            identity = change.alert.source, change.alert.labels.key()
            self.numbers.setdefault(identity, len(self.numbers) + 1)
        self.before, self.status = numbered(made, self.numbers), made.status or self.status
        return made

    def restart(self) -> None:
        self.before = {labels: replace(alert) for labels, alert in self.before.items()}

    def _reply(
        self, rule: Rule, rows: tuple[Threshold, ...], series: Mapping[str, float] | None, slot: datetime
    ) -> Reply:
        if series is None:
            return Reply(error=QueryError(QueryErrorKind.EXECUTION, "it failed"))
        asked = query.question(rule, rows, since=slot, until=slot + INTERVAL)
        past = COMPARED[asked.condition] if asked.condition is not None else None
        samples = answered(
            {host: value for host, value in series.items() if past is None or past(value, asked.bound or 0.0)}
        )
        return Reply(
            samples=samples if self.recognises else tuple(samples),
            has_data=bool(samples) if asked.whole or samples else None,
        )


def answered(series: Mapping[str, float]) -> Vector:
    """These elements as a Prometheus writes them, read as the engine reads them."""
    elements = ",".join(
        f'{{"metric":{{"__name__":"m","host":"{host}"}},"value":[1,"{value!r}"]}}' for host, value in series.items()
    )
    body = f'{{"status":"success","data":{{"resultType":"vector","result":[{elements}]}}}}'
    samples = instant_answer(read_document(body.encode()), recognition()).samples
    assert isinstance(samples, Vector)
    return samples


def told(made: Judgement) -> tuple[object, ...]:
    """All that anybody is told of a judgement, floats by their bits, alerts in their order."""
    alerts = [(labels, bits(alert)) for labels, alert in made.alerts.items()]
    changes = [(one.before, one.reason, bits(one.alert)) for one in made.changes]
    touched = [bits(one) for one in made.touched]
    blob = unit_state.decode(unit_state.encode({"r": made})).get("r")
    current = {} if blob is None else {number: struct.pack("d", value) for number, value in blob.current.items()}
    return alerts, changes, touched, current, made.status, made.error, made.sample_count, made.duration, made.is_idle


def bits(alert: Alert) -> tuple[object, ...]:
    return replace(alert, value=0.0), struct.pack("d", alert.value)


VALUES = st.sampled_from([0.0, -0.0, 1.0, 1.5, 2.0, 3.0, 5.0, float("nan"), float("inf")])
SERIES = st.dictionaries(st.sampled_from(HOSTS), VALUES)
RULES: dict[str, Sequence[Any]] = {
    "expr": ("m > 1", "m >= 2", "m == 2", "m"),
    "hold": (0 * SECOND, 15 * SECOND, 40 * SECOND),
    "keep_firing_for": (0 * SECOND, 15 * SECOND),
    "limit": (0, 2),
    "labels": (LabelTexts({}), LabelTexts({"team": "db"}), LabelTexts({"v": "{{ $value }}"}), LabelTexts({"host": ""})),
    "no_data": tuple(NoData),
    "missing_series": tuple(MissingSeries),
    "missing_for": (15 * SECOND, 100 * SECOND),
    "on_error": tuple(OnError),
    "severity": ("", "page"),
    "annotations": ({}, {"is": "{{ $value }}"}),
}
ROW = st.builds(
    Threshold,
    id=st.sampled_from("xyz"),
    rule_id=st.just("r"),
    threshold=st.sampled_from([0.5, 1.0, 2.0]),
    recovery_threshold=st.sampled_from([None, 0.2, 1.0]),
    severity=st.sampled_from(["", "page"]),
    hold=st.sampled_from([None, 0 * SECOND, 25 * SECOND]),
    matchers=st.sampled_from([(), (Matcher("host", Operator.EQUAL, "a"),)]),
    valid_to=st.sampled_from([None, NOON + 60 * SECOND]),
)
STEADY = ("values", "same")
OTHER = ("series", "order", "rule", "rows", "error", "miss", "back", "restart")


@st.composite
def stories(draw: st.DrawFn) -> list[tuple[str, Any]]:
    """What happens before each slot; most often the same series come again."""
    story: list[tuple[str, Any]] = []
    for _ in range(draw(st.integers(4, 14))):
        what = draw(st.sampled_from(STEADY * 4 + OTHER))
        drawn: Any = None
        if what == "values":
            drawn = draw(st.fixed_dictionaries(dict.fromkeys(HOSTS, VALUES)))
        elif what == "series":
            drawn = draw(SERIES)
        elif what == "rule":
            name = draw(st.sampled_from(sorted(RULES)))
            drawn = name, draw(st.sampled_from(RULES[name]))
        elif what == "miss":
            drawn = draw(st.integers(1, 3))
        elif what == "rows":
            drawn = tuple({row.id: row for row in draw(st.lists(ROW, max_size=3))}.values())
        story.append((what, drawn))
    return story


@dataclass
class Past:
    """Where a story stands."""

    rule: Rule = RULE
    rows: tuple[Threshold, ...] = ()
    series: dict[str, float] = field(default_factory=lambda: dict.fromkeys(HOSTS, 2.0))
    slot: datetime = NOON

    def happens(self, what: str, drawn: Any) -> tuple[Mapping[str, float] | None, int]:
        """What the next slot brings, and how many were missed before it."""
        missed = drawn if what == "miss" else 0
        self.slot += -2 * INTERVAL if what == "back" else (missed + 1) * INTERVAL
        if what == "values":
            self.series = {host: drawn[host] for host in self.series}
        elif what == "series":
            self.series = drawn
        elif what == "order":
            self.series = dict(reversed(self.series.items()))
        elif what == "rule":
            name, value = drawn
            self.rule = replace(self.rule, **{name: value}, version=self.rule.version + 1)
        elif what == "rows":
            self.rows = drawn
        return None if what == "error" else self.series, missed


@given(st.fixed_dictionaries({name: st.sampled_from(values) for name, values in RULES.items()}), stories())
def test_the_same_comes_of_every_slot_whether_its_series_are_known_again_or_not(
    began: Mapping[str, Any], story: list[tuple[str, Any]]
) -> None:
    play(replace(RULE, **began), story)


def play(rule: Rule, story: Sequence[tuple[str, Any]]) -> None:
    """The story with and without recognition of series."""
    quick, full, past = Engine(recognises=True), Engine(recognises=False), Past(rule=rule)
    for what, drawn in story:
        series, missed = past.happens(what, drawn)
        if what == "restart":
            quick.restart()
        rows = past.rows if query.comparison(past.rule) is not None else ()
        one, other = (engine.slot(past.rule, rows, series, past.slot, missed) for engine in (quick, full))
        assert told(one) == told(other)
    assert full.shortcuts == 0


def test_what_the_clock_did_before_a_raised_for_is_no_stance() -> None:
    raised = ("rule", ("hold", 9 * INTERVAL))
    play(RULE, [("same", None), ("back", None), raised, *[("same", None)] * 12])


def test_an_alert_is_not_looked_at_while_its_series_comes_again() -> None:
    engine = Engine(recognises=True)
    for number in range(5):
        engine.slot(RULE, (), dict.fromkeys(HOSTS, 2.0 + number), NOON + number * INTERVAL, 0)
    assert engine.shortcuts == 4
    assert isinstance(engine.before, Standing)
    assert list(engine.before.values_now) == [6.0] * len(HOSTS)


def test_pending_alerts_stand_until_the_slot_at_which_they_fire() -> None:
    engine, waiting = Engine(recognises=True), replace(RULE, hold=3 * INTERVAL)
    taken = []
    for number in range(6):
        before = engine.shortcuts
        engine.slot(waiting, (), {"a": 2.0}, NOON + number * INTERVAL, 0)
        taken.append(engine.shortcuts > before)
    assert taken == [False, True, True, False, True, True]


@pytest.mark.parametrize(
    "rule", [replace(RULE, no_data=NoData.ALERT), replace(RULE, missing_series=MissingSeries.KEEP)]
)
def test_a_rule_that_is_told_of_quiet_series_stands_while_the_same_of_them_are_active(rule: Rule) -> None:
    engine = Engine(recognises=True)
    for number, low in enumerate((0.0, 0.5, 0.7, 2.0, 2.0)):
        engine.slot(rule, (), {"a": 2.0, "b": low}, NOON + number * INTERVAL, 0)
    assert engine.shortcuts == 3
