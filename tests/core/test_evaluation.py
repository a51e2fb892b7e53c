"""One rule through time: its alerts go pending, fire, are kept, and end exactly as Prometheus' do, on slots only."""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.alert import Alert, Sample, State, TransitionReason
from engine.core.element import Element
from engine.core.evaluation import (
    LONGEST_GAP,
    DuplicateLabelSetError,
    Evaluation,
    Naming,
    credit_gap,
    evaluate,
    final_labels,
    labelled,
    resolve_all,
)
from rules.labels import Labels, LabelTexts
from rules.rule import Rule
from tests.core.alarms import HOUR, MINUTE, NOON, SECOND, alert

RULE = Rule(id="r", name="Busy", threshold=80.0)
WEB = Labels({"alertname": "Busy", "host": "web"})
DB = Labels({"alertname": "Busy", "host": "db"})
LETTERS = {State.PENDING: "P", State.FIRING: "F"}


def rule(hold: int = 0, keep: int = 0, version: int = 1) -> Rule:
    """RULE with `for` and `keep_firing_for` of so many minutes."""
    return replace(RULE, hold=hold * MINUTE, keep_firing_for=keep * MINUTE, version=version)


def elements(*labels: Labels, value: float = 1.0) -> dict[Labels, Element]:
    samples = {each: Sample(labels=each.without("alertname"), value=value) for each in labels}
    return {each: Element(sample=sample, threshold=80.0) for each, sample in samples.items()}


def run(script: str, one: Rule, *, later: Rule | None = None, after: int = 99) -> list[Evaluation]:
    """The evaluations at NOON and every minute from it: `x` returns the series; `later` replaces the rule after so many."""
    known: Mapping[Labels, Alert] = {}
    evaluations = []
    for minute, mark in enumerate(script.split()):
        current = later if later is not None and minute >= after else one
        evaluation = evaluate(current, elements(WEB) if mark == "x" else {}, known, NOON + minute * MINUTE)
        known = evaluation.alerts
        evaluations.append(evaluation)
    return evaluations


def states(evaluations: Sequence[Evaluation]) -> str:
    return " ".join(LETTERS[one.alerts[WEB].state] if WEB in one.alerts else "_" for one in evaluations)


def reasons(evaluations: Sequence[Evaluation]) -> list[str]:
    return [f"{minute}:{change.reason}" for minute, one in enumerate(evaluations) for change in one.changes]


@pytest.mark.parametrize(
    ("labels", "severity", "sample", "expected"),
    [
        pytest.param({}, "", {"__name__": "up", "host": "web"}, {"host": "web"}, id="the metric's name goes"),
        pytest.param({"team": "ops"}, "", {"team": "db"}, {"team": "ops"}, id="the rule's labels go over the series'"),
        pytest.param({"team": "$x"}, "", {"x": "db"}, {"x": "db", "team": "db"}, id="templates see the series"),
        pytest.param({"x": "$y"}, "", {"x": "1"}, {}, id="a template that renders empty removes the label"),
        pytest.param({"x": ""}, "", {"x": "1"}, {}, id="and so does an empty text"),
        pytest.param({"severity": ""}, "", {"severity": "info"}, {}, id="even the label severity"),
        pytest.param({"alertname": "No"}, "", {"alertname": "Never"}, {}, id="alertname is the rule's name"),
        pytest.param({}, "page", {"severity": "info"}, {"severity": "page"}, id="severity is the rule's column"),
        pytest.param({}, "", {"severity": "info"}, {"severity": "info"}, id="no severity leaves the series' own"),
        pytest.param({"severity": "warn"}, "", {}, {"severity": "warn"}, id="and the rule's label its own"),
        pytest.param({"severity": "warn"}, "page", {}, {"severity": "page"}, id="even over the rule's own label"),
    ],
)
def test_an_alert_carries_the_labels_of_its_series_under_those_of_its_rule(
    labels: dict[str, str], severity: str, sample: dict[str, str], expected: dict[str, str]
) -> None:
    def expand(text: str, seen: Sample) -> str:
        return seen.labels.get(text[1:], "") if text.startswith("$") else text

    declared = replace(RULE, labels=LabelTexts(labels), severity=severity)
    found = final_labels(declared, Sample(labels=Labels(sample), value=1.0), expand)
    assert found == Labels({**expected, "alertname": "Busy"})


