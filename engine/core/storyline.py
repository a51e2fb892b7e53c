"""Why somebody was told of an alert, or was not: from what was written down to one story, a verdict and what comes next.

The story hangs on the ledger alone as far as it can, so that it can be told as of any moment: what happened later is only
asked for what came next. `engine/core/story.py` judges; this module holds the values and tells the steps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from engine.core.alert import State, TransitionReason
from engine.core.muting import Mute
from engine.core.notifying import Reason
from rules import durations
from rules.labels import Labels
from rules.routing import Step as Tried
from rules.rule import Rule


class Verdict(StrEnum):
    """What it came to; closed, so that a program can read it."""

    TOLD = "told"
    ALREADY_TOLD = "already_told"
    """Told before; nothing new to tell until repeat_interval has passed."""
    WAITING = "waiting"
    """It fires, and its group's next flush or its message is still ahead."""
    PENDING = "pending"
    RESOLVED = "resolved"
    SILENCED = "silenced"
    INHIBITED = "inhibited"
    INTERVAL = "interval"
    LEVEL = "level"
    RATE_LIMITED = "rate_limited"
    CHANNEL_DOWN = "channel_down"
    CHANNEL_UNCONFIGURED = "channel_unconfigured"
    UNROUTED = "unrouted"
    RECORD_MODE = "record_mode"
    NO_DATA = "no_data"
    EVALUATION_FAILING = "evaluation_failing"
    QUARANTINED = "quarantined"
    DISABLED = "disabled"
    NEVER_SEEN = "never_seen"


