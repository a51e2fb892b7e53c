"""Who hears of an alert, by name: the receiver of each route it takes, or that route's channels where it names none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from api.backend import Definitions
from engine.core.grouping import policies
from rules.formats import alertmanager_text
from rules.routing import IMPLICIT, Node, Policy, implicit


@dataclass(frozen=True, slots=True)
class Receivers:
    """The names of all receivers under one routing tree."""

    definitions: Definitions
    by_route: Mapping[str, str]

    @staticmethod
    def under(definitions: Definitions) -> Receivers:
        return Receivers(definitions, alertmanager_text.receivers(definitions.tree))

    def name(self, policy: Policy) -> str:
        """The receiver of a route; that of a rule's own route is the rule's channels."""
        return self.by_route.get(policy.route_id, policy.receiver)

    def of(self, source: str, labels: Mapping[str, str]) -> tuple[str, ...]:
        """The receivers of an alert, in the order of its routes."""
        taken = policies(self.definitions.rules.get(source), labels, self.definitions.tree)
        return tuple(self.name(policy) for policy in taken)

    def every(self) -> list[str]:
        """Every receiver there is, once."""
        return list(dict.fromkeys(self.name(policy) for policy in policies_of(self.definitions)))


def policy_of(definitions: Definitions, route_id: str) -> Policy:
    """The policy of a group's route; that of a route which is gone names nobody."""
    root = definitions.tree.root.policy
    if not route_id.startswith(IMPLICIT):
        return definitions.tree.policies.get(route_id) or implicit(route_id, (), root)
    rule_id = route_id.removeprefix(IMPLICIT)
    rule = definitions.rules.get(rule_id)
    return implicit(rule_id, () if rule is None else rule.notification_channels, root)


def policies_of(definitions: Definitions) -> list[Policy]:
    """The policy of every route and of every rule that names channels, a route's before those below it."""
    root = definitions.tree.root
    own = [rule for rule in definitions.rules.values() if rule.notification_channels]
    return [
        *_below(root),
        *(implicit(rule.id, rule.notification_channels, root.policy) for rule in sorted(own, key=lambda rule: rule.id)),
    ]


def _below(node: Node) -> Iterator[Policy]:
    yield node.policy
    for child in node.children:
        yield from _below(child)
