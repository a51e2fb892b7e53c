"""The dispatch loop: groups that are due, each flushed in one transaction that has no network in it.

A flush decides on what its own transaction reads: the group, its alerts, what was told, the definitions. It writes what
counts as told from now on together with the messages that will tell it, so a crash loses neither or both.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

import structlog

from engine.addressing import Addressing, Reach
from engine.core.alert import Alert, State
from engine.core.external import NONE, outward, sent_out
from engine.core.flush import Flush, Group, Target, flush
from engine.core.grouping import place
from engine.core.notifying import Decision
from engine.muting import Muting
from engine.muting import entries as muting_entries
from engine.store import alerts as alert_rows
from engine.store import channel_state, groups, ledger, outbox
from engine.store.database import Database
from engine.store.definitions import DefinitionFeed, Definitions
from engine.store.door import Connection
from engine.store.groups import Standing
from engine.store.ledger import Entry, Kind, Subject
from engine.telemetry import Metrics
from engine.telling import Telling
from rules.labels import Labels
from rules.routing import IMPLICIT, Policy, implicit

BATCH: Final = 200


@dataclass(slots=True, kw_only=True)
class Dispatcher:
    """Flushes groups. `advance` is called when there is something to send; with `send` False it is only recorded."""

    database: Database
    feed: DefinitionFeed
    addressing: Addressing
    muting: Muting
    telling: Telling
    metrics: Metrics
    advance: Callable[[], None]
    send: bool = True
    external: Labels = NONE
    _warned: set[str] = field(default_factory=set)

    def tick(self) -> datetime | None:
        """Flush every group that is due; answers when the next one is."""
        with self.database.read() as connection:
            now = self.database.now(connection)
            definitions = self.feed.refresh(connection)
            ready = groups.due(connection, now, BATCH)
            if ready:
                self.muting.refresh(connection, definitions.inhibit_rules)
        sent = [self.flush(group_id) for group_id in ready]
        if any(sent):
            self.advance()
        with self.database.read() as connection:
            return groups.next_due(connection)

    def flush(self, group_id: int) -> bool:
        """Flush one group if it is still due and free; whether there is something to send."""
        with self.database.write() as connection:
            now = self.database.now(connection)
            group = groups.lock(connection, group_id, now)
            if group is None:
                return False
            definitions = self.feed.refresh(connection)
            return self._flush(connection, group, definitions, now)

    def _flush(self, connection: Connection, group: Group, definitions: Definitions, now: datetime) -> bool:
        policy, known = _policy(group, definitions)
        if not known:
            _move_firing(connection, group, definitions, self.external)
        standings = groups.standings(connection, group.id)
        alerts = _alerts(connection, group, standings)
        reach = self.addressing.reach(policy, definitions, _believing(standings))
        muted = self.muting.mutes(connection, alerts.values(), definitions, now, policy)
        decided = flush(
            group,
            tuple(sent_out(alert, self.external) for alert in alerts.values()),
            policy,
            targets=reach.terms,
            told={target: standing.decided for target, standing in standings.items()},
            mutes=muted,
            now=now,
        )
        entries = _entries(group, decided, standings, reach, send=self.send)
        self._post(
            connection, replace(group, flush_at=decided.at), policy, decided, alerts, definitions=definitions, now=now
        )
        self._warn(connection, reach, now)
        _keep(connection, group, decided, standings)
        ledger.write(connection, entries)
        self.metrics.flushes.inc()
        return any(one.reason.sends for one in decided.decisions.values())

    def _post(
        self,
        connection: Connection,
        group: Group,
        policy: Policy,
        decided: Flush,
        alerts: Mapping[int, Alert],
        *,
        definitions: Definitions,
        now: datetime,
    ) -> None:
        """Queue one message per addressee; addressees who are told the same share one row of facts."""
        facts_ids: dict[Decision, int] = {}
        for target, decision in decided.decisions.items():
            if not decision.reason.sends or not self.send:
                continue
            if decision not in facts_ids:
                facts = self.telling.facts(
                    group, policy, decision, alerts, mutes=decided.mutes, definitions=definitions
                )
                facts_ids[decision] = outbox.add_facts(connection, group.id, facts)
            outbox.add(
                connection,
                facts_id=facts_ids[decision],
                group_id=group.id,
                target=target,
                reason=decision.reason.value,
                told=decision.told,
                now=now,
            )

    def _warn(self, connection: Connection, reach: Reach, now: datetime) -> None:
        """Say once per process that a channel leads nowhere, and keep it on the channel's state."""
        for name, reason in reach.problems.items():
            if name not in self._warned:
                self._warned.add(name)
                structlog.get_logger("tocsin.dispatcher").warning("channel cannot be used", channel=name, reason=reason)
                channel_state.unconfigured(connection, name, reason, now)


