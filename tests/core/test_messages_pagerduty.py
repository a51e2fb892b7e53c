"""The PagerDuty event: action, key, severity, details and limits."""

from __future__ import annotations

import hashlib
import json
import math
from datetime import timedelta
from typing import Any

import pytest

from engine.core.facts import Facts
from engine.core.messages_pagerduty import EVENT_LIMIT, dedup_key, render
from tests.core.telling import DASHBOARD, NOON, QUERY, RUNBOOK, alert, facts, many


def event(told: Facts) -> Any:
    return json.loads(render(told))


def payload(told: Facts) -> Any:
    return event(told)["payload"]


def test_the_whole_event_for_one_critical_alert() -> None:
    one = alert()
    assert event(facts(one)) == {
        "event_action": "trigger",
        "dedup_key": "4f2a" * 16,
        "payload": {
            "summary": "[FIRING:1] HighErrorRate (critical): Too many errors",
            "source": "web-1",
            "severity": "critical",
            "timestamp": "2026-03-01T12:00:00Z",
            "class": "HighErrorRate",
            "custom_details": {
                "firing": [
                    {
                        "labels": {"alertname": "HighErrorRate", "instance": "web-1", "severity": "critical"},
                        "annotations": {"summary": "Too many errors"},
                        "value": "97.25",
                        "threshold": "> 80",
                        "starts_at": "2026-03-01T12:00:00Z",
                        "fingerprint": one.fingerprint,
                        "generator_url": QUERY,
                    }
                ],
                "receiver": "ops",
                "reason": "first notification",
                "num_firing": "1",
                "num_resolved": "0",
            },
        },
        "client": "Tocsin",
        "client_url": "https://tocsin.example.org",
        "links": [{"href": QUERY, "text": "Query"}],
    }


@pytest.mark.parametrize(
    ("told", "action"),
    [
        pytest.param(facts(*many(2)), "trigger", id="all-fire"),
        pytest.param(facts(alert(), alert({"instance": "b"}, status="resolved")), "trigger", id="one-still-fires"),
        pytest.param(facts(*many(2, "resolved")), "resolve", id="all-are-over"),
    ],
)
def test_an_incident_is_resolved_only_when_every_alert_is_over(told: Facts, action: str) -> None:
    assert event(told)["event_action"] == action


@pytest.mark.parametrize(
    ("key", "sent"),
    [
        pytest.param("short", "short", id="short"),
        pytest.param("k" * 255, "k" * 255, id="just-fits"),
        pytest.param("k" * 256, hashlib.sha256(b"k" * 256).hexdigest(), id="too-long"),
    ],
)
def test_a_key_pagerduty_would_refuse_is_hashed(key: str, sent: str) -> None:
    assert dedup_key(key) == sent
    assert event(facts(dedup_key=key))["dedup_key"] == sent


@pytest.mark.parametrize(
    ("severity", "sent"),
    [
        ("critical", "critical"),
        ("page", "critical"),
        ("warning", "warning"),
        ("info", "info"),
        ("odd", "error"),
        ("", "error"),
    ],
)
def test_the_severity_is_one_pagerduty_knows(severity: str, sent: str) -> None:
    assert payload(facts(alert({"severity": severity})))["severity"] == sent


def test_the_summary_is_one_line_of_at_most_1024_characters() -> None:
    told = facts(alert({"alertname": "n\n" * 900}, annotations={"summary": "s\n" * 900}), group_labels={})
    summary = payload(told)["summary"]
    assert len(summary) <= 1024
    assert "\n" not in summary


def test_the_timestamp_is_when_the_first_alert_that_fires_began() -> None:
    early = alert({"instance": "a"}, status="resolved", starts_at=NOON - timedelta(hours=1))
    late = alert({"instance": "b"}, starts_at=NOON + timedelta(hours=1))
    assert payload(facts(late, alert(), early))["timestamp"] == "2026-03-01T12:00:00Z"


@pytest.mark.parametrize(
    ("labels", "field", "value"),
    [
        pytest.param({"service": "shop", "job": "api"}, "component", "shop", id="component-is-the-service"),
        pytest.param({"job": "api"}, "component", "api", id="else-the-job"),
        pytest.param({"cluster": "eu"}, "group", "eu", id="group-is-the-cluster"),
        pytest.param({"team": "web"}, "group", "web", id="else-the-team"),
        pytest.param({"instance": "", "host": "db-1"}, "source", "db-1", id="source-is-the-host"),
        pytest.param({"instance": ""}, "source", "tocsin", id="source-is-never-missing"),
    ],
)
def test_labels_fill_pagerdutys_own_fields(labels: dict[str, str], field: str, value: str) -> None:
    assert payload(facts(alert(labels)))[field] == value


def test_fields_the_alerts_do_not_share_are_left_out() -> None:
    assert "component" not in payload(facts(alert({"job": "a"}), alert({"job": "b"})))


def test_firing_and_resolved_alerts_are_told_and_counted_apart() -> None:
    details = payload(facts(alert(), *many(2, "resolved")))["custom_details"]
    assert [len(details["firing"]), len(details["resolved"])] == [1, 2]
    assert [details["num_firing"], details["num_resolved"]] == ["1", "2"]
    assert details["resolved"][0]["ends_at"] == "2026-03-01T12:05:00Z"


def test_a_value_that_is_no_number_is_told_in_words() -> None:
    assert payload(facts(alert(value=math.nan)))["custom_details"]["firing"][0]["value"] == "NaN"


def test_notes_are_in_the_details() -> None:
    assert payload(facts(notes=("a template failed",)))["custom_details"]["notes"] == ["a template failed"]


def test_links_of_all_alerts_are_listed_once() -> None:
    shared = {"runbook_url": RUNBOOK}
    told = facts(
        alert(annotations=shared), alert({"instance": "b"}, annotations={**shared, "dashboard_url": DASHBOARD})
    )
    assert event(told)["links"] == [
        {"href": RUNBOOK, "text": "Runbook"},
        {"href": QUERY, "text": "Query"},
        {"href": DASHBOARD, "text": "Dashboard"},
    ]


def test_an_event_without_links_has_no_empty_list() -> None:
    assert not {"links", "client_url"} & set(event(facts(alert(generator_url=""), external_url="")))


def test_there_are_at_most_ten_links() -> None:
    told = facts(*(alert({"instance": str(n)}, generator_url=f"https://example.org/{n}") for n in range(30)))
    assert len(event(told)["links"]) == 10


def test_an_event_too_large_loses_its_details_and_says_so() -> None:
    told = facts(*(alert({"instance": str(n), "blob": "x" * 100_000}) for n in range(6)))
    details = payload(told)["custom_details"]
    assert "exceeds the maximum size of 512KB" in details["error"]
    assert details["num_firing"] == "6"
    assert len(render(told)) < EVENT_LIMIT


def test_an_event_just_under_the_limit_keeps_its_details() -> None:
    told = facts(*(alert({"instance": str(n), "blob": "x" * 100_000}) for n in range(5)))
    assert EVENT_LIMIT - 12_500 < len(render(told)) < EVENT_LIMIT
    assert len(payload(told)["custom_details"]["firing"]) == 5
