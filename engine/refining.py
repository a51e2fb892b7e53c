"""The threshold rows each rule is evaluated with, and what it goes on without, worked out once per change."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from engine.core.evaluation import Naming
from engine.judging import PLAIN, Refinement
from rules import query
from rules.problems import Problem, check_ignored
from rules.rule import Rule
from rules.threshold_problems import check_thresholds
from rules.thresholds import Threshold


@dataclass(slots=True)
class Refining:
    """Remembers the refinement of every rule that was judged; it is worked out anew when rule, rows or ranks differ."""

    _known: dict[str, tuple[Rule, Refinement]] = field(default_factory=dict)

    def refinement(self, rule: Rule, rows: tuple[Threshold, ...], ranks: Mapping[str, int]) -> Refinement:
        """What these rows make of the rule."""
        known, refinement = self._known.get(rule.id, (None, PLAIN))
        if (known, refinement.rows, refinement.ranks) != (rule, rows, ranks):
            refinement = Refinement(rows=rows, ranks=ranks, problems=_problems(rule, rows, ranks), names=Naming(rule))
            self._known[rule.id] = rule, refinement
        return refinement

    def keep(self, rule_ids: Collection[str]) -> None:
        """Forget every other rule."""
        self._known = {rule_id: one for rule_id, one in self._known.copy().items() if rule_id in rule_ids}


def _problems(rule: Rule, rows: tuple[Threshold, ...], ranks: Mapping[str, int]) -> tuple[Problem, ...]:
    if not rows and not query.watched(rule):
        return ()
    return (*check_ignored(rule), *(check_thresholds(rule, rows, ranks) if rows else ()))
