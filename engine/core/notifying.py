"""Whether one channel must be told something now, and why (or why not).

Source: A:notify/dedup_stage.go needsUpdate, with the differences Tocsin makes on purpose: an alert told and then muted
stays told, so it cannot fake an "all resolved"; one told and resolved while muted still sends its resolve; repeat_interval
means what it says; an alert first kept quiet is told when the quiet ends. While an alert inhibits, its own message speaks
for those it keeps quiet: when that ends, they are told if they never were, and the repeat of the others begins anew.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from rules.routing import NotifyOnUnmute


class Reason(StrEnum):
    """Why a channel is told, or is not. The first six are Alertmanager's own words where it has them."""

    FIRST_NOTIFICATION = "first notification"
    NEW_ALERTS = "new alerts added"
    ALL_RESOLVED = "all alerts resolved"
    SOME_RESOLVED = "some alerts resolved"
    REPEAT = "repeat interval elapsed"
    UNMUTED = "unmuted"
    MOVED = "moved"
    ALREADY_TOLD = "already told"
    NOTHING_TO_TELL = "nothing to tell"
    RESOLVED_UNSENT = "resolved, but send_resolved is off"
    UNMUTED_UNSENT = "unmuted, but notify_on_unmute is never"
    UNINHIBITED_UNSENT = "no longer inhibited, but told before"
    MUTED = "muted"

    @property
    def sends(self) -> bool:
        """Whether a message goes out for this reason."""
        return self in _SENDS


