"""What an import of Alertmanager's file does: which channels, intervals, routes and inhibit rules are new, changed or gone.

The file is all there is to the import: what it says no more is removed, except a channel that somebody else's rule or route
still names. What others own is never touched; a name of theirs is left to them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from typing import Protocol

from engine.core import importing_routes
from engine.core.importing import Reason, Why
from engine.core.importing_routes import Branch
from rules.channels import Channel
from rules.formats.alertmanager_form import SECRET
from rules.inhibition import InhibitRule
from rules.routing import ROOT, Route
from rules.time_intervals import TimeInterval

FRESH = "tocsin"
"""The origin of what a fresh database holds."""
Definition = Channel | TimeInterval | Route | InhibitRule


class Noun(StrEnum):
    """What a change is about, in the order in which what is new is written."""

    CHANNEL = "channel"
    TIME_INTERVAL = "time interval"
    ROUTE = "route"
    INHIBIT_RULE = "inhibit rule"


class Declared(Protocol):
    """What the file declares; a branch's route names channels and intervals as they are called in the file."""

    @property
    def root(self) -> Branch | None: ...
    @property
    def channels(self) -> Sequence[Channel]: ...
    @property
    def inhibit_rules(self) -> Sequence[InhibitRule]: ...
    @property
    def time_intervals(self) -> Sequence[TimeInterval]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """All definitions there are, whoever owns them; `named` are the channels that rules name."""

    channels: Sequence[Channel] = ()
    time_intervals: Sequence[TimeInterval] = ()
    routes: Sequence[Route] = ()
    inhibit_rules: Sequence[InhibitRule] = ()
    named: Collection[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One definition as it stands and as it shall stand; `None` where it is not."""

    noun: Noun
    before: Definition | None
    after: Definition | None

    @property
    def key(self) -> str:
        """What the definition is known by."""
        one = self.after or self.before
        assert one is not None
        return _key(one)

    @property
    def differences(self) -> tuple[str, ...]:
        """The fields that differ, by their names in Alertmanager's file where they have one there."""
        if self.before is None or self.after is None:
            return ()
        names = (one.name for one in fields(self.after) if one.name != "version")
        return tuple(name.rstrip("_") for name in names if getattr(self.before, name) != getattr(self.after, name))


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What an import makes different; `notes` say what stays although the file does not have it, and what is renamed."""

    added: tuple[Change, ...] = ()
    changed: tuple[Change, ...] = ()
    removed: tuple[Change, ...] = ()
    unchanged: int = 0
    notes: tuple[str, ...] = ()
    reasons: tuple[Reason, ...] = field(default=())
    """Why it would need to be forced."""

    @property
    def is_empty(self) -> bool:
        return not (self.added or self.changed or self.removed)


def taken(standing: Standing, origin: str) -> frozenset[str]:
    """The names of channels that are somebody else's."""
    return frozenset(channel.name for channel in standing.channels if channel.origin != origin)


def plan(
    declared: Declared,
    standing: Standing,
    *,
    origin: str,
    keep: Callable[[Channel, Channel | None], Channel] = lambda channel, _before: channel,
) -> Plan:
    """The way from what stands to what the file declares. `keep` says how a channel is stored over the one before it."""
    assert declared.root is not None
    renamed = _renamed(declared.time_intervals, standing, origin)
    own = [route for route in standing.routes if _is_placed(route, origin)]
    foreign = {route.id for route in standing.routes if not _is_placed(route, origin)}
    root = _with_intervals(declared.root, renamed)
    routes, gone = importing_routes.placed(root, own, origin=origin, taken=foreign)
    intervals = [replace(one, name=renamed.get(one.name, one.name), origin=origin) for one in declared.time_intervals]
    inhibiting = _inhibiting(declared.inhibit_rules, standing, origin)
    changes = [
        *_channels(declared.channels, standing, origin, keep),
        *_changes(Noun.TIME_INTERVAL, _keyed(intervals), _own(standing.time_intervals, origin)),
        *_changes(Noun.ROUTE, _keyed(routes), _keyed(own)),
        *_changes(Noun.INHIBIT_RULE, _keyed(inhibiting), _own(standing.inhibit_rules, origin)),
    ]
    kept = _still_named(changes, standing, origin)
    return _sorted_out(
        [change for change in changes if not (change.noun is Noun.CHANNEL and change.key in kept)],
        notes=tuple(_notes(kept, renamed)),
        reasons=tuple(_reasons(standing, origin, {route.id for route in gone})),
    )


def _is_placed(route: Route, origin: str) -> bool:
    """Whether the import says where the route stands: all of its own, and the root whoever owns it."""
    return route.origin == origin or route.id == ROOT


def _notes(kept: Mapping[str, str], renamed: Mapping[str, str]) -> Iterator[str]:
    for name, who in kept.items():
        yield f"channel {name!r} stays, because {who} names it"
    for name, other in renamed.items():
        yield f"a time interval {name!r} is there already, and is not the import's: this one is called {other!r}"


def _sorted_out(every: Sequence[Change], notes: tuple[str, ...], reasons: tuple[Reason, ...]) -> Plan:
    return Plan(
        added=tuple(change for change in every if change.before is None),
        changed=tuple(c for c in every if c.before is not None and c.after is not None and c.before != c.after),
        removed=tuple(change for change in every if change.after is None),
        unchanged=sum(change.before == change.after for change in every),
        notes=notes,
        reasons=reasons,
    )


def _changes(noun: Noun, wanted: Mapping[str, Definition], own: Mapping[str, Definition]) -> Iterator[Change]:
    for key in dict.fromkeys([*wanted, *own]):
        before, after = own.get(key), wanted.get(key)
        if before is not None and after is not None:
            after = replace(after, version=before.version)
        yield Change(noun=noun, before=before, after=after)


def _key(one: Definition) -> str:
    return one.name if isinstance(one, Channel | TimeInterval) else one.id


def _keyed(definitions: Iterable[Definition]) -> dict[str, Definition]:
    return {_key(one): one for one in definitions}


def _own(definitions: Iterable[TimeInterval | InhibitRule], origin: str) -> dict[str, Definition]:
    return _keyed(one for one in definitions if one.origin == origin)


def _channels(
    declared: Iterable[Channel],
    standing: Standing,
    origin: str,
    keep: Callable[[Channel, Channel | None], Channel],
) -> Iterator[Change]:
    mine = {channel.name: channel for channel in standing.channels if channel.origin == origin}
    wanted = {
        channel.name: keep(_over(replace(channel, origin=origin), mine.get(channel.name)), mine.get(channel.name))
        for channel in declared
    }
    return _changes(Noun.CHANNEL, wanted, mine)


def _over(channel: Channel, before: Channel | None) -> Channel:
    """What a file cannot say of a channel stays, and so does a secret that it does not give, or gives as `<secret>`."""
    stored = before if before is not None and before.kind is channel.kind else replace(channel, url="", settings={})
    return replace(
        channel,
        url=stored.url if channel.url in ("", SECRET) else channel.url,
        settings=_settings_over(channel.settings, stored.settings),
        rate_limit=channel.rate_limit if before is None else before.rate_limit,
        team=channel.team if before is None else before.team,
    )


def _settings_over(given: Mapping[str, str], stored: Mapping[str, str]) -> dict[str, str]:
    settings = {name: stored.get(name, "") if text == SECRET else text for name, text in given.items()}
    return {name: text for name, text in settings.items() if text}


def _renamed(intervals: Iterable[TimeInterval], standing: Standing, origin: str) -> dict[str, str]:
    """New names for the intervals whose name is somebody else's."""
    used = {interval.name for interval in standing.time_intervals if interval.origin != origin}
    wanted = {interval.name for interval in intervals}
    found: dict[str, str] = {}
    for name in sorted(wanted & used):
        times = 2
        while f"{name}-{times}" in used | wanted:
            times += 1
        found[name] = f"{name}-{times}"
    return found


@dataclass(frozen=True, slots=True)
class _Renamed:
    route: Route
    below: tuple[_Renamed, ...]


def _with_intervals(branch: Branch, renamed: Mapping[str, str]) -> _Renamed:
    def names(given: Iterable[str]) -> tuple[str, ...]:
        return tuple(renamed.get(name, name) for name in given)

    route = branch.route
    route = replace(
        route,
        mute_time_intervals=names(route.mute_time_intervals),
        active_time_intervals=names(route.active_time_intervals),
    )
    return _Renamed(route, tuple(_with_intervals(child, renamed) for child in branch.below))


def _inhibiting(rules: Sequence[InhibitRule], standing: Standing, origin: str) -> list[InhibitRule]:
    """The rules under their ids: the same rule has the same wherever it is imported, one more for each time it is there."""
    others = {rule.id for rule in standing.inhibit_rules if rule.origin != origin}
    teams = {rule.id: rule.team for rule in standing.inhibit_rules}
    used = set(others)
    found = []
    for rule in rules:
        said = [rule.name, *map(str, rule.source_matchers), "\0", *map(str, rule.target_matchers), "\0", *rule.equal]
        times = 0
        while (id_ := hashlib.sha256("\0".join([origin, *said, str(times)]).encode()).hexdigest()[:16]) in used:
            times += 1
        used.add(id_)
        found.append(replace(rule, id=id_, origin=origin, team=teams.get(id_, "")))
    return found


def _still_named(changes: Iterable[Change], standing: Standing, origin: str) -> dict[str, str]:
    """The channels that would go and that somebody else still names, with who that is."""
    going = {change.key for change in changes if change.noun is Noun.CHANNEL and change.after is None}
    found = dict.fromkeys(sorted(going & set(standing.named)), "a rule")
    for route in standing.routes:
        if route.origin != origin and route.id != ROOT:
            found |= {name: f"route {route.id!r}" for name in route.channels or () if name in going}
    return found


def _reasons(standing: Standing, origin: str, gone: Collection[str]) -> Iterator[Reason]:
    for route in standing.routes:
        if route.id == ROOT and route.origin not in (origin, FRESH):
            message = f"the root route is of {route.origin!r}; the import would replace it, and own it from then on"
            yield Reason(why=Why.OWNED, message=message)
        if route.origin != origin and route.parent_id in gone:
            message = (
                f"route {route.id!r} of {route.origin!r} hangs below route {route.parent_id!r}, which would be removed"
            )
            yield Reason(why=Why.ORPHANED, message=message)
