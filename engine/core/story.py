"""The verdict on one alert as of one moment, the sentence for whoever is on call, and what happens next.

An alert's latest transition says in which of three ways to look: at what would make it fire, at who heard of it while it
fires, or at why it ended. `story` is the whole answer; the values it goes by are those of `engine/core/storyline.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Final

from engine.core.alert import State, TransitionReason
from engine.core.muting import MuteKind
from engine.core.story_events import LOG, attempt, mute
from engine.core.story_next import coming
from engine.core.story_past import Past, is_recorded, keeping_quiet
from engine.core.story_standing import rule_sentence, steps, way
from engine.core.storyline import Event, Explanation, Facts, RuleFacts, Verdict, clock
from rules.labels import ALERTNAME

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

Judged = tuple[Verdict, str]
"""A verdict and its sentence, which goes on from the alert's name."""


def story(facts: Facts, now: datetime) -> Explanation:
    """Everything about the alert as of `now`; where the ledger already knows what came next, that is the next."""
    past = Past.of(facts, now)
    verdict, said = _judge(facts, past, now)
    return Explanation(
        verdict=verdict,
        summary=f"{_name(facts)} {said}.",
        steps=steps(facts, now),
        next=coming(verdict, facts, past, now),
    )


def _name(facts: Facts) -> str:
    others = facts.labels.without(ALERTNAME)
    return f"{facts.labels.get(ALERTNAME, 'the alert')}{others or ''}"


def _judge(facts: Facts, past: Past, now: datetime) -> Judged:
    if past.transition is None:
        return _unseen(facts, now)
    state = State(past.transition.detail["after"])
    if state is State.PENDING:
        return Verdict.PENDING, _pending(facts, past.transition, now)
    if state is State.INACTIVE:
        return _ended(facts, past, past.transition)
    return _firing(facts, past, past.transition, now)


def _pending(facts: Facts, since: Event, now: datetime) -> str:
    until = f" until {clock(facts.fires_at)} at least" if facts.fires_at and facts.fires_at > now else ""
    failing = next((f"; {rule_sentence(one)}" for one in facts.rules if one.health == "err"), "")
    return f"is pending since {clock(since.at)}: it has to hold for its `for`{until}{failing}"


def _unseen(facts: Facts, now: datetime) -> Judged:
    if facts.similar:
        return Verdict.SEVERAL, _several(facts)
    seen = "had not been seen by then" if any(event.at > now for event in facts.events) else "was never seen"
    for one in facts.rules:
        verdict = _obstacle(one)
        if verdict is not None:
            return verdict, f"{seen}: {rule_sentence(one)}"
    known = ", ".join(map(_silent, facts.rules))
    return Verdict.NEVER_SEEN, f"{seen}; {known or _nameless(facts)}; {_would(facts)}"


def _silent(one: RuleFacts) -> str:
    """A rule that might have raised the alert, and did not."""
    return rule_sentence(one) if one.absent else f"{rule_sentence(one)} and has not returned it"


def _nameless(facts: Facts) -> str:
    meant = "" if facts.meant is None else f" (did you mean {facts.meant!r}?)"
    return f"no rule has this name{meant}"


def _obstacle(one: RuleFacts) -> Verdict | None:
    """What keeps a rule from raising any alert."""
    if one.absent:
        return None
    if one.rule is None:
        return Verdict.QUARANTINED
    return _BY_HEALTH.get(one.health) if one.rule.enabled else Verdict.DISABLED


def _would(facts: Facts) -> str:
    """What would become of an alert with these labels."""
    muted = ", ".join(f"{mute.kind.value} {mute.by!r}" for mute in facts.mutes or ())
    return f"it would take {way(facts)}{f', and be kept quiet by {muted}' if muted else ''}"


def _several(facts: Facts) -> str:
    """Which alerts somebody may have meant."""
    more = f" and {facts.unnamed} more" if facts.unnamed else ""
    return f"names {len(facts.similar) + facts.unnamed} alerts: {', '.join(facts.similar)}{more}; ask for one of them"


def _ended(facts: Facts, past: Past, ending: Event) -> Judged:
    at = clock(ending.at)
    heard = _heard_of_the_end(past, still=bool(facts.groups))
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


def _heard_of_the_end(past: Past, *, still: bool) -> str:
    """Who knows that it is over, and who does not; `still` when a group has yet to look at it."""
    said = "; ".join(_ends_told(past))
    if said:
        return said
    later = ", and its end is not told yet" if still and past.knowing else ""
    return f"{_heard(past)}{later}{_because(past)}"


