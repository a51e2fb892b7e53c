"""Try something without effects: a rule's evaluation, a channel's address."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from engine.addressing import Addressing, Deliver
from engine.asking import Asking, Deadline
from engine.core import messages
from engine.core.alert import Alert
from engine.core.external import NONE
from engine.core.facts import AlertFacts, Facts
from engine.core.grouping import policies
from engine.core.levels import Effective, effective
from engine.core.outcome import Delivered, Outcome
from engine.delivery.addresses import Unconfigured, recipients
from engine.judging import Judge
from engine.querying import Querying, Refined
from engine.refining import Refining
from engine.store import severities
from engine.store.database import Database
from engine.store.definitions import DefinitionFeed, Definitions
from rules.channels import Channel
from rules.labels import ALERTNAME, SEVERITY, Labels
from rules.problems import Problem, Severity, check_rule
from rules.rule import Rule


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What a rule would do now. `first_page_after` is the longest wait from a breach to the first message that tells of it."""

    sample_count: int
    alerts: tuple[Alert, ...]
    problems: tuple[Problem, ...]
    error: str | None
    first_page_after: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Trials:
    """Runs trials with the engine's own parts, so that a trial and the real thing cannot differ."""

    database: Database
    feed: DefinitionFeed
    querying: Querying
    judge: Judge
    addressing: Addressing
    deliver: Deliver
    deadline: timedelta
    interval: timedelta
    external: Labels = NONE
    query_offset: timedelta = timedelta(0)

    def trial(self, rule: Rule) -> Trial:
        """Evaluate the rule once at this moment, as if nothing had been active before. Nothing is written."""
        with self.database.read() as connection:
            definitions = self.feed.refresh(connection)
            now = self.database.now(connection)
            ranks = severities.ranks(connection)
        problems = check_rule(rule)
        wait = self._first_page_after(rule, definitions)
        datasource = definitions.datasources.get(rule.datasource)
        if datasource is None or any(one.severity is Severity.ERROR for one in problems):
            error = f"no datasource {rule.datasource!r} is defined" if datasource is None else None
            return Trial(sample_count=0, alerts=(), problems=problems, error=error, first_page_after=wait)
        at = self._asked_at(rule, now)
        rows = definitions.thresholds.get(rule.id, ())
        refinement = Refining().refinement(rule, rows, ranks)
        refined = Refined(since=now, until=now, rows={rule.id: refinement.rows})
        reply = self.querying.ask(datasource, {rule.id: rule}, at, unseen=frozenset(), refined=refined)[rule.id]
        asking = Asking(lambda text: self.querying.one(datasource, text, now), Deadline(self.querying.monotonic))
        judged = self.judge.judge(rule, reply, {}, None, slot=now, gap=timedelta(0), refinement=refinement, ask=asking)
        return Trial(
            sample_count=len(reply.samples),
            alerts=tuple(judged.alerts.values()),
            problems=(*problems, *refinement.problems),
            error=judged.error,
            first_page_after=wait,
        )

    def effective(self, rule: Rule) -> Effective:
        """Which threshold row governs each series the rule's left side returns at this moment, at each level, and why.

        The rows are those in force for the rule's id.
        """
        with self.database.read() as connection:
            definitions = self.feed.refresh(connection)
            now = self.database.now(connection)
            ranks = severities.ranks(connection)
        rows = definitions.thresholds.get(rule.id, ())
        datasource = definitions.datasources.get(rule.datasource)
        refused = effective(rule, rows, (), now, ranks)
        if refused.error is not None:
            return refused
        if datasource is None:
            return Effective(error=f"no datasource {rule.datasource!r} is defined")
        reply = self.querying.values(datasource, rule, self._asked_at(rule, now))
        if reply.error is not None:
            return Effective(error=str(reply.error))
        return effective(rule, rows, reply.samples, now, ranks)

    def test_channel(self, channel: Channel) -> Outcome | Unconfigured:
        """Send a message that says it is a test, to every recipient; answers the first failure, else the last success."""
        address = self.addressing.address(channel)
        if isinstance(address, Unconfigured):
            return address
        with self.database.read() as connection:
            now = self.database.now(connection)
        labels = Labels({ALERTNAME: "TocsinTest", SEVERITY: "info", "channel": channel.name})
        text = {"summary": "A test message from Tocsin: this channel works. Nothing is wrong."}
        alert = AlertFacts(
            status="resolved",
            fingerprint=labels.fingerprint(),
            source="tocsin",
            labels=labels,
            annotations=text,
            starts_at=now,
            ends_at=now,
        )
        facts = Facts(
            group_key=f"test:{channel.name}",
            dedup_key=f"tocsin-test-{labels.fingerprint()}",
            receiver=channel.name,
            reason="test",
            flush_at=now,
            group_labels=labels.subset([ALERTNAME]),
            alerts=(alert,),
        )
        body = messages.message(channel, facts).body
        outcomes = [self.deliver(address, body, recipient, self.deadline) for recipient in recipients(address)]
        return next((one for one in outcomes if not isinstance(one, Delivered)), outcomes[-1])

    def _asked_at(self, rule: Rule, now: datetime) -> datetime:
        return now - (self.query_offset if rule.query_offset is None else rule.query_offset)

    def _first_page_after(self, rule: Rule, definitions: Definitions) -> timedelta:
        static: Mapping[str, str] = {**({SEVERITY: rule.severity} if rule.severity else {}), **rule.labels}
        own = {name: text for name, text in static.items() if "{{" not in text}
        labels = self.external.merged({**own, ALERTNAME: rule.name})
        waits = [policy.group_wait for policy in policies(rule, labels, definitions.tree)]
        return (rule.interval or self.interval) + rule.hold + max(waits)
