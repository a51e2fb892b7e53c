"""How rules, routes, groups and mutes stand at the moment a story is told, and the whole story step by step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from engine.core.muting import Mute
from engine.core.story_events import sentences
from engine.core.storyline import Event, Facts, GroupFacts, Kind, RuleFacts, Step, Subject, clock, is_late
from rules import durations
from rules.routing import Policy, Verdict
from rules.routing import Step as Tried
from rules.rule import Rule


def steps(facts: Facts, now: datetime) -> tuple[Step, ...]:
    """The story up to `now`, oldest first: what was written down, then how rules, routes, groups and mutes stand."""
    past = [event for event in facts.events if event.at <= now]
    happened = [
        Step(at=event.at, kind=event.kind, reason=said, subject=event.subject, detail=event.detail)
        for event, said in zip(past, sentences(past, facts.number), strict=True)
    ]
    return (*happened, *_rules(facts, now), *_routes(facts, now), *_groups(facts, now), *_mutes(facts, past, now))


def _rules(facts: Facts, now: datetime) -> list[Step]:
    return [
        Step(
            at=now,
            kind=Kind.RULE,
            reason=rule_sentence(one, dated=True),
            subject=Subject(type="rule", id=one.id, version=None if one.rule is None else one.rule.version),
            detail={"health": one.health, "error": one.error, "problems": list(one.problems)},
        )
        for one in facts.rules
        if one.since is None or one.since <= now
    ]


def rule_sentence(one: RuleFacts, *, dated: bool = False) -> str:
    """How a rule stands; `dated` says since when."""
    if said := _beside_health(one):
        return said
    if not one.health:
        return f"rule {one.id!r}{_asks(one.rule)} was in force"
    since = f" since {clock(one.since)}" if dated and one.since is not None else ""
    error = f": {one.error}" if one.error else ""
    return f"rule {one.id!r}{_asks(one.rule)} {_HEALTH.get(one.health, _OTHER).format(f'{one.health}{since}')}{error}"


def _beside_health(one: RuleFacts) -> str | None:
    """What is to be said of a rule whose health does not matter."""
    if one.absent:
        return f"rule {one.id!r} did not exist then"
    if one.problems:
        return f"rule {one.id!r} is set aside ({one.problems[0]}); {_instead(one.rule)}"
    return f"rule {one.id!r} is disabled" if one.rule is not None and not one.rule.enabled else None


_HEALTH: Final[Mapping[str, str]] = {
    "ok": "is evaluated (health {})",
    "err": "cannot be evaluated (health {})",
    "unknown": "has not been evaluated yet (health {})",
    "never_had_data": "has never got any data (health {}); check the metric's name, and that it is scraped",
}
_OTHER: Final = "has health {}"


def _instead(good: Rule | None) -> str:
    """What is evaluated while a rule's row is set aside."""
    return "nothing is evaluated in its place" if good is None else f"version {good.version} stays in force"


def _asks(rule: Rule | None) -> str:
    """Which version it is and what it asks, as people wrote it."""
    if rule is None:
        return ""
    asked = rule.expr or rule.metric_name or ""
    compared = "" if rule.condition is None else f" {rule.condition.value} {rule.threshold:g}"
    held = f" for {durations.format(rule.hold)}" if rule.hold else ""
    said = f", `{' '.join(asked.split())}{compared}`{held}," if asked else ""
    return f" version {rule.version}{said}"


def _routes(facts: Facts, now: datetime) -> list[Step]:
    """The way through the tree that is in force now, whenever the alert was routed."""
    return [_route(one, facts.policies.get(one.route_id), now) for one in facts.tried]


def _route(one: Tried, policy: Policy | None, now: datetime) -> Step:
    tells = f"; it {_tells(policy)}" if policy is not None and one.verdict is Verdict.TAKEN else ""
    return Step(
        at=now,
        kind=Kind.ROUTE,
        reason=f"route {one.route_id!r} {one.verdict.value}: {one.why}{tells}",
        subject=Subject(type="route", id=one.route_id, version=None if policy is None else policy.version),
        detail={"depth": one.depth, "verdict": one.verdict.value},
    )


def way(facts: Facts) -> str:
    """The routes the alert takes in the tree that is in force, each with whom it tells."""
    taken = [one.route_id for one in facts.tried if one.verdict is Verdict.TAKEN]
    if not taken:
        return "no route"
    tells = {name: f", which {_tells(facts.policies[name])}" for name in taken if name in facts.policies}
    joint = ", and " if tells else " and "
    return joint.join(f"route {name!r}{tells.get(name, '')}" for name in taken)


def _tells(policy: Policy) -> str:
    return f"tells {', '.join(policy.channels)}" if policy.channels else "names no channel"


def _groups(facts: Facts, now: datetime) -> list[Step]:
    return [
        Step(
            at=now,
            kind=Kind.GROUP,
            reason=_timers(group, now),
            subject=Subject(type="group", id=str(group.id)),
            detail={"route_id": group.route_id, "group_labels": dict(group.labels), **_seconds(group)},
        )
        for group in facts.groups
    ]


def _timers(group: GroupFacts, now: datetime) -> str:
    """Which group it is, its three timers, and when it looks next and last told."""
    spans = (group.group_wait, group.group_interval, group.repeat_interval)
    wait, interval, repeat = map(durations.format, spans)
    told = f", decided on its last message at {clock(group.told_at)}" if group.told_at is not None else ""
    due = "" if group.flush_at is None else f", is due at {clock(group.flush_at)}"
    late = ", which is late" if group.flush_at is not None and is_late(group.flush_at, now) else ""
    name = f"group {group.id} {group.labels}" if group.labels else f"group {group.id}"
    return (
        f"{name} of route {group.route_id!r} waits {wait} at first, {interval} between messages"
        f" and repeats after {repeat}{told}{due}{late}"
    )


def _seconds(group: GroupFacts) -> dict[str, float]:
    names = ("group_wait", "group_interval", "repeat_interval")
    return {f"{name}_seconds": getattr(group, name).total_seconds() for name in names}


def _mutes(facts: Facts, past: Sequence[Event], now: datetime) -> list[Step]:
    """What covers the alert now and no flush has seen yet."""
    seen = {(event.reason, event.detail.get("by")) for event in past if event.kind is Kind.MUTE}
    return [
        Step(
            at=now,
            kind=Kind.MUTE,
            reason=covers(mute, facts.muters.get(mute.source or 0)),
            subject=Subject(type=mute.kind.value, id=mute.by, version=mute.version),
            detail={"until": None if mute.until is None else mute.until.isoformat(), "source": mute.source},
        )
        for mute in facts.mutes or ()
        if (mute.kind.value, mute.by) not in seen
    ]


def covers(mute: Mute, source: str | None = None) -> str:
    """What keeps an alert quiet now, who asked for it, which alert does it, and until when."""
    said = f" ({mute.said})" if mute.said else ""
    because = f", because {source} fires" if source is not None else ""
    return (
        f"{mute.kind.value} {mute.by!r}{said} covers it{because}{f' until {clock(mute.until)}' if mute.until else ''}"
    )