def _ends_told(past: Past) -> Iterator[str]:
    """How the messages went that tell of its end."""
    knowing = {whom: one.ended_at for whom, one in past.heard.items() if one.ended_at is not None}
    if knowing:
        yield f"its end was told to {_each(knowing)}"
    open_ = {whom: one for whom, one in past.heard.items() if one.is_open}
    yield from (attempt(one.tried) for one in open_.values() if one.tried is not None and one.is_failing)
    waiting = [whom for whom, one in open_.items() if not one.is_failing]
    if waiting:
        yield f"the message of its end to {', '.join(waiting)} is on its way"


def _because(past: Past) -> str:
    """Why nobody was told, where something kept it quiet."""
    if past.knowing or past.muted is None:
        return ""
    return f": it was {mute(past.muted)}"


def _heard(past: Past) -> str:
    """Who took a message that it fires, or why nobody did."""
    if past.knowing:
        still = {whom: event for whom, event in past.knowing.items() if whom in past.telling}
        return f"last told: {_each(still or past.knowing)}"
    recorded = [whom for whom, one in past.heard.items() if is_recorded(one.fires)]
    if recorded:
        return f"only recorded: {', '.join(recorded)} would have been told, but TOCSIN_DELIVERY is record"
    return "nobody was told"


def _each(told: Mapping[str, Event]) -> str:
    return ", ".join(f"{whom} at {clock(event.at)}" for whom, event in told.items())


def _firing(facts: Facts, past: Past, fired: Event, now: datetime) -> Judged:
    since = f"fires since {clock(fired.at)}{_kept(facts)}"
    quiet = keeping_quiet(facts, past, now)
    if quiet is not None:
        soon = ", from its group's next flush on" if quiet.detail.get("unseen") else ""
        return _BY_MUTE[quiet.reason], f"{since}, but is {mute(quiet)}{soon}; {_heard(past)}"
    if not past.telling:
        over = "" if past.mute is None else f"; it was {mute(past.mute)}, which is over"
        return Verdict.WAITING, f"{since}, and its group has not been flushed {'yet' if not over else 'since'}{over}"
    if any(is_recorded(one.fires) for one in past.telling.values()):
        return Verdict.RECORD_MODE, f"{since}; {', '.join(past.telling)} would be told, but TOCSIN_DELIVERY is record"
    return _sent(past, since)


def _kept(facts: Facts) -> str:
    """Why it goes on firing though what it is about no longer holds."""
    if facts.kept is None:
        return ""
    until = "" if facts.kept.until is None else f" (until {clock(facts.kept.until)})"
    return f", since {clock(facts.kept.since)} only because of its rule's {facts.kept.by}{until}"


def _sent(past: Past, since: str) -> Judged:
    """How the messages went by which it was to be told."""
    failing = [one.tried for one in past.telling.values() if one.tried is not None and one.is_failing]
    if failing:
        verdict = _BY_FAILURE.get(str(failing[0].detail.get("failure")), Verdict.CHANNEL_DOWN)
        return verdict, f"{since}, but {'; '.join(map(attempt, failing))}; {_heard(past)}"
    waiting = [whom for whom, one in past.telling.items() if one.is_waiting]
    if waiting:
        before = f"; {_heard(past)}" if past.knowing else ""
        return Verdict.WAITING, f"{since}, and the message to {', '.join(waiting)} is on its way{before}"
    return _arrived(past, since)


def _arrived(past: Past, since: str) -> Judged:
    problems = _listed(past.problems)
    if _only_log(past.telling):
        if problems:
            return Verdict.CHANNEL_UNCONFIGURED, f"{since}, but nobody can be told, only the log: {problems}"
        if not past.channels:
            return Verdict.UNROUTED, (
                f"{since}, but {_takers(past)}, so only the log was told; name a channel on a route that takes it,"
                " or in its rule's notification_channels"
            )
    besides = f"; not told: {problems}" if problems else ""
    if past.is_old_news:
        return Verdict.ALREADY_TOLD, f"{since}; {_heard(past)}{besides}; nothing is new since then"
    return Verdict.TOLD, f"{since}; {_heard(past)}{besides}"


def _listed(problems: Mapping[str, str]) -> str:
    return ", ".join(f"{name} ({why})" for name, why in problems.items())


def _takers(past: Past) -> str:
    """The routes it took, which name no channel."""
    names = list(dict.fromkeys(repr(event.detail["route_id"]) for event in past.placements))
    return f"route {names[0]} names no channel" if len(names) == 1 else f"routes {', '.join(names)} name no channel"


def _only_log(telling: Iterable[str]) -> bool:
    return set(telling) == {LOG}
