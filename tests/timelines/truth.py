"""What is true of a random timeline, kept beside the engine: what fires, who mutes it, which channels are to know.

It asks the pure meaning of routes, silences and intervals (rules/), which is held against the real Alertmanager elsewhere, and
nothing of what decides. Times are seconds since the beginning, to the microsecond.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from math import inf
from typing import Final

from rules.inhibition import InhibitRule, inhibits
from rules.labels import ALERTNAME, Labels
from rules.matchers import parse_matcher
from rules.routing import NotifyOnUnmute, Policy, Route, Tree, build, implicit
from rules.silences import Silence, covering, holding
from rules.time_intervals import DayTime, Period, TimeInterval, contains, next_change
from tests.scenarios.world import START

RULE_ID: Final = "own"
OWN_NAME: Final = "Own"
RESOLVE_TIMEOUT: Final = 300.0
SEEN: Final = 50.0
"""Within how many seconds a flush sees what is so, and the channel knows of it."""
MICROSECOND: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stand:
    """Where one alert stands with one channel: whether it fires, is routed there, and is muted on every way there.

    `patient` is who need not hear of the end of a mute before the next repeat (`notify_on_unmute: never`), `eager` who hears
    of it whatever was told before (`always`).
    """

    firing: bool
    routed: bool
    muted: bool
    patient: bool
    eager: bool


@dataclass(slots=True)
class Truth:
    """The present; `fires` holds when each firing alert will end by itself, `posted` when it was last posted and until when then.

    An alert that nobody posts again is believed for `lag` seconds longer.
    """

    tree: Tree
    named: tuple[str, ...] = ()
    """The channels that the one rule names."""
    inhibit_rules: tuple[InhibitRule, ...] = ()
    intervals: Mapping[str, TimeInterval] = field(default_factory=dict)
    silences: dict[str, Silence] = field(default_factory=dict)
    fires: dict[Labels, float] = field(default_factory=dict)
    posted: dict[Labels, tuple[float, float]] = field(default_factory=dict)
    lag: float = 0.0
    now: float = 0.0
    since: dict[tuple[Labels, str], tuple[Stand, float]] = field(default_factory=dict)
    """How each alert stands with each channel, and since when it has stood so."""
    let_go: dict[tuple[Labels, str], float] = field(default_factory=dict)
    """When an alert was first free to be told and its channel patient. It counts as told from there until it ends: an edit that
    takes `never` back is no news, nor is the end of another mute."""

    counts_from: dict[tuple[Labels, str], float] = field(default_factory=dict)
    """As `let_go`, at the latest: no flush may have found free what was so for a moment only and then muted again (`unseen`)."""
    unseen: set[tuple[Labels, str]] = field(default_factory=set)
    muted_at: dict[tuple[Labels, str], float] = field(default_factory=dict)
    """Until when an alert was last muted for a channel while it fired."""
    eager_at: dict[tuple[Labels, str], float] = field(default_factory=dict)
    """When an alert's way to a channel last had `notify_on_unmute: always`."""
    owed: dict[tuple[Labels, str], float] = field(default_factory=dict)
    """When an alert was last free again that had been quiet long enough for a flush to see it, on such a way all the while."""
    disturbed_at: float = 0.0
    """When the routes or the inhibit rule were last edited: who is owed a word that long after an edit is not asked."""

    @property
    def moment(self) -> datetime:
        return START + timedelta(seconds=self.now)

    def post(self, labels: Labels, end: float) -> None:
        """It fires until then, or as long as another post said that it would."""
        end = max(end, self.posted[labels][1]) if labels in self.fires else end
        self.fires[labels] = round(end + self.lag, 6)
        self.posted[labels] = self.now, end

    def restart(self) -> None:
        """Whoever could not post meanwhile gets as long again as the last post asked for, at most RESOLVE_TIMEOUT."""
        for labels in self.fires.keys() & self.posted.keys():
            at, end = self.posted[labels]
            self.fires[labels] = round(max(end, self.now + min(end - at, RESOLVE_TIMEOUT)) + self.lag, 6)

    def next_boundary(self, end: float) -> float:
        """The next second up to `end` at which something changes by itself."""
        turns = [next_change(one, self.moment) for one in self.intervals.values()]
        # An end is still part of a silence: what it hid is free a moment later.
        edges = [edge for one in self.silences.values() for edge in (one.starts_at, one.ends_at + MICROSECOND)]
        moments = [*self.fires.values(), *(_seconds(one) for one in (*turns, *edges) if one is not None)]
        return min((one for one in moments if self.now < one < end), default=end)

    def look(self, alerts: Iterable[Labels], channels: Iterable[str]) -> None:
        """Note who stands otherwise than before."""
        for labels in [one for one, end in self.fires.items() if end <= self.now]:
            del self.fires[labels]
        channels = tuple(channels)
        for labels in alerts:
            for channel in channels:
                self._note(labels, channel, self.stand(labels, channel))

    def _note(self, labels: Labels, channel: str, stand: Stand) -> None:
        where = labels, channel
        before, since = self.since.get(where, (stand, self.now))
        if before.firing and before.muted:
            self.muted_at[where] = self.now
            if stand == replace(before, muted=False) and stand.eager and self._was_seen(since):
                self.owed[where] = self.now
        if before.eager or stand.eager:
            self.eager_at[where] = self.now
        if before != stand or where not in self.since:
            self.since[where] = stand, self.now
        self._note_let_go(where, stand, short=not before.muted and self.now - max(since, self.disturbed_at) < SEEN)

    def _note_let_go(self, where: tuple[Labels, str], stand: Stand, *, short: bool) -> None:
        """Note what `never` lets go; `short` is whether it was free before this, and not long enough for a flush to see it."""
        if not stand.firing:
            self.let_go.pop(where, None)
        elif stand.routed and stand.patient and not stand.muted:
            self.let_go.setdefault(where, self.now)
        if where not in self.let_go:
            self.counts_from.pop(where, None)
        elif stand.muted and short:
            self.unseen.add(where)
        elif where not in self.counts_from or (where in self.unseen and not stand.muted):
            self.counts_from[where] = self.now
            self.unseen.discard(where)

    def _was_seen(self, muted_since: float) -> bool:
        """Whether a flush saw that mute, which no other alert had a part in, and everything was as it is now."""
        return not self.inhibit_rules and self.now - max(muted_since, self.disturbed_at) > SEEN

    def stand(self, labels: Labels, channel: str) -> Stand:
        """Where the alert stands with the channel now."""
        ways = [policy for policy in self.ways(labels) if channel in policy.channels]
        muted = self.muted_everywhere(labels) or all(self._quiet(policy) for policy in ways)
        patient = any(policy.notify_on_unmute is NotifyOnUnmute.NEVER for policy in ways)
        eager = any(policy.notify_on_unmute is NotifyOnUnmute.ALWAYS for policy in ways)
        return Stand(
            firing=labels in self.fires, routed=bool(ways), muted=bool(ways) and muted, patient=patient, eager=eager
        )

    def unmuted(self, labels: Labels, channel: str, since: float) -> bool:
        """Whether the alert was free again after that, on a way to the channel that tells of it."""
        freed = self.muted_at.get((labels, channel), -inf)
        return since <= freed <= self.eager_at.get((labels, channel), -inf)

    def muted_everywhere(self, labels: Labels) -> bool:
        """Whether a silence covers it or another alert inhibits it."""
        inhibited = any(
            inhibits(rule, source, labels) for rule in self.inhibit_rules for source in self.fires if source != labels
        )
        return inhibited or bool(covering(holding(self.silences.values(), self.moment), labels))

    def mutes(self, labels: Labels) -> bool:
        """Whether nobody is told of it now."""
        return self.muted_everywhere(labels) or all(self._quiet(policy) for policy in self.ways(labels))

    def ways(self, labels: Labels) -> tuple[Policy, ...]:
        """The routes that the alert takes, or its rule's own."""
        if self.named and labels[ALERTNAME] == OWN_NAME:
            return (implicit(RULE_ID, self.named, self.tree.root.policy),)
        return self.tree.match(labels)

    def _quiet(self, policy: Policy) -> bool:
        active = policy.active_time_intervals
        off = bool(active) and not any(contains(self.intervals[name], self.moment) for name in active)
        return off or any(contains(self.intervals[name], self.moment) for name in policy.mute_time_intervals)


