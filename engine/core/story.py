"""The verdict on one alert as of one moment, the sentence for whoever is on call, and what happens next.

An alert's latest transition says in which of three ways to look: at what would make it fire, at who heard of it while it
fires, or at why it ended. `story` is the whole answer; the values it goes by are those of `engine/core/storyline.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from engine.core.alert import State, TransitionReason
from engine.core.muting import MuteKind
from engine.core.notifying import Reason
from engine.core.storyline import (
    SENT,
    Event,
    Explanation,
    Facts,
    Kind,
    Next,
    RuleFacts,
    Verdict,
    clock,
    rule_sentence,
    sentence,
    steps,
    target,
)
from rules.labels import ALERTNAME

LOG: Final = "log"
"""The channel that stands in where no other can be told."""

_BY_MUTE: Final[Mapping[str, Verdict]] = {
    MuteKind.LEVEL.value: Verdict.LEVEL,
    MuteKind.INHIBITION.value: Verdict.INHIBITED,
    MuteKind.ACTIVE_TIME_INTERVAL.value: Verdict.INTERVAL,
    MuteKind.MUTE_TIME_INTERVAL.value: Verdict.INTERVAL,
    MuteKind.SILENCE.value: Verdict.SILENCED,
}
_BY_FAILURE: Final = {"rate_limited": Verdict.RATE_LIMITED, "unconfigured": Verdict.CHANNEL_UNCONFIGURED}
_BY_HEALTH: Final = {"never_had_data": Verdict.NO_DATA, "err": Verdict.EVALUATION_FAILING}
_WITHOUT_DATA: Final = frozenset({TransitionReason.NO_DATA.value, TransitionReason.SERIES_MISSING.value})

_STUCK: Final = {
    Verdict.QUARANTINED: "nothing, until the rule's row is corrected",
    Verdict.DISABLED: "nothing, until the rule is enabled",
}
_UNTIL_ASKED: Final = frozenset({Verdict.NO_DATA, Verdict.EVALUATION_FAILING, Verdict.NEVER_SEEN})
_UNTIL_REPEATED: Final = frozenset({Verdict.TOLD, Verdict.ALREADY_TOLD})
_UNTIL_TRIED: Final = frozenset(
    {Verdict.RATE_LIMITED, Verdict.CHANNEL_DOWN, Verdict.CHANNEL_UNCONFIGURED, Verdict.WAITING}
)

Judged = tuple[Verdict, str]
"""A verdict and its sentence, which goes on from the alert's name."""


