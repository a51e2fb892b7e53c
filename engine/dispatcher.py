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
from engine.core.alert import Alert
from engine.core.external import NONE, sent_out
from engine.core.flush import Flush, Group, Target, flush
from engine.core.notifying import Decision
from engine.muting import Muting
from engine.muting import entries as muting_entries
from engine.publishing import Publishing
from engine.replacing import Replacing
from engine.silencing import Silencing
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
    publishing: Publishing
    replacing: Replacing
    silencing: Silencing
    telling: Telling
    metrics: Metrics
    advance: Callable[[], None]
    send: bool = True
    external: Labels = NONE
    _warned: set[str] = field(default_factory=set)

    def tick(self) -> datetime | None:
        """Flush every group that is due; answers when the next one is."""
        definitions = self.publishing.publish()
        self.silencing.settle(definitions)
        walking = self.replacing.walk(definitions)
        with self.database.read() as connection:
            now = self.database.now(connection)
            ready = groups.due(connection, now, BATCH)
            if ready:
                self.muting.refresh(connection, definitions.inhibit_rules)
        sent = [self.flush(group_id) for group_id in ready]
        if any(sent):
            self.advance()
        with self.database.read() as connection:
            return now if walking else groups.next_due(connection)

    def flush(self, group_id: int) -> bool:
        """Flush one group if it is still due and free; whether there is something to send."""
        with self.database.write() as connection:
            now = self.database.now(connection)
            group = groups.lock(connection, group_id, now)
            if group is None:
                return False
            definitions = self.publishing.accepted(connection)
            if definitions is None:
                return False
            members = groups.members(connection, group_id)
            if self.replacing.group(connection, group, members, definitions, now=now):
                group = groups.lock(connection, group_id, now) or group
                members = groups.members(connection, group_id)
            return self._flush(connection, group, members, definitions, now=now)

    def _flush(
        self,
        connection: Connection,
        group: Group,
        members: Mapping[int, Alert],
        definitions: Definitions,
        *,
        now: datetime,
    ) -> bool:
        policy = _policy(group, definitions)
        standings = groups.standings(connection, group.id)
        alerts = _alerts(connection, members, standings)
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
            moved=alerts.keys() - members.keys(),
        )
        entries = _entries(
            group,
            decided,
            standings,
            went_by=_versions(policy, definitions),
            problems=reach.problems,
            send=self.send,
        )
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


def _policy(group: Group, definitions: Definitions) -> Policy:
    """The policy of the group's route; one that is gone, or whose rule names no channels any more, has the root's timings."""
    root = definitions.tree.root.policy
    if group.route_id.startswith(IMPLICIT):
        rule_id = group.route_id.removeprefix(IMPLICIT)
        rule = definitions.rules.get(rule_id)
        return implicit(rule_id, () if rule is None else rule.notification_channels, root)
    return definitions.tree.policies.get(group.route_id) or implicit(group.route_id, (), root)


def _versions(policy: Policy, definitions: Definitions) -> Mapping[str, object]:
    """What a flush went by, for the ledger."""
    configuration = definitions.configuration.version
    return {"route_id": policy.route_id, "route_version": policy.version, "configuration": configuration}


def _alerts(
    connection: Connection, members: Mapping[int, Alert], standings: Mapping[Target, Standing]
) -> dict[int, Alert]:
    """The group's members, and whatever an addressee still believes to fire: an end that was never delivered is told again."""
    believed: set[int] = set().union(*(standing.decided.firing for standing in standings.values()))
    return {**members, **alert_rows.by_id(connection, believed - members.keys())}


def _believing(standings: Mapping[Target, Standing]) -> Collection[Target]:
    return [target for target, standing in standings.items() if standing.decided.firing]


def _last(standing: Standing | None) -> tuple[object, str]:
    return (None, "") if standing is None else (standing.decided, standing.last_reason)


def _entries(
    group: Group,
    decided: Flush,
    standings: Mapping[Target, Standing],
    *,
    went_by: Mapping[str, object],
    problems: Mapping[str, str],
    send: bool,
) -> list[Entry]:
    """What the ledger learns: every message, every change of mind, every new mute. A steady flush writes nothing.

    `went_by` are the versions all of it went by.
    """
    found = [
        replace(one, detail={**one.detail, "configuration": went_by["configuration"]})
        for one in muting_entries(group, decided.mutes, decided.at)
    ]
    common = {**went_by, "problems": dict(problems)} if problems else went_by
    for target, decision in decided.decisions.items():
        if decision.reason.sends or decision.reason.value != _last(standings.get(target))[1]:
            recorded = decision.reason.sends and not send
            found.append(
                _entry(group, decided.at, target, decision, {**common, **({"recorded": True} if recorded else {})})
            )
    return found


def _entry(group: Group, at: datetime, target: Target, decision: Decision, went_by: Mapping[str, object]) -> Entry:
    detail = {
        "channel": target.channel,
        "recipient": target.recipient,
        "sends": decision.reason.sends,
        "firing": sorted(decision.firing),
        "resolved": sorted(decision.resolved),
        **went_by,
    }
    return Entry(
        at=at,
        kind=Kind.DECISION,
        reason=decision.reason.value,
        subject_type=Subject.GROUP,
        subject_id=str(group.id),
        alert_ids=sorted(decision.firing | decision.resolved) or sorted(decision.told.firing),
        detail=detail,
    )
