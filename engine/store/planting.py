"""The configuration in force, made of the rows there are: one whose routes are no tree never takes the place of one that is.

What stays in force then is the row of `configurations` accepted last, so that a restart and another replica keep the same; in
a database that has none yet, what this process had before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy import Connection

from engine.store import configurations
from engine.store.configurations import Accepted
from engine.store.parts import Part
from rules import configuration, routing
from rules.channels import LOG_CHANNEL, Channel
from rules.configuration import Configuration
from rules.errors import RouteError
from rules.inhibition import InhibitRule
from rules.problems import Problem, Severity
from rules.routing import Route
from rules.time_intervals import TimeInterval

LAST_RESORT: Final = Route(id=routing.ROOT, receiver=LOG_CHANNEL, channels=(LOG_CHANNEL,))
"""The root while a fresh start finds none it can use: what would be routed is at least written down."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Soil:
    """The parts that a configuration is made of."""

    routes: Part[Route]
    inhibit_rules: Part[InhibitRule]
    time_intervals: Part[TimeInterval]
    channels: Part[Channel]

    def made_anew(self, before: Soil) -> bool:
        """Whether any part is another one than before."""
        return (
            self.routes is not before.routes
            or self.inhibit_rules is not before.inhibit_rules
            or self.time_intervals is not before.time_intervals
            or self.channels is not before.channels
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Planted:
    """The configuration in force and, when it is not the one declared, why. `declared` is False then."""

    configuration: Configuration
    problem: str | None = None

    @property
    def declared(self) -> bool:
        return self.problem is None


def plant(connection: Connection, soil: Soil, before: Soil, previous: Planted | None) -> Planted:
    """The configuration of these parts, else the one accepted last; before there is any, what hangs on a usable root."""
    try:
        grown = _grown(soil, before, previous)
    except RouteError as error:
        return _kept(connection, soil, previous, error.message)
    return settle(connection, Planted(configuration=grown))


def settle(connection: Connection, planted: Planted) -> Planted:
    """The same with the number under which it was accepted, once it was; the very same while that is unchanged."""
    if not planted.declared or planted.configuration.version:
        return planted
    known = configurations.latest(connection)
    if known is None or known.digest != configurations.digest_of(planted.configuration):
        return planted
    return Planted(configuration=planted.configuration.numbered(known.version))


def check_route(route: Route) -> tuple[Problem, ...]:
    """What is wrong with the route by itself, wherever it hangs."""
    return tuple(
        Problem(severity=Severity.ERROR, field=fault.field or "", message=fault.message)
        for fault in routing.faults(route)
    )


def _grown(soil: Soil, before: Soil, previous: Planted | None) -> Configuration:
    """The configuration these parts make; its tree is that of the previous one where no route has changed."""
    kept = previous is not None and previous.declared and soil.routes is before.routes
    tree = previous.configuration.tree if previous is not None and kept else routing.build(soil.routes.values.values())
    return Configuration(
        tree=tree if tree.version == 0 else replace(tree, version=0),
        inhibit_rules=configuration.ordered(soil.inhibit_rules.values.values()),
        time_intervals=soil.time_intervals.values,
        channels={name: channel.version for name, channel in soil.channels.values.items()},
    )


def _kept(connection: Connection, soil: Soil, previous: Planted | None, reason: str) -> Planted:
    known = configurations.latest(connection)
    found = _accepted(connection, known, previous)
    if found is not None:
        which = f"configuration {found.version}" if found.version else "the previous one"
        stays = f"the previous tree stays in force, with its inhibit rules and time intervals ({which})"
        return Planted(configuration=found, problem=f"routes: {reason}; {stays}")
    hanging = Configuration(
        tree=routing.build(_hanging(soil.routes.values)),
        inhibit_rules=configuration.ordered(soil.inhibit_rules.values.values()),
        time_intervals=soil.time_intervals.values,
    )
    return Planted(configuration=hanging, problem=f"routes: {reason}; only what hangs on the root is in force")


def _accepted(connection: Connection, known: Accepted | None, previous: Planted | None) -> Configuration | None:
    """The configuration accepted last, else the one before this edit."""
    remembered = None if previous is None else previous.configuration
    if known is None or (remembered is not None and remembered.version == known.version):
        return remembered
    return configurations.read(connection, known.version)


def _hanging(routes: Mapping[str, Route]) -> list[Route]:
    """The root and every route that reaches it by its parents, as deep as a tree may be."""
    level = [routes.get(routing.ROOT, LAST_RESORT)]
    found = level
    for _ in range(routing.DEEPEST):
        parents = {route.id for route in level}
        level = [route for route in routes.values() if route.parent_id in parents]
        found = found + level
    return found
