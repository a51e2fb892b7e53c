"""What keeps an alert quiet, and who said so. A mute always names its muter, and where several mute, all are known.

An alert's mutes stand in the order in which Alertmanager's pipeline asks them (A:notify/notify.go), a higher level of the same
rule before them all; the first is the one to name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from engine.core.alert import Alert
from engine.core.inhibiting import Inhibitor
from rules.routing import Policy
from rules.silences import Silence, holding
from rules.time_intervals import TimeInterval, contains, next_change


class MuteKind(StrEnum):
    """The kinds of quiet, in the order they are asked; the words are the ledger's."""

    LEVEL = "level"
    """A higher level of the same rule and series fires."""
    INHIBITION = "inhibition"
    ACTIVE_TIME_INTERVAL = "active_time_interval"
    """The route speaks only within its active intervals, and it is none of them now."""
    MUTE_TIME_INTERVAL = "mute_time_interval"
    SILENCE = "silence"

    @property
    def by_alert(self) -> bool:
        """Whether another alert does the muting, so that somebody is being told all the same."""
        return self in _BY_ALERT


_BY_ALERT: Final = frozenset({MuteKind.LEVEL, MuteKind.INHIBITION})


@dataclass(frozen=True, slots=True, kw_only=True)
class Mute:
    """One alert kept quiet: by what kind of thing, by which one, and until when (`None`: no end is known).

    `by` is the id of a silence, an inhibit rule or (level) a rule, or an interval's name. `source` is the row number of the
    firing alert that does it, where one does. `version` is that of the definition `by`, and `said` what its author had to
    say; neither makes it another mute.
    """

    kind: MuteKind
    by: str
    until: datetime | None = None
    source: int | None = None
    version: int | None = field(default=None, compare=False)
    said: str = field(default="", compare=False)


Mutes = Mapping[int, tuple[Mute, ...]]
"""The mutes of each muted alert, by its row number; one that is not muted is not in it."""


def mutes(
    alerts: Iterable[Alert],
    silences: Iterable[Silence],
    now: datetime,
    *,
    inhibitors: Mapping[int, Sequence[Inhibitor]] = MappingProxyType({}),
    higher: Mapping[int, int] = MappingProxyType({}),
    intervals: Mapping[int, tuple[Mute, ...]] = MappingProxyType({}),
    defined: Mapping[str, TimeInterval] = MappingProxyType({}),
) -> Mutes:
    """The mutes of each of these alerts at `now`, each by row number.

    `inhibitors` are those of each alert, `higher` the firing alert of a higher level, `intervals` what mutes its routes;
    `defined` are the time intervals that silences may name.
    """
    quiet = [_quiet(one, now, defined) for one in holding(silences, now, defined)]
    # The one that lasts longest first; what ends with its alerts has no known end.
    quiet.sort(key=lambda one: _ending(one[1]), reverse=True)
    found: dict[int, tuple[Mute, ...]] = {}
    for alert in alerts:
        if alert.id is None:
            continue
        inhibited = [_inhibited(one) for one in inhibitors.get(alert.id, ())]
        muted = intervals.get(alert.id, ())
        every = (*_levelled(alert, higher.get(alert.id)), *inhibited, *muted, *_silenced(alert, quiet))
        if every:
            found[alert.id] = every
    return found


def by_intervals(policy: Policy, intervals: Mapping[str, TimeInterval], now: datetime) -> tuple[Mute, ...]:
    """What mutes a whole route at `now`: that no active interval of its own is on, then every mute interval that is.

    Of several the one that decides when it ends comes first: the active interval that begins soonest, the mute interval that
    lasts longest. A name nobody defined mutes nothing: as a mute interval it is never on, as an active one always.
    """
    muting = [intervals[name] for name in policy.mute_time_intervals if name in intervals]
    inside = [_interval(MuteKind.MUTE_TIME_INTERVAL, one, now) for one in muting if contains(one, now)]
    waiting = _waiting(policy.active_time_intervals, intervals, now)
    outside = [_interval(MuteKind.ACTIVE_TIME_INTERVAL, one, now) for one in waiting]
    return (*sorted(outside, key=_ending), *sorted(inside, key=_ending, reverse=True))


def by_every_route(
    policies: Iterable[Policy], intervals: Mapping[str, TimeInterval], now: datetime
) -> tuple[Mute, ...]:
    """What mutes an alert that takes all these routes: nothing while one of them is free, else what mutes any of them."""
    routes = [by_intervals(policy, intervals, now) for policy in policies]
    return tuple(dict.fromkeys(mute for route in routes for mute in route)) if all(routes) else ()


def _waiting(names: Sequence[str], intervals: Mapping[str, TimeInterval], now: datetime) -> list[TimeInterval]:
    """The active intervals while none of them is on; nothing when one is, or when one is unknown."""
    known = [intervals[name] for name in names if name in intervals]
    return [] if len(known) < len(names) or any(contains(one, now) for one in known) else known


def _levelled(alert: Alert, above: int | None) -> list[Mute]:
    return [] if above is None else [Mute(kind=MuteKind.LEVEL, by=alert.source, source=above)]


def _inhibited(inhibitor: Inhibitor) -> Mute:
    return Mute(kind=MuteKind.INHIBITION, by=inhibitor.rule_id, source=inhibitor.alert_id, version=inhibitor.version)


def _interval(kind: MuteKind, interval: TimeInterval, now: datetime) -> Mute:
    return Mute(kind=kind, by=interval.name, until=next_change(interval, now), version=interval.version)


def _ending(mute: Mute) -> tuple[bool, float]:
    """Sorts by when it ends, what never does last."""
    return (True, 0) if mute.until is None else (False, mute.until.timestamp())


def _quiet(silence: Silence, now: datetime, defined: Mapping[str, TimeInterval]) -> tuple[Silence, Mute]:
    said = ": ".join(part for part in (silence.created_by, silence.comment) if part)
    if silence.until_resolved:
        said = "; ".join(part for part in (said, "until what it began with has resolved") if part)
    until = None if silence.until_resolved else silence.until(now, defined)
    mute = Mute(kind=MuteKind.SILENCE, by=silence.id, until=until, version=silence.version, said=said)
    return silence, mute


def _silenced(alert: Alert, quiet: Sequence[tuple[Silence, Mute]]) -> list[Mute]:
    """A mute for each silence that covers the alert, in the order given."""
    return [mute for silence, mute in quiet if silence.covers(alert.labels)]
