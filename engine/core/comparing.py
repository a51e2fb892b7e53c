"""What this engine decided to tell against what an Alertmanager beside it told: the same, or different, and why.

Two messages of a group are the same when they name the same alerts as firing and as resolved, at about the same time. What one of
them tells in one message the other may tell in two, a flush apart; that is no difference either. Every other message is one, with
the section of docs/differences.md that explains it, or with none.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

from rules.labels import Labels
from rules.routing import DEFAULT_GROUP_INTERVAL, DEFAULT_REPEAT_INTERVAL

Key = tuple[str, Labels]


class Why(StrEnum):
    """The sections of docs/differences.md that say why a message comes on one side only, by their titles."""

    RESOLVED_MUTED = "An alert that was told and resolves while it is muted sends its resolve"
    STAYS_TOLD = "What was told and is muted stays told"
    UNMUTED = "When a silence or an interval ends over a firing alert, it is told"
    UNINHIBITED = "When an inhibition ends, only what was never told is told"
    REPEAT = "`repeat_interval` means what it says"
    ANEW = "A group that has ended begins anew"
    RESTART = "Alerts and timers outlive a restart and a reload"


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """One message for one group of a receiver. `reason` is this engine's own, empty for the other's messages."""

    at: datetime
    receiver: str
    group: Labels
    firing: frozenset[Labels] = frozenset()
    resolved: frozenset[Labels] = frozenset()
    reason: str = ""

    @property
    def key(self) -> Key:
        """Which group of which receiver."""
        return self.receiver, self.group


@dataclass(frozen=True, slots=True, kw_only=True)
class Muted:
    """That these alerts of a group were found muted, and whether another alert did that."""

    at: datetime
    receiver: str
    group: Labels
    alerts: frozenset[Labels]
    by_alert: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How often a receiver's groups are flushed, and repeated."""

    group_interval: timedelta = DEFAULT_GROUP_INTERVAL
    repeat_interval: timedelta = DEFAULT_REPEAT_INTERVAL


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A message that only one side sent, or two that say different things at one time; `why` is `None` for unexplained."""

    ours: Heard | None
    theirs: Heard | None
    why: Why | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """How many messages were the same, how many told the same in other portions, and those that differ, by time."""

    same: int = 0
    portioned: int = 0
    differences: tuple[Difference, ...] = ()

    @property
    def unexplained(self) -> tuple[Difference, ...]:
        return tuple(one for one in self.differences if one.why is None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What the comparison goes by besides the messages: mutes, each receiver's timing, and how far apart the same may be."""

    within: timedelta
    mutes: Sequence[Muted] = ()
    timings: Mapping[str, Timing] = field(default_factory=dict)


def compare(ours: Iterable[Heard], theirs: Iterable[Heard], evidence: Evidence) -> Comparison:
    """What is the same and what differs, group by group."""
    here, there = _by_key(ours), _by_key(theirs)
    same = portioned = 0
    differences: list[Difference] = []
    for key in dict.fromkeys([*here, *there]):
        mine, its = here.get(key, []), there.get(key, [])
        left, right = _unmatched(mine, its, evidence.within)
        same += len(mine) - len(left)
        lone = [one for one in left if not _told(one, its, evidence.within)]
        other = [one for one in right if not _told(one, mine, evidence.within)]
        portioned += len(left) - len(lone) + len(right) - len(other)
        differences += _explained(lone, other, mine, its, evidence)
    differences.sort(key=lambda one: (one.ours or one.theirs or _NEVER).at)
    return Comparison(same=same, portioned=portioned, differences=tuple(differences))


def judged(comparison: Comparison, since: datetime, until: datetime) -> Comparison:
    """The comparison without what came too near to the ends of what was heard, where its counterpart may be beyond."""
    inside = (one for one in comparison.differences if since <= (one.ours or one.theirs or _NEVER).at <= until)
    return Comparison(same=comparison.same, portioned=comparison.portioned, differences=tuple(inside))


_NEVER: Final = Heard(at=datetime.min.replace(tzinfo=UTC), receiver="", group=Labels())


def _by_key(messages: Iterable[Heard]) -> dict[Key, list[Heard]]:
    found: dict[Key, list[Heard]] = {}
    for one in sorted(messages, key=lambda one: one.at):
        found.setdefault(one.key, []).append(one)
    return found


def _unmatched(ours: Sequence[Heard], theirs: Sequence[Heard], within: timedelta) -> tuple[list[Heard], list[Heard]]:
    """The messages of each side that have no counterpart; each counts for one, the earliest first."""
    right = list(theirs)
    left = []
    for one in ours:
        found = next((each for each in right if _alike(one, each) and abs(each.at - one.at) <= within), None)
        if found is None:
            left.append(one)
        else:
            right.remove(found)
    return left, right


def _alike(one: Heard, other: Heard) -> bool:
    return one.firing == other.firing and one.resolved == other.resolved


