"""The auditing loop: proves again and again that whatever fires has a next step, mends what has none, and says so.

One process of the cluster does it. What holds is told to the outside world by a ping, so that somebody hears when it stops.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import structlog

from engine.core.auditing import LATE_AFTER, Finding, Flaw, Progress, Stretch, is_far_ahead, next_look
from engine.core.outcome import Delivered, Outcome
from engine.core.scheduling import is_due
from engine.intake import Intake
from engine.rota import Rota
from engine.store import audit, ledger
from engine.store.database import Database
from engine.store.definitions import DefinitionFeed, Definitions
from engine.store.door import Connection
from engine.store.ledger import Entry, Kind, Subject
from engine.telemetry import Metrics
from rules.routing import IMPLICIT, Policy

AUDIT_EVERY: Final = timedelta(seconds=30)
FURTHEST: Final = timedelta(minutes=5)
"""When a group whose message died is flushed again, at the latest (engine/sender.py)."""
SHOWN: Final = 20
"""How many findings of one look are logged by name."""


Stretches = Sequence[Stretch | None]
"""Which row numbers a look goes through; `None` is all of them."""
ALL: Final[Stretches] = (None,)


def look(
    connection: Connection,
    definitions: Definitions,
    now: datetime,
    *,
    of_alerts: Stretches = ALL,
    of_groups: Stretches = ALL,
) -> list[Finding]:
    """Everything that has no next step, or has one that is long overdue. Reads only.

    What must be looked for row by row is, among those row numbers; what an index finds is found wherever it is.
    """
    unplaced = {number for among in of_alerts for number in audit.unplaced(connection, among)}
    unscheduled = {number for among in of_groups for number in audit.unscheduled(connection, among)}
    found = [Finding(flaw=Flaw.UNPLACED, subject=str(number)) for number in sorted(unplaced)]
    found += [Finding(flaw=Flaw.UNSCHEDULED, subject=str(number)) for number in sorted(unscheduled)]
    for number, route_id, flush_at in audit.scheduled_after(connection, now + FURTHEST):
        policy = _policy(route_id, definitions)
        longest = max(policy.group_wait, policy.group_interval)
        if is_far_ahead(flush_at, now, interval=longest, margin=LATE_AFTER):
            found.append(Finding(flaw=Flaw.FAR_AHEAD, subject=str(number)))
    found += audit.late_flushes(connection, now)
    found += audit.stuck_messages(connection, now)
    found += audit.late_units(connection, now)
    return found


def _policy(route_id: str, definitions: Definitions) -> Policy:
    root = definitions.tree.root.policy
    return root if route_id.startswith(IMPLICIT) else definitions.tree.policies.get(route_id, root)


@dataclass(slots=True, kw_only=True)
class Auditor:
    """Audits while `rota` says that this process is the one; `ping` tells the outside world that all holds, and
    `advance` whoever flushes groups that one was mended.

    With `send` False nothing is ever delivered, so that nobody was told says nothing.
    """

    database: Database
    feed: DefinitionFeed
    rota: Rota
    intake: Intake
    metrics: Metrics
    advance: Callable[[], None]
    ping: Callable[[], Outcome] | None = None
    send: bool = True
    _audit_at: datetime | None = None
    _told: frozenset[Finding] = frozenset()
    _alerts: Progress = field(default_factory=Progress)
    _groups: Progress = field(default_factory=Progress)

    def tick(self) -> datetime | None:
        """Audit, when it is time and this process's turn."""
        with self.database.read() as connection:
            now = self.database.now(connection)
        if not self.rota.is_first:
            self._audit_at, self._told = None, frozenset()
            return None
        if is_due(self._audit_at, now, AUDIT_EVERY):
            # A process that has just taken over may find what its predecessor was about to do.
            if self._audit_at is not None:
                self.audit(now)
            self._audit_at = now + AUDIT_EVERY
        return self._audit_at

    def audit(self, now: datetime) -> list[Finding]:
        """Look, mend, report, and ping when nothing is left; what is left."""
        with self.database.read() as connection:
            definitions = self.feed.refresh(connection)
            of_alerts, alerts = next_look(self._alerts, *audit.alert_numbers(connection))
            of_groups, groups = next_look(self._groups, *audit.group_numbers(connection))
            found = look(connection, definitions, now, of_alerts=of_alerts, of_groups=of_groups)
            if self.send:
                found += dict.fromkeys(one for among in of_groups for one in audit.untold(connection, among))
        self._alerts, self._groups = alerts, groups
        mended = [one for one in found if one.flaw.is_repairable and self._mend(one, definitions, now)]
        if mended:
            self.advance()
        with self.database.write() as connection:
            waits = audit.release_waits(connection, now)
        left = [one for one in found if not one.flaw.is_repairable]
        self._report(mended, left, waits)
        if not left and self.ping is not None:
            self._say_that_all_holds()
        return left

    def _mend(self, finding: Finding, definitions: Definitions, now: datetime) -> bool:
        number = int(finding.subject)
        with self.database.write() as connection:
            match finding.flaw:
                case Flaw.UNPLACED:
                    done = self.intake.place_again(connection, number, definitions, now)
                case Flaw.UNTOLD:
                    done = audit.take_back(connection, finding, now)
                case _:
                    done = audit.schedule(connection, [number], now) > 0
            if done:
                ledger.write(connection, [_entry(finding, now)])
        return done

    def _count(self, mended: Sequence[Finding], left: Sequence[Finding]) -> None:
        counts = Counter(one.flaw for one in left)
        for flaw in Flaw:
            self.metrics.audit_findings.labels(flaw.value).set(counts[flaw])
        for one in mended:
            self.metrics.audit_repairs.labels(one.flaw.value).inc()

    def _report(self, mended: Sequence[Finding], left: Sequence[Finding], waits: int) -> None:
        self._count(mended, left)
        log = structlog.get_logger("tocsin.auditor")
        for one in mended[:SHOWN]:
            log.error("mended what would have been silent", flaw=one.flaw.value, finding=one.text)
        if waits:
            log.warning("let go what waited for longer than anything may", rows=waits)
        # Once for each, and not at every look.
        for one in [one for one in left if one not in self._told][:SHOWN]:
            log.error("something is overdue", flaw=one.flaw.value, finding=one.text)
        if self._told and not left:
            log.info("nothing is overdue any more")
        self._told = frozenset(left)

    def _say_that_all_holds(self) -> None:
        assert self.ping is not None
        outcome = self.ping()
        well = isinstance(outcome, Delivered)
        self.metrics.heartbeats.labels("sent" if well else "failed").inc()
        if not well:
            structlog.get_logger("tocsin.auditor").warning("the heartbeat could not be sent", because=outcome.detail)


def _entry(finding: Finding, now: datetime) -> Entry:
    alert = finding.flaw is Flaw.UNPLACED
    return Entry(
        at=now,
        kind=Kind.PROBLEM,
        reason=finding.flaw.value,
        subject_type=Subject.ALERT if alert else Subject.GROUP,
        subject_id=finding.subject,
        alert_ids=[int(finding.subject)] if alert else (),
        detail={"message": f"the auditor mended it: {finding.text}", "channel": finding.channel},
    )
