"""Routes, inhibit rules and time intervals as one frozen value: accepted together, or not at all.

The parts lean on each other: a route names intervals, an inhibit rule counts on what routes tell apart. So an edit that makes
no tree leaves all of the value before it in force, and every decision names the one version it went by.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from rules import routing
from rules.inhibition import InhibitRule
from rules.routing import Route, Tree
from rules.time_intervals import TimeInterval


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """What decides who hears what and when. `version` counts what was accepted; 0 is one that nobody has accepted yet.

    `channels` are the versions of the channels it was declared beside: a channel's address is never part of it, because a
    secret that was changed must be in use at once.
    """

    tree: Tree
    inhibit_rules: tuple[InhibitRule, ...] = ()
    time_intervals: Mapping[str, TimeInterval] = field(default_factory=dict)
    channels: Mapping[str, int] = field(default_factory=dict)
    version: int = 0

    def numbered(self, version: int) -> Configuration:
        """The same, accepted under this version."""
        if version == self.version:
            return self
        return replace(self, version=version, tree=replace(self.tree, version=version))


def build(
    routes: Iterable[Route],
    inhibit_rules: Iterable[InhibitRule] = (),
    time_intervals: Mapping[str, TimeInterval] = MappingProxyType({}),
    channels: Mapping[str, int] = MappingProxyType({}),
) -> Configuration:
    """The configuration of these parts; inhibit rules stand in the order of their ids.

    Raises RouteError, as routing.build does, when the routes make no tree.
    """
    return Configuration(
        tree=routing.build(routes),
        inhibit_rules=ordered(inhibit_rules),
        time_intervals=time_intervals,
        channels=channels,
    )


def ordered(inhibit_rules: Iterable[InhibitRule]) -> tuple[InhibitRule, ...]:
    """The rules in the order of their ids, in which they stand in a configuration."""
    return tuple(sorted(inhibit_rules, key=lambda rule: rule.id))
