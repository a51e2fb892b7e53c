"""What a channel is known to have been told goes along with an alert to the group that speaks through that channel from now on.

An edit may take the channel from a group that the alert stays in, or the alert from the group that told of it, and a later edit
may bring the channel back by another way: so the groups that an alert has left are asked, too, as long as they owe an end.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from engine.core.flush import Target
from engine.core.moving import also, without
from engine.store import flushes, groups, moving
from engine.store.definitions import Definitions
from engine.store.door import Connection
from engine.store.groups import Standing
from engine.store.moving import Hearer
from rules.channels import LOG_CHANNEL, ChannelKind
from rules.routing import IMPLICIT

Memberships = Mapping[int, Mapping[int, str]]
"""The groups each alert is in: alert → group → its route."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Way:
    """What an addressee was told of an alert goes from one group to another."""

    alert_id: int
    target: Target
    source: int
    heir: int


def astray(connection: Connection, memberships: Memberships, definitions: Definitions) -> set[int]:
    """The alerts of which a channel was told by a group that does not speak to it for them any more, though another does."""
    ways = _ways(connection, memberships, definitions)
    standings = flushes.standings(connection, {way.source for way in ways})
    return {way.alert_id for way in ways if _is_known(way, standings)}


def carry(connection: Connection, alert_ids: Collection[int], definitions: Definitions) -> None:
    """Let what was told of these alerts go along to where they are now. What somebody else is flushing is left as it is."""
    ways = _ways(connection, moving.memberships(connection, alert_ids), definitions)
    ours = moving.lock_free(connection, {number for way in ways for number in (way.source, way.heir)})
    standings = flushes.standings(connection, ours)
    going = [way for way in ways if way.source in ours and way.heir in ours and _is_known(way, standings)]
    changed: dict[tuple[int, Target], None] = {}
    for way in going:
        source, heir = standings[way.source], standings[way.heir]
        heir[way.target] = _with(heir.get(way.target, Standing()), way.alert_id, source[way.target])
        source[way.target] = _less(source[way.target], way.alert_id)
        changed |= dict.fromkeys([(way.source, way.target), (way.heir, way.target)])
    for group_id, target in changed:
        groups.save(connection, group_id, target, standings[group_id][target])


def _ways(connection: Connection, memberships: Memberships, definitions: Definitions) -> list[_Way]:
    """The ways that what was told would take, if it was."""
    return [
        _Way(alert_id=one.alert_id, target=one.target, source=one.group_id, heir=heir)
        for one in moving.hearers(connection, memberships.keys())
        if (heir := _heir(one, memberships[one.alert_id], definitions)) is not None
    ]


def _heir(one: Hearer, places: Mapping[int, str], definitions: Definitions) -> int | None:
    """The first group that speaks through the addressee's channel now, unless the group that did so still does."""
    here = places.get(one.group_id)
    if (here is not None and _still_reaches(here, one.target.channel, definitions)) or _is_keyed(one, definitions):
        return None
    speaking = (number for number, route_id in places.items() if one.target.channel in _channels(route_id, definitions))
    return next(speaking, None)


def _is_keyed(one: Hearer, definitions: Definitions) -> bool:
    """Whether what the channel was told is an incident under the old group's key, which another group cannot end."""
    channel = definitions.channels.get(one.target.channel)
    return channel is None or channel.kind is ChannelKind.PAGERDUTY


def _still_reaches(route_id: str, channel: str, definitions: Definitions) -> bool:
    """Whether a route names the channel, or may use it in place of one that leads nowhere."""
    names = _channels(route_id, definitions)
    if channel in names or channel == LOG_CHANNEL:
        return True
    is_complete = all(name in definitions.channels for name in names)
    return not is_complete and channel in definitions.tree.root.policy.channels


def _channels(route_id: str, definitions: Definitions) -> tuple[str, ...]:
    if route_id.startswith(IMPLICIT):
        rule = definitions.rules.get(route_id.removeprefix(IMPLICIT))
        return () if rule is None else rule.notification_channels
    policy = definitions.tree.policies.get(route_id)
    return () if policy is None else policy.channels


def _is_known(way: _Way, standings: Mapping[int, Mapping[Target, Standing]]) -> bool:
    """Whether the addressee was told that the alert fires, and the message has arrived."""
    told = standings[way.source].get(way.target)
    return told is not None and way.alert_id in told.decided.firing & told.delivered.firing


def _with(there: Standing, alert_id: int, since: Standing) -> Standing:
    decided, delivered = also(there.decided, alert_id, since.decided), also(there.delivered, alert_id, since.delivered)
    return Standing(decided=decided, delivered=delivered, last_reason=there.last_reason)


def _less(there: Standing, alert_id: int) -> Standing:
    decided, delivered = without(there.decided, alert_id), without(there.delivered, alert_id)
    return Standing(decided=decided, delivered=delivered, last_reason=there.last_reason)
