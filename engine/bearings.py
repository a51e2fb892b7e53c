"""What a flush must know of a group's route: its policy, whom it reaches, and what mutes all that takes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from engine.addressing import Addressing, Reach
from engine.core.flush import Target
from engine.core.muting import Mute, by_intervals
from engine.core.notifying import Terms
from engine.store.definitions import Definitions
from rules.routing import IMPLICIT, Policy, implicit


@dataclass(frozen=True, slots=True, kw_only=True)
class Bearing:
    """What is the same for all groups of a route: whom it reaches, and which intervals mute it now."""

    reach: Reach
    muted_by: tuple[Mute, ...]


@dataclass(slots=True)
class Bearings:
    """The policies of a batch's groups, each with what is the same for all groups of its route, worked out once."""

    addressing: Addressing
    definitions: Definitions
    now: datetime
    _known: dict[str, tuple[Policy, Bearing]] = field(default_factory=dict)

    def reached(self, route_id: str) -> Mapping[Target, Terms]:
        """Whom the route reaches."""
        return self.of(route_id)[1].reach.terms

    def of(self, route_id: str) -> tuple[Policy, Bearing]:
        """The route's policy and bearing."""
        known = self._known.get(route_id)
        if known is None:
            policy = policy_of(route_id, self.definitions)
            reach: Reach = self.addressing.reach(policy, self.definitions)
            muted_by = by_intervals(policy, self.definitions.time_intervals, self.now)
            known = self._known[route_id] = policy, Bearing(reach=reach, muted_by=muted_by)
        return known


def policy_of(route_id: str, definitions: Definitions) -> Policy:
    """The policy of a group's route; one that is gone, or whose rule names no channels any more, has the root's timings."""
    root = definitions.tree.root.policy
    if route_id.startswith(IMPLICIT):
        rule_id = route_id.removeprefix(IMPLICIT)
        rule = definitions.rules.get(rule_id)
        return implicit(rule_id, () if rule is None else rule.notification_channels, root)
    return definitions.tree.policies.get(route_id) or implicit(route_id, (), root)
