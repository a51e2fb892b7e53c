"""What is true of a random timeline, kept beside the engine: what fires, who mutes it, which channels are to know.

It asks the pure meaning of routes, silences and intervals (rules/), which is held against the real Alertmanager elsewhere, and
nothing of what decides. Times are seconds since the beginning, to the microsecond.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from rules.inhibition import InhibitRule, inhibits
from rules.labels import Labels
from rules.matchers import parse_matcher
from rules.routing import NotifyOnUnmute, Policy, Route, Tree, build
from rules.silences import Silence, covering, holding
from rules.time_intervals import DayTime, Period, TimeInterval, contains, next_change
from tests.scenarios.world import START

RESOLVE_TIMEOUT: Final = 300.0
MICROSECOND: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stand:
    """Where one alert stands with one channel: whether it fires, is routed there, and is muted on every way there.

    `patient` is who need not hear of the end of a mute before the next repeat (`notify_on_unmute: never`).
    """

    firing: bool
    routed: bool
    muted: bool
    patient: bool


@dataclass(slots=True)
class Truth:
    """The present; `fires` holds when each firing alert will end by itself, `posted` when it was last posted and until when then.

    An alert that nobody posts again is believed for `lag` seconds longer.
    """

    tree: Tree
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
        for labels in self.fires:
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
                stand = self.stand(labels, channel)
                known = self.since.get((labels, channel))
                if known is None or known[0] != stand:
                    self.since[labels, channel] = stand, self.now
                if not stand.firing:
                    self.let_go.pop((labels, channel), None)
                elif stand.routed and stand.patient and not stand.muted:
                    self.let_go.setdefault((labels, channel), self.now)

    def stand(self, labels: Labels, channel: str) -> Stand:
        """Where the alert stands with the channel now."""
        ways = [policy for policy in self.tree.match(labels) if channel in policy.channels]
        muted = self.muted_everywhere(labels) or all(self._quiet(policy) for policy in ways)
        patient = any(policy.notify_on_unmute is NotifyOnUnmute.NEVER for policy in ways)
        return Stand(firing=labels in self.fires, routed=bool(ways), muted=bool(ways) and muted, patient=patient)

    def muted_everywhere(self, labels: Labels) -> bool:
        """Whether a silence covers it or another alert inhibits it."""
        inhibited = any(
            inhibits(rule, source, labels) for rule in self.inhibit_rules for source in self.fires if source != labels
        )
        return inhibited or bool(covering(holding(self.silences.values(), self.moment), labels))

    def mutes(self, labels: Labels) -> bool:
        """Whether nobody is told of it now."""
        return self.muted_everywhere(labels) or all(self._quiet(policy) for policy in self.tree.match(labels))

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
)
"""Trees to change between; routes of one id are the same route, edited. None of them tells a channel of one alert by two ways."""

PLANTED: Final = tuple(build(routes) for routes in TREES)
