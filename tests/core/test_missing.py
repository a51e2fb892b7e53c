"""What becomes of alerts whose series, whole left side or evaluation is gone: each policy, minute by minute."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.alert import Absence, Alert, State, TransitionReason
from engine.core.element import Element
from engine.core.evaluation import LONGEST_GAP, Evaluation, credit_gap, evaluate, failed
from engine.core.levels import past
from engine.core.rule_alert import reason_of, rule_alert, told
from rules import query
from rules.labels import Labels
from rules.rule import Condition, MissingSeries, NoData, OnError, Rule
from tests.core.alarms import MINUTE, NOON, SECOND, alert
from tests.core.test_evaluation import WEB, elements

RULE = Rule(id="r", name="Busy", threshold=80.0, missing_for=3 * MINUTE, labels=Labels({"team": "ops"}))
LETTERS = {State.PENDING: "P", State.FIRING: "F"}
OF_WEB = Labels({"host": "web"})
OF_DB = Labels({"host": "db"})


def rule(
    no_data: str = "ok", missing: str = "resolve", on_error: str = "keep", *, hold: int = 0, keep: int = 0
) -> Rule:
    """RULE with these policies, and `for` and `keep_firing_for` of so many minutes."""
    return replace(
        RULE,
        no_data=NoData(no_data),
        missing_series=MissingSeries(missing),
        on_error=OnError(on_error),
        hold=hold * MINUTE,
        keep_firing_for=keep * MINUTE,
    )


def step(mark: str, one: Rule, known: Mapping[Labels, Alert], minute: int) -> Evaluation:
    """One minute: `x` web is active, `.` it is well, `o` others alone are there, `_` nothing is, `E` an error."""
    slot = NOON + minute * MINUTE
    if mark == "E":
        return failed(one, known, slot)
    present = {"x": {OF_WEB, OF_DB}, ".": {OF_WEB, OF_DB}, "o": {OF_DB}, "_": set()}[mark]
    return evaluate(one, elements(WEB) if mark == "x" else {}, known, slot, present=frozenset(present))


def run(script: str, one: Rule, *, known: Mapping[Labels, Alert] | None = None) -> list[Evaluation]:
    evaluations: list[Evaluation] = []
    for minute, mark in enumerate(script.split()):
        evaluations.append(step(mark, one, evaluations[-1].alerts if evaluations else known or {}, minute))
    return evaluations


def letters(evaluations: Sequence[Evaluation]) -> tuple[str, str]:
    """The state of web's alert, and of the rule's own, minute by minute."""
    series, own = [], []
    for one in evaluations:
        mine = [each for each in one.alerts.values() if reason_of(each) is not None]
        series.append(LETTERS[one.alerts[WEB].state] if WEB in one.alerts else "_")
        own.append(LETTERS[mine[0].state] if mine else "_")
    return " ".join(series), " ".join(own)


def reasons(evaluations: Sequence[Evaluation]) -> str:
    return " ".join(f"{minute}:{each.reason}" for minute, one in enumerate(evaluations) for each in one.changes)


@pytest.mark.parametrize(
    ("one", "script", "series", "own", "why"),
    [
        pytest.param(rule(), "x _ x", "F _ F", "_ _ _", "0:held 1:no_data 2:held", id="no data is well"),
        pytest.param(rule(), "x o x", "F _ F", "_ _ _", "0:held 1:series_missing 2:held", id="a missing series is well"),
        pytest.param(
            rule(keep=2), "x _ _ _", "F F F _", "_ _ _ _", "0:held 3:no_data", id="no data is kept by keep_firing_for"
        ),
        pytest.param(
            rule("keep"), "x _ _ _ _ _ x .", "F F F F F F F _", "_ _ _ _ _ _ _ _",
            "0:held 1:no_data 6:data_returned 7:condition_ended", id="no data keeps for as long as it lasts",
        ),
        pytest.param(
            rule("keep"), "x _ .", "F F _", "_ _ _", "0:held 1:no_data 2:condition_ended", id="it is back and well"
        ),
        pytest.param(
            rule("keep", keep=1), "x _ . .", "F F F _", "_ _ _ _", "0:held 1:no_data 2:data_returned 3:condition_ended",
            id="it is back, well, and kept firing",
        ),
        pytest.param(
            rule("keep", hold=2), "x _ _ x", "P P P F", "_ _ _ _", "0:condition_met 1:no_data 3:held",
            id="what is pending stays pending",
        ),
        pytest.param(
            rule("keep"), "x _ o", "F F _", "_ _ _", "0:held 1:no_data 2:series_missing",
            id="others are back, and a missing series ends",
        ),
        pytest.param(
            rule("keep", "keep"), "x _ _ _ _ o o o o", "F F F F F F F F _", "_ _ _ _ _ _ _ _ _",
            "0:held 1:no_data 5:series_missing 8:series_missing", id="the clock of a series begins when others are back",
        ),
        pytest.param(
            rule(missing="keep"), "x o o o o x", "F F F F _ F", "_ _ _ _ _ _",
            "0:held 1:series_missing 4:series_missing 5:held", id="a missing series is kept for missing_for",
        ),
        pytest.param(
            rule(missing="keep"), "x o o x o o o o", "F F F F F F F _", "_ _ _ _ _ _ _ _",
            "0:held 1:series_missing 3:data_returned 4:series_missing 7:series_missing", id="each absence counts anew",
        ),
        pytest.param(
            rule(missing="keep"), "x o _", "F F _", "_ _ _", "0:held 1:series_missing 2:no_data",
            id="keeping series does not keep over no data",
        ),
        pytest.param(
            rule("alert"), "x _ _ . x", "F F F _ F", "_ F F _ _",
            "0:held 1:no_data 1:no_data 3:data_returned 3:condition_ended 4:held", id="no data has an alert",
        ),
        pytest.param(
            rule("alert", hold=2), "_ _ _ _ .", "_ _ _ _ _", "P P F F _", "0:no_data 2:no_data 4:data_returned",
            id="after for",
        ),
        pytest.param(rule("alert"), "o o", "_ _", "_ _", "", id="data that is well has none"),
        pytest.param(rule(), "x E E x .", "F F F F _", "_ _ _ _ _", "0:held 4:condition_ended", id="an error keeps"),
        pytest.param(
            rule(on_error="ok"), "x E x", "F _ F", "_ _ _", "0:held 1:evaluation_error 2:held", id="an error ends"
        ),
        pytest.param(
            rule(on_error="ok", keep=2), "x E E E", "F F F _", "_ _ _ _", "0:held 3:evaluation_error",
            id="unless it is kept firing",
        ),
        pytest.param(
            rule(on_error="alert", hold=2), "x E E E .", "P P P P _", "_ P P F _",
            "0:condition_met 1:evaluation_error 3:evaluation_error 4:data_returned 4:condition_ended",
            id="errors have an alert after for, and leave the others",
        ),
        pytest.param(
            rule("alert", on_error="alert"), "_ E E _", "_ _ _ _", "F F F F",
            "0:no_data 1:evaluation_error 3:data_returned", id="an error does not end the alert of no data",
        ),
        pytest.param(
            rule("alert", on_error="ok"), "_ E", "_ _", "F _", "0:no_data 1:evaluation_error", id="but ok does"
        ),
    ],
)  # fmt: skip
def test_what_is_gone_is_kept_ended_or_told_as_the_rule_says(
    one: Rule, script: str, series: str, own: str, why: str
) -> None:
    evaluations = run(script, one)
    assert letters(evaluations) == (series, own)
    assert sorted(reasons(evaluations).split()) == sorted(why.split())


def test_nobody_misses_what_nobody_looks_for() -> None:
    firing = run("x", rule("keep", "keep"))[0].alerts
    (change,) = evaluate(rule("keep", "keep"), {}, firing, NOON + MINUTE).changes
    assert change.reason is TransitionReason.CONDITION_ENDED


def test_the_alert_of_the_rule_itself_has_its_static_labels_and_no_value() -> None:
    declared = replace(RULE, labels=Labels({"team": "ops", "on": "{{ $labels.host }}"}), severity="page")
    ((labels, element),) = rule_alert(declared, TransitionReason.NO_DATA).items()
    assert labels == Labels({"alertname": "Busy", "team": "ops", "severity": "page", "reason": "no_data"})
    assert element.sample.value != element.sample.value
    assert reason_of(alert()) is None


@pytest.mark.parametrize(
    ("reason", "error", "summary"),
    [
        (TransitionReason.NO_DATA, None, "rule 'Busy' has no data: its left side returns no series"),
        (TransitionReason.EVALUATION_ERROR, "timeout", "rule 'Busy' cannot be evaluated: timeout"),
        (TransitionReason.EVALUATION_ERROR, None, "rule 'Busy' cannot be evaluated: it failed before"),
    ],
)
def test_it_tells_what_happened_beside_the_annotations_that_need_no_series(
    reason: TransitionReason, error: str | None, summary: str
) -> None:
    declared = replace(RULE, annotations={"summary": "x", "runbook_url": "http://r", "on": "{{ $value }}"})
    assert told(declared, reason, error) == {"summary": summary, "runbook_url": "http://r"}


def test_an_error_alert_that_nobody_wants_any_more_ends_while_the_errors_last() -> None:
    raised = run("x E", rule(on_error="alert"))[-1].alerts
    (change,) = failed(rule(), raised, NOON + 2 * MINUTE).changes
    assert reason_of(change.alert) is TransitionReason.EVALUATION_ERROR
    assert (change.alert.state, change.reason) == (State.INACTIVE, TransitionReason.CONDITION_ENDED)


@pytest.mark.parametrize(
    ("gap", "since"),
    [
        pytest.param(MINUTE, NOON + MINUTE, id="a gap is taken out"),
        pytest.param(LONGEST_GAP + SECOND, NOON + 5 * MINUTE, id="after a long one the clock starts anew"),
        pytest.param(10 * MINUTE, NOON + 5 * MINUTE, id="never beyond now"),
    ],
)
def test_time_in_which_nobody_looked_is_no_absence(gap: object, since: object) -> None:
    absent = replace(alert(), absence=Absence(since=NOON, reason=TransitionReason.SERIES_MISSING))
    credited = credit_gap({WEB: absent}, gap, NOON + 5 * MINUTE)[WEB]  # type: ignore[arg-type] # spans, all of them
    assert credited.absence == Absence(since=since, reason=TransitionReason.SERIES_MISSING)  # type: ignore[arg-type]
    assert credited.active_at == NOON


def numbered(*numbers: int) -> dict[Labels, Element]:
    return elements(*(Labels({"alertname": "Busy", "host": f"h{number}"}) for number in numbers))


def hosts(evaluation: Evaluation) -> list[str]:
    return sorted(labels["host"] for labels in evaluation.alerts)


@pytest.mark.parametrize(
    ("limit", "before", "now", "left", "over"),
    [
        pytest.param(0, [], [3, 1, 2], ["h1", "h2", "h3"], 0, id="no limit"),
        pytest.param(-1, [], [3, 1, 2], ["h1", "h2", "h3"], 0, id="nor below 0"),
        pytest.param(3, [], [3, 1, 2], ["h1", "h2", "h3"], 0, id="at the limit"),
        pytest.param(2, [], [3, 1, 2], ["h1", "h2"], 1, id="new ones by their labels"),
        pytest.param(2, [3], [3, 1, 2], ["h1", "h3"], 1, id="what is active already goes first"),
        pytest.param(1, [2, 3], [3, 1, 2], ["h2", "h3"], 1, id="and is kept even beyond the limit"),
        pytest.param(1, [2, 3], [3, 2], ["h2", "h3"], 0, id="nothing new, nothing refused"),
        pytest.param(1, [2], [1], ["h1"], 0, id="what ended makes room"),
    ],
)
def test_a_rule_over_its_limit_keeps_what_it_has_and_takes_new_ones_up_to_it(
    limit: int, before: list[int], now: list[int], left: list[str], over: int
) -> None:
    known = evaluate(RULE, numbered(*before), {}, NOON).alerts
    evaluation = evaluate(replace(RULE, limit=limit), numbered(*now), known, NOON + MINUTE)
    assert (hosts(evaluation), evaluation.over_limit) == (left, over)


def test_what_is_kept_firing_counts_towards_the_limit() -> None:
    limited = replace(RULE, limit=1, keep_firing_for=5 * MINUTE)
    known = evaluate(limited, numbered(2), {}, NOON).alerts
    evaluation = evaluate(limited, numbered(1), known, NOON + MINUTE)
    assert (hosts(evaluation), evaluation.over_limit) == (["h2"], 1)


POLICIES = st.builds(
    rule,
    st.sampled_from(["ok", "keep", "alert"]),
    st.sampled_from(["resolve", "keep"]),
    st.sampled_from(["keep", "alert", "ok"]),
    hold=st.integers(0, 2),
    keep=st.integers(0, 2),
)


@given(POLICIES, st.lists(st.sampled_from("x.o_E"), max_size=12))
def test_every_transition_follows_from_the_last_and_tells_of_something(one: Rule, script: list[str]) -> None:
    known: Mapping[Labels, Alert] = {}
    for minute, mark in enumerate(script):
        evaluation = step(mark, one, known, minute)
        for change in evaluation.changes:
            before = known.get(change.alert.labels)
            assert change.before is (None if before is None else before.state)
            if before is not None and before.state is change.alert.state:
                assert before.absence != change.alert.absence
        changed = {change.alert.labels for change in evaluation.changes}
        left = (known.keys() | evaluation.alerts.keys()) - changed
        assert all(known[each].state is evaluation.alerts[each].state for each in left)
        known = evaluation.alerts


@given(POLICIES, st.lists(st.sampled_from("x.o_E"), max_size=12))
def test_once_all_is_back_and_well_nothing_is_left(one: Rule, script: list[str]) -> None:
    after = run(" ".join([*script, *"...."]), one)[-1]
    assert after.alerts == {}


@given(
    st.sampled_from(Condition), st.floats(allow_nan=False),
    st.lists(st.floats(), max_size=5),
)  # fmt: skip
def test_a_series_is_past_the_threshold_as_promql_compares(
    condition: Condition, at: float, values: list[float]
) -> None:
    declared = replace(RULE, metric_name="busy", condition=condition, threshold=at)
    comparison = query.comparison(declared)
    assert comparison is not None
    samples = [elements(WEB, value=value)[WEB].sample for value in values]
    compare = {">": float.__gt__, ">=": float.__ge__, "<": float.__lt__, "<=": float.__le__, "==": float.__eq__,
               "!=": float.__ne__}[condition.value]  # fmt: skip
    assert past(samples, comparison, (), NOON) == tuple(one for one in samples if compare(one.value, at))