def story(facts: Facts, now: datetime) -> Explanation:
    """Everything about the alert as of `now`; where the ledger already knows what came next, that is the next."""
    past = _Past.of(facts, now)
    verdict, said = _judge(facts, past, now)
    return Explanation(
        verdict=verdict,
        summary=f"{_name(facts)} {said}.",
        steps=steps(facts, now),
        next=_came_next(facts, now) or _next(verdict, facts, past, now),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Past:
    """The alert's latest episode up to a moment: its last transition, what mutes it, who was to be told of it and how it went.

    `attempts` are the last of each addressee since it was last to be told; `decisions` the last of each, of whatever kind.
    """

    transition: Event | None
    mute: Event | None
    placements: tuple[Event, ...]
    decisions: Mapping[str, Event]
    sends: Mapping[str, Event]
    attempts: Mapping[str, Event]

    @classmethod
    def of(cls, facts: Facts, now: datetime) -> _Past:
        """The episode that the alert is in at `now`, or was last in."""
        episode = _episode([event for event in facts.events if event.at <= now])
        mute = _last(episode, Kind.MUTE)
        decisions, sends, attempts = _told(episode)
        return cls(
            transition=_last(episode, Kind.TRANSITION),
            mute=None if mute is None or mute.reason == "ended" else mute,
            placements=tuple(event for event in episode if event.kind is Kind.PLACEMENT),
            decisions=decisions,
            sends=sends,
            attempts=attempts,
        )

    @property
    def told(self) -> Mapping[str, Event]:
        """Who took the latest message, and when."""
        return {whom: event for whom, event in self.attempts.items() if event.reason in SENT}

    @property
    def problems(self) -> Mapping[str, str]:
        """The channels that led nowhere when messages were decided, each with its reason."""
        return {name: why for event in self.sends.values() for name, why in event.detail.get("problems", {}).items()}


def _episode(past: Sequence[Event]) -> Sequence[Event]:
    begins = [place for place, event in enumerate(past) if _begins(event)]
    return past[begins[-1] :] if begins else past


def _last(episode: Iterable[Event], kind: Kind) -> Event | None:
    found = [event for event in episode if event.kind is kind]
    return found[-1] if found else None


def _told(episode: Iterable[Event]) -> tuple[dict[str, Event], dict[str, Event], dict[str, Event]]:
    """By addressee: the last decision, the last to tell, and the last attempt since that one."""
    decisions: dict[str, Event] = {}
    sends: dict[str, Event] = {}
    attempts: dict[str, Event] = {}
    for event in episode:
        if event.kind is Kind.ATTEMPT:
            attempts[target(event.detail)] = event
        if event.kind is not Kind.DECISION:
            continue
        decisions[target(event.detail)] = event
        if event.detail["sends"]:
            sends[target(event.detail)] = event
            attempts.pop(target(event.detail), None)
    return decisions, sends, attempts


def _begins(event: Event) -> bool:
    return event.kind is Kind.TRANSITION and event.detail.get("before") is None


def _name(facts: Facts) -> str:
    others = facts.labels.without(ALERTNAME)
    return f"{facts.labels.get(ALERTNAME, 'the alert')}{others or ''}"


def _judge(facts: Facts, past: _Past, now: datetime) -> Judged:
    if past.transition is None:
        return _unseen(facts)
    state = State(past.transition.detail["after"])
    if state is State.PENDING:
        until = f" until {clock(facts.fires_at)} at least" if facts.fires_at and facts.fires_at > now else ""
        return Verdict.PENDING, f"is pending since {clock(past.transition.at)}: it has to hold for its `for`{until}"
    if state is State.INACTIVE:
        return _ended(facts, past, past.transition)
    return _firing(past, past.transition)


def _unseen(facts: Facts) -> Judged:
    for one in facts.rules:
        verdict = _obstacle(one)
        if verdict is not None:
            return verdict, f"was never seen: {rule_sentence(one)}"
    known = ", ".join(rule_sentence(one) for one in facts.rules)
    return Verdict.NEVER_SEEN, f"was never seen; {known or 'no rule has this name'}; {_would(facts)}"


def _obstacle(one: RuleFacts) -> Verdict | None:
    """What keeps a rule from raising any alert."""
    if one.rule is None:
        return Verdict.QUARANTINED
    return _BY_HEALTH.get(one.health) if one.rule.enabled else Verdict.DISABLED


def _would(facts: Facts) -> str:
    """What would become of an alert with these labels."""
    taking = ", ".join(repr(one.route_id) for one in facts.tried if one.verdict.value == "taken")
    muted = ", ".join(f"{mute.kind.value} {mute.by!r}" for mute in facts.mutes)
    return f"it would take route {taking or 'none'}{f' and be kept quiet by {muted}' if muted else ''}"


def _ended(facts: Facts, past: _Past, ending: Event) -> Judged:
    at = clock(ending.at)
    heard = _heard(past)
    broken = next((one for one in facts.rules if one.problems and one.rule is None), None)
    if broken is not None:
        return Verdict.QUARANTINED, f"ended at {at}: {rule_sentence(broken)}; {heard}"
    if ending.reason == TransitionReason.RULE_DISABLED.value:
        return Verdict.DISABLED, f"ended at {at}, because its rule was disabled; {heard}"
    if ending.reason in _WITHOUT_DATA:
        return Verdict.NO_DATA, f"ended at {at} for want of data ({ending.reason}); {heard}"
    if ending.detail["before"] == State.PENDING.value:
        return Verdict.RESOLVED, f"ended at {at} ({ending.reason}) before it had held for its `for`, so it never fired"
    return Verdict.RESOLVED, f"ended at {at} ({ending.reason}); {heard}"


def _heard(past: _Past) -> str:
    told = ", ".join(f"{whom} at {clock(event.at)}" for whom, event in past.told.items())
    return f"last told: {told}" if told else "nobody was told"


def _firing(past: _Past, fired: Event) -> Judged:
    since = f"fires since {clock(fired.at)}"
    if past.mute is not None:
        return _BY_MUTE[past.mute.reason], f"{since}, but is {sentence(past.mute, None)}; {_heard(past)}"
    if not past.sends:
        return Verdict.WAITING, f"{since}, and its group has not been flushed yet"
    if any(event.detail.get("recorded") for event in past.sends.values()):
        return Verdict.RECORD_MODE, f"{since}; {', '.join(past.sends)} would be told, but TOCSIN_DELIVERY is record"
    failed = [event for whom, event in past.attempts.items() if whom not in past.told]
    if failed:
        verdict = _BY_FAILURE.get(str(failed[0].detail.get("failure")), Verdict.CHANNEL_DOWN)
        return verdict, f"{since}, but {sentence(failed[0], None)}; {_heard(past)}"
    if past.sends.keys() - past.told.keys():
        return Verdict.WAITING, f"{since}, and the message to {', '.join(past.sends)} is on its way"
    return _arrived(past, since)


def _arrived(past: _Past, since: str) -> Judged:
    problems = ", ".join(f"{name} ({why})" for name, why in past.problems.items())
    if _only_log(past):
        if problems:
            return Verdict.CHANNEL_UNCONFIGURED, f"{since}, but nobody can be told, only the log: {problems}"
        if _nowhere(past):
            return Verdict.UNROUTED, f"{since}, but its route names no channel, so only the log was told"
    besides = f"; not told: {problems}" if problems else ""
    if all(event.reason == Reason.ALREADY_TOLD.value for event in past.decisions.values()):
        return Verdict.ALREADY_TOLD, f"{since} and nothing is new: {_heard(past)}{besides}"
    return Verdict.TOLD, f"{since}; {_heard(past)}{besides}"


def _only_log(past: _Past) -> bool:
    return {event.detail["channel"] for event in past.told.values()} == {LOG}


def _nowhere(past: _Past) -> bool:
    """Whether no route that the alert took names a channel."""
    return not any(event.detail.get("channels") for event in past.placements)


def _came_next(facts: Facts, now: datetime) -> Next | None:
    """What the ledger says came after `now`, for those who ask about the past."""
    later = next((event for event in facts.events if event.at > now), None)
    return None if later is None else Next(at=later.at, action=sentence(later, facts.number))


def _next(verdict: Verdict, facts: Facts, past: _Past, now: datetime) -> Next | None:
    if verdict in _STUCK:
        return Next(at=None, action=_STUCK[verdict])
    if verdict in _UNTIL_ASKED:
        return _asked(facts.rules)
    if verdict is Verdict.PENDING:
        return Next(at=facts.fires_at, action="it fires, if the condition still holds then")
    if verdict in _UNTIL_REPEATED:
        return _repeated(facts)
    return _sooner(verdict, facts, past, now) or _flushed(facts)


def _sooner(verdict: Verdict, facts: Facts, past: _Past, now: datetime) -> Next | None:
    """What comes before the group's next flush, or makes it one to wait for."""
    if verdict in _UNTIL_TRIED:
        return _tried(facts)
    return _unmuted(past, now) or _uninhibited(past, facts)


def _asked(rules: tuple[RuleFacts, ...]) -> Next | None:
    moments = [(one.evaluated_at, one.id) for one in rules if one.evaluated_at is not None]
    if not moments:
        return None
    at, name = min(moments)
    return Next(at=at, action=f"rule {name!r} is evaluated")


def _tried(facts: Facts) -> Next | None:
    if not facts.waiting:
        return None
    first = min(facts.waiting, key=lambda one: one.at)
    return Next(at=first.at, action=f"the message to {first.channel} is tried")


def _flushed(facts: Facts) -> Next | None:
    moments = [(group.flush_at, group.id) for group in facts.groups if group.flush_at is not None]
    if not moments:
        return None
    at, number = min(moments)
    return Next(at=at, action=f"group {number} is flushed, and decides anew whom to tell")


def _repeated(facts: Facts) -> Next | None:
    """The first flush of a group on its grid by which repeat_interval has passed."""
    moments = []
    for group in facts.groups:
        if group.flush_at is not None and group.told_at is not None:
            left = group.told_at + group.repeat_interval - group.flush_at
            moments.append((group.flush_at + max(0, -(-left // group.group_interval)) * group.group_interval, group.id))
    if not moments:
        return _flushed(facts)
    at, number = min(moments)
    return Next(at=at, action=f"group {number} repeats it, if it still fires")


def _uninhibited(past: _Past, facts: Facts) -> Next | None:
    """What ends with another alert."""
    flushed, source = _flushed(facts), None if past.mute is None else past.mute.detail.get("source")
    if flushed is None or source is None:
        return None
    return Next(
        at=flushed.at,
        action=f"{flushed.action}; it is told then if {source} no longer fires and nobody was told before",
    )


def _unmuted(past: _Past, now: datetime) -> Next | None:
    until = None if past.mute is None else past.mute.detail.get("until")
    at = None if until is None else datetime.fromisoformat(until)
    if past.mute is None or at is None or at <= now:
        return None
    return Next(
        at=at, action=f"{past.mute.reason} {past.mute.detail['by']!r} ends, and its group's next flush decides anew"
    )
