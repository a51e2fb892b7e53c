"""A batch of due groups, flushed in one transaction that has no network in it.

A flush decides on what its own transaction reads: the group, its alerts, what was told, the definitions. It writes what
counts as told from now on together with the messages that will tell it, so a crash loses neither or both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import chain

import structlog

from engine.addressing import Addressing, with_told
from engine.bearings import Bearing, Bearings
from engine.carrying import Voice, carry
from engine.core.alert import Alert, State
from engine.core.carrying import Apart
from engine.core.facts import Facts
from engine.core.flush import Flush, Group, Target, flush
from engine.core.grouping import next_flush, this_flush
from engine.core.notifying import Decision, Told, arrived_without
from engine.decisions import entries
from engine.muting import Look, Muting
from engine.publishing import Publishing
from engine.replacing import Replacing, is_stale
from engine.resting import Resting, addressees, is_restful, rest
from engine.store import alerts as alert_rows
from engine.store import channel_state, flushes, groups, ledger, moving, outbox
from engine.store.database import Database
from engine.store.definitions import Definitions
from engine.store.door import Connection
from engine.store.flushes import Membership
from engine.store.groups import Standing
from engine.store.ledger import Entry, Kind
from engine.store.outbox import Queued
from engine.telemetry import Metrics
from engine.telling import Telling
from rules.routing import Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class Flushed:
    """What became of a batch: whether there is something to send, and which groups an edit has displaced members of."""

    sent: bool = False
    displaced: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Case:
    """One group of a batch, with what its flush went by and came to."""

    group: Group
    policy: Policy
    bearing: Bearing
    alerts: Mapping[int, Alert]
    standings: Mapping[Target, Standing]
    is_shared: bool
    decided: Flush
    entries: Sequence[Entry]

    @property
    def changed(self) -> dict[Target, tuple[Told, str]]:
        """What addressees count as told otherwise than before, and why."""
        return {
            target: (one.told, one.reason.value)
            for target, one in self.decided.decisions.items()
            if (one.told, one.reason.value) != _last(self.standings.get(target))
        }

    @property
    def is_settled(self) -> bool:
        """Whether the next flush will find what this one found: nobody is told anything, counts as told otherwise or goes.

        That the reason has changed is no difference, for it is the same again next time. Where other groups have a part in
        it (`is_shared`), nobody knows.
        """
        if (
            self.is_shared
            or self.decided.leaving
            or self.decided.next_flush_at is None
            or any(one.kind is Kind.MUTE for one in self.entries)
        ):
            return False
        decisions = self.decided.decisions.items()
        known = self.standings
        return all(
            not one.reason.sends and target in known and one.told == known[target].decided for target, one in decisions
        )

    @property
    def sending(self) -> dict[Target, Decision]:
        """Who is told something."""
        return {target: one for target, one in self.decided.decisions.items() if one.reason.sends}


@dataclass(slots=True, kw_only=True)
class Flushing:
    """Flushes batches; with `send` False what would be sent is only recorded. For one thread."""

    database: Database
    addressing: Addressing
    muting: Muting
    publishing: Publishing
    replacing: Replacing
    telling: Telling
    metrics: Metrics
    send: bool = True
    _warned: set[str] = field(default_factory=set)
    resting: Resting = field(default_factory=Resting)

    def move_on(self, ids: Sequence[int]) -> list[int]:
        """Let the timers of those of these groups go on whose flush would find what the last one found; answers the others."""
        known = self.resting.among(ids)
        if not known:
            return list(ids)
        with self.database.write() as connection:
            now = self.database.now(connection)
            definitions = self.publishing.accepted(connection)
            if definitions is None:
                return list(ids)
            self.resting.stand_on(definitions)
            stands = flushes.stands(connection, self.resting.among(known), now)
            self._follow_silences(connection, stands, definitions)
            timers = self._timers(connection, stands, definitions, now)
            flushes.move_on(connection, timers)
        self.metrics.flushes.inc(len(timers))
        done = {number for number, _, _ in timers}
        return [number for number in ids if number not in done]

    def together(self, ids: Sequence[int]) -> Flushed:
        """Flush those of these groups that are still due and free, but for those that must be placed anew first."""
        with self._writing() as connection:
            now = self.database.now(connection)
            due = flushes.lock(connection, ids, now)
            definitions = self.publishing.accepted(connection) if due else None
            if definitions is None:
                return Flushed()
            members = flushes.members(connection, [group.id for group in due])
            displaced = {group.id for group in due if _is_displaced(group, members[group.id], definitions)}
            staying = [group for group in due if group.id not in displaced]
            self.resting.stand_on(definitions)
            sent = self._flush(connection, staying, members, definitions, now)
        return Flushed(sent=sent, displaced=tuple(displaced))

    def alone(self, group_id: int) -> bool:
        """Flush one group if it is still due and free, its members placed anew; whether there is something to send.

        Raises ContendedError where others keep its members from being placed; it stays due.
        """
        self.resting.forget(group_id)
        with self._writing() as connection:
            now = self.database.now(connection)
            due = flushes.lock(connection, [group_id], now)
            definitions = self.publishing.accepted(connection) if due else None
            if definitions is None:
                return False
            members = flushes.members(connection, [group_id])
            if self.replacing.group(connection, due[0], members[group_id].alerts, definitions, now=now):
                due = flushes.lock(connection, [group_id], now) or due
                members = flushes.members(connection, [group_id])
            return self._flush(connection, due, members, definitions, now)

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        """A transaction; what was said of channels in one that fails will be said again."""
        warned, committed = frozenset(self._warned), False
        try:
            with moving.giving_way(self.database) as connection:
                yield connection
            committed = True
        finally:
            if not committed:
                self._warned &= warned

    def _follow_silences(
        self, connection: Connection, stands: Iterable[flushes.Stand], definitions: Definitions
    ) -> None:
        """See which of these groups silences have a part in that came, went or were edited since they came to rest."""
        for behind in self.resting.behind((stand.id for stand in stands), definitions.silences):
            numbers = chain.from_iterable(behind.groups.values())
            covered = self.muting.covered(connection, numbers, [one.matchers for one in behind.changed])
            self.resting.follow(behind, covered, definitions.silences)

    def _timers(
        self, connection: Connection, stands: Sequence[flushes.Stand], definitions: Definitions, now: datetime
    ) -> list[tuple[int, datetime, datetime]]:
        targets = self.resting.targets(stand.id for stand in stands)
        inhibitors = self.muting.inhibitors(connection, targets, definitions.inhibit_rules) if targets else {}
        bearings = Bearings(self.addressing, definitions, now)
        timers = []
        for stand in stands:
            policy, bearing = bearings.of(stand.route_id)
            at = this_flush(stand.flush_at, policy.group_interval, now)
            if self.resting.is_same(stand, bearing, inhibitors, at=at, now=now, definitions=definitions):
                timers.append((stand.id, at, next_flush(stand.flush_at, policy.group_interval, now)))
            else:
                self.resting.forget(stand.id)
        return timers

    def _flush(
        self,
        connection: Connection,
        due: Sequence[Group],
        members: Mapping[int, Membership],
        definitions: Definitions,
        now: datetime,
    ) -> bool:
        standings = flushes.standings(connection, [group.id for group in due])
        alerts = _alerts(connection, due, members, standings)
        every = chain.from_iterable(among.values() for among in alerts.values())
        look = self.muting.look(connection, every, definitions, now)
        bearings = Bearings(self.addressing, definitions, now)
        voices = [_voice(group, alerts[group.id], members[group.id]) for group in due]
        carried = carry(
            connection,
            voices,
            standings,
            reached=bearings.reached,
            definitions=definitions,
            external=self.replacing.external,
        )
        cases = [
            self._decide(
                group,
                alerts[group.id],
                members[group.id].alerts.keys(),
                carried.standings[group.id],
                apart=carried.apart.get(group.id, {}),
                bearings=bearings,
                look=look,
            )
            for group in due
        ]
        self._write(connection, cases, look)
        self.metrics.flushes.inc(len(cases))
        return any(case.sending for case in cases)

    def _write(self, connection: Connection, cases: Sequence[_Case], look: Look) -> None:
        """Write what was decided: messages, what counts as told, timers and the ledger."""
        self._post(connection, cases, look.definitions, look.now)
        self._warn(connection, cases, look.now)
        # What is only recorded counts as delivered.
        _keep(connection, cases, arrived_without if self.send else lambda _decided, _delivered, decision: decision.told)
        self._rest(connection, cases, look)
        flushes.finish(connection, [(case.group, case.decided) for case in cases])
        ledger.write(connection, [entry for case in cases for entry in case.entries])

    def _decide(
        self,
        group: Group,
        alerts: Mapping[int, Alert],
        members: Set[int],
        standings: Mapping[Target, Standing],
        *,
        apart: Mapping[Target, Apart],
        bearings: Bearings,
        look: Look,
    ) -> _Case:
        policy, bearing = bearings.of(group.route_id)
        believing = [target for target, standing in standings.items() if standing.decided.firing]
        decided = flush(
            group,
            [look.alerts[number] for number in alerts],
            policy,
            targets=with_told(bearing.reach.terms, believing, policy, look.definitions),
            told={target: standing.decided for target, standing in standings.items()},
            mutes=look.mutes(alerts.keys(), policy),
            now=look.now,
            moved=alerts.keys() - members,
            apart=apart,
        )
        found = entries(
            group,
            decided,
            {target: standing.last_reason for target, standing in standings.items()},
            went_by=_versions(policy, look.definitions),
            problems=bearing.reach.problems,
            send=self.send,
        )
        return _Case(
            group=group,
            policy=policy,
            bearing=bearing,
            alerts=alerts,
            standings=standings,
            is_shared=any(one.left or one.kept or not one.remembered <= members for one in apart.values()),
            decided=decided,
            entries=found,
        )

    def _rest(self, connection: Connection, cases: Iterable[_Case], look: Look) -> None:
        """Remember those that are settled, unless a higher level may have a part in it, which is not followed."""
        settled = {case.group.id: case for case in cases if case.is_settled and _is_followed(case, look.definitions)}
        for stand in flushes.stands(connection, list(settled), look.now) if settled else ():
            case = settled[stand.id]
            if is_restful(stand):
                told = {target: standing.decided for target, standing in case.standings.items()}
                known = addressees(case.bearing.reach.terms, told)
                self.resting.remember(stand.id, rest(stand, case.bearing, look, case.alerts.keys(), known))

    def _post(self, connection: Connection, cases: Iterable[_Case], definitions: Definitions, now: datetime) -> None:
        """Queue one message per addressee; addressees of a group who are told the same share one row of facts."""
        if not self.send:
            return
        telling = [(case, decision) for case in cases for decision in dict.fromkeys(case.sending.values())]
        numbers = outbox.add_facts(
            connection, [(case.group.id, self._facts(case, decision, definitions)) for case, decision in telling]
        )
        facts_ids = {
            (case.group.id, decision): number for (case, decision), number in zip(telling, numbers, strict=True)
        }
        outbox.add(connection, list(_messages(telling, facts_ids)), now)

    def _facts(self, case: _Case, decision: Decision, definitions: Definitions) -> Facts:
        group = replace(case.group, flush_at=case.decided.at)
        mutes = case.decided.mutes
        return self.telling.facts(group, case.policy, decision, case.alerts, mutes=mutes, definitions=definitions)

    def _warn(self, connection: Connection, cases: Iterable[_Case], now: datetime) -> None:
        """Say once per process that a channel leads nowhere, and keep it on the channel's state."""
        for name, reason in {pair for case in cases for pair in case.bearing.reach.problems.items()}:
            if name not in self._warned:
                self._warned.add(name)
                structlog.get_logger("tocsin.dispatcher").warning("channel cannot be used", channel=name, reason=reason)
                channel_state.unconfigured(connection, name, reason, now)


