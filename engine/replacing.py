"""Puts firing alerts where the configuration in force, and their rules' own channels, want them now.

A flush does it for its own group first; a walk over all members, in chunks, does it for the others, so that an alert which now
takes a further route is told there without waiting for its old group. What a channel was told is found by the flush of the
group that speaks for the alert from then on (engine/carrying.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from engine.core.alert import Alert, State
from engine.core.external import NONE, outward
from engine.core.flush import Group
from engine.core.grouping import Placement, place
from engine.core.moving import Shift, shift, successor
from engine.core.notifying import Reason
from engine.store import groups, ledger, moving
from engine.store.database import Database
from engine.store.definitions import Definitions
from engine.store.door import Connection
from engine.store.ledger import Entry, Kind, Subject
from engine.store.moving import Member, Wanted
from rules.labels import Labels
from rules.routing import IMPLICIT
from rules.rule import Rule

CHUNK: Final = 500
"""How many memberships a step of the walk looks at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """What placed alerts at the last look: the configuration's version, and the channels of rules that name their own."""

    version: int | None = None
    channels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    rules: Mapping[str, Rule] = field(default_factory=dict, compare=False)

    def next(self, definitions: Definitions) -> _Seen:
        """What places alerts now."""
        channels = self.channels
        if definitions.rules is not self.rules:
            rules = definitions.rules.items()
            channels = {key: rule.notification_channels for key, rule in rules if rule.notification_channels}
        return _Seen(version=definitions.configuration.version, channels=channels, rules=definitions.rules)

    def differing(self, other: _Seen) -> frozenset[str]:
        """The rules that name other channels than before."""
        known = self.channels.keys() | other.channels.keys()
        return frozenset(key for key in known if self.channels.get(key) != other.channels.get(key))


@dataclass(slots=True, kw_only=True)
class Replacing:
    """Places alerts anew, by the labels they have outside; one per process."""

    database: Database
    external: Labels = NONE
    _seen: _Seen = field(default_factory=_Seen)
    _wanted: Wanted | None = None
    _after: int = 0

    def walk(self, definitions: Definitions) -> bool:
        """Look at one more chunk of what an edit may have displaced; whether there is more to look at."""
        self._notice(definitions)
        if self._wanted is None:
            return False
        with self.database.read() as connection:
            chunk = moving.members(connection, self._wanted, after=self._after, limit=CHUNK)
            known = moving.memberships(connection, {one.alert_id for one in chunk})
        if not chunk:
            self._wanted = None
            return False
        shifts = {one.alert_id: self._shift(one, known[one.alert_id], definitions) for one in chunk}
        displaced = {one.group_id for one in chunk if _is_displaced(one, shifts)}
        self._stamp(chunk, displaced, definitions)
        moved = [self._apart(group_id, definitions) for group_id in sorted(displaced)]
        if all(moved):
            self._after = chunk[-1].id
        return True

    def _stamp(self, chunk: Sequence[Member], displaced: Set[int], definitions: Definitions) -> None:
        """Note that these definitions have placed whoever is not in one of the displaced groups."""
        settled = [one.id for one in chunk if one.group_id not in displaced]
        with self.database.write() as connection:
            moving.stamp_members(connection, settled, definitions.configuration.version)

    def group(
        self,
        connection: Connection,
        group: Group,
        members: Mapping[int, Alert],
        definitions: Definitions,
        *,
        now: datetime,
    ) -> bool:
        """Place the members of a locked group anew where need be; whether any is elsewhere, or the group itself, since."""
        firing = [alert for alert in members.values() if alert.state is State.FIRING]
        version = definitions.configuration.version
        if not is_stale(group, firing, moving.oldest(connection, group.id), definitions):
            return False
        moved = _moves(group.id, self._shifts(connection, group.id, firing, definitions))
        if moved:
            moving.exclude_others(connection)
            # Asked again: whoever moved before may have brought some of them where they belong.
            shifts = self._shifts(connection, group.id, firing, definitions)
            if _moves(group.id, shifts):
                _Move(connection, group, definitions, now).make(shifts)
        moving.stamp(connection, group.id, version)
        return moved

    def _apart(self, group_id: int, definitions: Definitions) -> bool:
        """Place the members of one group anew; False when others are in the way, so that it is to be done once more."""
        try:
            with moving.giving_way(self.database) as connection:
                group = moving.lock(connection, group_id)
                if group is not None:
                    members = groups.members(connection, group_id)
                    self.group(connection, group, members, definitions, now=self.database.now(connection))
        except moving.ContendedError:
            return False
        return True

    def _shifts(
        self, connection: Connection, group_id: int, firing: Sequence[Alert], definitions: Definitions
    ) -> dict[int, Shift]:
        """The ways of these members of the group, as far as they begin there."""
        numbered = {alert.id: alert for alert in firing if alert.id is not None}
        known = moving.memberships(connection, numbered.keys())
        ways = {number: self._shift(alert, known[number], definitions) for number, alert in numbered.items()}
        return {number: _from(group_id, one) for number, one in ways.items()}

    def _shift(self, alert: Alert | Member, memberships: Mapping[int, str], definitions: Definitions) -> Shift:
        """How the alert goes. One of a rule that is gone stays in the rule's own group until its end, which is near."""
        rule = definitions.rules.get(alert.source)
        if rule is None and f"{IMPLICIT}{alert.source}" in memberships.values():
            return Shift(staying=tuple(memberships))
        labels = outward(alert.labels, alert.source, self.external)
        return shift(memberships, place(rule, labels, definitions.tree))

    def _notice(self, definitions: Definitions) -> None:
        """Begin a walk when something that places alerts is not what it was at the last one."""
        seen = self._seen.next(definitions)
        if seen == self._seen:
            self._seen = seen
            return
        changed = self._seen.differing(seen)
        if self._seen.version is None or self._wanted is not None:
            self._wanted = Wanted()  # At a start, and when one edit comes upon the other, everybody is looked at.
        elif seen.version != self._seen.version:
            self._wanted = Wanted() if changed else Wanted(below=seen.version)
        else:
            self._wanted = Wanted(sources=changed)
        self._seen, self._after = seen, 0