def as_written(text: str, _: Sample) -> str:
    return text


def test_samples_are_found_by_the_labels_of_their_alerts() -> None:
    samples = [Sample(labels=Labels({"__name__": "up", "host": host}), value=1.0) for host in ("web", "db")]
    found = labelled(RULE, samples, as_written)
    assert {labels: element.sample for labels, element in found.items()} == dict(zip((WEB, DB), samples, strict=True))
    assert {element.threshold for element in found.values()} == {80.0}


@given(
    st.dictionaries(
        st.sampled_from(["team", "host", "severity", "alertname", "x"]), st.sampled_from(["", "a", "{{ a }}"])
    ),
    st.lists(st.dictionaries(st.sampled_from(["__name__", "host", "team"]), st.sampled_from("ab")), max_size=6),
    st.sampled_from([None, "", "critical"]),
)
def test_remembered_labels_are_those_that_are_made(
    labels: dict[str, str], series: list[dict[str, str]], severity: str | None
) -> None:
    def expand(text: str, seen: Sample) -> str:
        return f"{seen.value}" if "{{" in text else text

    declared = replace(RULE, labels=LabelTexts(labels))
    names = Naming(declared)
    for value, one in enumerate([*series, *series]):
        sample = Sample(labels=Labels(one), value=float(value))
        assert names.labels(sample, expand, severity) == final_labels(declared, sample, expand, severity=severity)


@pytest.mark.parametrize("value", [0.0, -0.0, math.nan, 1.0, 2.0])
def test_a_firing_alert_has_the_value_of_its_last_sample_to_the_bit(value: float) -> None:
    for known in (0.0, -0.0, 1.0, math.nan):
        firing = replace(alert(), labels=WEB, sample_labels=Labels({"host": "web"}), threshold=80.0)
        before = {WEB: replace(firing, value=known)}
        after = evaluate(RULE, elements(WEB, value=value), before, NOON).alerts[WEB]
        assert struct.pack("<d", after.value) == struct.pack("<d", value)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param({"__name__": "a", "host": "web"}, {"__name__": "b", "host": "web"}, id="told apart by name only"),
        pytest.param({"host": "web", "team": "a"}, {"host": "web", "team": "b"}, id="told apart by what the rule sets"),
    ],
)
def test_two_series_of_one_alert_fail_the_evaluation(one: dict[str, str], other: dict[str, str]) -> None:
    declared = replace(RULE, labels=Labels({"team": "ops"}))
    samples = [Sample(labels=Labels(labels), value=1.0) for labels in (one, other)]
    with pytest.raises(DuplicateLabelSetError, match="metrics with the same labelset") as caught:
        labelled(declared, samples, as_written)
    assert caught.value.labels == WEB.merged({"team": "ops"})
    assert 'host="web"' in str(caught.value)


@pytest.mark.parametrize(
    ("declared", "script", "expected", "why"),
    [
        pytest.param(rule(), "x", "F", ["0:held"], id="without for it fires at once"),
        pytest.param(rule(2), "x x x x", "P P F F", ["0:condition_met", "2:held"], id="fires at exactly for"),
        pytest.param(rule(2), "x x _", "P P _", ["0:condition_met", "2:condition_ended"], id="pending vanishes"),
        pytest.param(
            rule(2),
            "x x _ x x x",
            "P P _ P P F",
            ["0:condition_met", "2:condition_ended", "3:condition_met", "5:held"],
            id="the clock starts anew",
        ),
        pytest.param(rule(), "x _ _", "F _ _", ["0:held", "1:condition_ended"], id="firing ends once"),
        pytest.param(
            rule(), "x _ x", "F _ F", ["0:held", "1:condition_ended", "2:held"], id="it comes back as a new one"
        ),
        pytest.param(
            rule(0, 2), "x _ _ _ _", "F F F _ _", ["0:held", "3:condition_ended"], id="kept until exactly keep"
        ),
        pytest.param(
            rule(0, 2),
            "x _ _ x _ _ _",
            "F F F F F F _",
            ["0:held", "6:condition_ended"],
            id="its return resets the keeping",
        ),
        pytest.param(
            rule(2, 9), "x x _ _", "P P _ _", ["0:condition_met", "2:condition_ended"], id="pending is not kept"
        ),
        pytest.param(
            rule(1, 1),
            "x x _ x x",
            "P F F F F",
            ["0:condition_met", "1:held"],
            id="kept over a hole it need not earn its firing again",
        ),
    ],
)
def test_an_alert_lives_as_in_prometheus(declared: Rule, script: str, expected: str, why: list[str]) -> None:
    evaluations = run(script, declared)
    assert states(evaluations) == expected
    assert reasons(evaluations) == why


