"""What becomes of an alert's groups when the configuration, or the channels of its rule, are no longer those that placed it.

An alert that still takes a route stays in its group there, whatever else of the route was edited: keys that left the system
stand for that group. A group whose firing alerts all go to one and the same place goes there as a whole, key and all.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from engine.core.grouping import Placement
from engine.core.notifying import Told


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """One alert placed anew: the groups it stays in and those it leaves, by number, and what it enters."""

    staying: tuple[int, ...] = ()
    leaving: tuple[int, ...] = ()
    entering: tuple[Placement, ...] = ()


def shift(memberships: Mapping[int, str], placements: Sequence[Placement]) -> Shift:
    """How an alert goes from the groups it is in (number → route) to where it belongs now."""
    taken = {placement.policy.route_id for placement in placements}
    known = set(memberships.values())
    return Shift(
        staying=tuple(number for number, route_id in memberships.items() if route_id in taken),
        leaving=tuple(number for number, route_id in memberships.items() if route_id not in taken),
        entering=tuple(placement for placement in placements if placement.policy.route_id not in known),
    )


def successor(group_id: int, shifts: Sequence[Shift], told: Collection[str]) -> Placement | None:
    """Where the group goes as a whole, `None` when its firing alerts do not all go to the same place.

    `shifts` are those of its firing alerts. Of several places one alert enters, the first that tells a channel of `told`
    (the channels which heard of the group) carries the story on.
    """
    heirs = [_heir(one, told) if group_id in one.leaving else None for one in shifts]
    first = next(iter(heirs), None)
    if first is None or any(heir is None or _place(heir) != _place(first) for heir in heirs):
        return None
    return first


def without(told: Told, alert_id: int) -> Told:
    """What a channel was told, less this alert."""
    return Told(firing=told.firing - {alert_id}, resolved=told.resolved - {alert_id}, at=told.at)


def also(told: Told, alert_id: int, since: Told) -> Told:
    """What a channel was told, this alert among it as firing.

    Repeats go on from the earlier of both times, so that nobody waits for one longer than for `repeat_interval`; what has no
    time is overdue.
    """
    at = since.at
    if told.firing:
        at = None if told.at is None or at is None else min(told.at, at)
    return Told(firing=told.firing | {alert_id}, resolved=told.resolved - {alert_id}, at=at)


def _heir(one: Shift, told: Collection[str]) -> Placement | None:
    speaking = (placement for placement in one.entering if any(name in told for name in placement.policy.channels))
    return next(speaking, next(iter(one.entering), None))


def _place(placement: Placement) -> tuple[str, str]:
    return placement.policy.route_id, placement.labels_hash
