"""What a channel would be told of an alert, and of all that fires with it in its group, without telling anybody."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from engine.core import messages
from engine.core.alert import Alert
from engine.core.facts import Facts
from engine.core.flush import Group
from engine.core.messages import Message
from engine.core.notifying import Decision, Reason, Told
from engine.store import groups
from engine.store.door import Connection
from engine.telling import Rules, Telling
from rules.channels import Channel
from rules.labels import ALERTNAME
from rules.routing import Tree


class Definitions(Rules, Protocol):
    """The rules and the routes in force."""

    @property
    def tree(self) -> Tree: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """The message, and how many alerts it is about."""

    message: Message
    alerts: int


def alerts_told(connection: Connection, alert: Alert) -> tuple[Group | None, dict[int, Alert]]:
    """The group the alert is told with now, and that group's alerts; without a group, the alert alone."""
    group = groups.holding(connection, alert.id or 0)
    return group, {alert.id or 0: alert} if group is None else groups.members(connection, group.id)


def facts(
    telling: Telling,
    definitions: Definitions,
    found: Mapping[int, Alert],
    group: Group | None,
    *,
    now: datetime,
    resolved: bool,
) -> Facts:
    """What a flush of the group at `now` would say: that all of it fires, or with `resolved` that all of it is over."""
    first = next(iter(found.values()))
    shown = group or Group(
        id=0, route_id="root", labels=first.labels.subset([ALERTNAME]), dedup_key="preview", flush_at=now
    )
    numbers = frozenset(found)
    reason = Reason.ALL_RESOLVED if resolved else Reason.FIRST_NOTIFICATION
    decision = Decision(
        reason=reason,
        told=Told(),
        firing=frozenset() if resolved else numbers,
        resolved=numbers if resolved else frozenset(),
    )
    policy = definitions.tree.policies.get(shown.route_id, definitions.tree.root.policy)
    ended = {number: replace(one, resolved_at=now) if resolved else one for number, one in found.items()}
    return telling.facts(replace(shown, flush_at=now), policy, decision, ended, mutes={}, definitions=definitions)


def preview(channel: Channel, told: Facts, templates: Mapping[str, str] | None = None) -> Preview:
    """The message of these facts, with `templates` in place of the channel's own where they are given."""
    own = channel if templates is None else replace(channel, templates=templates)
    return Preview(message=messages.message(own, told), alerts=len(told.alerts))