@pytest.mark.parametrize(
    ("before", "later", "script", "expected", "why"),
    [
        pytest.param(rule(1), rule(4), "x x x x x", "P F P P F", "2:hold_raised", id="raised under a firing one"),
        pytest.param(rule(1), rule(2), "x x x x", "P F F F", "1:held", id="raised to what it has held already"),
        pytest.param(rule(9), rule(1), "x x x", "P P F", "2:held", id="lowered under a pending one"),
        pytest.param(rule(1, 9), rule(4, 9), "x x _ _", "P F P _", "2:hold_raised", id="raised under a kept one"),
        pytest.param(rule(0, 9), rule(0, 0), "x _ _", "F F _", "2:condition_ended", id="no longer kept"),
    ],
)
def test_an_edited_rule_goes_on_with_the_alerts_it_has(
    before: Rule, later: Rule, script: str, expected: str, why: str
) -> None:
    evaluations = run(script, before, later=later, after=2)
    assert states(evaluations) == expected
    assert why in reasons(evaluations)


def test_an_alert_sent_back_to_pending_has_not_fired_and_is_not_kept() -> None:
    back = run("x x _", rule(1, 9), later=rule(4, 9), after=2)[-1].alerts[WEB]
    assert (back.state, back.fired_at, back.keep_firing_since) == (State.PENDING, None, None)
    assert back.active_at == NOON


@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, math.inf, -math.inf])
def test_every_series_returned_is_active_whatever_its_value(value: float) -> None:
    after = evaluate(RULE, elements(WEB, value=value), {}, NOON).alerts[WEB]
    assert after.state is State.FIRING
    assert repr(after.value) == repr(value)


def test_a_new_alert_is_the_rules_and_knows_its_series_and_threshold() -> None:
    (change,) = evaluate(rule(5, version=3), elements(WEB, value=97.0), {}, NOON).changes
    assert (change.before, change.reason) == (None, TransitionReason.CONDITION_MET)
    assert change.alert == Alert(
        source="r",
        labels=WEB,
        sample_labels=Labels({"host": "web"}),
        state=State.PENDING,
        value=97.0,
        active_at=NOON,
        rule_version=3,
        threshold=80.0,
    )


def test_each_evaluation_refreshes_what_is_measured_and_nothing_else() -> None:
    known = alert(7, labels=WEB)
    seen = {WEB: Element(sample=Sample(labels=Labels({"__name__": "busy", "host": "web"}), value=99.0), threshold=80.0)}
    evaluation = evaluate(rule(version=4), seen, {WEB: known}, NOON + MINUTE)
    assert evaluation.changes == ()
    assert evaluation.alerts[WEB] == replace(
        known, value=99.0, sample_labels=seen[WEB].sample.labels, rule_version=4, threshold=80.0
    )


def test_an_alert_fires_and_ends_at_the_slot_with_its_last_value() -> None:
    fired = evaluate(rule(1), elements(WEB, value=97.0), {WEB: alert(1, State.PENDING, labels=WEB)}, NOON + MINUTE)
    assert fired.alerts[WEB].fired_at == NOON + MINUTE
    (end,) = evaluate(rule(1), {}, fired.alerts, NOON + 2 * MINUTE).changes
    assert (end.before, end.alert.state, end.alert.resolved_at) == (State.FIRING, State.INACTIVE, NOON + 2 * MINUTE)
    assert (end.alert.value, end.alert.active_at, end.alert.fired_at) == (97.0, NOON, NOON + MINUTE)


