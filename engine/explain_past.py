"""What `explain` says of an earlier moment where today's definitions, or a pruned ledger, would say something else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from engine.core.alert import Alert, Change, State, TransitionReason
from engine.core.storyline import Event, Facts, Kind, RuleFacts
from engine.intake import transition
from engine.ledger_events import event_of
from engine.store import changes, history
from engine.store import rules as rule_rows
from engine.store.definitions import rule_then
from engine.store.door import Connection
from engine.store.parts import Then
from rules.errors import RulesError
from rules.problems import Problem


def rules_at(connection: Connection, facts: Facts, source: str, at: datetime) -> tuple[RuleFacts, ...]:
    """The rules of the facts as they were then; where today there is none, the one that was the alert's source."""
    standing = facts.rules or (RuleFacts(id=source, rule=None, health=""),)
    then = (_rule_at(connection, one, facts.events, at) for one in standing)
    return tuple(one for one in then if one.rule is not None or one.problems or one.absent)


def _rule_at(connection: Connection, one: RuleFacts, events: Sequence[Event], at: datetime) -> RuleFacts:
    """The rule as it was recorded then, or in the version that last had something to say of the alert until then.

    `one` is the rule as it stands now; its health is kept where it has not changed since.
    """
    known = one if one.since is None or one.since <= at else replace(one, since=None, health="", error=None)
    then = rule_then(connection, one.id, at)
    if then is None:
        spoke = _spoke(events, at)
        if spoke is not None:
            return _in_version(connection, known, spoke)
        then = Then(value=one.rule, absent=changes.began_after(connection, "alert_rules", one.id, at))
    if then.absent:
        return RuleFacts(id=one.id, rule=None, health="", absent=True)
    return replace(known, rule=then.value, problems=said(then.problems))


def said(problems: Sequence[Problem]) -> tuple[str, ...]:
    """Problems of a rule, each as a sentence."""
    return tuple(f"{problem.field}: {problem.message}" for problem in problems)


def completed(events: tuple[Event, ...], alert: Alert, at: datetime) -> tuple[Event, ...]:
    """The events with the transition that the alert's row attests, where those up to then have been pruned."""
    if any(one.kind is Kind.TRANSITION and one.at <= at for one in events):
        return events
    attested = _attested(alert, at)
    if attested is None:
        return events
    since, change = attested
    return tuple(sorted((event_of(transition(change, alert.id or 0, since)), *events), key=lambda one: one.at))


def _attested(alert: Alert, at: datetime) -> tuple[datetime, Change] | None:
    """What the alert last became up to then, by the times in its row, and when."""
    if alert.resolved_at is not None and alert.resolved_at <= at:
        ended, before = replace(alert, state=State.INACTIVE), State.PENDING if alert.fired_at is None else State.FIRING
        return alert.resolved_at, Change(before=before, alert=ended, reason=TransitionReason.CONDITION_ENDED)
    if alert.fired_at is not None and alert.fired_at <= at:
        fires = replace(alert, state=State.FIRING)
        return alert.fired_at, Change(before=State.PENDING, alert=fires, reason=TransitionReason.HELD)
    if alert.state is State.PENDING and alert.active_at <= at:
        return alert.active_at, Change(before=None, alert=alert, reason=TransitionReason.CONDITION_MET)
    return None


def _in_version(connection: Connection, one: RuleFacts, version: int) -> RuleFacts:
    """The same with the rule as it was in this version, if that can still be read."""
    found = history.restorable(connection, "alert_rules", one.id, version)
    try:
        return replace(one, rule=one.rule if found is None else rule_rows.from_row(found.row), problems=())
    except RulesError:
        return replace(one, problems=())


def _spoke(events: Sequence[Event], at: datetime) -> int | None:
    """The version of the rule that last changed the alert until then."""
    return next((one.subject.version for one in reversed(events) if one.kind is Kind.TRANSITION and one.at <= at), None)
