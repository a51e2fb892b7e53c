"""Which of several groups has the word on an alert with one addressee, after edits that took it from one group to another.

What an addressee was told stands with the group that told it. Where that group speaks to it for the alert no more, the one that
does takes it over at its next flush; until then the first keeps it, and while a message of either is on its way, whose fate
nobody knows yet, neither begins anew. So an end goes out only where nobody speaks for the alert any more.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from engine.core.notifying import Decision, Reason, Standing, Terms, Told, decide


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """What one group counts as told to an addressee, and has seen arrive; `waits` while a message to it is on its way."""

    decided: Told = field(default_factory=Told)
    delivered: Told = field(default_factory=Told)
    waits: bool = False

    def names(self, alert_id: int) -> bool:
        """Whether the last message, or the one before, has said anything of the alert."""
        return alert_id in self.decided.firing | self.decided.resolved | self.delivered.firing


class Turn(StrEnum):
    """What a group does about an alert of its own that it has not told an addressee of."""

    TELL = "tell"
    LEAVE = "leave"
    TAKE_OVER = "take over"


class Fate(StrEnum):
    """What becomes of what a group told of an alert that fires, for which it speaks no more."""

    END = "end"
    KEEP = "keep"
    REMEMBER = "remember"
    FORGET = "forget"


@dataclass(frozen=True, slots=True, kw_only=True)
class Apart:
    """The alerts that a group and an addressee of its have to do with otherwise than by who is in the group.

    `left` are members of which another group tells still. The group told of `kept`, which whoever speaks for them now has yet
    to take over, and of `remembered`, of which nobody is to say anything now, not even an end.
    """

    left: frozenset[int] = frozenset()
    kept: frozenset[int] = frozenset()
    remembered: frozenset[int] = frozenset()

    @property
    def held(self) -> frozenset[int]:
        """What counts as told on, though the group speaks for it no more."""
        return self.kept | self.remembered


def turn(alert_id: int, *, fires: bool, own: Word, others: Iterable[Word]) -> Turn:
    """Whose turn it is to tell of an alert; `others` are groups that do not speak for it any more, though they may have."""
    known = [one for one in others if one.names(alert_id)]
    return _turn_of_what_fires(alert_id, own, known) if fires else _turn_of_what_ended(alert_id, known)


def _turn_of_what_ended(alert_id: int, known: Iterable[Word]) -> Turn:
    """Who told of its beginning tells of its end."""
    over = any(alert_id in one.decided.firing | one.decided.resolved for one in known)
    return Turn.LEAVE if over else Turn.TELL


def _turn_of_what_fires(alert_id: int, own: Word, known: Sequence[Word]) -> Turn:
    if any(one.waits for one in known):
        return Turn.LEAVE
    if not any(alert_id in one.decided.firing for one in known):
        return Turn.TELL
    return Turn.LEAVE if own.waits else Turn.TAKE_OVER


def fate(alert_id: int, *, own: Word, heirs: Iterable[Word] | None, wants_ends: bool) -> Fate:
    """What becomes of it; `heirs` are the groups that speak for the alert now, `None` when nobody does or will."""
    if heirs is None:
        arrived = not own.waits and alert_id in own.delivered.firing
        return Fate.REMEMBER if arrived and not wants_ends else Fate.END
    if own.waits or not any(alert_id in one.decided.firing for one in heirs):
        return Fate.KEEP
    return Fate.FORGET


def decide_apart(told: Told, standing: Standing, terms: Terms, now: datetime, apart: Apart) -> Decision:
    """What `decide` says of all else, and what is apart counting as told on.

    A message takes the place of one that waits untried, so it says what is kept, too. What is kept is repeated by whoever
    takes it over.
    """
    aside = (apart.remembered if terms.reached else apart.held) & told.firing
    kept = apart.kept & standing.moved if terms.reached else frozenset[int]()
    rest = replace(
        standing,
        firing=standing.firing - apart.left,
        muted=(standing.muted - apart.left) | kept,
        resolved=standing.resolved - apart.left,
        moved=standing.moved - apart.held,
    )
    decision = decide(replace(told, firing=told.firing - aside), rest, terms, now)
    decision = replace(decision, elsewhere=apart.left)
    if decision.reason.sends:
        firing = decision.firing | (aside & apart.kept)
        return replace(decision, told=_holding(decision.told, aside, decision.told.at), firing=firing)
    return replace(
        decision, reason=_reason(decision.reason, standing, apart), told=_holding(decision.told, aside, told.at)
    )


def _holding(told: Told, aside: frozenset[int], at: datetime | None) -> Told:
    return Told(firing=told.firing | aside, resolved=told.resolved - aside, at=at) if aside else told


def _reason(reason: Reason, standing: Standing, apart: Apart) -> Reason:
    """The reason to be silent: what another group tells of is told, and what is kept is not muted."""
    is_told = reason is Reason.NOTHING_TO_TELL and apart.left
    is_kept = reason is Reason.MUTED and not standing.muted - apart.left
    return Reason.ALREADY_TOLD if is_told or is_kept else reason