def _told(one: Heard, others: Collection[Heard], within: timedelta) -> bool:
    """Whether all that this message tells is told by the others at about its time, in other portions.

    One without anything that fires says that all is over, which no message says in which something does.
    """
    near = [each for each in others if abs(each.at - one.at) <= within and (one.firing or not each.firing)]
    firing = frozenset[Labels]().union(*(each.firing for each in near))
    resolved = frozenset[Labels]().union(*(each.resolved for each in near))
    return bool(near) and one.firing <= firing and one.resolved <= resolved


def _explained(
    lone: Sequence[Heard], other: Sequence[Heard], ours: Sequence[Heard], theirs: Sequence[Heard], evidence: Evidence
) -> Iterator[Difference]:
    left = list(other)
    for one in lone:
        counterpart, why = _ours(one, left, ours, evidence)
        if counterpart is not None:
            left.remove(counterpart)
        yield Difference(ours=one, theirs=counterpart, why=why)
    for one in left:
        yield Difference(ours=None, theirs=one, why=_theirs(one, ours, theirs, evidence))


def _ours(
    one: Heard, left: Sequence[Heard], ours: Sequence[Heard], evidence: Evidence
) -> tuple[Heard | None, Why | None]:
    """Why this engine told something; with it what the other told instead."""
    if one.reason == "unmuted":
        return None, Why.UNMUTED
    instead = next((each for each in left if abs(each.at - one.at) <= evidence.within), None)
    if (why := _by_mutes(one, instead, evidence)) is not None:
        return instead, why
    late = _late(one, left, evidence)
    if late is not None and (why := _by_what_came_before(one, ours)) is not None:
        return late, why
    return instead, None


def _by_mutes(one: Heard, instead: Heard | None, evidence: Evidence) -> Why | None:
    """Why a message about alerts that were found muted is not what the other told."""
    muted = _muted(one, evidence.mutes)
    if instead is not None and not instead.firing and one.firing and one.firing <= muted:
        return Why.STAYS_TOLD
    return Why.RESOLVED_MUTED if one.resolved and one.resolved <= muted else None


def _late(one: Heard, left: Iterable[Heard], evidence: Evidence) -> Heard | None:
    """The same firing alerts told by the other at its next flush."""
    later = evidence.timings.get(one.receiver, Timing()).group_interval + evidence.within
    return next((each for each in left if one.firing == each.firing and timedelta(0) < each.at - one.at <= later), None)


def _by_what_came_before(one: Heard, ours: Sequence[Heard]) -> Why | None:
    """Why this engine is earlier with a message than the other."""
    if _repeats(one, ours):
        return Why.REPEAT
    return Why.ANEW if _begins_anew(one, ours) else None


def _theirs(one: Heard, ours: Sequence[Heard], theirs: Sequence[Heard], evidence: Evidence) -> Why | None:
    """Why the other told something that this engine did not.

    The first it tells by a receiver that is new to it is what this engine told before, as after a restart.
    """
    if not one.firing and one.resolved and _muted(one, evidence.mutes, only_named=False):
        return Why.STAYS_TOLD
    before = _before(one, theirs)
    if before is None:
        return Why.RESTART if _was_told(one, ours) else None
    return _again(one, before, evidence) if before.firing == one.firing else None


def _was_told(one: Heard, messages: Iterable[Heard]) -> bool:
    """Whether something fires in the message, and all of it was told before."""
    earlier = frozenset[Labels]().union(*(each.firing for each in messages if each.at < one.at))
    return bool(one.firing) and one.firing <= earlier


def _again(one: Heard, before: Heard, evidence: Evidence) -> Why | None:
    """Why the other told again what it had told before."""
    if one.firing & _muted(one, [mute for mute in evidence.mutes if mute.by_alert]):
        return Why.UNINHIBITED
    timing = evidence.timings.get(one.receiver, Timing())
    return Why.RESTART if one.at - before.at < timing.repeat_interval else None


def _muted(one: Heard, mutes: Iterable[Muted], *, only_named: bool = True) -> frozenset[Labels]:
    """The alerts of the message, or any of its group's, that had been found muted by then."""
    mine = (mute.alerts for mute in mutes if (mute.receiver, mute.group) == one.key and mute.at <= one.at)
    found = frozenset[Labels]().union(*mine)
    return found & (one.firing | one.resolved) if only_named else found


def _before(one: Heard, messages: Sequence[Heard]) -> Heard | None:
    return next((each for each in reversed(messages) if each.at < one.at), None)


def _repeats(one: Heard, messages: Sequence[Heard]) -> bool:
    before = _before(one, messages)
    return before is not None and before.firing == one.firing and not one.resolved


def _begins_anew(one: Heard, messages: Sequence[Heard]) -> bool:
    before = _before(one, messages)
    return before is not None and not before.firing
