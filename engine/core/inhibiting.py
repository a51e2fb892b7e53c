"""Which firing alerts inhibit a target, and by which rule: the plain answer, and an index that gives it among thousands."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from engine.core.sieve import Sieve
from rules.inhibition import InhibitRule, equal_values, inhibits, is_source, is_target
from rules.labels import Labels


@dataclass(frozen=True, slots=True, kw_only=True)
class Inhibitor:
    """What inhibits a target: the rule, and a firing alert that is its source. Where several are, one of them is named."""

    rule_id: str
    alert_id: int
    version: int | None = field(default=None, compare=False)


def inhibitors(rules: Iterable[InhibitRule], firing: Mapping[int, Labels], target: Labels) -> tuple[Inhibitor, ...]:
    """One inhibitor for every rule by which one of the alerts `firing` (by row number) inhibits the target, in the rules' order.

    This is the plain version, which looks at every alert for every rule; Sources answers the same from an index.
    """
    found = []
    for rule in rules:
        sources = (number for number, labels in firing.items() if inhibits(rule, labels, target))
        first = next(sources, None)
        if first is not None:
            found.append(Inhibitor(rule_id=rule.id, alert_id=first, version=rule.version))
    return tuple(found)


class Sources:
    """The firing alerts, by the rules whose source side they match and the values of their `equal` labels.

    A rule's sources are kept in two heaps, since those that are targets of it too inhibit no target that is a source too.
    """

    def __init__(self, rules: Sequence[InhibitRule]) -> None:
        self.rules = tuple(rules)
        self._by_source = Sieve([rule.source_matchers for rule in self.rules])
        self._by_target = Sieve([rule.target_matchers for rule in self.rules])
        self._live: list[_Heaps] = [({}, {}) for _ in self.rules]
        self._places: dict[int, list[tuple[_Heap, tuple[str, ...]]]] = {}
        self._targets: dict[int, list[int]] = {}

    @property
    def numbers(self) -> frozenset[int]:
        """The row numbers of the alerts in it."""
        return frozenset(self._places)

    def add(self, number: int, labels: Labels) -> None:
        """This alert fires from now on."""
        places = self._places[number] = []
        for index in self._by_source.matching(labels):
            rule = self.rules[index]
            heap, values = self._live[index][is_target(rule, labels)], equal_values(rule, labels)
            heap.setdefault(values, {})[number] = None
            places.append((heap, values))

    def remove(self, number: int) -> None:
        """This alert fires no more."""
        self._targets.pop(number, None)
        for heap, values in self._places.pop(number):
            del heap[values][number]
            if not heap[values]:
                del heap[values]

    def targeting(self, number: int, target: Labels) -> list[int]:
        """The places of the rules whose target side the alert matches; what is in here is only looked at once."""
        known = self._targets.get(number)
        if known is None:
            known = self._by_target.matching(target)
            if number in self._places:
                self._targets[number] = known
        return known

    def inhibitors(self, number: int, target: Labels) -> tuple[Inhibitor, ...]:
        """One inhibitor for every rule that inhibits the target now, in the rules' order."""
        found = []
        for index in self.targeting(number, target):
            rule = self.rules[index]
            values = equal_values(rule, target)
            one_sided, two_sided = (heap.get(values, {}) for heap in self._live[index])
            live = one_sided or ({} if is_source(rule, target) else two_sided)
            if live:
                found.append(Inhibitor(rule_id=rule.id, alert_id=next(iter(live)), version=rule.version))
        return tuple(found)


_Heap = dict[tuple[str, ...], dict[int, None]]
_Heaps = tuple[_Heap, _Heap]
