"""Why somebody was told, or was not: reads what there is to know of one alert, and lets the core tell the story.

Nothing is written and nobody is asked: the answer is what the database held in one read transaction, and the mutes and
definitions in force in it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from difflib import get_close_matches
from typing import Final, Protocol

from engine.core.alert import Alert, State, TransitionReason
from engine.core.external import NONE, POSTED, outward
from engine.core.muting import Mute, Mutes
from engine.core.story import story
from engine.core.storyline import (
    Event,
    Explanation,
    Facts,
    GroupFacts,
    Kept,
    Kind,
    RuleFacts,
    Waiting,
)
from engine.explain_past import completed, rules_at, said
from engine.ledger_events import called, concerns, event_of, is_during, named, placed_by
from engine.store import alerts as alert_rows
from engine.store import configurations, history, ledger, membership, rule_status
from engine.store.door import Connection
from engine.store.ledger import Entry
from engine.store.membership import Standing, Stay
from engine.store.rule_status import RuleStatus
from rules import routing
from rules.labels import ALERTNAME, Labels
from rules.problems import Problem
from rules.routing import Policy, Step, Tree, implicit
from rules.rule import Rule
from rules.thresholds import Threshold

LONGEST: Final = 1000
"""How many rows of an alert's and of its groups' ledger a story goes back."""
AHEAD: Final = 100
"""How many later rows are looked through for what came next."""
READ: Final = 20
"""How many of the configurations that placed an alert are read again."""
_TOLD: Final = frozenset(
    kind.value for kind in (Kind.TRANSITION, Kind.PLACEMENT, Kind.MUTE, Kind.DECISION, Kind.ATTEMPT)
)
SIMILAR: Final = 5
"""How many alerts are named that somebody may have meant."""
_ACTIVE: Final = (State.PENDING, State.FIRING)
_ORDER: Final = (State.FIRING, State.PENDING, State.INACTIVE)


class InForce(Protocol):
    """The definitions a story names."""

    @property
    def rules(self) -> Mapping[str, Rule]: ...
    @property
    def quarantined(self) -> Mapping[str, tuple[Problem, ...]]: ...
    @property
    def thresholds(self) -> Mapping[str, tuple[Threshold, ...]]: ...
    @property
    def tree(self) -> Tree: ...


class Clocked(Protocol):
    """When a rule is evaluated next."""

    @property
    def next_evaluation_at(self) -> datetime | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Explainer:
    """Explains within one read transaction; `mutes` and `timings` are the engine's own answers in it."""

    connection: Connection
    definitions: InForce
    mutes: Callable[[Collection[Alert]], Mutes]
    timings: Callable[[Collection[Rule]], Mapping[str, Clocked]]
    external: Labels = NONE

    def named(self, fingerprint: str, at: datetime, now: datetime) -> Explanation | None:
        """The story of the alert with this public name; `None` when there is none. Of several the most alarming one."""
        found = alert_rows.by_fingerprint(self.connection, fingerprint)
        if not found:
            return None
        return self._stored(min(found, key=lambda one: (_ORDER.index(one.state), -(one.id or 0))), at, now)

    def labelled(self, labels: Labels, now: datetime) -> Explanation:
        """The story of the alert with exactly these labels, or of the only one with these and others.

        Where there is none, what would become of one; where there are several, their names as well.
        """
        found = self._known_by(labels) or self._known_by(labels.less(self.external)) or self._wider(labels)
        if found and len({one.labels for one in found}) == 1:
            return self._stored(min(found, key=lambda one: _ORDER.index(one.state)), now, now)
        return self._several(labels, found, now) if found else self._imagined(labels, now)

    def _several(self, labels: Labels, found: Sequence[Alert], now: datetime) -> Explanation:
        """The names of those that somebody may have meant."""
        first = sorted(found, key=lambda one: (_ORDER.index(one.state), one.id or 0))[:SIMILAR]
        names = tuple(map(self._name, first))
        rules = self._rules(sorted(self._called(labels.get(ALERTNAME, ""))))
        return story(Facts(labels=labels, rules=rules, similar=names, unnamed=len(found) - len(first)), now)

    def _imagined(self, labels: Labels, now: datetime) -> Explanation:
        """What would become of an alert with these labels."""
        names = sorted(self._called(labels.get(ALERTNAME, "")))
        only = self.definitions.rules.get(names[0]) if len(names) == 1 else None
        routed = self._routed(outward(labels, "", self.external), only, self.definitions.tree)
        imagined = _imagined(labels, "" if only is None else only.id, now)
        mutes = self.mutes([imagined]).get(0, ())
        meant = None if names else self._meant(labels.get(ALERTNAME, ""))
        return story(
            replace(routed, rules=self._rules(names), mutes=mutes, muters=self._muters(mutes), meant=meant), now
        )

    def _wider(self, labels: Labels) -> list[Alert]:
        """The alerts of this name that have these labels and others: those that are pending or fire, else those that did."""
        name = labels.get(ALERTNAME, "")
        sources = sorted(self._called(name)) or [*sorted(self._gone(name)), POSTED]
        for states in (_ACTIVE, (State.INACTIVE,)):
            every = (
                one
                for source in sources
                for one in alert_rows.page(self.connection, states=states, source=source, limit=LONGEST)
            )
            found = [one for one in every if labels.items() <= outward(one.labels, one.source, self.external).items()]
            if found:
                return found
        return []

    def _name(self, alert: Alert) -> str:
        name = called(outward(alert.labels, alert.source, self.external))
        return f"{name} ({alert.labels.fingerprint()}, {alert.state.value})"

    def _known_by(self, labels: Labels) -> list[Alert]:
        found = alert_rows.by_fingerprint(self.connection, labels.fingerprint())
        return [one for one in found if one.labels == labels]

    def _stored(self, alert: Alert, at: datetime, now: datetime) -> Explanation:
        assert alert.id is not None
        stays = membership.stays(self.connection, alert.id, limit=LONGEST)
        told = outward(alert.labels, alert.source, self.external)
        facts = Facts(
            labels=told,
            number=alert.id,
            events=self._reasoned(completed(self._events(alert.id, stays, at), alert, at), told),
            rules=self._rules([alert.source]),
        )
        return story(
            self._now(facts, alert, stays, now) if at >= now else self._then(facts, alert.source, stays, at), at
        )

    def _now(self, facts: Facts, alert: Alert, stays: Sequence[Stay], now: datetime) -> Facts:
        """The same with routes, groups, mutes and messages as they are."""
        assert alert.id is not None
        routed = self._routed(facts.labels, self.definitions.rules.get(alert.source), self.definitions.tree)
        over = alert.resolved_at or now
        groups = {stay.group_id for stay in stays if stay.left_at is None}
        telling = {stay.group_id for stay in stays if stay.left_at is None or stay.left_at >= over}
        mutes = self.mutes([alert]).get(alert.id, ())
        return replace(
            facts,
            tried=routed.tried,
            policies=routed.policies,
            mutes=mutes,
            muters=self._muters(mutes),
            groups=tuple(self._group(one) for one in membership.standings(self.connection, groups, alert.id)),
            waiting=tuple(Waiting(channel=name, at=at) for name, at in membership.waiting(self.connection, telling)),
            fires_at=self._fires_at(alert),
            kept=self._kept(alert),
        )

    def _events(self, number: int, stays: Sequence[Stay], at: datetime) -> tuple[Event, ...]:
        entries = [
            *self._around(ledger.Subject.ALERT, {str(number)}, at),
            *self._around(ledger.Subject.GROUP, {str(stay.group_id) for stay in stays}, at),
        ]
        told = [one for one in entries if one.kind.value in _TOLD and concerns(one, number, stays)]
        names = self._names(told)
        ordered = sorted(told, key=lambda one: (one.at, one.id or 0))
        return tuple(named(event_of(one), number, names) for one in ordered)

    def _reasoned(self, events: tuple[Event, ...], labels: Labels) -> tuple[Event, ...]:
        """The same, with why the routes took it, by the configurations that placed it, as far as these are kept."""
        numbers = {number for event in events if (number := placed_by(event)) is not None}
        known = {number: configurations.read(self.connection, number) for number in sorted(numbers)[-READ:]}
        why = {
            (number, step.route_id): step.why
            for number, configuration in known.items()
            if configuration is not None
            for step in routing.trace(configuration.tree, labels)
        }
        return tuple(
            replace(event, detail={**event.detail, "why": why[key]})
            if (key := (placed_by(event), event.detail.get("route_id", ""))) in why
            else event
            for event in events
        )

    def _names(self, entries: Iterable[Entry]) -> Mapping[int, str]:
        """What the alerts are called that mute others."""
        numbers = {found for one in entries for found in one.detail.get("sources", {}).values()}
        return self._called_by(numbers)

    def _muters(self, mutes: Iterable[Mute]) -> Mapping[int, str]:
        """What the alerts are called that mute this one now."""
        return self._called_by({one.source for one in mutes if one.source is not None})

    def _called_by(self, numbers: set[int]) -> Mapping[int, str]:
        known = alert_rows.identities(self.connection, numbers)
        return {number: called(outward(labels, source, self.external)) for number, (source, labels) in known.items()}

    def _around(self, kind: ledger.Subject, ids: set[str], at: datetime) -> list[ledger.Entry]:
        """What the ledger says of these until `at`, and what comes right after."""
        return [
            *ledger.newest(self.connection, kind, ids, until=at, limit=LONGEST),
            *ledger.following(self.connection, kind, ids, after=at, limit=AHEAD),
        ]

    def _called(self, name: str) -> set[str]:
        """The rules of this name; one that is set aside without a good version goes by its id alone."""
        named = {rule.id for rule in self.definitions.rules.values() if rule.name == name}
        broken = self.definitions.quarantined.keys() - self.definitions.rules.keys()
        return named | (set(rule_status.named(self.connection, name)) & broken)

    def _gone(self, name: str) -> frozenset[str]:
        """The rules of this name that were deleted not too long ago; their alerts have ended, and are kept."""
        return history.deleted(self.connection, "alert_rules", "name", name, limit=LONGEST)

    def _meant(self, name: str) -> str | None:
        """The name of a rule that somebody may have meant by one that no rule has."""
        return next(iter(get_close_matches(name, {rule.name for rule in self.definitions.rules.values()}, n=1)), None)

    def _rules(self, ids: Sequence[str]) -> tuple[RuleFacts, ...]:
        rules = {name: rule for name in ids if (rule := self.definitions.rules.get(name)) is not None}
        timings = self.timings(list(rules.values()))
        known = rule_status.all_of(self.connection, ids)
        problems = self.definitions.quarantined
        return tuple(
            _rule(name, rules.get(name), known.get(name), problems.get(name, ()), timings.get(name))
            for name in ids
            if name in rules or name in problems
        )

    def _then(self, facts: Facts, source: str, stays: Sequence[Stay], at: datetime) -> Facts:
        """The same with the rule (be it gone today), the routes and the timers of then, as far as they were written down."""
        rules = rules_at(self.connection, facts, source, at)
        known = configurations.at(self.connection, at)
        tree = self.definitions.tree if known is None else known.tree
        routed = self._routed(facts.labels, rules[0].rule if rules else None, tree)
        timed = tuple(self._group(one, tree) for one in self._stood(facts, stays, at))
        return replace(facts, rules=rules, tried=routed.tried, policies=routed.policies, groups=timed)

    def _stood(self, facts: Facts, stays: Sequence[Stay], at: datetime) -> list[Standing]:
        """The groups that had the alert then, on the routes that the ledger names for them; their timers were not kept."""
        groups = {stay.group_id for stay in stays if is_during(stay, at)}
        placed = {
            event.detail["group_id"]: event.detail["route_id"]
            for event in facts.events
            if event.kind is Kind.PLACEMENT and event.at <= at
        }
        return [
            replace(one, route_id=placed.get(one.id, one.route_id), flush_at=None, told_at=None)
            for one in membership.standings(self.connection, groups, facts.number or 0)
        ]

    def _routed(self, labels: Labels, rule: Rule | None, tree: Tree) -> Facts:
        if rule is not None and rule.notification_channels:
            own = implicit(rule.id, rule.notification_channels, tree.root.policy)
            why = "the rule names its own channels, so no other route is tried"
            taken = Step(route_id=own.route_id, depth=0, verdict=routing.Verdict.TAKEN, why=why)
            return Facts(labels=labels, tried=(taken,), policies={own.route_id: own})
        return Facts(labels=labels, tried=routing.trace(tree, labels), policies=tree.policies)

    def _group(self, standing: Standing, tree: Tree | None = None) -> GroupFacts:
        policy = _policy(standing.route_id, tree or self.definitions.tree)
        return GroupFacts(
            id=standing.id,
            route_id=standing.route_id,
            labels=standing.labels,
            flush_at=standing.flush_at,
            group_wait=policy.group_wait,
            group_interval=policy.group_interval,
            repeat_interval=policy.repeat_interval,
            notify_on_unmute=policy.notify_on_unmute,
            told_at=standing.told_at,
        )

    def _fires_at(self, alert: Alert) -> datetime | None:
        rule = self.definitions.rules.get(alert.source)
        if rule is None or alert.state is not State.PENDING:
            return None
        rows = {row.id: row for row in self.definitions.thresholds.get(rule.id, ())}
        row = rows.get(alert.threshold_id or "")
        hold: timedelta = rule.hold if row is None or row.hold is None else row.hold
        return alert.active_at + hold

    def _kept(self, alert: Alert) -> Kept | None:
        """By which word of its rule it goes on firing though its condition does not hold, if so."""
        rule = self.definitions.rules.get(alert.source)
        if rule is None or alert.state is not State.FIRING:
            return None
        if alert.absence is not None:
            missing = alert.absence.reason is TransitionReason.SERIES_MISSING
            until = alert.absence.since + rule.missing_for if missing else None
            word = f"missing_series {rule.missing_series.value}" if missing else f"no_data {rule.no_data.value}"
            return Kept(since=alert.absence.since, by=word, until=until)
        if alert.keep_firing_since is None:
            return None
        until = alert.keep_firing_since + rule.keep_firing_for
        return Kept(since=alert.keep_firing_since, by="keep_firing_for", until=until)


def _policy(route_id: str, tree: Tree) -> Policy:
    """The timings of a route; the root's stand in for an implicit one and for one that is gone."""
    return tree.policies.get(route_id, implicit(route_id, (), tree.root.policy))


def _rule(
    name: str, rule: Rule | None, status: RuleStatus | None, problems: Sequence[Problem], timing: Clocked | None
) -> RuleFacts:
    return RuleFacts(
        id=name,
        rule=rule,
        health="unknown" if status is None else status.health.value,
        since=None if status is None else status.changed_at,
        error=None if status is None else status.last_error,
        problems=said(problems),
        evaluated_at=None if timing is None else timing.next_evaluation_at,
    )


def _imagined(labels: Labels, source: str, now: datetime) -> Alert:
    """An alert that nobody has seen, numbered 0 as no row is."""
    return Alert(
        source=source,
        labels=labels,
        sample_labels=labels,
        state=State.FIRING,
        value=0.0,
        active_at=now,
        fired_at=now,
        id=0,
    )