def _seconds(moment: datetime) -> float:
    # To the microsecond, as instants are: a rest of a float would be another moment, to which no time passes.
    return round((moment - START).total_seconds(), 6)


def _night(*spans: tuple[int, int]) -> TimeInterval:
    """A night between these minutes from the beginning."""
    return TimeInterval(name="night", periods=tuple(Period(times=(DayTime(start, end),)) for start, end in spans))


NIGHTS: Final = (
    _night((5, 10), (20, 30), (45, 50), (70, 100)),
    _night((0, 4), (12, 14), (16, 40)),
    _night((8, 60)),
    _night((2, 3), (100, 110)),
)
"""What the one time interval holds, to change between."""

ROOT: Final = Route(
    id="root",
    channels=("hook",),
    group_by=("alertname",),
    group_wait=timedelta(seconds=10),
    group_interval=timedelta(seconds=30),
    repeat_interval=timedelta(seconds=600),
)


def route(route_id: str, channel: str, matcher: str, *, position: int = 0, parent: str = "root") -> Route:
    """A route below another."""
    return Route(
        id=route_id, parent_id=parent, position=position, channels=(channel,), matchers=(parse_matcher(matcher),)
    )


DOWN: Final = route("down", "pager", 'alertname="Down"')
REST: Final = route("rest", "hook", 'host=~".+"', position=5)
HOST: Final = route("host", "quiet", 'host="a"', position=-1)
SLOW: Final = replace(route("slow", "pager", 'alertname="Slow"'), mute_time_intervals=("night",))

