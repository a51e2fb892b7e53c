"""What must hold of every timeline, whatever happened: each promise as a check of the messages against the truth."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Final

from rules.labels import Labels
from tests.timelines.recording import Message
from tests.timelines.truth import Stand

GROUP_WAIT: Final = 10
GROUP_INTERVAL: Final = 30
REPEAT_INTERVAL: Final = 600
SLACK: Final = 8
"""Seconds for the retries of a channel that fails a few times, and for an alert that is placed anew."""
TELL_AGAIN: Final = 300
"""When a group with nothing else to do tells again what a channel has refused for good."""
SILENT: Final = frozenset({"quiet"})
"""Channels that want no ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Present:
    """What fires at one moment; by alert and channel, what may not be heard of for the first time, and what its routes name."""

    firing: frozenset[Labels]
    muted: frozenset[tuple[Labels, str]]
    routed: frozenset[tuple[Labels, str]]


@dataclass(frozen=True, slots=True)
class Telling:
    """When a channel was last told that an alert fires, and by which group's key."""

    at: float
    group: str


@dataclass(slots=True)
class Heard:
    """What one channel knows from the messages it got: what fires since when, and what ended when."""

    firing: dict[Labels, str] = field(default_factory=dict)
    ended: dict[Labels, str] = field(default_factory=dict)
    last: dict[Labels, Telling] = field(default_factory=dict)

    def take(self, message: Message) -> None:
        """Learn from a message."""
        for labels, starts_at in message.firing.items():
            self.firing[labels] = starts_at
            self.last[labels] = Telling(message.at, message.group)
        for labels, ends_at in message.resolved.items():
            self.ended[labels] = ends_at
            self.firing.pop(labels, None)


def unfounded(message: Message, heard: Heard, moments: Sequence[Present]) -> list[str]:
    """What a message says that was so at none of these moments, between which it was decided, or that was to be kept quiet."""
    wrong = []
    muted = frozenset.intersection(*(one.muted for one in moments))
    fires = frozenset.union(*(one.firing for one in moments))
    routed = frozenset.union(*(one.routed for one in moments))
    for labels in message.firing:
        if labels not in fires:
            wrong.append(f"{labels} does not fire")
        if (labels, message.channel) in muted and labels not in heard.firing:
            wrong.append(f"{labels} is muted, and the channel had not heard of it")
        if (labels, message.channel) not in routed:
            wrong.append(f"no route of {labels} names the channel")
    still = frozenset.intersection(*(one.firing for one in moments))
    there = frozenset.intersection(*(one.routed for one in moments))
    return wrong + [
        f"{labels} still fires" for labels in message.resolved if labels in still and (labels, message.channel) in there
    ]


def unjustified(
    message: Message, heard: Heard, failed_at: float, unmuted: Callable[[Labels, str, float], bool]
) -> list[str]:
    """Why a message should not have been sent: it says nothing new, and what it repeats was told within repeat_interval.

    A message holds all that fires in its group, so a repeat is due for all of it at once, or for nothing. The exception is an
    alert that an edit of the routes has put into this group: the channel was last told of it by another group, at a moment
    of its own, and hears of it again when its new group repeats. It is never alone in that, since its own time goes along.
    `failed_at` is when the channel failed last: what was retried arrived late, and the repeat counts from when it was due.
    `unmuted` says whether an alert was free again since then, on a route that tells of it.
    """
    if any(heard.firing.get(labels) != starts_at for labels, starts_at in message.firing.items()):
        return []
    if any(heard.ended.get(labels) != ends_at for labels, ends_at in message.resolved.items()):
        return []
    early = SLACK if message.at - failed_at < 2 * REPEAT_INTERVAL else 1
    last = {labels: heard.last[labels] for labels in message.firing}
    if any(unmuted(labels, message.channel, one.at - early) for labels, one in last.items()):
        return []
    soon = {labels for labels, one in last.items() if message.at - one.at < REPEAT_INTERVAL - early}
    if len(soon) == len(last):
        return [f"nothing new in {message}"]
    return [f"{labels} again within repeat_interval" for labels in soon if last[labels].group == message.group]


def overdue(
    stands: Mapping[tuple[Labels, str], tuple[Stand, float]],
    heard: Mapping[str, Heard],
    now: float,
    *,
    edited_at: float,
    failed_at: Mapping[str, float],
    let_go: Mapping[tuple[Labels, str], float],
    owed: Mapping[tuple[Labels, str], float],
) -> list[str]:
    """What a channel should have been told by now, the routes being edited and the channels failing for the last time then.

    `let_go` is when an alert began to count as told without a word, which the next repeat makes good, `owed` when one was free
    again whose route tells of that whatever was told before.
    """
    wrong = []
    for (labels, channel), (stand, since) in stands.items():
        known = heard[channel]
        stable = now - max(since, failed_at.get(channel, 0))
        age = min(stable, now - edited_at)
        if not (stand.firing and stand.routed):
            late = _END_WITHIN[channel in failed_at]
            if channel not in SILENT and labels in known.firing and age > late:
                wrong.append(f"{channel} was not told the end of {labels} in {age:g} seconds")
        elif not stand.muted:
            told = labels in known.firing
            # An edit of the routes may put off the first word on an alert, but no repeat.
            waited = min(stable, now - known.last[labels].at) if told else age
            failed = failed_at.get(channel, -inf)
            counts_from = let_go.get((labels, channel), -inf)
            if failed >= counts_from > -inf:
                # What a channel refuses for good counts no more; once muted and free again, it counts from there.
                counts_from = max(counts_from, since)
            waited = min(waited, (waited if told else now - counts_from) - REPEAT_INTERVAL)
            freed_at = owed.get((labels, channel), -inf)
            if age > _TOLD_WITHIN and told and known.last[labels].at < freed_at == since and failed < freed_at:
                wrong.append(f"{channel} was not told in {age:g} seconds that {labels} is free again")
            if waited > _TOLD_WITHIN:
                wrong.append(f"{channel} has been waiting to be told of {labels} for {waited:g} seconds")
    return wrong


_TOLD_WITHIN: Final = GROUP_INTERVAL + GROUP_WAIT + SLACK
_END_WITHIN: Final = {False: _TOLD_WITHIN, True: _TOLD_WITHIN + TELL_AGAIN}


def unnamed(
    found: Mapping[Labels, Collection[str]],
    firing: Collection[Labels],
    muted: Collection[Labels],
    muters: Collection[str],
) -> list[str]:
    """Where the engine names no muter for what is muted, one for what is not, or one that nobody made."""
    wrong = [f"{labels} is muted, and nobody is named" for labels in muted if labels not in found]
    wrong += [
        f"{labels} is not muted, but {found[labels]} are named"
        for labels in found
        if labels in firing and labels not in muted
    ]
    return wrong + [
        f"{by!r} mutes {labels}: who is that?" for labels, every in found.items() for by in every if by not in muters
    ]
