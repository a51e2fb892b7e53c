"""The language of timelines: a configuration, what happens when, and what is told when. Plain data; docs/timelines.md teaches it.

All times are scenario seconds from the beginning. How long such a second really is, is up to whoever plays the scenario.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from rules.labels import ALERTNAME, Labels

HOOK: Final = "hook"
"""The channel that most scenarios have and nothing else."""
FOREVER: Final = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One alert as it is posted."""

    labels: Labels
    annotations: Labels = field(default_factory=Labels)


def alert(alertname: str, /, annotations: Mapping[str, str] = MappingProxyType({}), **labels: str) -> Alert:
    """An alert of this name with these further labels."""
    return Alert(labels=Labels({ALERTNAME: alertname, **labels}), annotations=Labels(annotations))


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """A webhook. It is down (answers 503) within `down`, and takes `slow` real seconds to answer."""

    send_resolved: bool = True
    max_alerts: int = 0
    slow: float = 0
    down: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A route; `None` is inherited, also from `Configuration`'s usual timings. `matchers` are passed on as they are written."""

    matchers: tuple[str, ...] = ()
    channels: tuple[str, ...] | None = None
    group_by: tuple[str, ...] | None = None
    group_wait: float | None = None
    group_interval: float | None = None
    repeat_interval: float | None = None
    continue_: bool = False
    mute_time_intervals: tuple[str, ...] = ()
    active_time_intervals: tuple[str, ...] = ()
    notify_on_unmute: str | None = None
    id: str = ""
    """Keeps a route the one it is where others come before it; by default it is its place in the tree."""
    routes: tuple[Route, ...] = ()


USUAL: Final = Route(channels=(HOOK,), group_by=(ALERTNAME,), group_wait=1, group_interval=2, repeat_interval=FOREVER)
"""The timings every scenario begins with: flushes at 1, 3, 5 … after the first alert, and no repeats."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inhibit:
    """An inhibit rule; each side is a list of matchers."""

    source: tuple[str, ...]
    target: tuple[str, ...]
    equal: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A time interval: on from `starts` until `ends` (`None`: since or for ever). With both it is on outside of [ends, starts).

    A minute of it begins when the scenario wants it, since it is written in a time zone of its own.
    """

    starts: float | None = None
    ends: float | None = None
    never: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """The scenario's own part of the configuration: a route below the root, and what belongs to it."""

    route: Route = USUAL
    channels: Mapping[str, Channel] = field(default_factory=lambda: {HOOK: Channel()})
    inhibit_rules: tuple[Inhibit, ...] = ()
    time_intervals: Mapping[str, Interval] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    """Post alerts: firing, or over when `ended`. `starts` and `ends` are their own words; `None` leaves them out.

    With `timeout` an alert says no end, so that it ends by itself; otherwise a firing one lasts an hour.
    """

    alerts: tuple[Alert, ...]
    ended: bool = False
    starts: float | None = None
    ends: float | None = None
    timeout: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """Make the silence of this name, or edit it; it begins now unless `starts` says otherwise."""

    name: str
    matchers: tuple[str, ...]
    ends: float
    starts: float | None = None


@dataclass(frozen=True, slots=True)
class Expire:
    """End the silence of this name by hand."""

    name: str


@dataclass(frozen=True, slots=True)
class Configure:
    """Put this configuration in the place of the one before: a reload there, an edit of rows here."""

    configuration: Configuration


@dataclass(frozen=True, slots=True)
class Restart:
    """Stop the program and start it again on what it has kept."""


Step = Push | Silence | Expire | Configure | Restart


def push(*alerts: Alert, starts: float | None = None, ends: float | None = None, timeout: bool = False) -> Push:
    """These alerts fire."""
    return Push(alerts=alerts, starts=starts, ends=ends, timeout=timeout)


def resolve(*alerts: Alert) -> Push:
    """These alerts end now."""
    return Push(alerts=alerts, ended=True)


def silence(name: str, *matchers: str, ends: float = FOREVER, starts: float | None = None) -> Silence:
    """Quiet over what all these matchers match."""
    return Silence(name=name, matchers=matchers, ends=ends, starts=starts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """A step and when it is taken."""

    at: float
    step: Step


def at(time: float, *steps: Step) -> tuple[Moment, ...]:
    """These steps, all at this time and in this order."""
    return tuple(Moment(at=time, step=step) for step in steps)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One message that must arrive on the channel, not before `after` and not after `before`, with just these alerts."""

    after: float
    before: float
    channel: str
    firing: frozenset[Labels]
    resolved: frozenset[Labels]


def between(
    after: float,
    before: float,
    *,
    channel: str = HOOK,
    firing: Iterable[Alert] = (),
    resolved: Iterable[Alert] = (),
) -> Told:
    """One message within this span."""
    fires, ended = (frozenset(one.labels for one in alerts) for alerts in (firing, resolved))
    return Told(after=after, before=before, channel=channel, firing=fires, resolved=ended)


def told(time: float, *firing: Alert, resolved: Iterable[Alert] = (), channel: str = HOOK) -> Told:
    """One message at this time."""
    return between(time, time, channel=channel, firing=firing, resolved=resolved)


@dataclass(frozen=True, slots=True, kw_only=True)
class Differs:
    """What Alertmanager tells instead, and the section of docs/differences.md that says so.

    `None` instead of messages: it does not even take the configuration.
    """

    section: str
    expect: tuple[Told, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scenario:
    """One timeline: up to `until`, the channels are told what `expect` says and nothing else.

    With `unrouted` its alerts carry no label by which the root would find the scenario's route.
    """

    name: str
    steps: tuple[Moment, ...]
    expect: tuple[Told, ...]
    until: float
    configuration: Configuration = field(default_factory=Configuration)
    alertmanager: Differs | None = None
    unrouted: bool = False

    @property
    def expected_of_alertmanager(self) -> tuple[Told, ...] | None:
        return self.expect if self.alertmanager is None else self.alertmanager.expect

    def times(self, kind: type[Step]) -> tuple[float, ...]:
        """When steps of this kind are taken."""
        return tuple(moment.at for moment in self.steps if isinstance(moment.step, kind))


def scenario(
    name: str,
    *steps: tuple[Moment, ...],
    expect: Iterable[Told],
    until: float,
    configuration: Configuration | None = None,
    alertmanager: Differs | None = None,
    unrouted: bool = False,
) -> Scenario:
    """A scenario whose steps are given one `at` after the other."""
    moments = tuple(sorted((moment for some in steps for moment in some), key=lambda moment: moment.at))
    return Scenario(
        name=name,
        steps=moments,
        expect=tuple(expect),
        until=until,
        configuration=configuration or Configuration(),
        alertmanager=alertmanager,
        unrouted=unrouted,
    )
