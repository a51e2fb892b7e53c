"""One flush of one group: who is muted, what each channel is told and why, who leaves the group, and when it is next flushed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType

from engine.core.alert import Alert, State
from engine.core.carrying import Apart, decide_apart
from engine.core.grouping import next_flush, this_flush
from engine.core.muting import MuteKind, Mutes
from engine.core.notifying import Decision, Standing, Terms, Told, decide
from rules.labels import Labels
from rules.routing import Policy

Muter = tuple[MuteKind, str]
"""What a group remembers of a mute: its kind and by which silence, interval or rule."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A group as stored.

    `flush_at` is the scheduled time of this flush; `muted` are the alert ids its last flush found firing and muted, each with
    its muters in the order of Mutes.
    """

    id: int
    route_id: str
    labels: Labels
    dedup_key: str
    flush_at: datetime
    muted: Mapping[int, tuple[Muter, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, order=True)
class Target:
    """One addressee of a group: a channel, and for email one recipient of it (`""` elsewhere)."""

    channel: str
    recipient: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flush:
    """What a flush decided.

    `at` is the scheduled time it stands for, from which repeats count. `mutes` are those of alerts that stay in the group,
    to be kept for the next flush. `leaving` are the ended members: every channel told of them has been told, or is being
    told, of their end. `next_flush_at` is `None` when nothing is left.
    """

    at: datetime
    decisions: Mapping[Target, Decision]
    mutes: Mutes
    leaving: frozenset[int]
    next_flush_at: datetime | None


def flush(
    group: Group,
    alerts: Sequence[Alert],
    policy: Policy,
    *,
    targets: Mapping[Target, Terms],
    told: Mapping[Target, Told],
    mutes: Mutes,
    now: datetime,
    moved: Collection[int] = (),
    apart: Mapping[Target, Apart] = MappingProxyType({}),
) -> Flush:
    """Decide everything about `group` at `now`.

    `alerts` are its members and whatever a channel still believes to fire; one that is pending again has ended. `moved` are
    those of the latter that are members no more; while they fire, they do so in other groups, and their end is told to those
    alone who believe that they do. `targets` holds everyone who believes something to fire, also whom the route no longer
    reaches, and `apart` says of whom other groups tell something.

    Repeats and `told.at` count from the scheduled time, not from `now`, so that a late flush shifts nothing after it.
    """
    at = this_flush(group.flush_at, policy.group_interval, now)
    standing = _standing(group, alerts, mutes, moved)
    staying = standing.firing or standing.muted or any(one.held for one in apart.values())
    return Flush(
        at=at,
        decisions={
            target: _decide(told.get(target, Told()), standing, terms, at, apart.get(target))
            for target, terms in targets.items()
        },
        mutes={alert_id: mutes[alert_id] for alert_id in sorted(standing.muted)},
        leaving=standing.resolved,
        next_flush_at=next_flush(group.flush_at, policy.group_interval, now) if staying else None,
    )


def _decide(told: Told, standing: Standing, terms: Terms, at: datetime, apart: Apart | None) -> Decision:
    return decide(told, standing, terms, at) if apart is None else decide_apart(told, standing, terms, at, apart)


def _standing(group: Group, alerts: Iterable[Alert], mutes: Mutes, moved: Collection[int]) -> Standing:
    firing: set[int] = set()
    ended: set[int] = set()
    for alert in alerts:
        assert alert.id is not None
        (firing if alert.state is State.FIRING else ended).add(alert.id)
    elsewhere, departed = firing.intersection(moved), ended.intersection(moved)
    firing -= elsewhere
    resolved = ended - departed
    muted = frozenset(mutes)
    return Standing(
        firing=frozenset(firing - muted),
        muted=frozenset(firing & muted),
        resolved=frozenset(resolved),
        resolved_muted=frozenset(resolved & muted),
        muted_before=frozenset(group.muted),
        inhibited_before=frozenset(
            alert_id for alert_id, muters in group.muted.items() if all(kind.by_alert for kind, _ in muters)
        ),
        moved=frozenset(elsewhere),
        departed=frozenset(departed),
    )
