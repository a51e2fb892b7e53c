"""What mutes alerts now: reads which alerts fire, and asks the core. Also what the ledger is told of it.

Which alerts fire is read anew in the transaction that decides; their labels, which never change for a row, are remembered, and
so are the rules they are sources of. A look therefore costs one query for row numbers, and nothing where no rule has a target.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from engine.core.alert import Alert
from engine.core.external import NONE, outward, sent_out
from engine.core.flush import Group, Muter
from engine.core.grouping import policies
from engine.core.inhibiting import Inhibitor, Sources
from engine.core.levels import overtaken
from engine.core.muting import Mute, Mutes, by_every_route, by_intervals, mutes
from engine.core.sieve import Pair, Sieve
from engine.store import alerts as alert_rows
from engine.store import severities
from engine.store.definitions import Definitions
from engine.store.door import Connection
from engine.store.ledger import Entry, Kind, Subject
from rules.inhibition import InhibitRule
from rules.labels import Labels
from rules.matchers import Matcher
from rules.routing import Policy
from rules.silences import Silence

MOST_ASKED: Final = 20
"""Labels by which alerts are looked for in the database; by more, they are all read."""
_PLAIN: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")


class _Silences:
    """The silences as they stand in one version of the definitions, by what they demand of an alert."""

    def __init__(self, every: tuple[Silence, ...]) -> None:
        self.every = every
        self._sieve = Sieve([silence.matchers for silence in every])

    def covering(self, alerts: Mapping[int, Alert]) -> dict[int, list[int]]:
        found = {number: self._sieve.matching(alert.labels) for number, alert in alerts.items()}
        return {number: places for number, places in found.items() if places}


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What there is to mute `alerts` at `now`, read at once for all of them: alerts of one group, or of hundreds.

    `silences` are the places, among those of the definitions, of what covers each alert whatever the time: few, while there
    may be thousands. `inhibitors` has a row for every alert that is a target of some rule, inhibited or not.
    """

    alerts: Mapping[int, Alert]
    definitions: Definitions
    now: datetime
    silences: Mapping[int, Sequence[int]]
    inhibitors: Mapping[int, Sequence[Inhibitor]]
    higher: Mapping[int, int]

    def mutes(self, numbers: Collection[int], policy: Policy | None) -> Mutes:
        """The mutes of these of the alerts on the route with this policy; without one, on every route that an alert takes."""
        chosen = {number: self.alerts[number] for number in numbers}
        return mutes(
            chosen.values(),
            self.covering(numbers),
            self.now,
            inhibitors=self.inhibitors,
            higher=self.higher,
            intervals=_intervals(chosen, self.definitions, self.now, policy),
            defined=self.definitions.time_intervals,
        )

    def covering(self, numbers: Iterable[int]) -> tuple[Silence, ...]:
        """The silences that cover any of these alerts, whatever the time."""
        if not self.silences:
            return ()
        places = {place for number in numbers for place in self.silences.get(number, ())}
        return tuple(self.definitions.silences[place] for place in sorted(places))


@dataclass(slots=True)
class Muting:
    """Finds mutes; one per process, shared by its threads. Alerts are judged with their `external` labels."""

    external: Labels = NONE
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _firing: dict[int, Labels] = field(default_factory=dict)
    _seen: str = ""
    _sources: Sources = field(default_factory=lambda: Sources(()))
    _silences: _Silences = field(default_factory=lambda: _Silences(()))

    def mutes(
        self,
        connection: Connection,
        alerts: Collection[Alert],
        definitions: Definitions,
        now: datetime,
        policy: Policy | None = None,
    ) -> Mutes:
        """The mutes of these alerts on the route with this policy; without one, on every route that an alert takes."""
        look = self.look(connection, alerts, definitions, now)
        return look.mutes(look.alerts.keys(), policy)

    def look(self, connection: Connection, alerts: Iterable[Alert], definitions: Definitions, now: datetime) -> Look:
        """Find what there is to mute these alerts; good for the transaction it is made in."""
        stored = {alert.id: sent_out(alert, self.external) for alert in alerts if alert.id is not None}
        return Look(
            alerts=stored,
            definitions=definitions,
            now=now,
            silences=self._covering(definitions.silences, stored),
            inhibitors=self._inhibitors(connection, stored, definitions.inhibit_rules),
            higher=_higher(connection, stored, definitions),
        )

    def inhibitors(
        self, connection: Connection, numbers: Collection[int], rules: tuple[InhibitRule, ...]
    ) -> Mapping[int, Sequence[Inhibitor]]:
        """What inhibits these alerts now, of which nothing but the number is at hand; one that does not fire is absent."""
        with self._lock:
            self._use(rules)
            self._follow(connection)
            known = ((number, self._firing[number]) for number in numbers if number in self._firing)
            return {number: self._sources.inhibitors(number, labels) for number, labels in known}

    def labels(
        self, connection: Connection, numbers: Iterable[int], *, bearing: Collection[Pair] | None = None
    ) -> dict[int, Labels]:
        """The labels by which these alerts are known outside; of those alone that have one of `bearing` themselves."""
        found = alert_rows.identities(connection, numbers, bearing=bearing)
        return {number: outward(own, source, self.external) for number, (source, own) in found.items()}

    def covered(
        self, connection: Connection, numbers: Iterable[int], lists: Sequence[tuple[Matcher, ...]]
    ) -> frozenset[int]:
        """Those of these alerts that one of the lists of matchers matches; the database leaves out most of the others."""
        if not lists:
            return frozenset()
        sieve = Sieve(lists)
        found = self.labels(connection, numbers, bearing=self._asked(sieve.demanded))
        return frozenset(number for number, labels in found.items() if sieve.matching(labels))

    def _asked(self, demanded: frozenset[Pair] | None) -> frozenset[Pair] | None:
        """What the database can be asked for: few plain labels of the alerts' own, and no text that it would cut short."""
        if demanded is None or len(demanded) > MOST_ASKED:
            return None
        plain = all(
            _PLAIN.fullmatch(name) and name not in self.external and "\0" not in value for name, value in demanded
        )
        return demanded if plain else None

    def refresh(self, connection: Connection, rules: tuple[InhibitRule, ...]) -> None:
        """Learn what fires now, so that a flush, which keeps others from writing, finds little left to learn."""
        with self._lock:
            self._use(rules)
            if rules:
                self._follow(connection)

    def _covering(self, silences: tuple[Silence, ...], alerts: Mapping[int, Alert]) -> Mapping[int, Sequence[int]]:
        if not silences:
            return {}
        with self._lock:
            if self._silences.every is not silences:
                self._silences = _Silences(silences)
            known = self._silences
        return known.covering(alerts)

    def _inhibitors(
        self, connection: Connection, alerts: Mapping[int, Alert], rules: tuple[InhibitRule, ...]
    ) -> Mapping[int, Sequence[Inhibitor]]:
        if not rules:
            return {}
        with self._lock:
            self._use(rules)
            targets = [number for number, alert in alerts.items() if self._sources.targeting(number, alert.labels)]
            if not targets:
                return {}
            self._follow(connection)
            return {number: self._sources.inhibitors(number, alerts[number].labels) for number in targets}

    def _use(self, rules: tuple[InhibitRule, ...]) -> None:
        if self._sources.rules == rules:
            return
        self._sources = Sources(rules)
        for number, labels in self._firing.items():
            self._sources.add(number, labels)

    def _follow(self, connection: Connection) -> None:
        seen = alert_rows.firing(connection)
        if seen == self._seen:
            return
        firing = frozenset(map(int, seen.split(","))) if seen else frozenset[int]()
        begun = self.labels(connection, firing - self._firing.keys())
        for number in self._firing.keys() - firing:
            del self._firing[number]
            self._sources.remove(number)
        for number, labels in begun.items():
            self._firing[number] = labels
            self._sources.add(number, labels)
        self._seen = seen


