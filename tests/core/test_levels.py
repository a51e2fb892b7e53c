"""Levels: each an alert of its own, held until its recovery, kept quiet by a higher one, and accounted for series by series."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.alert import Alert, Sample, State
from engine.core.evaluation import DuplicateLabelSetError, evaluate, labelled
from engine.core.levels import effective, levelled, overtaken
from rules import query, thresholds
from rules.labels import Labels
from rules.matchers import Matcher, Operator
from rules.rule import Condition, Rule
from rules.thresholds import Threshold
from tests.core.alarms import MINUTE, NOON

RULE = Rule(id="r", name="Disk", metric_name="disk", condition=Condition.ABOVE, threshold=80, severity="warning")
RANKS = {"warning": 20, "critical": 30, "page": 40}
CRITICAL = Threshold(id="c", rule_id="r", threshold=90, severity="critical")
HOLDING = replace(CRITICAL, recovery_threshold=70)


def sample(value: float, host: str = "web") -> Sample:
    return Sample(labels=Labels({"__name__": "disk", "host": host}), value=value)


def labels(severity: str, host: str = "web") -> Labels:
    return Labels({"alertname": "Disk", "host": host, "severity": severity})


def as_written(text: str, _: Sample) -> str:
    return text


def run(values: Sequence[float | None], rows: Sequence[Threshold], rule: Rule = RULE) -> list[dict[str, str]]:
    """The state of each level, minute by minute, as the series' value moves; `None`: the series is gone."""
    comparison = query.comparison(rule)
    assert comparison is not None
    known: Mapping[Labels, Alert] = {}
    story = []
    for minute, value in enumerate(values):
        slot = NOON + minute * MINUTE
        elements = levelled(
            rule,
            () if value is None else (sample(value),),
            as_written,
            condition=comparison.condition,
            levels=thresholds.levels(rule, comparison, rows, slot, RANKS),
            before=known,
        )
        known = evaluate(rule, elements, known, slot).alerts
        story.append({one["severity"]: alert.state.value for one, alert in known.items()})
    return story


def levels_of(story: Sequence[Mapping[str, str]], severity: str) -> str:
    return " ".join(states.get(severity, "-")[0] for states in story)


def test_each_level_is_an_alert_of_its_own() -> None:
    assert run([70, 85, 95, 85, 70], [CRITICAL]) == [
        {},
        {"warning": "firing"},
        {"warning": "firing", "critical": "firing"},
        {"warning": "firing"},
        {},
    ]


def test_an_alert_says_which_number_of_which_row_governs_it() -> None:
    comparison = query.comparison(RULE)
    assert comparison is not None
    levels = thresholds.levels(RULE, comparison, [replace(CRITICAL, hold=MINUTE)], NOON, RANKS)
    found = levelled(RULE, [sample(95)], as_written, condition=Condition.ABOVE, levels=levels, before={})
    told = {one["severity"]: (element.threshold, element.threshold_id, element.hold) for one, element in found.items()}
    assert told == {"warning": (80, None, None), "critical": (90, "c", MINUTE)}
    alerts = evaluate(RULE, found, {}, NOON).alerts
    assert (alerts[labels("critical")].threshold, alerts[labels("critical")].threshold_id) == (90, "c")


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param([95, 85, 71, 70], "f f f -", id="a firing level holds down to its recovery"),
        pytest.param([85, 71], "- -", id="what never fired is not begun by its recovery"),
        pytest.param([95, 70, 85], "f - -", id="once back, it takes the threshold again"),
        pytest.param([95, math.nan, 85], "f - -", id="NaN is past nothing"),
        pytest.param([95, None, 85], "f - -", id="a series that was gone begins anew"),
    ],
)
def test_a_firing_level_ends_only_past_its_recovery(values: list[float | None], expected: str) -> None:
    assert levels_of(run(values, [HOLDING]), "critical") == expected


