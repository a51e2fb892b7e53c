"""The routing tree in force, planted from the routes there are: a tree that is none never takes the place of one that is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from engine.store.parts import Part
from rules import routing
from rules.channels import LOG_CHANNEL
from rules.errors import RouteError
from rules.problems import Problem, Severity
from rules.routing import Route, Tree

LAST_RESORT: Final = Route(id=routing.ROOT, receiver=LOG_CHANNEL, channels=(LOG_CHANNEL,))
"""The root while a fresh start finds none it can use: what would be routed is at least written down."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Planted:
    """The tree in force and, when it is not the one declared, why."""

    tree: Tree
    problem: str | None = None


def plant(part: Part[Route], previous: Tree | None) -> Planted:
    """The tree of these routes, else the previous one; at a fresh start as much of it as hangs on a usable root."""
    routes = part.values
    try:
        return Planted(tree=routing.build(routes.values()))
    except RouteError as error:
        reason = error.message
    if previous is not None:
        return Planted(tree=previous, problem=f"routes: {reason}; the previous tree stays in force")
    tree = routing.build(_hanging(routes))
    return Planted(tree=tree, problem=f"routes: {reason}; only what hangs on the root is in force")


def check_route(route: Route) -> tuple[Problem, ...]:
    """What is wrong with the route by itself, wherever it hangs."""
    hung = replace(route, parent_id=route.parent_id and routing.ROOT)
    try:
        routing.build([route] if route.id == routing.ROOT else [Route(id=routing.ROOT), hung])
    except RouteError as error:
        return (Problem(severity=Severity.ERROR, field=error.field or "", message=error.message),)
    return ()


def _hanging(routes: Mapping[str, Route]) -> list[Route]:
    """The root and every route that reaches it by its parents, as deep as a tree may be."""
    level = [routes.get(routing.ROOT, LAST_RESORT)]
    found = level
    for _ in range(routing.DEEPEST):
        parents = {route.id for route in level}
        level = [route for route in routes.values() if route.parent_id in parents]
        found = found + level
    return found
