"""The alerts of the engine itself: a datasource that is away, a rule that fails, a lost replica. Ordinary alerts of its own.

They are routed from the root like any other, wait a while like any other, and end when what they tell of has ended.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from engine.core.alert import Alert, Change, Sample
from engine.core.element import Element
from engine.core.evaluation import LONGEST_GAP, Evaluation, credit_gap, evaluate
from rules.labels import ALERTNAME, SEVERITY, Labels
from rules.rule import Rule

SOURCE: Final = "tocsin"
DATASOURCE_DOWN: Final = "TocsinDatasourceDown"
ALERT_LIMIT: Final = "TocsinAlertLimit"
RULE_FAILING: Final = "TocsinRuleFailing"
QUARANTINED: Final = "TocsinRulesQuarantined"
DELIVERY_FAILING: Final = "TocsinDeliveryFailing"
EVALUATION_LATE: Final = "TocsinEvaluationLate"
REPLICA_LOST: Final = "TocsinReplicaLost"
FAILING_FOR: Final = timedelta(minutes=5)
"""How long a rule or a channel fails before anybody is told: both are tried again meanwhile."""
DOWN_FOR: Final = timedelta(minutes=1)
"""How long a datasource is away before anybody is told: a restart of it is no news."""

_ENGINE: Final = Rule(id=SOURCE, name=SOURCE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """One thing the engine has to tell of: the labels of its alert, what it says, and how long it lasts before it is told."""

    labels: Labels
    summary: str
    hold: timedelta = timedelta(0)


def datasource_down(name: str, error: str) -> Trouble:
    """A datasource does not answer."""
    return Trouble(
        labels=_datasource(name),
        summary=f"datasource {name!r} does not answer, and alerts of its rules stay as they are: {error}",
        hold=DOWN_FOR,
    )


def over_limit(rule: Rule) -> Trouble:
    """More series of a rule are active than its limit has room for."""
    labels = {ALERTNAME: ALERT_LIMIT, "rule": rule.name, "rule_id": rule.id, SEVERITY: "warning"}
    return Trouble(
        labels=Labels(labels),
        summary=f"rule {rule.name!r} is at its limit of {rule.limit} alerts, and nobody is told of the others",
    )


def rule_failing(rule_id: str, name: str, error: str) -> Trouble:
    """A rule cannot be evaluated, and not because its datasource is away."""
    return Trouble(
        labels=Labels({ALERTNAME: RULE_FAILING, "rule": name, "rule_id": rule_id, SEVERITY: "warning"}),
        summary=f"rule {name!r} cannot be evaluated, and its alerts stay as they are: {error}",
        hold=FAILING_FOR,
    )


def rules_failing(count: int) -> Trouble:
    """More rules cannot be evaluated than are told of one by one."""
    return Trouble(
        labels=Labels({ALERTNAME: RULE_FAILING, SEVERITY: "critical"}),
        summary=f"{count} more rules cannot be evaluated; tocsin rules list --health err names them",
        hold=FAILING_FOR,
    )


def quarantined(count: int) -> Trouble:
    """Rows that people wrote cannot be used."""
    return Trouble(
        labels=Labels({ALERTNAME: QUARANTINED, SEVERITY: "warning"}),
        summary=f"{count} rules were written in a way that cannot be used, and their last good versions stay in force",
        hold=DOWN_FOR,
    )


def delivery_failing(channel: str, error: str) -> Trouble:
    """Nothing reaches a channel."""
    return Trouble(
        labels=Labels({ALERTNAME: DELIVERY_FAILING, "channel": channel, SEVERITY: "critical"}),
        summary=f"nothing can be delivered to channel {channel!r}: {error}",
        hold=FAILING_FOR,
    )


def evaluation_late(units: int) -> Trouble:
    """Rules were not evaluated when they were due."""
    return Trouble(
        labels=Labels({ALERTNAME: EVALUATION_LATE, SEVERITY: "critical"}),
        summary=f"{units} evaluation units are overdue; is there too much work, or no process with the role evaluator?",
    )


def replica_lost(node: str) -> Trouble:
    """A process of the cluster has gone silent without leaving."""
    return Trouble(
        labels=Labels({ALERTNAME: REPLICA_LOST, "node": node, SEVERITY: "warning"}),
        summary=f"process {node!r} has gone silent, and the others do its work",
        hold=DOWN_FOR,
    )


def settle(
    before: Mapping[Labels, Alert],
    troubles: Iterable[Trouble],
    now: datetime,
    *,
    unknown: Iterable[str] = (),
    first: bool = False,
) -> Evaluation:
    """Advance the engine's alerts to `now`: those of `troubles` are active, the others end.

    The datasources `unknown` were not asked yet, so what was said of them stands. The `first` time after a start nobody
    knows what was meanwhile, so what was pending begins anew.
    """
    found = {trouble.labels: trouble for trouble in troubles}
    unasked = {_datasource(name) for name in unknown}
    judged = {labels: alert for labels, alert in before.items() if labels not in unasked}
    if first:
        judged = dict(credit_gap(judged, LONGEST_GAP + timedelta(seconds=1), now))
    sample = {labels: Sample(labels=labels, value=1.0) for labels in found}
    elements = {labels: Element(sample=sample[labels], hold=trouble.hold) for labels, trouble in found.items()}
    evaluation = evaluate(_ENGINE, elements, judged, now)
    return replace(evaluation, changes=tuple(_told(change, found) for change in evaluation.changes))


def _told(change: Change, found: Mapping[Labels, Trouble]) -> Change:
    trouble = found.get(change.alert.labels)
    if trouble is None:
        return change
    return replace(change, alert=replace(change.alert, annotations={"summary": trouble.summary}))


def _datasource(name: str) -> Labels:
    return Labels({ALERTNAME: DATASOURCE_DOWN, "datasource": name, SEVERITY: "critical"})
