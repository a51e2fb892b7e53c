"""The evaluation loop: units that are due, their rules' queries, the judgement of each, and one commit per slot.

A tick finds the due units and hands each to a bounded pool, so one slow datasource never delays another. A unit's alerts are
remembered between slots only while (term, last_slot) are what this process last committed; otherwise they are read again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import chain

import structlog

from engine import unit_state
from engine.asking import Asking, Deadline
from engine.core.alert import TransitionReason
from engine.core.evaluation import resolve_all
from engine.core.scheduling import Schedule, is_due
from engine.garbage import Held
from engine.intake import Batch, Intake, StaleUnitError
from engine.judging import Judge, Judgement
from engine.loop import guarded
from engine.memory import Known, Memory, Resting
from engine.prometheus import QueryErrorKind
from engine.querying import Querying, Refined
from engine.refining import Refining
from engine.rota import Rota
from engine.store import alerts, ledger, rule_status, severities, units
from engine.store.database import Database
from engine.store.definitions import DefinitionFeed, Definitions
from engine.store.ledger import Entry, Kind, Subject
from engine.store.rule_status import Health, RuleStatus
from engine.store.units import Unit
from engine.telemetry import Metrics
from rules.rule import Rule

ORPHAN_CHECK = timedelta(seconds=30)
OUTAGES = frozenset(
    {
        QueryErrorKind.UNAVAILABLE,
        QueryErrorKind.TIMEOUT,
        QueryErrorKind.AUTH,
        QueryErrorKind.REDIRECTED,
        QueryErrorKind.MALFORMED,
    }
)
"""Failures that say something about the datasource, not about the query."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What a slot came to: the judgement of each rule that was looked at. Nothing came of the others, in the time `quiet`.

    `resting` are the rules, with their rows, that need not be looked at again as long as they bring nothing.
    """

    judgements: Mapping[str, Judgement]
    quiet: timedelta = timedelta(0)
    resting: Mapping[str, Resting] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Evaluator:
    """Evaluates every unit that `holder` holds. `advance` is called after a commit that changed something."""

    database: Database
    feed: DefinitionFeed
    querying: Querying
    intake: Intake
    judge: Judge
    rota: Rota
    metrics: Metrics
    memory: Memory
    pool: Executor
    advance: Callable[[], None]
    datasource_health: Callable[[str, str | None], None]
    refining: Refining = field(default_factory=Refining)
    _ranks: Mapping[str, int] = field(default_factory=dict)
    _busy: set[str] = field(default_factory=set)
    _guard: threading.Lock = field(default_factory=threading.Lock)
    _garbage: Held = field(default_factory=Held)
    _orphans_at: datetime | None = None
    _noted: Definitions | None = None

    def tick(self) -> datetime | None:
        """Hand every due unit to the pool; answers when the next one is due."""
        with self.database.read() as connection:
            now = self.database.now(connection)
            definitions = self.feed.refresh(connection)
        with self._guard:
            busy = frozenset(self._busy)
        changed = self.rota.keep(definitions, now, busy)
        self.metrics.definition_version.set(definitions.version)
        if changed:
            self.memory.keep(self.rota.units)
            self.querying.planner.keep(self.rota.units)
            self.refining.keep(definitions.rules.keys())
        if changed or is_due(self._orphans_at, now, ORPHAN_CHECK):
            self._orphans_at = now + ORPHAN_CHECK
            self._read_ranks()
            if self.rota.is_first:
                self._end_orphans(definitions, now)
        if self.rota.is_first and self._noted is not definitions:
            self._note_quarantined(definitions, now)
            self._noted = definitions
        with self.database.read() as connection:
            ready = units.due(connection, self.rota.holder, now)
            upcoming = units.next_due(connection, self.rota.holder, now)
        for unit in ready:
            self._hand_over(unit, definitions, now)
        # Those handed over still have the slot on their rows that is being evaluated.
        slots = (unit.schedule.next_slot(now) for unit in ready)
        return min(
            (one for one in (*slots, upcoming, self.rota.beat_at) if one is not None and one > now), default=None
        )

    def evaluate(self, unit: Unit, definitions: Definitions, now: datetime) -> None:
        """Evaluate one unit at its latest slot and commit it; a unit lost meanwhile is forgotten."""
        slot = unit.schedule.slot(now)
        if unit.last_slot is not None and slot <= unit.last_slot:
            return
        names = [name for name in self.rota.rules_of(unit.id) if name in definitions.rules]
        rules = {name: definitions.rules[name] for name in names}
        known = self.memory.recall(unit, names)
        missed = unit.schedule.missed(unit.last_slot, slot)
        judged = self._judge_all(unit.schedule, rules, known, definitions, slot=slot, missed=missed)
        batch = _batch(slot, rules, judged.judgements, definitions)
        state = unit_state.encode(judged.judgements, quiet=judged.quiet)
        try:
            numbers = self.intake.commit(batch, definitions.tree, unit=unit, missed=missed, state=state)
        except StaleUnitError:
            self.memory.forget(unit.id)
            structlog.get_logger("tocsin.evaluator").warning("unit was taken over during its evaluation", unit=unit.id)
            return
        self.memory.remember(unit, slot, judged.judgements, known, numbers, resting=judged.resting)
        self._measure(len(rules), judged.judgements, missed, lateness=(now - slot).total_seconds())
        if batch.changes:
            self.advance()

    def _hand_over(self, unit: Unit, definitions: Definitions, now: datetime) -> None:
        with self._guard:
            if unit.id in self._busy:
                return
            self._busy.add(unit.id)
        self.pool.submit(self._evaluate_apart, unit, definitions, now)

    def _evaluate_apart(self, unit: Unit, definitions: Definitions, now: datetime) -> None:
        # All of a unit's alerts are read at first, and looking through them again and again for garbage finds none.
        with nullcontext() if self.memory.knows(unit.id) else self._garbage.off():
            if not guarded("evaluator", self.metrics, lambda: self.evaluate(unit, definitions, now)):
                self.memory.forget(unit.id)
        with self._guard:
            self._busy.discard(unit.id)

    def _judge_all(
        self,
        schedule: Schedule,
        rules: Mapping[str, Rule],
        known: Known,
        definitions: Definitions,
        *,
        slot: datetime,
        missed: int,
    ) -> Judged:
        datasource = definitions.datasources.get(schedule.datasource)
        if datasource is None:
            return Judged(judgements={})
        unseen = frozenset(name for name in rules if _never_had_data(known.statuses.get(name)))
        rows = definitions.thresholds
        refined = Refined(since=slot, until=slot + schedule.interval, rows=rows)
        at = slot - schedule.query_offset
        replies = self.querying.ask(
            datasource, rules, at, unseen=unseen, refined=refined, unit=schedule.id, made_from=definitions
        )
        failures = [
            str(reply.error)
            for reply in replies.found.values()
            if reply.error is not None and reply.error.kind in OUTAGES
        ]
        if rules:
            self.datasource_health(datasource.name, failures[0] if len(failures) == len(rules) else None)
        gap = schedule.interval * missed
        deadline = Deadline(self.querying.monotonic)
        judgements = {
            name: self.judge.judge(
                rule,
                replies[name],
                known.alerts[name],
                known.statuses.get(name),
                slot=slot,
                gap=gap,
                refinement=self.refining.refinement(rule, rows.get(name, ()), self._ranks),
                ask=Asking(lambda text: self.querying.one(datasource, text, slot), deadline),
            )
            for name, rule in rules.items()
            if name in replies.found or not known.is_resting(name, rule, rows.get(name, ()))
        }
        return Judged(
            judgements=judgements,
            quiet=replies.quiet.duration,
            resting={
                name: (rules[name], rows.get(name, ()))
                for name, one in judgements.items()
                if name not in replies.found and name not in rows and one.is_idle
            },
        )

    def _read_ranks(self) -> None:
        """The ranks order the levels in what a rule's status says; a flush reads them anew for what it decides."""
        with self.database.read() as connection:
            self._ranks = severities.ranks(connection)

    def _end_orphans(self, definitions: Definitions, now: datetime) -> None:
        with self.database.read() as connection:
            left = [alert for alert in alerts.orphans(connection) if not _is_enabled(definitions, alert.source)]
        for reason in (TransitionReason.RULE_DELETED, TransitionReason.RULE_DISABLED):
            disabled = reason is TransitionReason.RULE_DISABLED
            ended = [alert for alert in left if (alert.source in definitions.rules) is disabled]
            if ended:
                evaluation = resolve_all(ended, now, reason)
                self.intake.end(Batch(slot=now, changes=evaluation.changes), definitions.tree)
                self.advance()

    def _note_quarantined(self, definitions: Definitions, now: datetime) -> None:
        with self.database.read() as connection:
            known = rule_status.all_of(connection, definitions.quarantined.keys())
        fresh = [_quarantined(name, definitions, known.get(name), now) for name in definitions.quarantined]
        changed = [status for status in fresh if status != known.get(status.rule_id)]
        with self.database.write() as connection:
            rule_status.save(connection, changed)
            ledger.write(connection, [_set_aside(status) for status in changed])
            rule_status.forget_gone(connection)

    def _measure(self, rules: int, judgements: Mapping[str, Judgement], missed: int, *, lateness: float) -> None:
        failed = sum(1 for one in judgements.values() if one.error is not None)
        self.metrics.rule_evaluations.labels("error").inc(failed)
        self.metrics.rule_evaluations.labels("ok").inc(rules - failed)
        self.metrics.evaluation_missed_slots.inc(missed)
        self.metrics.evaluation_lateness.observe(max(0.0, lateness))


