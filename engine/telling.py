"""From alerts and a decision to the facts a message is rendered from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from urllib.parse import quote

from engine.core.alert import Alert, State
from engine.core.external import NONE, outward
from engine.core.facts import AlertFacts, Facts
from engine.core.flush import Group
from engine.core.muting import Mutes
from engine.core.notifying import Decision
from engine.core.posting import EXTERNAL
from rules import query
from rules.errors import RulesError
from rules.labels import Labels
from rules.routing import Policy
from rules.rule import Rule


class Rules(Protocol):
    """The rules in force, which is all of the definitions that facts are made with."""

    @property
    def rules(self) -> Mapping[str, Rule]: ...


@dataclass(frozen=True, slots=True)
class Telling:
    """Makes facts; `external_url` is where Tocsin itself is reached, `prometheus_url` where its queries can be looked at."""

    external_url: str
    prometheus_url: str
    external: Labels = NONE

    def facts(
        self,
        group: Group,
        policy: Policy,
        decision: Decision,
        alerts: Mapping[int, Alert],
        *,
        mutes: Mutes,
        definitions: Rules,
    ) -> Facts:
        """What a message for this decision says: the firing first, each in order of its start."""
        firing = sorted((alerts[number] for number in decision.firing if number in alerts), key=_began)
        resolved = sorted((alerts[number] for number in decision.resolved if number in alerts), key=_began)
        told = [self._alert(alert, definitions, ends_at=None) for alert in firing]
        told += [self._alert(alert, definitions, ends_at=alert.resolved_at or group.flush_at) for alert in resolved]
        return Facts(
            group_key=f"{policy.route_id}:{group.labels}",
            dedup_key=group.dedup_key,
            receiver=policy.receiver,
            reason=decision.reason.value,
            flush_at=group.flush_at,
            group_labels=group.labels,
            alerts=tuple(told),
            external_url=self.external_url,
            notes=(*_notes(decision, mutes), *_moved(decision, alerts)),
            route_labels=policy.labels,
        )

    def _alert(self, alert: Alert, definitions: Rules, *, ends_at: datetime | None) -> AlertFacts:
        threshold, url = None, alert.generator_url
        rule = definitions.rules.get(alert.source)
        if rule is not None:
            try:
                if alert.threshold_id is not None and alert.threshold is not None:
                    rule = query.at_threshold(rule, alert.threshold)
                threshold = query.threshold_text(rule)
                url = f"{self.prometheus_url}/graph?g0.expr={quote(query.query_text(rule))}&g0.tab=1"
            except RulesError:
                # The rule was edited into something that cannot be asked; its alert is still told.
                threshold = None
        return AlertFacts(
            status="firing" if ends_at is None else "resolved",
            fingerprint=alert.labels.fingerprint(),
            source=alert.source,
            labels=outward(alert.labels, alert.source, self.external),
            annotations=alert.annotations,
            starts_at=alert.fired_at or alert.active_at,
            ends_at=ends_at,
            value=None if alert.source == EXTERNAL else alert.value,
            threshold=threshold,
            generator_url=url,
            number=alert.id,
        )


def _began(alert: Alert) -> datetime:
    return alert.fired_at or alert.active_at


def _notes(decision: Decision, mutes: Mutes) -> tuple[str, ...]:
    kept = decision.firing & mutes.keys()
    return (f"{len(kept)} of these are muted now, but were told before and still fire",) if kept else ()


def _moved(decision: Decision, alerts: Mapping[int, Alert]) -> tuple[str, ...]:
    """That what this message calls an end is none, where alerts went to other routes."""
    going = [number for number in decision.resolved if number in alerts and alerts[number].state is State.FIRING]
    return (f"{len(going)} of these still fire, and are told elsewhere now: the routes were changed",) if going else ()
