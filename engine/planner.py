"""The plan of each evaluation unit, kept from slot to slot and brought up to date rule by rule.

What a plan is and why it is right is `core.planning`'s; here is what is remembered: the question of each rule as long as the
rule and its rows are the same objects, the queries of each group as long as its questions are, and what experience has shown:
rules whose own query failed when it stood in a planned one (they are asked alone until they ask something else), queries that
may not ride in a batch, and queries that only work in pieces.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain
from typing import Final

from engine.core import batching, planning
from engine.core.batching import Request
from engine.core.planning import Question, Shared
from rules import languages, query
from rules.errors import RulesError
from rules.query import Asked
from rules.rule import Language, Rule
from rules.rule import Plan as Sharing
from rules.thresholds import Threshold

BY_RULE: Final = "its `plan` is alone"
_COUNTS: Final = " data"
"""Behind a unit's name: the plan of its counts."""
STRIKES: Final = 3
"""After so many failures that may pass, with nothing wrong with its rules' own queries, a planned query is taken apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refined:
    """The threshold rows by rule id, and from when until before when their answer is to serve."""

    since: datetime
    until: datetime
    rows: Mapping[str, tuple[Threshold, ...]] = field(default_factory=dict)

    def asked(self, rule: Rule) -> Asked:
        """What is asked for the rule."""
        return query.question(rule, self.rows.get(rule.id, ()), since=self.since, until=self.until)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The requests that answer a unit's rules, the ids of those rules, and of the rules that ask for their whole left side."""

    requests: tuple[Request, ...] = ()
    rule_ids: frozenset[str] = frozenset()
    whole: frozenset[str] = frozenset()


@dataclass(slots=True)
class _Known:
    """The question of a rule, and what it was made from; `timed` when it may be another one later."""

    rule: Rule
    rows: tuple[Threshold, ...]
    timed: bool
    question: Question
    key: str


@dataclass(slots=True)
class _Memory:
    """One unit's plan, and what it was made from."""

    made_from: object = None
    batch: int = 1
    timed: bool = False
    stale: bool = True
    rules: dict[str, _Known] = field(default_factory=dict)
    groups: dict[str, dict[str, Question]] = field(default_factory=dict)
    queries: dict[str, tuple[Shared, ...]] = field(default_factory=dict)
    plan: Plan = field(default_factory=Plan)


@dataclass(slots=True)
class _Experience:
    """What failed together: `alone` has the text a rule asked and the error, `pieces` the number by key."""

    alone: dict[str, tuple[str, str]] = field(default_factory=dict)
    apart: set[str] = field(default_factory=set)
    pieces: dict[str, int] = field(default_factory=dict)
    strikes: dict[str, int] = field(default_factory=dict)

    def forget_all_but(self, rule_ids: Collection[str], keys: Collection[str]) -> None:
        """Keep what concerns these rules and the queries with these keys."""
        groups = {planning.group_of(key) for key in keys}
        self.alone = {rule_id: said for rule_id, said in self.alone.items() if rule_id in rule_ids}
        self.apart = {key for key in self.apart if key in keys}
        self.pieces = {key: number for key, number in self.pieces.items() if key in groups}
        self.strikes = {key: number for key, number in self.strikes.items() if key in groups}