def _voice(group: Group, alerts: Mapping[int, Alert], members: Membership) -> Voice:
    return Voice(id=group.id, route_id=group.route_id, alerts=alerts, members=members.alerts.keys())


def _versions(policy: Policy, definitions: Definitions) -> Mapping[str, object]:
    """What a flush went by, for the ledger."""
    configuration = definitions.configuration.version
    return {"route_id": policy.route_id, "route_version": policy.version, "configuration": configuration}


def _is_displaced(group: Group, members: Membership, definitions: Definitions) -> bool:
    firing = (alert for alert in members.alerts.values() if alert.state is State.FIRING)
    return is_stale(group, firing, members.oldest, definitions)


def _alerts(
    connection: Connection,
    due: Iterable[Group],
    members: Mapping[int, Membership],
    standings: Mapping[int, Mapping[Target, Standing]],
) -> dict[int, Mapping[int, Alert]]:
    """Each group's members, and whatever an addressee still believes to fire: an end never delivered is told again."""
    believed: dict[int, set[int]] = {}
    for group in due:
        every: set[int] = set().union(*(one.decided.firing for one in standings[group.id].values()))
        believed[group.id] = every - members[group.id].alerts.keys()
    others = alert_rows.by_id(connection, set().union(*believed.values()))
    return {group_id: {**members[group_id].alerts, **_those(others, numbers)} for group_id, numbers in believed.items()}


