"""The comparison can fail: each way in which a message can be wrong is a mismatch, and each field that differs is named."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from rules.labels import Labels
from tests.timelines.comparing import Pace, Tolerance, mismatches, unlike
from tests.timelines.language import HOOK, Alert, alert, between, told
from tests.timelines.receiving import Received

A, B = alert("Down", host="a"), alert("Down", host="b")
TOLERANCE = Tolerance(early=0.2, late=0.5)
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def received(time: float, *firing: Alert, resolved: tuple[Alert, ...] = (), channel: str = HOOK) -> Received:
    states = [(one, "firing") for one in firing] + [(one, "resolved") for one in resolved]
    alerts = [
        {
            "status": status,
            "labels": {**one.labels, "scenario": "it"},
            "annotations": {},
            "fingerprint": one.labels.fingerprint(),
            "startsAt": "2026-01-01T12:00:00Z",
            "endsAt": "0001-01-01T00:00:00Z" if status == "firing" else "2026-01-01T12:00:05Z",
        }
        for one, status in states
    ]
    body: dict[str, Any] = {
        "version": "4",
        "status": "firing" if firing else "resolved",
        "receiver": "r",
        "groupLabels": {"alertname": "Down"},
        "commonLabels": {},
        "commonAnnotations": {},
        "truncatedAlerts": 0,
        "alerts": alerts,
    }
    return Received(at=time, channel=channel, body=body)


def test_what_came_as_expected_is_no_mismatch() -> None:
    came = [received(3.4, A, resolved=(B,)), received(0.9, A, B), received(6, resolved=(A,))]
    assert mismatches([told(1, A, B), told(3, A, resolved=[B]), between(5, 7, resolved=[A])], came, TOLERANCE) == []


@pytest.mark.parametrize(
    "came",
    [
        pytest.param([], id="nothing"),
        pytest.param([received(0.7, A)], id="too early"),
        pytest.param([received(1.6, A)], id="too late"),
        pytest.param([received(1, B)], id="another alert"),
        pytest.param([received(1, A, B)], id="one alert too many"),
        pytest.param([received(1, A, A)], id="an alert twice in a message"),
        pytest.param([received(1, A), received(1, A)], id="a message twice"),
        pytest.param([received(1, resolved=(A,))], id="resolved instead of firing"),
        pytest.param([received(1, A, resolved=(B,))], id="an end too many"),
        pytest.param([received(1, A, channel="other")], id="another channel"),
    ],
)
def test_whatever_else_came_is_a_mismatch(came: list[Received]) -> None:
    assert mismatches([told(1, A)], came, TOLERANCE)


def test_a_body_is_like_itself_at_another_time_and_pace() -> None:
    pace = Pace(begin=NOON, second=timedelta(seconds=1))
    assert unlike(received(1, A), received(1, A), pace, pace) == []


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"receiver": "x"}, "receiver"),
        ({"groupLabels": {}}, "groupLabels"),
        ({"commonLabels": {"a": "b"}}, "commonLabels"),
        ({"commonAnnotations": {"a": "b"}}, "commonAnnotations"),
        ({"truncatedAlerts": 1}, "truncatedAlerts"),
        ({"status": "resolved"}, "status"),
        ({"alerts": []}, "alerts"),
    ],
)
def test_a_field_that_differs_is_named(changes: dict[str, Any], named: str) -> None:
    pace = Pace(begin=NOON, second=timedelta(seconds=1))
    one = received(1, A)
    other = Received(at=1, channel=HOOK, body={**one.body, **changes})
    assert [text.partition(":")[0] for text in unlike(one, other, pace, pace)] == [named]


@pytest.mark.parametrize(("seconds", "alike"), [(0.5, True), (2, False)])
def test_instants_are_compared_by_the_scenario_s_own_seconds(seconds: float, alike: bool) -> None:
    ours, theirs = (Pace(begin=NOON - timedelta(seconds=late), second=timedelta(seconds=1)) for late in (0, seconds))
    assert (unlike(received(6, resolved=(A,)), received(6, resolved=(A,)), ours, theirs) == []) is alike


def test_labels_are_compared_without_the_one_that_keeps_scenarios_apart() -> None:
    assert received(1, A).alerts("firing") == [Labels({"alertname": "Down", "host": "a"})]