TREES: Final[tuple[tuple[Route, ...], ...]] = (
    (ROOT,),
    (ROOT, DOWN),
    (ROOT, replace(DOWN, continue_=True), REST),
    (ROOT, HOST, DOWN),
    (ROOT, SLOW),
    (ROOT, replace(DOWN, channels=("hook",), group_by=("host",))),
    (ROOT, DOWN, replace(HOST, parent_id="down", id="nested")),
    (replace(ROOT, channels=("pager",)), SLOW),
    (ROOT, replace(SLOW, mute_time_intervals=()), replace(DOWN, group_by=("...",))),
    (ROOT, replace(DOWN, group_by=(), active_time_intervals=("night",)), replace(HOST, continue_=True)),
    (replace(ROOT, notify_on_unmute=NotifyOnUnmute.NEVER), replace(DOWN, group_by=("host",))),
    (replace(ROOT, group_by=("host",)), replace(DOWN, continue_=True, mute_time_intervals=("night",)), REST),
    (replace(ROOT, notify_on_unmute=NotifyOnUnmute.ALWAYS), SLOW),
    (
        ROOT,
        replace(DOWN, notify_on_unmute=NotifyOnUnmute.NEVER, mute_time_intervals=("night",)),
        replace(HOST, notify_on_unmute=NotifyOnUnmute.ALWAYS),
    ),
    (replace(ROOT, channels=("hook", "pager")), HOST),
    (
        replace(ROOT, channels=("hook", "quiet"), group_by=("...",)),
        replace(DOWN, channels=("pager", "hook"), group_by=()),
    ),
)
"""Trees to change between; routes of one id are the same route, edited. None of them tells a channel of one alert by two ways."""

PLANTED: Final = tuple(build(routes) for routes in TREES)