def _higher(connection: Connection, alerts: Mapping[int, Alert], definitions: Definitions) -> Mapping[int, int]:
    """The firing alert of a higher level above each of these; nothing is asked where no rule of theirs has threshold rows."""
    levels = [alert for alert in alerts.values() if alert.source in definitions.thresholds]
    if not levels:
        return {}
    active = alert_rows.active_of(connection, {alert.source for alert in levels})
    found = [alert for of_rule in active.values() for alert in of_rule.values()]
    return overtaken(levels, found, severities.ranks(connection))


def _intervals(
    alerts: Mapping[int, Alert], definitions: Definitions, now: datetime, policy: Policy | None
) -> Mapping[int, tuple[Mute, ...]]:
    if policy is not None:
        return dict.fromkeys(alerts, by_intervals(policy, definitions.time_intervals, now))
    found: dict[int, tuple[Mute, ...]] = {}
    known: dict[tuple[str, ...], tuple[Mute, ...]] = {}
    for number, alert in alerts.items():
        taken = policies(definitions.rules.get(alert.source), alert.labels, definitions.tree)
        routes = tuple(policy.route_id for policy in taken)
        if routes not in known:
            known[routes] = by_every_route(taken, definitions.time_intervals, now)
        found[number] = known[routes]
    return found


def entries(group: Group, found: Mutes, at: datetime) -> list[Entry]:
    """What the ledger learns at a flush: alerts whose muters are others than at the last one, and those nobody mutes any more.

    A row's reason is the first muter's kind; `by`, `until` and `also` are in its detail, and for a firing alert that mutes,
    `sources` says which one mutes which.
    """
    changed: dict[tuple[Muter, ...], list[int]] = {}
    for number, every in found.items():
        muters = muters_of(every)
        if group.muted.get(number) != muters:
            changed.setdefault(muters, []).append(number)
    made = [_entry(group, at, found, numbers) for numbers in changed.values()]
    ended = sorted(group.muted.keys() - found.keys())
    if ended:
        made.append(_of(group, at, "ended", ended, {}))
    return made


def muters_of(every: Iterable[Mute]) -> tuple[Muter, ...]:
    """What a group remembers of an alert's mutes; which alert inhibits and until when may change without a word."""
    return tuple((mute.kind, mute.by) for mute in every)


def _entry(group: Group, at: datetime, found: Mutes, numbers: list[int]) -> Entry:
    first, *others = found[numbers[0]]
    until = None if first.until is None else first.until.isoformat()
    detail: dict[str, object] = {"by": first.by, "version": first.version, "until": until, "said": first.said}
    if others:
        detail["also"] = [{"kind": mute.kind.value, "by": mute.by} for mute in others]
    if first.source is not None:
        detail["sources"] = {str(number): found[number][0].source for number in numbers}
    return _of(group, at, first.kind.value, sorted(numbers), detail)


def _of(group: Group, at: datetime, reason: str, numbers: list[int], detail: Mapping[str, object]) -> Entry:
    return Entry(
        at=at,
        kind=Kind.MUTE,
        reason=reason,
        subject_type=Subject.GROUP,
        subject_id=str(group.id),
        alert_ids=numbers,
        detail=detail,
    )