_SENDS = frozenset(
    {
        Reason.FIRST_NOTIFICATION,
        Reason.NEW_ALERTS,
        Reason.ALL_RESOLVED,
        Reason.SOME_RESOLVED,
        Reason.REPEAT,
        Reason.UNMUTED,
        Reason.MOVED,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a channel was last told: alert ids as firing and as resolved, and the scheduled time of that flush."""

    firing: frozenset[int] = frozenset()
    resolved: frozenset[int] = frozenset()
    at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where a group's alerts stand at a flush, by id: firing and free to be told, firing but muted, resolved.

    `muted_before` are those the previous flush found firing and muted, `inhibited_before` those of them that nothing but other
    alerts muted. `resolved_muted` are the resolved ones a mute covers. `moved` are told ones that still fire and have gone to
    other groups: for this group, that is their end. `departed` are told ones that have ended and are members no more; an
    addressee that counts as told of them has yet to hear of it.
    """

    firing: frozenset[int] = frozenset()
    muted: frozenset[int] = frozenset()
    resolved: frozenset[int] = frozenset()
    resolved_muted: frozenset[int] = frozenset()
    muted_before: frozenset[int] = frozenset()
    inhibited_before: frozenset[int] = frozenset()
    moved: frozenset[int] = frozenset()
    departed: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a channel and its route want: `reached` is False for one that the route no longer names."""

    repeat_interval: timedelta
    send_resolved: bool = True
    notify_on_unmute: NotifyOnUnmute = NotifyOnUnmute.NEEDED
    reached: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Whether to tell and why, which alerts the message holds, and what counts as told from then on.

    `elsewhere` are alerts of the group of which another one tells the channel still (engine/core/carrying.py).
    """

    reason: Reason
    told: Told
    firing: frozenset[int] = field(default=frozenset())
    resolved: frozenset[int] = field(default=frozenset())
    elsewhere: frozenset[int] = field(default=frozenset())


def decide(told: Told, standing: Standing, terms: Terms, now: datetime) -> Decision:
    """Decide for one channel at the scheduled flush time `now`. The first row of the table that matches wins."""
    if not terms.reached:
        return _dismiss(told, standing, terms, now)
    case = _Case(told=told, standing=standing, terms=terms, now=now)
    return _decision(_reason(case), case)


def arrived_without(decided: Told, delivered: Told, decision: Decision) -> Told:
    """What counts as delivered after a decision, as far as no message is to make it so; `decided` is what was so before.

    An end that is never told (send_resolved is off) must not come back as "told" when a later message dies. What the end of a
    mute was no reason to tell (notify_on_unmute is never) counts as told, and nothing is missing that should be sent again.
    """
    if decision.reason.sends:
        return delivered
    forgotten, unsaid = decided.firing - decision.told.firing, decision.told.firing - decided.firing
    return replace(delivered, firing=(delivered.firing - forgotten) | unsaid)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """One channel at one flush, and what the rows of the table ask of it."""

    told: Told
    standing: Standing
    terms: Terms
    now: datetime

    @property
    def firing(self) -> frozenset[int]:
        """What fires as far as the channel may know: all that is free to be told, and the muted it was told before."""
        return self.standing.firing | (self.told.firing & self.standing.muted)

    @property
    def resolved(self) -> frozenset[int]:
        """What has ended as far as the channel may know: a mute hides the end only of what the channel never heard of."""
        ended = self.standing.resolved | self.standing.moved | self.standing.departed
        return (self.standing.resolved - self.standing.resolved_muted) | (ended & self.told.firing)

    @property
    def unmuted(self) -> frozenset[int]:
        return self.standing.firing & self.standing.muted_before

    @property
    def untold(self) -> frozenset[int]:
        return self.standing.firing - self.told.firing

    @property
    def released(self) -> frozenset[int]:
        """What a silence or an interval has let go, for which `notify_on_unmute` is meant."""
        return self.unmuted - self.standing.inhibited_before

    @property
    def new(self) -> frozenset[int]:
        """The untold that are a reason to tell: where `notify_on_unmute` is never, those let go now are none."""
        return self.untold - self.released if self._never else self.untold

    @property
    def owed(self) -> frozenset[int]:
        """What the end of a mute is by itself a reason to tell, though it was told before."""
        return self.released if self.terms.notify_on_unmute is NotifyOnUnmute.ALWAYS else frozenset()

    @property
    def ended(self) -> frozenset[int]:
        """The ends worth a message of their own; while all that fires is muted, only those of what the channel heard of."""
        if not (self.terms.send_resolved and self.told.firing):
            return frozenset()
        return self.resolved - self.told.resolved if self.standing.firing else self.resolved & self.told.firing

    @property
    def repeats(self) -> Reason | None:
        """The reason to repeat, `None` while it is too early or put off."""
        if not self._overdue or self.put_off:
            return None
        return Reason.UNMUTED if self.released and not self._never else Reason.REPEAT

    @property
    def put_off(self) -> bool:
        """Whether a repeat fell due only because all that was told and is free to be told was inhibited until now."""
        heard = self.told.firing & self.standing.firing
        return self._overdue and bool(heard) and heard <= self.standing.inhibited_before

    @property
    def _overdue(self) -> bool:
        """Whether repeat_interval has passed; what has no time, as in Alertmanager, is overdue."""
        early = self.told.at is not None and self.now - self.told.at < self.terms.repeat_interval
        return bool(self.told.firing) and not early

    @property
    def _never(self) -> bool:
        return self.terms.notify_on_unmute is NotifyOnUnmute.NEVER


def _reason(case: _Case) -> Reason:
    if case.new:
        return _reason_of_new(case)
    if not case.firing:
        return _reason_without_firing(case)
    if case.owed:
        return Reason.UNMUTED
    if case.ended:
        return Reason.MOVED if case.ended <= case.standing.moved else Reason.SOME_RESOLVED
    if not case.standing.firing:
        return Reason.MUTED
    return case.repeats or _reason_to_wait(case)


def _reason_to_wait(case: _Case) -> Reason:
    if case.untold:
        return Reason.UNMUTED_UNSENT
    return Reason.UNINHIBITED_UNSENT if case.put_off else Reason.ALREADY_TOLD


def _reason_of_new(case: _Case) -> Reason:
    if case.new <= case.unmuted:
        return Reason.UNMUTED
    return Reason.NEW_ALERTS if case.told.firing else Reason.FIRST_NOTIFICATION


def _reason_without_firing(case: _Case) -> Reason:
    if case.told.firing:
        ended = Reason.MOVED if case.told.firing <= case.standing.moved else Reason.ALL_RESOLVED
        return ended if case.terms.send_resolved else Reason.RESOLVED_UNSENT
    return Reason.MUTED if case.standing.muted else Reason.NOTHING_TO_TELL


def _decision(reason: Reason, case: _Case) -> Decision:
    if reason.sends:
        shown = case.resolved if case.terms.send_resolved else frozenset[int]()
        everything = Told(firing=case.firing, resolved=case.resolved, at=case.now)
        return Decision(reason=reason, told=everything, firing=case.firing, resolved=shown)
    if reason is Reason.RESOLVED_UNSENT:
        return Decision(reason=reason, told=Told(resolved=case.resolved, at=case.now))
    if reason in (Reason.UNMUTED_UNSENT, Reason.UNINHIBITED_UNSENT):
        return Decision(reason=reason, told=_as_if_told(case))
    # Nothing is sent; but an end that will never be told must not pass for "already told" when the alert fires again.
    return Decision(reason=reason, told=replace(case.told, firing=case.told.firing - case.resolved))


def _as_if_told(case: _Case) -> Told:
    """What counts as told when the end of a mute was no reason to: it is told by the next repeat, and so is its end."""
    since = case.told.at if case.told.firing and not case.put_off else case.now
    return Told(firing=case.firing, resolved=case.told.resolved - case.firing, at=since)


def _dismiss(told: Told, standing: Standing, terms: Terms, now: datetime) -> Decision:
    """A channel the route no longer names hears the end of what it was told, and nothing else."""
    if not told.firing:
        return Decision(reason=Reason.NOTHING_TO_TELL, told=told)
    ended = Told(resolved=told.firing, at=now)
    if not terms.send_resolved:
        return Decision(reason=Reason.RESOLVED_UNSENT, told=ended)
    moved = told.firing & (standing.firing | standing.muted | standing.moved)
    return Decision(reason=Reason.MOVED if moved else Reason.ALL_RESOLVED, told=ended, resolved=told.firing)