def _batch(
    slot: datetime, rules: Mapping[str, Rule], judgements: Mapping[str, Judgement], definitions: Definitions
) -> Batch:
    """What to write. A rule that was set aside keeps that status, whatever its last good version comes to."""
    statuses = [one.status for name, one in judgements.items() if name not in definitions.quarantined]
    return Batch(
        slot=slot,
        changes=list(chain.from_iterable(one.changes for one in judgements.values())),
        touched=list(chain.from_iterable(one.touched for one in judgements.values())),
        statuses=[status for status in statuses if status is not None],
        rules=rules,
    )


def _never_had_data(status: RuleStatus | None) -> bool:
    return status is None or status.last_data_at is None


def _is_enabled(definitions: Definitions, rule_id: str) -> bool:
    rule = definitions.rules.get(rule_id)
    return rule is not None and rule.enabled


def _set_aside(status: RuleStatus) -> Entry:
    detail = {"problems": [dict(problem) for problem in status.problems], "good_version": status.good_version}
    return Entry(
        at=status.changed_at,
        kind=Kind.PROBLEM,
        reason=status.health.value,
        subject_type=Subject.RULE,
        subject_id=status.rule_id,
        detail=detail,
    )


def _quarantined(rule_id: str, definitions: Definitions, known: RuleStatus | None, now: datetime) -> RuleStatus:
    problems = tuple(
        {"severity": one.severity.value, "field": one.field, "message": one.message, "position": one.position}
        for one in definitions.quarantined[rule_id]
    )
    good = definitions.rules.get(rule_id)
    unchanged = known is not None and known.health is Health.QUARANTINED and known.problems == problems
    return RuleStatus(
        rule_id=rule_id,
        health=Health.QUARANTINED,
        problems=problems,
        good_version=None if good is None else good.version,
        last_data_at=None if known is None else known.last_data_at,
        changed_at=known.changed_at if known is not None and unchanged else now,
    )