class Kind(StrEnum):
    """What a step tells; the first five are the ledger's kinds."""

    TRANSITION = "transition"
    PLACEMENT = "placement"
    MUTE = "mute"
    DECISION = "decision"
    ATTEMPT = "attempt"
    RULE = "rule"
    ROUTE = "route"
    GROUP = "group"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What a step is about; `version` is that of a definition, `None` where there is none."""

    type: str
    id: str
    version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One row of the ledger that is about the alert or its group; `alert_ids` as there."""

    at: datetime
    kind: Kind
    reason: str
    subject: Subject
    alert_ids: frozenset[int] = frozenset()
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleFacts:
    """One rule now: `rule` is the version in force (`None`: the row never could be), `problems` why its row is set aside.

    `health` is the word of its status (`""`: not known for that time), `since` when it became that; `evaluated_at` when it is
    asked next.
    """

    id: str
    rule: Rule | None
    health: str = "unknown"
    since: datetime | None = None
    error: str | None = None
    problems: tuple[str, ...] = ()
    evaluated_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupFacts:
    """A group that the alert is in now; `told_at` is the flush at which it last counted as told of as firing."""

    id: int
    route_id: str
    labels: Labels
    flush_at: datetime | None
    group_wait: timedelta
    group_interval: timedelta
    repeat_interval: timedelta
    told_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A message that waits to be tried, and for when."""

    channel: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All there is to know: `number` is the alert's row (`None`: never stored), `events` oldest first, later ones too.

    `rules` are that of the alert, or those of its name; `mutes` what covers it now; `fires_at` when it can fire, if it is
    pending; `tried` the way through the routing tree in force, `versions` those of its routes.
    """

    labels: Labels
    number: int | None = None
    events: tuple[Event, ...] = ()
    rules: tuple[RuleFacts, ...] = ()
    tried: tuple[Tried, ...] = ()
    versions: Mapping[str, int] = field(default_factory=dict)
    mutes: tuple[Mute, ...] = ()
    groups: tuple[GroupFacts, ...] = ()
    waiting: tuple[Waiting, ...] = ()
    fires_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing that happened or holds; `reason` is a sentence, `detail` its values."""

    at: datetime
    kind: Kind
    reason: str
    subject: Subject
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Next:
    """What happens next; `at` is `None` where only an edit or a datum can bring it about."""

    at: datetime | None
    action: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """The whole story, oldest step first."""

    verdict: Verdict
    summary: str
    steps: tuple[Step, ...]
    next: Next | None


def steps(facts: Facts, now: datetime) -> tuple[Step, ...]:
    """The story up to `now`, oldest first: what was written down, then how rules, routes, groups and mutes stand."""
    past = [event for event in facts.events if event.at <= now]
    told = [
        Step(
            at=event.at,
            kind=event.kind,
            reason=sentence(event, facts.number),
            subject=event.subject,
            detail=event.detail,
        )
        for event in past
    ]
    routed_at = max((event.at for event in past if event.kind is Kind.PLACEMENT), default=now)
    standing = [*_rules(facts, now), *_routes(facts, now), *_groups(facts, now, routed_at), *_mutes(facts, past, now)]
    return tuple(sorted([*told, *standing], key=lambda step: step.at))


def clock(at: datetime) -> str:
    """The instant as the summary writes it."""
    return f"{at:%Y-%m-%d %H:%M:%S}Z"


def sentence(event: Event, number: int | None) -> str:
    """What an event says, about the alert of this row number."""
    match event.kind:
        case Kind.TRANSITION:
            return _transition(event.detail, event.reason)
        case Kind.PLACEMENT:
            return _placement(event)
        case Kind.MUTE:
            return _mute(event)
        case Kind.DECISION:
            return _decision(event, number)
        case _:
            return _attempt(event)


def _placement(event: Event) -> str:
    detail = event.detail
    route, group = f"route {detail['route_id']!r}", f"group {detail['group_id']}"
    channels = ", ".join(detail.get("channels", ()))
    speaks = f"which tells {channels}" if channels else "which names no channel"
    if event.reason == "moved":
        before = f"moved from route {detail['from_route']!r}"
        return f"{before}: by configuration {detail['configuration']} {route} has it, in {group}, {speaks}"
    if event.reason == "left":
        return f"left {group}: by configuration {detail['configuration']} it takes {route} no more"
    why = detail.get("why", _PLAIN)
    because = "" if why == _PLAIN else f" ({why})"
    return f"{route} took it{because} into {group}, {speaks}"


_PLAIN: Final = "it matches"
"""What a trace says of a route that takes whatever comes to it."""


def _transition(detail: Mapping[str, Any], reason: str) -> str:
    became = detail["after"] if detail.get("before") is None else f"{detail['before']} → {detail['after']}"
    if reason in _POSTED:
        return f"{became} ({reason}): {_POSTED[reason]}"
    row = f" of row {detail['threshold_id']!r}" if "threshold_id" in detail else ""
    against = f" against the threshold {detail['threshold']}{row}" if "threshold" in detail else ""
    rule = f"rule {detail['rule_id']!r} version {detail['rule_version']}"
    if detail["after"] == State.INACTIVE.value:
        return f"{became} ({reason}): {rule}; the last value was {detail['value']}{against}"
    return f"{became} ({reason}): {rule} saw the value {detail['value']}{against}"


_POSTED: Final[Mapping[str, str]] = {
    TransitionReason.POSTED: "it was posted as firing",
    TransitionReason.RESOLVED_BY_SENDER: "it was posted as over",
    TransitionReason.EXPIRED: "nobody posted it again before its end",
}


def _mute(event: Event) -> str:
    if event.reason == "ended":
        return "nothing mutes it any more"
    until = event.detail.get("until")
    ending = f" until {clock(datetime.fromisoformat(until))}" if until else ""
    also = "".join(f", also {one['kind']} {one['by']!r}" for one in event.detail.get("also", ()))
    said = f" ({event.detail['said']})" if event.detail.get("said") else ""
    source = f", because {event.detail['source']} fires" if event.detail.get("source") else ""
    return f"kept quiet by {event.reason} {event.detail['by']!r}{said}{source}{ending}{also}"


def _decision(event: Event, number: int | None) -> str:
    whom = target(event.detail)
    if not event.detail["sends"]:
        return f"{whom} is not told{_AGAIN.get(event.reason, f': {event.reason}')}"
    state = "its end" if number in event.detail["resolved"] else "it"
    return f"{whom} is told of {state}: {event.reason}"


_AGAIN: Final[Mapping[str, str]] = {Reason.ALREADY_TOLD: " again: nothing is new since the last message for it"}


def _attempt(event: Event) -> str:
    if event.reason in SENT:
        return f"{target(event.detail)} took the message at attempt {event.detail['attempt']}"
    if event.reason == "deferred":
        until = clock(datetime.fromisoformat(event.detail["until"]))
        return (
            f"{target(event.detail)} is rate limited until {until}: the message waits, and newer news takes its place"
        )
    ending = "given up" if event.reason == "dead" else "to be tried again"
    failure = f"{event.detail.get('failure')}: {event.detail['detail']}"
    return f"{target(event.detail)} did not take the message at attempt {event.detail['attempt']} ({failure}), {ending}"


SENT: Final = frozenset({"sent", "sent late"})
"""The outcomes of an attempt that arrived."""


def target(detail: Mapping[str, Any]) -> str:
    """Whom a decision or an attempt is about."""
    recipient = detail.get("recipient")
    return f"{detail['channel']} ({recipient})" if recipient else str(detail["channel"])


def _rules(facts: Facts, now: datetime) -> list[Step]:
    return [
        Step(
            at=min(one.since or now, now),
            kind=Kind.RULE,
            reason=rule_sentence(one),
            subject=Subject(type="rule", id=one.id, version=None if one.rule is None else one.rule.version),
            detail={"health": one.health, "error": one.error, "problems": list(one.problems)},
        )
        for one in facts.rules
        if one.since is None or one.since <= now
    ]


def rule_sentence(one: RuleFacts) -> str:
    """How a rule stands."""
    if one.problems:
        instead = (
            "nothing is evaluated in its place" if one.rule is None else f"version {one.rule.version} stays in force"
        )
        return f"rule {one.id!r} is set aside ({one.problems[0]}); {instead}"
    if one.rule is not None and not one.rule.enabled:
        return f"rule {one.id!r} is disabled"
    if not one.health:
        return f"rule {one.id!r}{_asks(one.rule)} was in force"
    error = f": {one.error}" if one.error else ""
    return f"rule {one.id!r}{_asks(one.rule)} {_HEALTH.get(one.health, f'has health {one.health}')}{error}"


_HEALTH: Final[Mapping[str, str]] = {
    "never_had_data": "has never got any data (health never_had_data); check the metric's name, and that it is scraped",
}


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
    return [
        Step(
            at=now,
            kind=Kind.ROUTE,
            reason=f"route {one.route_id!r} {one.verdict.value}: {one.why}",
            subject=Subject(type="route", id=one.route_id, version=facts.versions.get(one.route_id)),
            detail={"depth": one.depth, "verdict": one.verdict.value},
        )
        for one in facts.tried
    ]


def _groups(facts: Facts, now: datetime, routed_at: datetime) -> list[Step]:
    return [
        Step(
            at=min(routed_at, now),
            kind=Kind.GROUP,
            reason=_timers(group),
            subject=Subject(type="group", id=str(group.id)),
            detail={"route_id": group.route_id, "group_labels": dict(group.labels), **_seconds(group)},
        )
        for group in facts.groups
    ]


def _timers(group: GroupFacts) -> str:
    spans = (group.group_wait, group.group_interval, group.repeat_interval)
    wait, interval, repeat = map(durations.format, spans)
    return f"group {group.id} waits {wait} at first, {interval} between messages and repeats after {repeat}"


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
            reason=_covers(mute),
            subject=Subject(type=mute.kind.value, id=mute.by, version=mute.version),
            detail={"until": None if mute.until is None else mute.until.isoformat(), "source": mute.source},
        )
        for mute in facts.mutes
        if (mute.kind.value, mute.by) not in seen
    ]


def _covers(mute: Mute) -> str:
    said = f" ({mute.said})" if mute.said else ""
    return f"{mute.kind.value} {mute.by!r}{said} covers it{f' until {clock(mute.until)}' if mute.until else ''}"