def test_a_kept_alert_remembers_since_when_until_it_ends() -> None:
    kept = run("x _ _ _", rule(0, 2))
    assert [one.alerts[WEB].keep_firing_since for one in kept[:3]] == [None, NOON + MINUTE, NOON + MINUTE]
    assert kept[3].changes[0].alert.keep_firing_since is None


def test_series_do_not_touch_each_other() -> None:
    evaluation = evaluate(rule(5), elements(WEB), {DB: alert(2, labels=DB)}, NOON)
    assert [(change.alert.labels, change.reason.value) for change in evaluation.changes] == [
        (WEB, "condition_met"),
        (DB, "condition_ended"),
    ]


@pytest.mark.parametrize("reason", [TransitionReason.RULE_DELETED, TransitionReason.RULE_DISABLED])
def test_the_alerts_of_a_rule_that_goes_end_with_it(reason: TransitionReason) -> None:
    before = [alert(1, State.PENDING), replace(alert(2), keep_firing_since=NOON)]
    evaluation = resolve_all(before, NOON + MINUTE, reason)
    assert evaluation.alerts == {}
    assert [(change.before, change.reason) for change in evaluation.changes] == [
        (State.PENDING, reason),
        (State.FIRING, reason),
    ]
    for change in evaluation.changes:
        assert (change.alert.state, change.alert.resolved_at) == (State.INACTIVE, NOON + MINUTE)
        assert change.alert.keep_firing_since is None


@pytest.mark.parametrize(
    ("state", "gap", "active_at"),
    [
        pytest.param(State.PENDING, timedelta(0), NOON, id="no gap"),
        pytest.param(State.PENDING, -MINUTE, NOON, id="a clock set back"),
        pytest.param(State.PENDING, 5 * MINUTE, NOON + 5 * MINUTE, id="a gap is taken off the account"),
        pytest.param(State.PENDING, LONGEST_GAP, NOON + HOUR, id="an hour still is"),
        pytest.param(State.PENDING, LONGEST_GAP + SECOND, NOON + 2 * HOUR, id="after more the clock starts anew"),
        pytest.param(State.FIRING, 5 * MINUTE, NOON, id="firing goes on over a gap"),
        pytest.param(State.FIRING, 9 * HOUR, NOON, id="over any gap"),
    ],
)
def test_time_in_which_nobody_evaluated_is_no_evidence(state: State, gap: timedelta, active_at: datetime) -> None:
    credited = credit_gap({WEB: alert(1, state, labels=WEB)}, gap, NOON + 2 * HOUR)
    assert credited[WEB] == replace(alert(1, state, labels=WEB), active_at=active_at)


@pytest.mark.parametrize("back", [MINUTE, 5 * HOUR], ids=["by less than it held", "by hours"])
def test_a_clock_that_is_set_back_ends_no_firing_alert(back: timedelta) -> None:
    pending = evaluate(rule(3), elements(WEB), {}, NOON).alerts
    firing = evaluate(rule(3), elements(WEB), pending, NOON + 3 * MINUTE).alerts
    assert firing[WEB].state is State.FIRING
    after = evaluate(rule(3), elements(WEB), firing, NOON + 3 * MINUTE - back)
    assert after.alerts == firing
    assert after.changes == ()


def test_a_clock_that_is_set_back_delays_a_pending_alert_by_no_more_than_its_hold() -> None:
    pending = evaluate(rule(3), elements(WEB), {}, NOON).alerts
    again = evaluate(rule(3), elements(WEB), pending, NOON - 5 * HOUR).alerts
    assert again[WEB].active_at == NOON - 5 * HOUR
    assert evaluate(rule(3), elements(WEB), again, NOON - 5 * HOUR + 3 * MINUTE).alerts[WEB].state is State.FIRING


def test_a_clock_that_is_set_back_keeps_an_alert_firing_for_no_longer_than_it_should() -> None:
    kept = replace(alert(1, labels=WEB), keep_firing_since=NOON)
    lingering = replace(rule(0), keep_firing_for=MINUTE)
    after = evaluate(lingering, {}, {WEB: kept}, NOON - 5 * HOUR).alerts
    assert after[WEB].keep_firing_since == NOON - 5 * HOUR
    assert evaluate(lingering, {}, after, NOON - 5 * HOUR + MINUTE).alerts == {}


