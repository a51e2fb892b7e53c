"""The threshold rows each rule is evaluated with, and what is wrong with them, worked out once per change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from engine.judging import PLAIN, Refinement
from rules.rule import Rule
from rules.threshold_problems import check_thresholds
from rules.thresholds import Threshold


@dataclass(slots=True)
class Refining:
    """Remembers the refinement of every rule that has rows; it is one worked out anew when rule, rows or ranks differ."""

    _known: dict[str, tuple[Rule, Refinement]] = field(default_factory=dict)

    def refinement(self, rule: Rule, rows: tuple[Threshold, ...], ranks: Mapping[str, int]) -> Refinement:
        """What these rows make of the rule."""
        if not rows:
            self._known.pop(rule.id, None)
            return PLAIN
        known, refinement = self._known.get(rule.id, (None, PLAIN))
        if (known, refinement.rows, refinement.ranks) != (rule, rows, ranks):
            refinement = Refinement(rows=rows, ranks=ranks, problems=check_thresholds(rule, rows, ranks))
            self._known[rule.id] = rule, refinement
        return refinement
