"""The webhook: Alertmanager's JSON, version 4, field by field."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from engine.core.facts import Facts
from engine.core.messages_webhook import render
from rules.errors import ChannelError
from rules.labels import Labels
from tests.core.telling import QUERY, alert, facts, many


def message(told: Facts, **settings: str) -> Any:
    return json.loads(render(told, settings))


def test_the_whole_message_is_alertmanagers_version_four() -> None:
    one, over = alert(), alert({"instance": "web-2"}, status="resolved")
    assert message(facts(one, over)) == {
        "version": "4",
        "groupKey": '{}:{alertname="HighErrorRate"}',
        "truncatedAlerts": 0,
        "status": "firing",
        "receiver": "ops",
        "groupLabels": {"alertname": "HighErrorRate"},
        "commonLabels": {"alertname": "HighErrorRate", "severity": "critical"},
        "commonAnnotations": {"summary": "Too many errors"},
        "routeLabels": {},
        "externalURL": "https://tocsin.example.org",
        "notification_reason": "first notification",
        "alerts": [
            {
                "status": "firing",
                "labels": {"alertname": "HighErrorRate", "instance": "web-1", "severity": "critical"},
                "annotations": {"summary": "Too many errors"},
                "startsAt": "2026-03-01T12:00:00Z",
                "endsAt": "0001-01-01T00:00:00Z",
                "generatorURL": QUERY,
                "fingerprint": one.fingerprint,
            },
            {
                "status": "resolved",
                "labels": {"alertname": "HighErrorRate", "instance": "web-2", "severity": "critical"},
                "annotations": {"summary": "Too many errors"},
                "startsAt": "2026-03-01T12:00:00Z",
                "endsAt": "2026-03-01T12:05:00Z",
                "generatorURL": QUERY,
                "fingerprint": over.fingerprint,
            },
        ],
    }


def test_the_status_is_resolved_when_every_alert_is() -> None:
    assert message(facts(*many(2, "resolved")))["status"] == "resolved"


def test_nothing_a_program_reads_is_shortened() -> None:
    value = "v" * 100_000
    assert message(facts(alert({"blob": value})))["alerts"][0]["labels"]["blob"] == value


@pytest.mark.parametrize(
    ("limit", "sent", "truncated"),
    [
        pytest.param("0", 5, 0, id="zero-means-all"),
        pytest.param("3", 3, 2, id="fewer"),
        pytest.param("9", 5, 0, id="more-than-there-are"),
    ],
)
def test_max_alerts_cuts_the_list_and_counts_the_rest(limit: str, sent: int, truncated: int) -> None:
    body = message(facts(*many(5)), max_alerts=limit)
    assert (len(body["alerts"]), body["truncatedAlerts"]) == (sent, truncated)


def test_what_is_common_is_taken_over_all_alerts_also_the_cut_ones() -> None:
    assert "instance" not in message(facts(*many(2)), max_alerts="1")["commonLabels"]


@pytest.mark.parametrize("text", ["many", "-1", "1.5", "", "9" * 5000])
def test_a_max_alerts_that_is_no_count_is_refused(text: str) -> None:
    with pytest.raises(ChannelError, match="max_alerts must be 0"):
        render(facts(), {"max_alerts": text})


def test_the_labels_of_the_route_are_made_of_the_group() -> None:
    labels = Labels({"tier": "1", "page": "{{ .CommonLabels.severity }} for {{ .Receiver }}"})
    body = json.loads(render(replace(facts(alert()), route_labels=labels), {}))
    assert body["routeLabels"] == {"page": "critical for ops", "tier": "1"}
