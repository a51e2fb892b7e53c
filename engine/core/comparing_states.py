"""How alerts stand now in two Alertmanagers' eyes: in which groups of which receivers, and told or suppressed by what."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from rules.labels import Labels


class Apart(StrEnum):
    """How an alert in a group differs."""

    ONLY_HERE = "only here"
    ONLY_THERE = "only there"
    STATE = "state"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stands:
    """An alert in a group of a receiver: active, or suppressed by things of these kinds."""

    receiver: str
    group: Labels
    alert: Labels
    muted_by: frozenset[str] = frozenset()

    @property
    def place(self) -> tuple[str, Labels, Labels]:
        """Which alert in which group of which receiver."""
        return self.receiver, self.group, self.alert

    @property
    def state(self) -> str:
        """As it is told."""
        return f"suppressed by {', '.join(sorted(self.muted_by))}" if self.muted_by else "active"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """An alert that stands otherwise on the two sides."""

    apart: Apart
    ours: Stands | None
    theirs: Stands | None


def compare(ours: Iterable[Stands], theirs: Iterable[Stands]) -> tuple[int, tuple[Difference, ...]]:
    """How many stand alike, and every one that does not, by receiver, group and alert."""
    here, there = _by_place(ours), _by_place(theirs)
    found = []
    for place in sorted(here.keys() | there.keys(), key=str):
        one, other = here.get(place), there.get(place)
        if other is None:
            found.append(Difference(apart=Apart.ONLY_HERE, ours=one, theirs=None))
        elif one is None:
            found.append(Difference(apart=Apart.ONLY_THERE, ours=None, theirs=other))
        elif one.muted_by != other.muted_by:
            found.append(Difference(apart=Apart.STATE, ours=one, theirs=other))
    return len(here.keys() | there.keys()) - len(found), tuple(found)


def _by_place(stands: Iterable[Stands]) -> Mapping[tuple[str, Labels, Labels], Stands]:
    return {one.place: one for one in stands}
