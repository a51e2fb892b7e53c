"""What an addressee was told about an alert is looked up over all groups when one of them is flushed.

After an edit the alert may be in another group than the one that told of it, or its group may speak to others: who speaks for
it now takes over what was told. It is looked up where a group would tell of an alert for the first time, or would tell the end
of one that fires, and nowhere else, so a flush that has neither costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import assert_never

from engine.core.alert import Alert, State
from engine.core.carrying import Apart, Fate, Turn, Word, fate, turn
from engine.core.external import outward
from engine.core.flush import Target
from engine.core.grouping import policies
from engine.core.moving import also, without
from engine.core.notifying import Terms
from engine.store import flushes, groups, moving, outbox
from engine.store.definitions import Definitions
from engine.store.door import Connection
from engine.store.groups import Standing
from rules.channels import ChannelKind
from rules.labels import Labels
from rules.routing import IMPLICIT

Reached = Callable[[str], Mapping[Target, Terms]]
"""Whom a route reaches now, by its id."""
Tellers = Mapping[Target, Mapping[int, Sequence[int]]]
"""The groups that ever told an addressee anything, by the alerts that are or were in them."""
Standings = Mapping[int, Mapping[Target, Standing]]
"""What addressees were told, by group."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Voice:
    """A group about to be flushed, locked: its members, and with them whatever it told of (`alerts`)."""

    id: int
    route_id: str
    alerts: Mapping[int, Alert]
    members: Set[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """What the groups' addressees were told, and what is apart in each group for which of them."""

    standings: Standings
    apart: Mapping[int, Mapping[Target, Apart]]


@dataclass(frozen=True, slots=True, order=True)
class _Point:
    """One alert, one group, one addressee."""

    alert_id: int
    group_id: int
    target: Target


@dataclass(frozen=True, slots=True, kw_only=True)
class _Points:
    """What the groups have not told their members' addressees but others may have, and what they told and speak for no more."""

    unheard: tuple[_Point, ...]
    orphaned: tuple[_Point, ...]
    tellers: Tellers

    @property
    def every(self) -> tuple[_Point, ...]:
        return self.unheard + self.orphaned


_Gap = tuple[int, Target, Set[int]]
"""A group, an addressee and the members of which it told this one nothing."""


def carry(
    connection: Connection,
    voices: Sequence[Voice],
    standings: Standings,
    *,
    reached: Reached,
    definitions: Definitions,
    external: Labels,
) -> Carried:
    """Let these groups take over what others told of their alerts, and find what is apart."""
    points = _points(connection, _Carryable(definitions, reached), voices, standings)
    if not points.every:
        return Carried(standings=standings, apart={})
    ways = _Ways(
        alerts={number: alert for voice in voices for number, alert in voice.alerts.items()},
        memberships=moving.memberships(connection, {point.alert_id for point in points.every}),
        reached=reached,
        definitions=definitions,
        external=external,
    )
    lookup = _look_up(connection, points.tellers, {voice.id for voice in voices}, ways)
    left = lookup.left(points.unheard)
    fates = lookup.fates(points.orphaned)
    return Carried(standings=_saved(connection, lookup, standings), apart=_apart(left, fates))


def _points(connection: Connection, carryable: _Carryable, voices: Sequence[Voice], standings: Standings) -> _Points:
    """What of the groups about to be flushed has to be looked up over all."""
    gaps = [gap for voice in voices for gap in carryable.gaps(voice, standings[voice.id])]
    orphaned = [point for voice in voices for point in carryable.orphaned(voice, standings[voice.id])]
    lacking = set(chain.from_iterable(numbers for _, _, numbers in gaps))
    tellers = moving.tellers(connection, lacking.union(point.alert_id for point in orphaned))
    unheard = chain.from_iterable(_unheard(gap, tellers) for gap in gaps)
    return _Points(unheard=tuple(sorted(unheard)), orphaned=tuple(sorted(orphaned)), tellers=tellers)


def _unheard(gap: _Gap, tellers: Tellers) -> Iterator[_Point]:
    """What of a gap another group may have filled."""
    group_id, target, numbers = gap
    among = tellers.get(target, {})
    for number in numbers & among.keys():
        if among[number] != [group_id]:
            yield _Point(number, group_id, target)


def _look_up(connection: Connection, tellers: Tellers, flushed: set[int], ways: _Ways) -> _Lookup:
    """All that any group has told of these alerts; what is on its way is read first, so that no word is older than that."""
    every = flushed.union(*(numbers for among in tellers.values() for numbers in among.values()))
    writable = flushed | moving.lock_free(connection, every - flushed)
    waiting = outbox.awaited(connection, every)
    busy = flushed | moving.busy(connection, every - flushed)
    known = {
        (number, target): told
        for number, among in flushes.standings(connection, every).items()
        for target, told in among.items()
    }
    words = {where: _as_word(told, busy=where[0] in busy, waits=where in waiting) for where, told in known.items()}
    reasons = {where: told.last_reason for where, told in known.items()}
    return _Lookup(ways=ways, tellers=tellers, words=words, reasons=reasons, writable=writable)


def _as_word(told: Standing, *, busy: bool, waits: bool) -> Word:
    """What a group has told. One that is idle owes no end, so it holds nothing that fires."""
    decided = told.decided if busy else replace(told.decided, firing=frozenset())
    return Word(decided=decided, delivered=told.delivered, waits=waits)


def _saved(connection: Connection, lookup: _Lookup, standings: Standings) -> Standings:
    """What the addressees of the flushed groups were told, with what was taken over; whatever changed is written."""
    found = {number: dict(among) for number, among in standings.items()}
    for number, target in sorted(lookup.changed):
        word = lookup.words[number, target]
        reason = lookup.reasons.get((number, target), "")
        standing = Standing(decided=word.decided, delivered=word.delivered, last_reason=reason)
        groups.save(connection, number, target, standing)
        if number in found:
            found[number][target] = standing
    return found


def _apart(left: Iterable[_Point], fates: Mapping[_Point, Fate]) -> dict[int, dict[Target, Apart]]:
    chosen = {
        "left": left,
        "kept": [point for point, what in fates.items() if what is Fate.KEEP],
        "remembered": [point for point, what in fates.items() if what is Fate.REMEMBER],
    }
    found: dict[int, dict[Target, Apart]] = {}
    for name, points in chosen.items():
        for point in points:
            among = found.setdefault(point.group_id, {})
            one = among.get(point.target, Apart())
            among[point.target] = replace(one, **{name: getattr(one, name) | {point.alert_id}})
    return found


@dataclass(frozen=True, slots=True)
class _Carryable:
    definitions: Definitions
    reached: Reached

    def gaps(self, voice: Voice, standings: Mapping[Target, Standing]) -> Iterator[_Gap]:
        """The members of which an addressee has heard nothing from the group."""
        for target in self.reached(voice.route_id):
            known = standings.get(target)
            numbers = voice.members if known is None else voice.members - known.decided.firing
            if numbers and not self._is_keyed(target):
                yield voice.id, target, numbers

    def orphaned(self, voice: Voice, standings: Mapping[Target, Standing]) -> Iterator[_Point]:
        """What the group told of and speaks for no more, as far as it fires: the end of all else is no matter of others."""
        terms = self.reached(voice.route_id)
        for target, known in standings.items():
            numbers = known.decided.firing - voice.members if target in terms else known.decided.firing
            if numbers and not self._is_keyed(target):
                firing = (number for number in numbers if _fires(voice.alerts.get(number)))
                yield from (_Point(number, voice.id, target) for number in firing)

    def _is_keyed(self, target: Target) -> bool:
        """Whether what the channel was told is an incident under the old group's key, which another group cannot end."""
        channel = self.definitions.channels.get(target.channel)
        return channel is not None and channel.kind is ChannelKind.PAGERDUTY


def _fires(alert: Alert | None) -> bool:
    return alert is not None and alert.state is State.FIRING


@dataclass(slots=True, kw_only=True)
class _Ways:
    """The ways that alerts take to addressees by the definitions in force."""

    alerts: Mapping[int, Alert]
    memberships: Mapping[int, Mapping[int, str]]
    reached: Reached
    definitions: Definitions
    external: Labels
    _routes: dict[int, frozenset[str]] = field(default_factory=dict)

    def speaks(self, group_id: int, point: _Point) -> bool:
        """Whether the group tells this addressee of this alert."""
        route_id = self.memberships[point.alert_id].get(group_id)
        return route_id in self.routes(point.alert_id) and point.target in self.reached(route_id)

    def any(self, point: _Point) -> bool:
        """Whether some group does, or will once an edit has been followed everywhere."""
        return any(point.target in self.reached(route_id) for route_id in self.routes(point.alert_id))

    def wants_ends(self, target: Target) -> bool:
        """Whether the addressee is told that something is over."""
        channel = self.definitions.channels.get(target.channel)
        return channel is None or channel.send_resolved

    def routes(self, alert_id: int) -> frozenset[str]:
        known = self._routes.get(alert_id)
        if known is None:
            known = self._routes[alert_id] = self._taken(alert_id)
        return known

    def _taken(self, alert_id: int) -> frozenset[str]:
        alert = self.alerts[alert_id]
        rule, own = self.definitions.rules.get(alert.source), f"{IMPLICIT}{alert.source}"
        if rule is None and own in self.memberships[alert_id].values():
            return frozenset({own})
        labels = outward(alert.labels, alert.source, self.external)
        return frozenset(policy.route_id for policy in policies(rule, labels, self.definitions.tree))


@dataclass(slots=True, kw_only=True)
class _Lookup:
    """One look at what all groups have told of some alerts: who may have told, and what."""

    ways: _Ways
    tellers: Tellers
    words: dict[tuple[int, Target], Word]
    reasons: Mapping[tuple[int, Target], str]
    writable: set[int]
    changed: set[tuple[int, Target]] = field(default_factory=set)

    def left(self, unheard: Iterable[_Point]) -> list[_Point]:
        """Take over what can be; answers of what others tell still."""
        return [point for point in unheard if self._is_left(point)]

    def fates(self, orphaned: Iterable[_Point]) -> dict[_Point, Fate]:
        """What becomes of each, what is to be forgotten being so."""
        found = {point: self._fate(point) for point in orphaned}
        for point, what in found.items():
            if what is Fate.FORGET:
                self._forget(point.group_id, point)
        return found

    def _is_left(self, point: _Point) -> bool:
        others = {number: self._word(number, point) for number in self._tellers(point, speaking=False)}
        fires = _fires(self.ways.alerts[point.alert_id])
        match turn(point.alert_id, fires=fires, own=self._word(point.group_id, point), others=others.values()):
            case Turn.TELL:
                return False
            case Turn.LEAVE:
                return True
            case Turn.TAKE_OVER:
                sources = [number for number, word in others.items() if point.alert_id in word.decided.firing]
                if not self.writable.issuperset(sources):
                    return True
                self._take_over(point, sources)
                return False
            case unknown:
                assert_never(unknown)

    def _take_over(self, point: _Point, sources: Iterable[int]) -> None:
        for number in sources:
            since, own = self._word(number, point), self._word(point.group_id, point)
            delivered = own.delivered
            if point.alert_id in since.delivered.firing:
                delivered = also(delivered, point.alert_id, since.delivered)
            decided = also(own.decided, point.alert_id, since.decided)
            self._put(point.group_id, point.target, replace(own, decided=decided, delivered=delivered))
            self._forget(number, point)

    def _fate(self, point: _Point) -> Fate:
        heirs = [self._word(number, point) for number in self._tellers(point, speaking=True)]
        return fate(
            point.alert_id,
            own=self._word(point.group_id, point),
            heirs=heirs if self.ways.any(point) else None,
            wants_ends=self.ways.wants_ends(point.target),
        )

    def _tellers(self, point: _Point, *, speaking: bool) -> list[int]:
        """The other groups that ever told this addressee anything and have, or had, the alert."""
        tellers = self.tellers.get(point.target, {}).get(point.alert_id, ())
        others = (number for number in tellers if number != point.group_id)
        return [number for number in others if self.ways.speaks(number, point) is speaking]

    def _word(self, group_id: int, point: _Point) -> Word:
        return self.words.get((group_id, point.target), Word())

    def _forget(self, group_id: int, point: _Point) -> None:
        word = self._word(group_id, point)
        decided, delivered = (without(told, point.alert_id) for told in (word.decided, word.delivered))
        self._put(group_id, point.target, replace(word, decided=decided, delivered=delivered))

    def _put(self, group_id: int, target: Target, word: Word) -> None:
        self.words[group_id, target] = word
        self.changed.add((group_id, target))
