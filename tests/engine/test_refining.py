"""Threshold rows are looked into once, and again when something about them differs."""

from __future__ import annotations

from dataclasses import replace

from engine.judging import PLAIN
from engine.refining import Refining
from rules.rule import Condition, NoData, Rule
from rules.thresholds import Threshold

RULE = Rule(id="r", name="R", metric_name="a", condition=Condition.ABOVE, threshold=1, severity="warning")
ROWS = (Threshold(id="t", rule_id="r", threshold=2, severity="critical"),)
RANKS = {"warning": 20, "critical": 30}


def test_a_rule_without_rows_is_plain_and_remembers_its_alerts_labels() -> None:
    refining = Refining()
    plain = refining.refinement(RULE, (), RANKS)
    assert replace(plain, names=None, ranks={}) == PLAIN
    assert refining.refinement(RULE, (), RANKS) is plain
    refining.keep(["another"])
    assert refining.refinement(RULE, (), RANKS) is not plain


def test_what_has_not_changed_is_not_worked_out_again() -> None:
    refining = Refining()
    first = refining.refinement(RULE, ROWS, RANKS)
    assert (first.rows, first.ranks, first.problems) == (ROWS, RANKS, ())
    assert refining.refinement(replace(RULE), tuple(ROWS), dict(RANKS)) is first


def test_a_policy_without_a_left_side_is_a_problem_also_without_rows() -> None:
    cut = replace(RULE, metric_name=None, condition=None, threshold=None, expr="a > b", no_data=NoData.KEEP)
    assert [one.field for one in Refining().refinement(cut, (), RANKS).problems] == ["no_data"]
    assert Refining().refinement(replace(RULE, no_data=NoData.KEEP), (), RANKS).problems == ()


def test_a_change_of_the_ranks_the_rows_or_the_rule_is_seen() -> None:
    refining = Refining()
    refining.refinement(RULE, ROWS, RANKS)
    assert [one.field for one in refining.refinement(RULE, ROWS, {"warning": 20}).problems] == ["thresholds.t.severity"]
    assert refining.refinement(RULE, (replace(ROWS[0], threshold=3),), RANKS).problems == ()
    cut = replace(RULE, metric_name=None, condition=None, threshold=None, expr="a > b")
    assert [one.field for one in refining.refinement(cut, ROWS, RANKS).problems] == ["thresholds"]
    assert refining.refinement(RULE, (), RANKS).rows == ()
