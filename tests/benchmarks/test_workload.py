"""The workload says beforehand what will fire, and says the same to both systems."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from benchmarks.workload import Workload, rule_file
from rules import promql

SMALL = Workload(rules=400, series=1200)


def value(workload: Workload, service: int, age: timedelta) -> float:
    """What the first series of a service shows."""
    start = f'm{{service="s{service}",replica="i0"}} '
    (line,) = [line for line in workload.exposition(age).splitlines() if line.startswith(start)]
    return float(line.removeprefix(start))


def grows_or_stands_at(workload: Workload, service: int) -> float:
    """The rate of a counter, the level of a gauge; they are what rules of even and of odd number look at."""
    early, late = (value(workload, service, timedelta(seconds=at)) for at in (10, 20))
    return (late - early) / 10 if service % 2 == 0 else late


def test_every_service_has_its_series() -> None:
    lines = SMALL.exposition(timedelta(0)).splitlines()
    assert len(lines) == len({line.split()[0] for line in lines}) == 1200


def test_the_series_above_their_thresholds_are_those_that_are_said_to_fire() -> None:
    above = [
        rule.name for index, rule in enumerate(SMALL.each_rule()) if grows_or_stands_at(SMALL, index) > rule.threshold
    ]
    assert above == ["rule 0", "rule 101", "rule 200", "rule 301"]
    assert SMALL.firing == 3 * len(above)


def test_half_of_the_rules_ask_for_a_rate_and_no_two_are_alike() -> None:
    exprs = [rule.expr for rule in SMALL.each_rule()]
    assert sum(expr.startswith("rate(") for expr in exprs) == 200
    assert len(set(exprs)) == 400


def test_prometheus_is_given_the_same_rules_in_groups() -> None:
    groups = json.loads(rule_file(SMALL, group_size=150))["groups"]
    assert [len(group["rules"]) for group in groups] == [150, 150, 100]
    written = [(rule["alert"], rule["expr"]) for group in groups for rule in group["rules"]]
    assert written == [(rule.name, rule.expr) for rule in SMALL.each_rule()]
    for rule in SMALL.each_rule():
        assert promql.split(rule.expr) is not None


@pytest.mark.parametrize(("rules", "series"), [(0, 10), (10, 0), (10, 5), (10, 15)])
def test_series_that_do_not_divide_among_the_rules_are_refused(rules: int, series: int) -> None:
    with pytest.raises(ValueError, match="multiple"):
        Workload(rules=rules, series=series)
