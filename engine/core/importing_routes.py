"""Which of the routes that stand each route of an imported tree is, so that it keeps its id, its groups and its incidents.

Two trees are compared from the root down. Below the same parent routes are paired by all they say, then by matchers and
receiver, then by matchers, then by receiver and place among their siblings; what is left over is looked for elsewhere in the
tree, by matchers and receiver, as a route that was moved.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from rules.routing import ROOT, Route


class Branch(Protocol):
    """A route of the file and those below it, in their order."""

    @property
    def route(self) -> Route: ...
    @property
    def below(self) -> Sequence[Branch]: ...


Identity = tuple[object, ...]


def placed(
    root: Branch, standing: Iterable[Route], *, origin: str, taken: Collection[str] = ()
) -> tuple[tuple[Route, ...], tuple[Route, ...]]:
    """The routes of the tree under their ids, parents before children, and the standing routes that are in it no more.

    `standing` are the import's own routes, the root among them whoever owns it; `taken` are ids that no new route may be
    given. What a file cannot say of a route (`notify_on_unmute`, `team`) stays.
    """
    left = {route.id: route for route in standing}
    pairing = _Pairing(origin=origin, left=left, used={*taken, *left})
    before = pairing.left.pop(ROOT, None)
    top = _over(replace(root.route, id=ROOT, parent_id=None, position=0, origin=origin), before)
    known = {id(branch): route for branch, route in pairing.below(root, ROOT)}
    routes = (top, *pairing.routes(root, ROOT, known))
    return routes, tuple(pairing.left.values())


@dataclass(slots=True, kw_only=True)
class _Pairing:
    """The standing routes that are not paired yet."""

    origin: str
    left: dict[str, Route]
    used: set[str] = field(default_factory=set)

    def below(self, branch: Branch, parent_id: str) -> Iterator[tuple[Branch, Route]]:
        """Each branch below this one that is paired where it is, with the route it is; those below an unknown are unknown."""
        candidates = sorted(
            (r for r in self.left.values() if r.parent_id == parent_id), key=lambda r: (r.position, r.id)
        )
        pairs: dict[int, Route] = {}
        for identity in (_content, _looks, _matchers):
            self._pair(branch.below, candidates, identity, pairs)
        self._pair_by_place(branch.below, candidates, pairs)
        for at, route in sorted(pairs.items()):
            yield branch.below[at], route
            yield from self.below(branch.below[at], route.id)

    def routes(self, branch: Branch, parent_id: str, known: dict[int, Route]) -> Iterator[Route]:
        """The routes below this branch, each under the id of the one it is, was elsewhere, or under one of its own."""
        for place, child in enumerate(branch.below):
            before = known.get(id(child)) or self._moved(child)
            route_id = before.id if before else self._free_id(child.route, parent_id)
            wanted = replace(child.route, id=route_id, parent_id=parent_id, position=place, origin=self.origin)
            yield _over(wanted, before)
            if id(child) not in known:
                known |= {id(one): route for one, route in self.below(child, route_id)}
            yield from self.routes(child, route_id, known)

    def _pair(
        self,
        branches: Sequence[Branch],
        candidates: Iterable[Route],
        identity: Callable[[Route], Identity],
        pairs: dict[int, Route],
    ) -> None:
        waiting: dict[Identity, list[Route]] = {}
        for route in candidates:
            if route.id in self.left:
                waiting.setdefault(identity(route), []).append(route)
        for at, branch in enumerate(branches):
            alike = waiting.get(identity(branch.route))
            if at not in pairs and alike:
                pairs[at] = self.left.pop(alike.pop(0).id)

    def _pair_by_place(self, branches: Sequence[Branch], candidates: Sequence[Route], pairs: dict[int, Route]) -> None:
        """Pair what is left over and leads to the same receiver from the same place; of two lists the longer has no such."""
        for at, (branch, route) in enumerate(zip(branches, candidates, strict=False)):
            if at not in pairs and route.id in self.left and route.receiver == branch.route.receiver:
                pairs[at] = self.left.pop(route.id)

    def _moved(self, branch: Branch) -> Route | None:
        looks = _looks(branch.route)
        found = next((route for route in self.left.values() if _looks(route) == looks), None)
        return None if found is None else self.left.pop(found.id)

    def _free_id(self, route: Route, parent_id: str) -> str:
        """An id that the same route gets wherever the file is imported, unless that is somebody's already."""
        said = "\0".join([self.origin, parent_id, route.receiver, *sorted(map(str, route.matchers))])
        times = 0
        while (found := hashlib.sha256(f"{said}\0{times}".encode()).hexdigest()[:16]) in self.used:
            times += 1
        self.used.add(found)
        return found


def _over(wanted: Route, before: Route | None) -> Route:
    if before is None:
        return wanted
    return replace(wanted, notify_on_unmute=before.notify_on_unmute, team=before.team, version=before.version)


def _content(route: Route) -> Identity:
    timings = (route.group_wait, route.group_interval, route.repeat_interval)
    said = (route.group_by, route.continue_, *timings, route.mute_time_intervals, route.active_time_intervals)
    return (*_looks(route), *said)


def _looks(route: Route) -> Identity:
    return (route.receiver, *_matchers(route))


def _matchers(route: Route) -> Identity:
    return tuple(sorted(map(str, route.matchers)))
