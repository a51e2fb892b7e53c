"""What happens next to an alert, and when: what the ledger says came next, or what is due."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Final

from engine.core.alert import State
from engine.core.story_events import sentences
from engine.core.story_past import Past, keeping_quiet
from engine.core.story_standing import covers, way
from engine.core.storyline import Event, Facts, Next, RuleFacts, Verdict, is_late
from rules.routing import NotifyOnUnmute

_STUCK: Final = {
    Verdict.QUARANTINED: "nothing, until the rule's row is corrected",
    Verdict.DISABLED: "nothing, until the rule is enabled",
}
_DECIDES: Final = {
    Verdict.UNROUTED: "tells whatever channel its route names by then",
    Verdict.RECORD_MODE: "decides anew; nothing is sent while TOCSIN_DELIVERY is record",
}
_UNTIL_ASKED: Final = frozenset({Verdict.NO_DATA, Verdict.EVALUATION_FAILING, Verdict.NEVER_SEEN})
_UNTIL_REPEATED: Final = frozenset({Verdict.TOLD, Verdict.ALREADY_TOLD})
_UNTIL_TRIED: Final = frozenset({Verdict.RATE_LIMITED, Verdict.CHANNEL_DOWN, Verdict.WAITING})
_QUIET: Final = frozenset({Verdict.SILENCED, Verdict.INHIBITED, Verdict.INTERVAL, Verdict.LEVEL})


def coming(verdict: Verdict, facts: Facts, past: Past, now: datetime) -> Next | None:
    """What comes after `now`; `None` when nothing does."""
    found = _came(facts, now)
    if found is not None:
        return found
    due = _due(verdict, facts, past, now)
    if due is None or due.at is None or not is_late(due.at, now):
        return due
    return replace(due, action=f"{due.action}; this is overdue")


def _came(facts: Facts, now: datetime) -> Next | None:
    """What the ledger says came after `now`, for those who ask about the past."""
    every = zip(facts.events, sentences(facts.events, facts.number), strict=True)
    return next((Next(at=event.at, action=said) for event, said in every if event.at > now), None)


def _due(verdict: Verdict, facts: Facts, past: Past, now: datetime) -> Next | None:
    if past.unheard_ends:
        return _tried(facts, past.unheard_ends) or _flushed(facts, _decides(verdict, past))
    return _of_its_rule(verdict, facts, past) or _of_its_group(verdict, facts, past, now)


def _of_its_rule(verdict: Verdict, facts: Facts, past: Past) -> Next | None:
    """What comes where nobody has anything to tell before the rule has: an edit of it, or its next evaluation."""
    if verdict in _STUCK and not (past.knowing and facts.groups):
        return Next(at=None, action=_STUCK[verdict])
    if verdict in _UNTIL_ASKED and not facts.groups:
        return _asked(facts.rules)
    return _fires(facts) if verdict is Verdict.PENDING else None


def _of_its_group(verdict: Verdict, facts: Facts, past: Past, now: datetime) -> Next | None:
    """What comes of an alert that a group has: a repeat, the end of what keeps it quiet, an attempt, or a flush."""
    if verdict in _UNTIL_REPEATED:
        return _repeated(facts, past)
    quiet = keeping_quiet(facts, past, now) if verdict in _QUIET else None
    if quiet is not None:
        return _unmuted(quiet, facts, past)
    tried = _tried(facts) if verdict in _UNTIL_TRIED else None
    return tried or _flushed(facts, _decides(verdict, past))


def _asked(rules: tuple[RuleFacts, ...]) -> Next | None:
    moments = [(one.evaluated_at, one.id) for one in rules if one.evaluated_at is not None]
    if not moments:
        return None
    at, name = min(moments)
    return Next(at=at, action=f"rule {name!r} is evaluated")


def _fires(facts: Facts) -> Next:
    """An alert fires at an evaluation, so not before the next one."""
    asked = [one.evaluated_at for one in facts.rules if one.evaluated_at is not None]
    at = None if facts.fires_at is None else max([facts.fires_at, *asked])
    return Next(at=at, action=f"it fires, if the condition still holds then, and takes {way(facts)}{_quiet(facts, at)}")


def _quiet(facts: Facts, at: datetime | None) -> str:
    """What covers the alert now, and may do so then."""
    lasting = (one for one in facts.mutes or () if at is None or one.until is None or one.until > at)
    first = next(lasting, None)
    return "" if first is None else f", but {covers(first, facts.muters.get(first.source or 0))}"


def _tried(facts: Facts, channels: frozenset[str] | None = None) -> Next | None:
    """The first message that is tried, of those that wait for these channels, or for any."""
    waiting = [one for one in facts.waiting if channels is None or one.channel in channels]
    if not waiting:
        return None
    first = min(waiting, key=lambda one: one.at)
    return Next(at=first.at, action=f"the message to {first.channel} is tried")


def _decides(verdict: Verdict, past: Past) -> str:
    """What the next flush of its group will be about."""
    if past.transition is not None and past.transition.detail["after"] == State.INACTIVE.value:
        return _ends(past)
    if verdict is Verdict.CHANNEL_UNCONFIGURED:
        return f"tells {', '.join(past.problems) or 'it'}, if it can be told by then"
    if verdict is Verdict.WAITING and past.channels and not past.knowing:
        return f"tells {past.whom}, unless something keeps it quiet then"
    return _DECIDES.get(verdict, "decides anew whom to tell")


def _ends(past: Past) -> str:
    knowing = ", ".join(past.knowing)
    return f"tells its end to {knowing}, if they want ends" if knowing else "lets it go: nobody knows of it"


def _flushed(facts: Facts, does: str) -> Next | None:
    moments = [(group.flush_at, group.id) for group in facts.groups if group.flush_at is not None]
    if not moments:
        return None
    at, number = min(moments)
    return Next(at=at, action=f"group {number} is flushed, and {does}")


def _repeated(facts: Facts, past: Past) -> Next | None:
    """The first flush of a group on its grid by which repeat_interval has passed."""
    moments = []
    for group in facts.groups:
        if group.flush_at is not None and group.told_at is not None:
            left = group.told_at + group.repeat_interval - group.flush_at
            moments.append((group.flush_at + max(0, -(-left // group.group_interval)) * group.group_interval, group.id))
    if not moments:
        return _flushed(facts, "decides anew whom to tell")
    at, number = min(moments)
    return Next(at=at, action=f"group {number} repeats it to {past.told_by(number)}, if it still fires")


def _unmuted(quiet: Event, facts: Facts, past: Past) -> Next | None:
    """The end of what keeps it quiet, where it is known; else the next flush, and on what it hangs."""
    until, source = quiet.detail.get("until"), quiet.detail.get("source")
    name = f"{quiet.reason} {quiet.detail['by']!r}"
    if until is not None:
        then = f"{name} ends, and its group's next flush {_then(facts, past)}"
        return Next(at=datetime.fromisoformat(until), action=then)
    if source is not None:
        return _flushed(facts, f"tells {past.whom} if {source} no longer fires and nobody was told before")
    return _flushed(facts, f"{_then(facts, past)} and {name} no longer keeps it quiet")


def _then(facts: Facts, past: Past) -> str:
    """What the end of a mute comes to, by what the group's route wants."""
    wanted = {group.notify_on_unmute for group in facts.groups}
    if wanted == {NotifyOnUnmute.NEVER}:
        return f"tells {past.whom} only if other news or a repeat is due (notify_on_unmute is never)"
    if past.knowing and NotifyOnUnmute.ALWAYS not in wanted:
        return f"tells {past.whom} again if a repeat fell due meanwhile"
    return f"tells {past.whom}, if it still fires"