def test_a_gap_never_makes_an_alert_active_in_the_future() -> None:
    credited = credit_gap({WEB: alert(1, State.PENDING, labels=WEB)}, 5 * MINUTE, NOON + MINUTE)
    assert credited[WEB].active_at == NOON + MINUTE


def test_a_pending_alert_fires_when_it_has_held_for_so_long_without_the_gap() -> None:
    pending = evaluate(rule(3), elements(WEB), {}, NOON).alerts
    at = [NOON + minutes * MINUTE for minutes in (12, 13)]
    credited = credit_gap(pending, 10 * MINUTE, at[0])
    early = evaluate(rule(3), elements(WEB), credited, at[0]).alerts
    assert early[WEB].state is State.PENDING
    assert evaluate(rule(3), elements(WEB), early, at[1]).alerts[WEB].state is State.FIRING


@dataclass
class Active:
    """One entry of the plain reference: an active alert as P:rules/alerting.go keeps it, changed in place."""

    active_at: datetime
    value: float
    firing: bool = False
    fired_at: datetime | None = None
    keep_firing_since: datetime | None = None

    def outlives_its_series(self, keep_firing_for: timedelta, ts: datetime) -> bool:
        if not self.firing or not keep_firing_for:
            return False
        if self.keep_firing_since is None:
            self.keep_firing_since = ts
        return ts - self.keep_firing_since < keep_firing_for


def reference(active: dict[str, Active], declared: Rule, vector: Mapping[str, float], ts: datetime) -> None:
    """Eval's loops over the active map, step by step in its order; an alert that has ended leaves at once."""
    for name, value in vector.items():
        active.setdefault(name, Active(active_at=ts, value=value)).value = value
    for name, entry in list(active.items()):
        if name in vector:
            entry.keep_firing_since = None
        elif not entry.outlives_its_series(declared.keep_firing_for, ts):
            del active[name]
            continue
        held = ts - entry.active_at >= declared.hold
        if not entry.firing and held:
            entry.firing, entry.fired_at = True, ts
        if entry.firing and not held:
            entry.firing, entry.fired_at, entry.keep_firing_since = False, None, None


SPANS = st.integers(0, 4).map(lambda minutes: minutes * MINUTE)
STEPS = st.tuples(
    st.integers(1, 3).map(lambda minutes: minutes * MINUTE),
    st.dictionaries(st.sampled_from("abc"), st.floats(allow_nan=False)),
    st.none() | st.tuples(SPANS, SPANS),
)


@given(st.lists(STEPS, max_size=20))
def test_random_timelines_go_as_in_the_plain_reference(
    steps: list[tuple[timedelta, dict[str, float], tuple[timedelta, timedelta] | None]],
) -> None:
    active: dict[str, Active] = {}
    known: Mapping[Labels, Alert] = {}
    declared, slot = rule(2, 2), NOON
    for step, vector, edit in steps:
        slot += step
        if edit is not None:
            declared = replace(declared, hold=edit[0], keep_firing_for=edit[1])
        reference(active, declared, vector, slot)
        samples = [Sample(labels=Labels({"host": name}), value=value) for name, value in vector.items()]
        evaluation = evaluate(declared, labelled(declared, samples, as_written), known, slot)
        assert summary(evaluation.alerts) == active
        assert retold(known, evaluation) == {labels: one.state for labels, one in evaluation.alerts.items()}
        known = evaluation.alerts


def summary(alerts: Mapping[Labels, Alert]) -> dict[str, Active]:
    return {
        one.labels["host"]: Active(
            active_at=one.active_at,
            value=one.value,
            firing=one.state is State.FIRING,
            fired_at=one.fired_at,
            keep_firing_since=one.keep_firing_since,
        )
        for one in alerts.values()
    }


def retold(before: Mapping[Labels, Alert], evaluation: Evaluation) -> dict[Labels, State]:
    """The states that the changes make of those before: whoever reads only the changes knows them all."""
    told = {labels: one.state for labels, one in before.items()}
    for change in evaluation.changes:
        assert change.before is told.pop(change.alert.labels, None)
        assert change.before is not change.alert.state
        if change.alert.state is not State.INACTIVE:
            told[change.alert.labels] = change.alert.state
    return told
