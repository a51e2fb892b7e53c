"""Groups whose last flush found nothing to tell and nothing to write: what it found, so that the next one need not look again.

A flush is a function of what the group's rows say, of the definitions, of what mutes its alerts and of the time. All of that is
remembered by value and compared with what stands in the transaction that would flush: while it is the same, the flush would
decide the same, and only the group's timer goes on. So it does not matter who changes a row, nor which process flushes.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from engine.bearings import Bearing
from engine.core.flush import Target
from engine.core.inhibiting import Inhibitor
from engine.core.notifying import Terms, Told
from engine.muting import Look
from engine.store.definitions import Definitions
from engine.store.flushes import Stand
from rules.channels import Channel
from rules.rule import Rule
from rules.silences import Silence, holding
from rules.thresholds import Threshold

MOST_KNOWN: Final = 200_000
"""Groups that are remembered; beyond it all are forgotten, and flushed in full once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rest:
    """What a flush went by that had nothing to say.

    Of `every` silence there was, `silences` are those that cover one of its alerts, whatever the time, and `held` those that
    held. `inhibited` has the rules that inhibit each alert that some rule is meant for. At `until` a repeat falls due; `None`
    is never.
    """

    content: Hashable
    bearing: Bearing
    numbers: tuple[int, ...]
    every: tuple[Silence, ...]
    silences: tuple[Silence, ...]
    held: tuple[Silence, ...]
    inhibited: Mapping[int, tuple[str, ...]]
    until: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Behind:
    """Groups with their alerts that were found among the same silences, and those that came, went or were edited since."""

    changed: Sequence[Silence]
    groups: dict[int, tuple[int, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Ground:
    """The definitions as far as a flush of any group goes by them. Parts that did not change are the same objects."""

    configuration: int
    channels: Mapping[str, Channel]
    thresholds: Mapping[str, tuple[Threshold, ...]]
    rules: Mapping[str, Rule]
    speaking: Mapping[str, tuple[str, ...]]

    def is_same(self, other: _Ground) -> bool:
        return (
            self.configuration == other.configuration
            and self.channels is other.channels
            and self.thresholds is other.thresholds
            and self.speaking == other.speaking
        )


@dataclass(slots=True)
class Resting:
    """What is known of resting groups; of use to the one thread that flushes."""

    _ground: _Ground | None = None
    _known: dict[int, Rest] = field(default_factory=dict)

    def stand_on(self, definitions: Definitions) -> None:
        """From now on these definitions are meant; what was found by others is forgotten, unless only silences differ."""
        ground = _ground(definitions, self._ground)
        if self._ground is None or not ground.is_same(self._ground):
            self._known.clear()
        self._ground = ground

    def among(self, ids: Iterable[int]) -> list[int]:
        """Those of these groups that rest, as far as is known."""
        return [number for number in ids if number in self._known]

    def behind(self, ids: Iterable[int], silences: tuple[Silence, ...]) -> list[Behind]:
        """Those of these groups that were found among other silences."""
        found: dict[int, Behind] = {}
        for number in ids:
            rest = self._known.get(number)
            if rest is not None and rest.every is not silences:
                if id(rest.every) not in found:
                    found[id(rest.every)] = Behind(changed=changed(rest.every, silences))
                found[id(rest.every)].groups[number] = rest.numbers
        return list(found.values())

    def follow(self, behind: Behind, covered: Set[int], silences: tuple[Silence, ...]) -> None:
        """Forget those of these groups that have an alert which one of the silences in between covers (`covered`).

        To all others it is as if nothing had changed.
        """
        for group_id, numbers in behind.groups.items():
            if covered.isdisjoint(numbers):
                self._known[group_id] = replace(self._known[group_id], every=silences)
            else:
                self.forget(group_id)

    def targets(self, ids: Iterable[int]) -> list[int]:
        """The alerts of these groups that an inhibit rule is meant for."""
        found = (self._known[number] for number in ids if number in self._known)
        return [number for rest in found for number in rest.inhibited]

    def remember(self, group_id: int, rest: Rest) -> None:
        """This group rests."""
        if len(self._known) >= MOST_KNOWN:
            self._known.clear()
        self._known[group_id] = rest

    def forget(self, group_id: int) -> None:
        """This group must be flushed in full."""
        self._known.pop(group_id, None)

    def is_same(
        self,
        stand: Stand,
        bearing: Bearing,
        inhibitors: Mapping[int, Sequence[Inhibitor]],
        *,
        at: datetime,
        now: datetime,
        definitions: Definitions,
    ) -> bool:
        """Whether a flush that stands for `at` would find, `now`, what the last one found."""
        rest = self._known.get(stand.id)
        return rest is not None and (
            rest.content == stand.content
            and (rest.until is None or at < rest.until)
            and rest.bearing == bearing
            and rest.held == holding(rest.silences, now, definitions.time_intervals)
            and rest.inhibited == inhibited(rest.inhibited, inhibitors)
        )


def rest(
    stand: Stand, bearing: Bearing, look: Look, numbers: Collection[int], told: Iterable[tuple[Told, Terms]]
) -> Rest:
    """What to remember of a flush that had nothing to say: how the group stood, and what mutes its alerts."""
    silences = look.covering(numbers)
    return Rest(
        content=stand.content,
        bearing=bearing,
        numbers=tuple(numbers),
        every=look.definitions.silences,
        silences=silences,
        held=holding(silences, look.now, look.definitions.time_intervals),
        inhibited=inhibited((number for number in numbers if number in look.inhibitors), look.inhibitors),
        until=min(
            (known.at + terms.repeat_interval for known, terms in told if known.firing and known.at), default=None
        ),
    )


def changed(before: tuple[Silence, ...], after: tuple[Silence, ...]) -> list[Silence]:
    """The silences that are in only one of both. One that was read again counts as another, be it the same."""
    old, new = ({id(one) for one in every} for every in (before, after))
    return [one for one in before if id(one) not in new] + [one for one in after if id(one) not in old]


def is_restful(stand: Stand) -> bool:
    """Whether a group that stands so can rest: all of its alerts fire."""
    return stand.unfiring == 0


def inhibited(numbers: Iterable[int], inhibitors: Mapping[int, Sequence[Inhibitor]]) -> Mapping[int, tuple[str, ...]]:
    """The rules that inhibit each of these alerts; by which alert is no matter, as long as there is one."""
    return {number: tuple(one.rule_id for one in inhibitors.get(number, ())) for number in numbers}


def addressees(terms: Mapping[Target, Terms], told: Mapping[Target, Told]) -> Iterable[tuple[Told, Terms]]:
    """What each addressee was told, beside its terms."""
    return [(told[target], wanted) for target, wanted in terms.items() if target in told]


def _ground(definitions: Definitions, before: _Ground | None) -> _Ground:
    same = before is not None and before.rules is definitions.rules
    return _Ground(
        configuration=definitions.configuration.version,
        channels=definitions.channels,
        thresholds=definitions.thresholds,
        rules=definitions.rules,
        speaking=before.speaking if before is not None and same else _speaking(definitions.rules),
    )


def _speaking(rules: Mapping[str, Rule]) -> Mapping[str, tuple[str, ...]]:
    """The rules that name channels of their own; nothing else of a rule has a part in a flush that says nothing."""
    return {key: rule.notification_channels for key, rule in rules.items() if rule.notification_channels}
