"""What must be true when an incident is over, whatever broke on the way."""

from __future__ import annotations

from collections import Counter
from itertools import groupby

from tests.peers.surroundings import Outside


def assert_one_incident_told(outside: Outside) -> None:
    """One incident under one key, opened and closed; everybody knows the beginning and the end, in this order."""
    (incident,) = outside.pagerduty.incidents
    assert incident.status == "resolved"
    assert {event["dedup_key"] for event in outside.pagerduty.messages} == {incident.key}
    assert in_order(outside.told_by_pagerduty) == ["trigger", "resolve"]
    assert in_order(outside.told_by_slack) == in_order(outside.told_by_mail) == ["firing", "resolved"]
    assert outside.sql("SELECT id FROM outbox WHERE status NOT IN ('sent', 'superseded')") == []


def in_order(told: list[str]) -> list[str]:
    """What was told, without repetitions of what was told just before."""
    return [status for status, _ in groupby(told)]


def repeats(outside: Outside) -> Counter[tuple[str, str]]:
    """How often each service heard the same again."""
    told = {"slack": outside.told_by_slack, "mail": outside.told_by_mail, "pagerduty": outside.told_by_pagerduty}
    heard = Counter((service, status) for service, statuses in told.items() for status in statuses)
    return Counter({what: count - 1 for what, count in heard.items()})
