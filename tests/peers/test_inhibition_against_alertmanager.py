"""The same rules and alerts in a real Alertmanager and in our pure function: the same alerts are inhibited, by the same sources.

Every case has a rule of its own, kept from the others by the label `case`, so that one Alertmanager answers for all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from rules.inhibition import InhibitRule, inhibits
from rules.labels import Labels
from rules.matchers import parse_matchers
from tests.peers.alertmanager_server import AlertmanagerServer
from tests.peers.processes import wait_until

pytestmark = pytest.mark.peer("alertmanager")


@dataclass(frozen=True)
class Case:
    """One rule and some alerts, as label texts; one that begins with `ended:` is no longer firing."""

    name: str
    source: str
    target: str
    equal: tuple[str, ...]
    alerts: tuple[str, ...]
    inhibited: int

    @property
    def rule(self) -> InhibitRule:
        source, target = (parse_matchers(f'{side},case="{self.name}"') for side in (self.source, self.target))
        return InhibitRule(id=self.name, source_matchers=source, target_matchers=target, equal=self.equal)

    @property
    def firing(self) -> list[Labels]:
        return [self.labels(text) for text in self.alerts if not text.startswith("ended:")]

    @property
    def ended(self) -> list[Labels]:
        return [self.labels(text.removeprefix("ended:")) for text in self.alerts if text.startswith("ended:")]

    def labels(self, text: str) -> Labels:
        return Labels({"case": self.name, **dict(pair.split("=") for pair in text.split())})


DOWN, SLOW = "name=Down severity=critical cluster=a", "name=Slow severity=warning cluster=a"
BY_SEVERITY = ("severity=critical", "severity=warning")
BOTH = ("cluster=~.+", "cluster=~.+")

CASES = [
    Case("a source and a target", *BY_SEVERITY, (), (DOWN, SLOW), 1),
    Case("a target without a source", *BY_SEVERITY, (), (SLOW,), 0),
    Case("a source that has ended", *BY_SEVERITY, (), (f"ended:{DOWN}", SLOW), 0),
    Case("equal values", *BY_SEVERITY, ("cluster",), (DOWN, SLOW), 1),
    Case("different values", *BY_SEVERITY, ("cluster",), (DOWN, "name=Slow severity=warning cluster=b"), 0),
    Case("one value of two differs", *BY_SEVERITY, ("cluster", "name"), (DOWN, SLOW), 0),
    Case("the source lacks the label", *BY_SEVERITY, ("cluster",), ("name=Down severity=critical", SLOW), 0),
    Case("the target lacks the label", *BY_SEVERITY, ("cluster",), (DOWN, "name=Slow severity=warning"), 0),
    Case("both lack the label", *BY_SEVERITY, ("rack",), (DOWN, SLOW), 1),
    Case("one source, many targets", *BY_SEVERITY, ("cluster",), (DOWN, SLOW, SLOW.replace("Slow", "Late")), 2),
    Case("a pattern is anchored", "name=~Dow", "name=Slow", (), (DOWN, SLOW), 0),
    Case("a negative matcher takes an absent label", 'rack!="r1"', "severity=warning", (), (DOWN, SLOW), 1),
    Case("both sides match the same alert", *BOTH, (), (DOWN,), 0),
    Case("all alerts match both sides", *BOTH, (), (DOWN, SLOW), 0),
    Case("a one-sided source, a two-sided target", "name=~Down|Slow", "name=Slow", (), (DOWN, SLOW), 1),
    Case("a two-sided source, a one-sided target", "severity=critical", "cluster=a", (), (DOWN, SLOW), 1),
    Case("another source lives", *BY_SEVERITY, ("cluster",), (f"ended:{DOWN}", DOWN.replace("Down", "Out"), SLOW), 1),
]


def configured(case: Case) -> dict[str, Any]:
    return {
        "source_matchers": [str(matcher) for matcher in case.rule.source_matchers],
        "target_matchers": [str(matcher) for matcher in case.rule.target_matchers],
        "equal": list(case.equal),
    }


@pytest.fixture(scope="module")
def inhibited_by() -> Iterator[Mapping[str, Sequence[str]]]:
    """By which alerts the real Alertmanager says that each is inhibited, all by fingerprint."""
    last = Case("the last", *BY_SEVERITY, (), (DOWN, SLOW), 1)
    configuration = {
        "route": {"receiver": "nobody", "group_wait": "1h"},
        "receivers": [{"name": "nobody"}],
        "inhibit_rules": [configured(case) for case in [*CASES, last]],
    }
    with AlertmanagerServer(configuration) as server:
        server.post([posted(labels, ended=False) for case in CASES for labels in case.firing])
        server.post([posted(labels, ended=True) for case in CASES for labels in case.ended])
        # It takes alerts in one by one: once it knows these, it knows all.
        server.post([posted(labels, ended=False) for labels in last.firing])
        target = last.firing[1].fingerprint()
        wait_until(
            lambda: bool(statuses(server).get(target)), what="the last target inhibited", within=timedelta(seconds=20)
        )
        yield statuses(server)


def posted(labels: Labels, *, ended: bool) -> dict[str, Any]:
    times = {"startsAt": "2026-01-01T00:00:00Z", "endsAt": "2026-01-01T00:01:00Z"} if ended else {}
    return {"labels": dict(labels), **times}


def statuses(server: AlertmanagerServer) -> dict[str, list[str]]:
    return {alert["fingerprint"]: alert["status"]["inhibitedBy"] for alert in server.alerts()}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_alertmanager_inhibits_the_same_alerts_by_the_same_sources(
    case: Case, inhibited_by: Mapping[str, Sequence[str]]
) -> None:
    quiet = 0
    for target in case.firing:
        ours = {source.fingerprint() for source in case.firing if inhibits(case.rule, source, target)}
        theirs = set(inhibited_by[target.fingerprint()])
        assert bool(theirs) is bool(ours)
        assert theirs <= ours
        quiet += bool(ours)
    assert quiet == case.inhibited
