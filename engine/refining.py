"""The threshold rows each rule is evaluated with, and what it goes on without, worked out once per change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from engine.judging import PLAIN, Refinement
from rules import query
from rules.problems import check_ignored
from rules.rule import Rule
from rules.threshold_problems import check_thresholds
from rules.thresholds import Threshold


@dataclass(slots=True)
class Refining:
    """Remembers the refinement of every rule that has rows or looks for missing data.

    It is one worked out anew when rule, rows or ranks differ.
    """

    _known: dict[str, tuple[Rule, Refinement]] = field(default_factory=dict)

    def refinement(self, rule: Rule, rows: tuple[Threshold, ...], ranks: Mapping[str, int]) -> Refinement:
        """What these rows make of the rule."""
        if not rows and not query.watched(rule):
            self._known.pop(rule.id, None)
            return PLAIN
        known, refinement = self._known.get(rule.id, (None, PLAIN))
        if (known, refinement.rows, refinement.ranks) != (rule, rows, ranks):
            problems = (*check_ignored(rule), *(check_thresholds(rule, rows, ranks) if rows else ()))
            refinement = Refinement(rows=rows, ranks=ranks, problems=problems)
            self._known[rule.id] = rule, refinement
        return refinement