def _keep(connection: Connection, group: Group, decided: Flush, standings: Mapping[Target, Standing]) -> None:
    """Write what counts as told from now on, when the group is flushed next, and who leaves it."""
    changed = {
        target: (one.told, one.reason.value)
        for target, one in decided.decisions.items()
        if (one.told, one.reason.value) != _last(standings.get(target))
    }
    groups.save_decided(connection, group.id, changed)
    for target, standing in standings.items():
        decision = decided.decisions.get(target)
        if decision is not None and not decision.reason.sends:
            # An end that is never told (send_resolved is off) must not come back as "told" when a later message dies.
            forgotten = standing.decided.firing - decision.told.firing
            if forgotten & standing.delivered.firing:
                groups.forget_delivered(connection, group.id, target, standing.delivered, forgotten)
    groups.finish(connection, group, decided)


def _policy(group: Group, definitions: Definitions) -> tuple[Policy, bool]:
    """The policy of the group's route, and whether the route still exists; the root's timings stand in for one that is gone."""
    root = definitions.tree.root.policy
    if group.route_id.startswith(IMPLICIT):
        rule_id = group.route_id.removeprefix(IMPLICIT)
        rule = definitions.rules.get(rule_id)
        channels = () if rule is None else rule.notification_channels
        return implicit(rule_id, channels, root), bool(channels)
    found = definitions.tree.policies.get(group.route_id)
    if found is not None:
        return found, True
    return implicit(group.route_id, (), root), False


def _move_firing(connection: Connection, group: Group, definitions: Definitions, external: Labels) -> None:
    """The route is gone: its firing alerts go where the tree now sends them, before this group says goodbye."""
    staying = groups.members(connection, group.id)
    firing = [alert for alert in staying.values() if alert.state is State.FIRING]
    entering = [
        (alert.id, placement)
        for alert in firing
        for placement in place(
            definitions.rules.get(alert.source), outward(alert.labels, alert.source, external), definitions.tree
        )
        if alert.id is not None
    ]
    groups.join(connection, entering, group.flush_at)
    groups.leave(connection, group.id, [alert.id for alert in firing if alert.id is not None], at=group.flush_at)


def _alerts(connection: Connection, group: Group, standings: Mapping[Target, Standing]) -> dict[int, Alert]:
    """The group's members, and whatever an addressee still believes to fire: an end that was never delivered is told again."""
    members = groups.members(connection, group.id)
    believed: set[int] = set().union(*(standing.decided.firing for standing in standings.values()))
    return members | alert_rows.by_id(connection, believed - members.keys())


def _believing(standings: Mapping[Target, Standing]) -> Collection[Target]:
    return [target for target, standing in standings.items() if standing.decided.firing]


def _last(standing: Standing | None) -> tuple[object, str]:
    return (None, "") if standing is None else (standing.decided, standing.last_reason)


def _entries(
    group: Group, decided: Flush, standings: Mapping[Target, Standing], reach: Reach, *, send: bool
) -> list[Entry]:
    """What the ledger learns: every message, every change of mind, every new mute. A steady flush writes nothing."""
    found = muting_entries(group, decided.mutes, decided.at)
    for target, decision in decided.decisions.items():
        if not decision.reason.sends and decision.reason.value == _last(standings.get(target))[1]:
            continue
        detail = {
            "channel": target.channel,
            "recipient": target.recipient,
            "sends": decision.reason.sends,
            "firing": sorted(decision.firing),
            "resolved": sorted(decision.resolved),
        }
        if reach.problems:
            detail["problems"] = dict(reach.problems)
        if decision.reason.sends and not send:
            detail["recorded"] = True
        ids = sorted(decision.firing | decision.resolved) or sorted(decision.told.firing)
        found.append(
            Entry(
                at=decided.at,
                kind=Kind.DECISION,
                reason=decision.reason.value,
                subject_type=Subject.GROUP,
                subject_id=str(group.id),
                alert_ids=ids,
                detail=detail,
            )
        )
    return found
