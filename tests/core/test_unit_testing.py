"""What rule unit tests come to: the series of an alert, and whether what was got is what was expected."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import pytest

from engine.core import unit_testing
from engine.core.alert import Alert, Sample, State
from rules.formats.rule_tests import ExpectedAlert, ExpectedSample
from rules.labels import Labels, LabelTexts
from rules.rule import Rule

AT = datetime(2026, 1, 1, tzinfo=UTC)


def an_alert(**labels: str) -> ExpectedAlert:
    return ExpectedAlert(labels=LabelTexts(labels))


def test_an_alert_shows_itself_by_two_series() -> None:
    rule = Rule(id="r", name="A", expr="up", severity="page", labels=LabelTexts({"gone": "{{ $labels.no }}"}))
    labels = Labels({"alertname": "A", "job": "x", "severity": "page"})
    alert = Alert(source="r", labels=labels, sample_labels=Labels(), state=State.PENDING, value=3.0, active_at=AT)
    base = labels.merged({"gone": "{{ $labels.no }}"})
    assert unit_testing.shown(rule, alert) == (
        Sample(labels=base.merged({"__name__": "ALERTS", "alertstate": "pending"}), value=1.0),
        Sample(labels=base.merged({"__name__": "ALERTS_FOR_STATE"}), value=AT.timestamp()),
    )


def test_without_a_severity_no_label_of_that_name_is_shown() -> None:
    rule = Rule(id="r", name="A", expr="up")
    alert = Alert(source="r", labels=Labels(), sample_labels=Labels(), state=State.FIRING, value=0.0, active_at=AT)
    assert "severity" not in unit_testing.shown(rule, alert)[0].labels


def test_a_recording_puts_its_name_and_its_labels_over_the_samples() -> None:
    samples = [Sample(labels=Labels({"__name__": "up", "a": "1", "b": "2"}), value=5.0)]
    (made,) = unit_testing.recorded("x", {"a": "9", "b": ""}, samples)
    assert made == Sample(labels=Labels({"__name__": "x", "a": "9"}), value=5.0)


def test_what_is_missing_and_what_is_too_much_is_told_apart() -> None:
    one, two, three = an_alert(a="1"), an_alert(a="2"), an_alert(a="3")
    assert unit_testing.unlike([one, two], [two, one]) == ((), ())
    assert unit_testing.unlike([one, two], [two, three]) == ((one,), (three,))
    assert unit_testing.unlike([one, one], [one]) == ((one,), ())


A, B = Labels({"a": "1"}), Labels({"b": "1"})
NEXT = math.nextafter(1.0, 2.0)


@pytest.mark.parametrize(
    ("expected", "got", "fuzzy", "same"),
    [
        ([(A, 1.0), (B, 2.0)], [(B, 2.0), (A, 1.0)], False, True),
        ([(A, 1.0)], [(B, 1.0)], False, False),
        ([(A, 1.0)], [], False, False),
        ([(A, 1.0)], [(A, NEXT)], False, False),
        ([(A, 1.0)], [(A, NEXT)], True, True),
        ([(A, NEXT)], [(A, 1.0)], True, True),
        ([(A, 1.0)], [(A, 1.1)], True, False),
        ([(A, math.nan)], [(A, math.nan)], True, False),
        ([(A, math.inf)], [(A, math.inf)], False, True),
    ],
)
def test_an_answer_is_what_was_expected(
    expected: list[tuple[Labels, float]], got: list[tuple[Labels, float]], fuzzy: bool, same: bool
) -> None:
    wanted = [ExpectedSample(labels=labels, value=value) for labels, value in expected]
    samples = [Sample(labels=labels, value=value) for labels, value in got]
    assert unit_testing.answers(wanted, samples, fuzzy=fuzzy) is same


@pytest.mark.parametrize(
    ("exprs", "places"),
    [
        (["up == 0", "sum(rate(x[5m])) > 1", "vector(1)"], {0, 1, 2}),
        (["up == 0", "x:up > 1", "ALERTS > 0", "absent(x:up)"], {0}),
        (["up == 0", '{job="a"} > 0', '{__name__=~"u.*"}'], {0}),
        (["up == 0", "up offset 5m"], {0, 1}),
        (["up == 0", "up offset -5m"], set()),
        (["up == 0", "max_over_time(up[5m:] @ 60)"], set()),
        (["up == 0", "a new function of Prometheus"], set()),
    ],
)
def test_answers_are_foreseeable_when_they_hang_on_the_input_alone(exprs: list[str], places: set[int]) -> None:
    assert unit_testing.foreseeable(exprs, {"x:up", "ALERTS", "ALERTS_FOR_STATE"}, {"up", "x"}) == places


def test_nothing_is_foreseeable_when_a_rule_writes_what_is_fed() -> None:
    assert unit_testing.foreseeable(["up == 0"], {"x:up"}, {"up", "x:up"}) == frozenset()