@dataclass(frozen=True, slots=True)
class _Move:
    """One group's members on their way, within one transaction."""

    connection: Connection
    old: Group
    definitions: Definitions
    now: datetime

    def make(self, shifts: Mapping[int, Shift]) -> None:
        """Let the group go as a whole where it can, else each alert by itself."""
        standings = groups.standings(self.connection, self.old.id)
        told = {target.channel for target, standing in standings.items() if standing.decided.firing}
        heir = successor(self.old.id, list(shifts.values()), told)
        entering = [(number, placement) for number, one in shifts.items() for placement in one.entering]
        if heir is not None and moving.become(self.connection, self.old, heir, self._soon(heir, told)):
            addressed = {target.channel for target, one in standings.items() if one.last_reason != Reason.MOVED.value}
            if addressed.isdisjoint(heir.policy.channels):
                # Nobody who is told from now on was kept from hearing of anything.
                moving.forget_mutes(self.connection, self.old.id)
            self._as_a_whole(heir, entering)
        else:
            self._each(shifts, entering)

    def _soon(self, heir: Placement, told: set[str]) -> datetime:
        """When the group is flushed next: soon, if its new route reaches others than it told so far."""
        if told and told == set(heir.policy.channels):
            return self.old.flush_at
        return min(self.old.flush_at, self.now + heir.policy.group_wait)

    def _as_a_whole(self, heir: Placement, entering: Sequence[tuple[int, Placement]]) -> None:
        """The members went along with their group; what remains are further routes."""
        place = groups.key_of(heir)
        others = [one for one in entering if groups.key_of(one[1]) != place]
        numbers = {place: self.old.id} | groups.join(self.connection, others, self.now)
        ledger.write(self.connection, self._moved(entering, numbers))

    def _each(self, shifts: Mapping[int, Shift], entering: Sequence[tuple[int, Placement]]) -> None:
        left = [number for number, one in shifts.items() if self.old.id in one.leaving]
        numbers = groups.join(self.connection, entering, self.now)
        groups.leave(self.connection, self.old.id, left, at=self.now)
        gone = [self._left(number) for number in left if not shifts[number].entering]
        ledger.write(self.connection, [*self._moved(entering, numbers), *gone])

    def _moved(self, entering: Iterable[tuple[int, Placement]], numbers: Mapping[groups.GroupKey, int]) -> list[Entry]:
        return [self._entry(number, placement, numbers[groups.key_of(placement)]) for number, placement in entering]

    def _entry(self, number: int, placement: Placement, group_id: int) -> Entry:
        policy = placement.policy
        detail = {
            "group_id": group_id,
            "route_id": policy.route_id,
            "route_version": policy.version,
            "channels": list(policy.channels),
            "group_labels": dict(placement.labels),
            "from_route": self.old.route_id,
            "configuration": self.definitions.configuration.version,
        }
        return _placement(self.now, "moved", number, detail)

    def _left(self, number: int) -> Entry:
        policy = self.definitions.tree.policies.get(self.old.route_id)
        detail = {
            "group_id": self.old.id,
            "route_id": self.old.route_id,
            "route_version": None if policy is None else policy.version,
            "configuration": self.definitions.configuration.version,
        }
        return _placement(self.now, "left", number, detail)


def _placement(at: datetime, reason: str, number: int, detail: Mapping[str, object]) -> Entry:
    return Entry(
        at=at,
        kind=Kind.PLACEMENT,
        reason=reason,
        subject_type=Subject.ALERT,
        subject_id=str(number),
        detail=detail,
    )


def is_stale(group: Group, firing: Iterable[Alert], oldest: int | None, definitions: Definitions) -> bool:
    """Whether an older configuration placed a member, or a rule of those firing was given its own channels or lost them.

    `oldest` is the number of the oldest configuration that placed a member, `None` where there is none.
    """
    if oldest is not None and oldest < definitions.configuration.version:
        return True
    return any(_is_misrouted(alert, group, definitions) for alert in firing)


def _is_misrouted(alert: Alert, group: Group, definitions: Definitions) -> bool:
    rule = definitions.rules.get(alert.source)
    own = rule is not None and bool(rule.notification_channels)
    return rule is not None and own != group.route_id.startswith(IMPLICIT)


def _from(group_id: int, one: Shift) -> Shift:
    """The alert's way as far as it begins in this group: what it enters is the turn of a group it leaves, for the key's sake."""
    return one if group_id in one.leaving or not one.leaving else replace(one, entering=())


def _moves(group_id: int, shifts: Mapping[int, Shift]) -> bool:
    """Whether any of these alerts leaves the group, or enters another."""
    return any(group_id in one.leaving or one.entering for one in shifts.values())


def _is_displaced(member: Member, shifts: Mapping[int, Shift]) -> bool:
    one = shifts[member.alert_id]
    return bool(one.entering) or member.group_id in one.leaving