class Planner:
    """Plans units; one unit is planned by one thread at a time. `together` False asks every rule's own query."""

    def __init__(self, *, together: bool = True) -> None:
        self.together = together
        self._units: dict[str, _Memory] = {}
        self._plans: dict[str, Plan] = {}
        self._experience = _Experience()
        self._guard = threading.Lock()

    def plan(
        self, unit: str, rules: Mapping[str, Rule], refined: Refined, *, made_from: object = None, batch: int = 1
    ) -> Plan:
        """The plan for these rules of the unit. `made_from` the same object as last time says that no rule or row changed."""
        known = self._units.setdefault(unit, _Memory())
        unchanged = made_from is not None and known.made_from is made_from and known.batch == batch
        if unchanged and not known.stale and not known.timed:
            return known.plan
        known.stale = False
        dirty = self._follow(known, rules, refined)
        self._remade(known, dirty)
        if dirty or known.batch != batch or not unchanged:
            # Those who look never see what is worked on: a plan does not change, and the next one takes its place.
            known.plan = self._plans[unit] = self._planned(known, batch)
        known.made_from, known.batch = made_from, batch
        known.timed = any(one.timed for one in known.rules.values())
        return known.plan

    def look(self, unit: str, rules: Mapping[str, Rule], refined: Refined, *, batch: int) -> Plan:
        """The plan for these rules: the unit's own if it is for just them, else one that is not remembered.

        Any thread may look.
        """
        plan = self._plans.get(unit)
        if plan is not None and plan.rule_ids == rules.keys():
            return plan
        stranger = Planner(together=self.together)
        stranger._experience = self._experience
        return stranger.plan(unit, rules, refined, batch=batch)

    def counts(self, unit: str, rules: Iterable[Rule], *, batch: int = 1) -> Plan:
        """The plan of the queries that count what the left sides of these rules have, whatever the values."""
        questions = [Question.of(rule.id, asked) for rule in rules if (asked := _count(rule)) is not None]
        made_from = tuple(sorted((question.rule_id, question.asked.text) for question in questions))
        known = self._units.setdefault(f"{unit}{_COUNTS}", _Memory())
        if known.made_from != made_from or known.batch != batch or known.stale:
            groups: dict[str, list[Question]] = {}
            for question in questions:
                groups.setdefault(planning.group_key(question, together=self.together), []).append(question)
            queries = chain.from_iterable(planning.shared(key, members) for key, members in groups.items())
            known.plan = Plan(requests=batching.requests(queries, batch=batch if self.together else 1))
            known.made_from, known.batch, known.stale = made_from, batch, False
        return known.plan

    def queries(self, unit: str) -> tuple[Shared, ...]:
        """The queries of the unit's plan as it was last made."""
        plan = self._plans.get(unit, Plan())
        return tuple(part for request in plan.requests for part in request.parts)

    def keep(self, units: Collection[str]) -> None:
        """Forget every other unit, and what experience has shown of rules and queries that are in none of these."""
        counts = {f"{unit}{_COUNTS}" for unit in units}
        with self._guard:
            self._units = {unit: known for unit, known in list(self._units.items()) if unit in units or unit in counts}
            self._plans = {unit: plan for unit, plan in list(self._plans.items()) if unit in units}
            parts = [part for plan in self._plans.values() for request in plan.requests for part in request.parts]
            self._experience.forget_all_but(
                {question.rule_id for part in parts for question in part.questions}, {part.key for part in parts}
            )

    def blame(self, rule_id: str, text: str, error: str) -> None:
        """This rule's own query fails; until it asks something else, it is asked alone."""
        with self._guard:
            self._experience.alone[rule_id] = (text, error)
            self._outdate()

    def keep_apart(self, keys: Collection[str]) -> None:
        """These queries failed in a batch; they ride in none any more."""
        with self._guard:
            self._experience.apart.update(keys)
            self._outdate()

    def divide(self, key: str, *, at_once: bool) -> None:
        """This query failed although none of its rules' own queries did; it is asked in more pieces, if not for the first time.

        `at_once` says that it cannot have been a moment's trouble.
        """
        with self._guard:
            group = planning.group_of(key)
            self._experience.strikes[group] = self._experience.strikes.get(group, 0) + 1
            if at_once or self._experience.strikes[group] >= STRIKES:
                self._experience.strikes[group] = 0
                self._experience.pieces[group] = 2 * self._experience.pieces.get(group, 1)
                self._outdate()

    def _outdate(self) -> None:
        for known in list(self._units.values()):
            known.stale = True
            known.made_from = None

    def _follow(self, known: _Memory, rules: Mapping[str, Rule], refined: Refined) -> set[str]:
        """Bring the questions up to date; the keys of the groups that changed."""
        dirty: set[str] = set()
        for rule_id in known.rules.keys() - rules.keys():
            dirty.add(self._left(known, rule_id))
        for rule_id, rule in rules.items():
            rows = refined.rows.get(rule_id, ())
            before = known.rules.get(rule_id)
            if before is not None and before.rule is rule and before.rows is rows and not self._may_differ(before):
                continue
            after = self._known(rule, rows, refined)
            if before is not None:
                if (before.question, before.key) == (after.question, after.key):
                    known.rules[rule_id] = after
                    continue
                dirty.add(self._left(known, rule_id))
            known.rules[rule_id] = after
            known.groups.setdefault(after.key, {})[rule_id] = after.question
            dirty.add(after.key)
        return dirty

    def _may_differ(self, before: _Known) -> bool:
        return before.timed or (before.rule.id in self._experience.alone and not before.question.alone)

    def _left(self, known: _Memory, rule_id: str) -> str:
        key = known.rules.pop(rule_id).key
        known.groups[key].pop(rule_id, None)
        return key

    def _known(self, rule: Rule, rows: tuple[Threshold, ...], refined: Refined) -> _Known:
        asked = refined.asked(rule)
        question = Question.of(rule.id, asked, alone=self._alone(rule, asked))
        timed = any(row.valid_from is not None or row.valid_to is not None for row in rows)
        key = planning.group_key(question, together=self.together)
        return _Known(rule=rule, rows=rows, timed=timed, question=question, key=key)

    def _alone(self, rule: Rule, asked: Asked) -> str:
        if not self.together:
            return ""
        if rule.plan is Sharing.ALONE:
            return BY_RULE
        if rule.language is not Language.PROMQL:
            return f"it is written in {rule.language}, which only its server reads"
        text, error = self._experience.alone.get(rule.id, ("", ""))
        return f"its own query failed when it was asked together with others: {error}" if text == asked.text else ""

    def _remade(self, known: _Memory, dirty: Collection[str]) -> None:
        for key in dirty:
            members = known.groups.get(key)
            if members:
                pieces = self._experience.pieces.get(key, 1)
                known.queries[key] = planning.shared(key, members.values(), pieces=pieces)
            else:
                known.groups.pop(key, None)
                known.queries.pop(key, None)

    def _planned(self, known: _Memory, batch: int) -> Plan:
        for key, pieces in self._experience.pieces.copy().items():
            if key in known.groups:
                known.queries[key] = planning.shared(key, known.groups[key].values(), pieces=pieces)
        queries = chain.from_iterable(known.queries.values())
        return Plan(
            requests=batching.requests(queries, batch=batch if self.together else 1, apart=self._experience.apart),
            rule_ids=frozenset(known.rules),
            whole=frozenset(rule_id for rule_id, one in known.rules.items() if one.question.asked.whole),
        )


def _count(rule: Rule) -> Asked | None:
    """What is asked to find out whether a left side has data; `None` where nobody can ask."""
    try:
        left = query.left_side(rule)
        text = f"count({left}\n)"
        if left is None or rule.language is Language.LOGSQL:
            return None
        languages.check(text, rule.language)
    except RulesError:
        return None
    return Asked(text=text, lhs=text)