def _messages(
    telling: Iterable[tuple[_Case, Decision]], facts_ids: Mapping[tuple[int, Decision], int]
) -> Iterator[Queued]:
    """One message for each addressee, in the order of the groups."""
    for case in dict.fromkeys(case for case, _ in telling):
        for target, decision in case.sending.items():
            yield Queued(
                facts_id=facts_ids[case.group.id, decision],
                group_id=case.group.id,
                target=target,
                reason=decision.reason.value,
                told=decision.told,
            )


def _those(alerts: Mapping[int, Alert], numbers: Iterable[int]) -> Mapping[int, Alert]:
    return {number: alerts[number] for number in sorted(numbers) if number in alerts}


def _is_followed(case: _Case, definitions: Definitions) -> bool:
    sources = definitions.thresholds
    return not sources or not any(alert.source in sources for alert in case.alerts.values())


def _keep(connection: Connection, cases: Sequence[_Case], arrival: Callable[[Told, Told, Decision], Told]) -> None:
    """Write what counts as told from now on, and as delivered by word of `arrival`."""
    flushes.save_decided(connection, {case.group.id: case.changed for case in cases})
    for case in cases:
        for target, decision in case.decided.decisions.items():
            standing = case.standings.get(target, Standing())
            arrived = arrival(standing.decided, standing.delivered, decision)
            if arrived != standing.delivered:
                groups.correct_delivered(connection, case.group.id, target, arrived)


def _last(standing: Standing | None) -> tuple[object, str]:
    return (None, "") if standing is None else (standing.decided, standing.last_reason)