def test_a_pending_level_is_not_held_by_its_recovery() -> None:
    assert levels_of(run([95, 85, 95, 95, 95], [replace(HOLDING, hold=2 * MINUTE)]), "critical") == "p - p p f"


def test_each_level_has_its_own_hold() -> None:
    story = run([95, 95, 95], [replace(CRITICAL, hold=MINUTE)], replace(RULE, hold=2 * MINUTE))
    assert levels_of(story, "critical") == "p f f"
    assert levels_of(story, "warning") == "p p f"


def test_keep_firing_for_keeps_a_level_whatever_the_rules_own_hold_is() -> None:
    patient = replace(RULE, hold=timedelta(hours=1), keep_firing_for=2 * MINUTE)
    story = run([95, 60, 60, 60], [replace(CRITICAL, hold=timedelta(0))], patient)
    assert levels_of(story, "critical") == "f f f -"


def test_what_is_kept_has_been_back_so_its_recovery_does_not_hold_it_any_more() -> None:
    story = run([95, 60, 75, 75, 75], [HOLDING], replace(RULE, keep_firing_for=2 * MINUTE))
    assert levels_of(story, "critical") == "f f f - -"


def test_two_series_that_end_in_one_alert_fail_the_evaluation() -> None:
    rule = replace(RULE, labels=Labels({"host": "same"}))
    comparison = query.comparison(rule)
    assert comparison is not None
    levels = thresholds.levels(rule, comparison, [CRITICAL], NOON, RANKS)
    with pytest.raises(DuplicateLabelSetError):
        levelled(
            rule,
            [sample(85, "a"), sample(85, "b")],
            as_written,
            condition=Condition.ABOVE,
            levels=levels,
            before={},
        )


@given(
    values=st.lists(st.floats() | st.sampled_from([79, 80, 81]), max_size=5),
    condition=st.sampled_from(list(Condition)),
    rows=st.sampled_from([(), (replace(CRITICAL, matchers=(Matcher("host", Operator.EQUAL, "none"),)),)]),
)
@settings(max_examples=100)
def test_where_no_row_matches_all_is_as_without_rows(
    values: list[float], condition: Condition, rows: tuple[Threshold, ...]
) -> None:
    rule = replace(RULE, condition=condition, threshold=80.0)
    comparison = query.comparison(rule)
    assert comparison is not None
    compared = {
        ">": float.__gt__,
        ">=": float.__ge__,
        "<": float.__lt__,
        "<=": float.__le__,
        "==": float.__eq__,
        "!=": float.__ne__,
    }
    samples = [sample(float(value), str(number)) for number, value in enumerate(values)]
    returned = [one for one in samples if compared[condition](one.value, 80.0)]
    levels = thresholds.levels(rule, comparison, rows, NOON, RANKS)
    found = levelled(rule, samples, as_written, condition=condition, levels=levels, before={})
    assert repr(found) == repr(labelled(rule, returned, as_written))


# --- which level keeps which quiet ---


def alert(number: int, severity: str, host: str = "web", state: State = State.FIRING, source: str = "r") -> Alert:
    return Alert(
        id=number,
        source=source,
        labels=labels(severity, host),
        sample_labels=Labels({"__name__": "disk", "host": host}),
        state=state,
        value=95,
        active_at=NOON,
    )


WARNING = alert(1, "warning")


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        pytest.param([alert(2, "critical")], {1: 2}, id="a higher level that fires"),
        pytest.param([alert(2, "critical"), alert(3, "page")], {1: 3}, id="of several the highest"),
        pytest.param([alert(3, "page"), alert(2, "critical")], {1: 3}, id="in whatever order"),
        pytest.param([alert(2, "critical", state=State.PENDING)], {}, id="not one that is pending"),
        pytest.param([alert(2, "critical", state=State.INACTIVE)], {}, id="nor one that has ended"),
        pytest.param([alert(2, "critical", "db")], {}, id="nor one of another series"),
        pytest.param([alert(2, "critical", source="s")], {}, id="nor one of another rule"),
        pytest.param([alert(2, "odd")], {}, id="nor one whose severity has no rank"),
        pytest.param([], {}, id="nor itself"),
    ],
)
def test_a_higher_level_that_fires_keeps_the_lower_quiet(others: list[Alert], expected: Mapping[int, int]) -> None:
    assert overtaken([WARNING], [WARNING, *others], RANKS) == expected


