"""The workload says beforehand what will fire, and says the same to all systems."""

from __future__ import annotations

import json
import re
from datetime import timedelta

import pytest

from benchmarks.workload import Shape, Workload, rule_file
from rules import promql

SMALL = [Workload(shape=shape, rules=200, series=1200) for shape in Shape]


def rates(workload: Workload) -> dict[str, float]:
    """What each series grows by in a second."""
    early, late = (
        dict(line.rsplit(" ", 1) for line in workload.exposition(timedelta(seconds=at)).splitlines()) for at in (10, 20)
    )
    return {series: (float(late[series]) - float(early[series])) / 10 for series in early}


def above(workload: Workload) -> int:
    """How many alerts the rules have to find, worked out by hand."""
    found, count = rates(workload), 0
    for number, rule in enumerate(workload.each_rule()):
        match workload.shape:
            case Shape.SELECTORS:
                count += sum(
                    rate > rule.threshold for series, rate in found.items() if f'service="s{number}"' in series
                )
            case Shape.THRESHOLDS:
                count += sum(rate > rule.threshold for rate in found.values())
            case Shape.RATIOS:
                parts = [
                    sum(rate for series, rate in found.items() if re.match(f"{letter}_{number}_total{{", series))
                    for letter in "ab"
                ]
                count += parts[0] / parts[1] > rule.threshold
    return count


@pytest.mark.parametrize("workload", SMALL, ids=lambda workload: workload.shape)
def test_the_series_above_their_thresholds_are_those_that_are_said_to_fire(workload: Workload) -> None:
    assert above(workload) == workload.firing > 0


@pytest.mark.parametrize("workload", SMALL, ids=lambda workload: workload.shape)
def test_there_are_as_many_series_as_are_said(workload: Workload) -> None:
    assert len(rates(workload)) == 1200


@pytest.mark.parametrize("workload", SMALL, ids=lambda workload: workload.shape)
def test_no_two_rules_are_alike_and_all_can_be_cut_at_their_threshold(workload: Workload) -> None:
    exprs = [rule.expr for rule in workload.each_rule()]
    assert len(set(exprs)) == 200
    assert all(promql.split(expr) is not None for expr in exprs)


def test_the_rules_are_given_in_groups() -> None:
    groups = json.loads(rule_file(SMALL[0], group_size=150))["groups"]
    assert [len(group["rules"]) for group in groups] == [150, 50]
    written = [(rule["alert"], rule["expr"]) for group in groups for rule in group["rules"]]
    assert written == [(rule.name, rule.expr) for rule in SMALL[0].each_rule()]


@pytest.mark.parametrize(
    ("shape", "rules", "series"),
    [(Shape.SELECTORS, 0, 10), (Shape.SELECTORS, 10, 0), (Shape.SELECTORS, 10, 15), (Shape.RATIOS, 10, 30)],
)
def test_series_that_do_not_divide_among_the_rules_are_refused(shape: Shape, rules: int, series: int) -> None:
    with pytest.raises(ValueError, match="multiple"):
        Workload(shape=shape, rules=rules, series=series)