def test_levels_that_nobody_ranked_leave_each_other_alone_and_are_below_all_others() -> None:
    odd, even = alert(1, "odd"), alert(2, "even")
    assert overtaken([odd, even], [odd, even], RANKS) == {}
    assert overtaken([odd, even], [odd, even, alert(3, "warning")], RANKS) == {1: 3, 2: 3}


ALERTS = st.lists(
    st.builds(
        alert,
        st.just(0),
        st.sampled_from(["warning", "critical", "page", "odd"]),
        st.sampled_from(["web", "db"]),
        st.sampled_from(list(State)),
        st.sampled_from(["r", "s"]),
    ),
    max_size=8,
)


@given(ALERTS)
@settings(max_examples=100)
def test_overtaken_agrees_with_looking_at_every_pair(found: list[Alert]) -> None:
    alerts = [replace(one, id=number) for number, one in enumerate(found)]
    expected = {
        low.id
        for low in alerts
        for high in alerts
        if high.state is State.FIRING
        and (high.source, high.sample_labels) == (low.source, low.sample_labels)
        and RANKS.get(high.labels["severity"], -1) > RANKS.get(low.labels["severity"], -1)
    }
    assert overtaken(alerts, alerts, RANKS).keys() == expected


# --- what governs what now ---


def test_every_series_is_told_which_row_governs_each_level_and_why() -> None:
    rows = [CRITICAL, replace(CRITICAL, id="w", severity="", threshold=99, matchers=(host("db"),))]
    found = effective(RULE, rows, [sample(95), sample(85, "db")], NOON, RANKS)
    told = [
        (one.labels["host"], one.value, level.severity, level.threshold, level.row_id, level.active)
        for one in found.series
        for level in one.levels
    ]
    assert told == [
        ("web", 95, "warning", 80, None, True),
        ("web", 95, "critical", 90, "c", True),
        ("db", 85, "warning", 99, "w", False),
        ("db", 85, "critical", 90, "c", False),
    ]
    assert (found.idle, found.error) == ((), None)
    assert found.series[0].levels[0].why == "no row matches, so the rule's own threshold"
    assert found.series[1].levels[1].recovery_threshold == 90


def test_rows_that_govern_nothing_are_named() -> None:
    rows = [
        replace(CRITICAL, id="other", matchers=(host("mail"),)),
        replace(CRITICAL, id="later", valid_from=NOON + MINUTE),
        CRITICAL,
        replace(CRITICAL, id="d"),
    ]
    found = effective(RULE, rows, [sample(95)], NOON, RANKS)
    assert found.idle == ("other", "later", "d")
    assert found.series[0].levels[1].why.endswith("(d)")


def test_a_level_without_a_row_for_the_series_has_no_number() -> None:
    found = effective(RULE, [replace(CRITICAL, matchers=(host("db"),))], [sample(95)], NOON, RANKS)
    level = found.series[0].levels[1]
    assert (level.threshold, level.recovery_threshold, level.row_id, level.active) == (None, None, None, False)


@pytest.mark.parametrize(
    ("rule", "error"),
    [
        pytest.param(Rule(id="r", name="R", expr="a > b"), "does not end in a comparison", id="it does not split"),
        pytest.param(Rule(id="r", name="R", expr="a >"), "is not PromQL", id="it does not parse"),
    ],
)
def test_a_rule_that_cannot_have_rows_says_why(rule: Rule, error: str) -> None:
    found = effective(rule, [CRITICAL], (), NOON, RANKS)
    assert found.series == ()
    assert error in str(found.error)


def host(value: str) -> Matcher:
    return Matcher("host", Operator.EQUAL, value)
