"""Rules and alerts in the shape Prometheus tells them (P:web/api/v1/api.go), numbers and times as Go prints them."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple

from api.backend import Timing
from engine.core.alert import Alert, State
from engine.store.rule_status import Health, RuleStatus
from rules.query import query_text
from rules.rule import Rule

NO_TIME: Final = "0001-01-01T00:00:00Z"
"""Go's zero time: it has not happened."""
_HEALTH: Final = {Health.ERR: "err", Health.QUARANTINED: "err", Health.UNKNOWN: "unknown"}


class RuleFacts(NamedTuple):
    """One rule with how it is doing; `None` where it has never been evaluated."""

    rule: Rule
    timing: Timing | None
    status: RuleStatus | None
    alerts: tuple[Alert, ...]

    @property
    def interval_seconds(self) -> float:
        interval = self.rule.interval if self.timing is None else self.timing.interval
        return 0.0 if interval is None else interval.total_seconds()


def file_of(rule: Rule) -> str:
    """The file a rule was imported from, else who owns it: `sql`, `api`."""
    return rule.origin.removeprefix("import:")


def group_of(rule: Rule) -> str:
    """The rule's group; one without is in `default`, because Grafana wants a name."""
    return rule.group or "default"


def labels_of(rule: Rule) -> dict[str, str]:
    """The labels the rule adds, its severity among them, as templates."""
    return {**rule.labels, **({"severity": rule.severity} if rule.severity else {})}


def static_labels(rule: Rule) -> dict[str, str]:
    """The labels that are no templates: what a matcher can know before any evaluation."""
    return {name: text for name, text in labels_of(rule).items() if "{{" not in text}


def go_number(value: float) -> str:
    """Go's shortest `e` format: `1e+00`, `9.15e+01`, `+Inf`, `NaN`."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    mantissa, _, power = format(Decimal(repr(value)).normalize(), "e").partition("e")
    return f"{mantissa}e{power[0]}{power[1:]:0>2}"


def go_time(moment: datetime | None) -> str:
    """RFC 3339 as Go prints it, without trailing zeros."""
    if moment is None:
        return NO_TIME
    text = moment.astimezone(UTC).replace(tzinfo=None).isoformat()
    return f"{text.rstrip('0').rstrip('.') if '.' in text else text}Z"


def alert_document(alert: Alert) -> dict[str, Any]:
    """One active alert, as it is at present."""
    since = alert.keep_firing_since
    return {
        "labels": dict(alert.labels),
        "annotations": dict(alert.annotations),
        "state": alert.state.value,
        "activeAt": go_time(alert.active_at),
        **({} if since is None else {"keepFiringSince": go_time(since)}),
        "value": go_number(alert.value),
    }


def rule_document(facts: RuleFacts, *, with_alerts: bool) -> dict[str, Any]:
    """One rule; its query is the text as it was written."""
    rule, timing, status, alerts = facts
    last = None if timing is None else timing.last_evaluation_at
    error = _error(status)
    return {
        "state": _state(alerts, last),
        "name": rule.name,
        "query": query_text(rule),
        "duration": rule.hold.total_seconds(),
        "keepFiringFor": rule.keep_firing_for.total_seconds(),
        "labels": labels_of(rule),
        "annotations": dict(rule.annotations),
        **({"alerts": [alert_document(alert) for alert in alerts]} if with_alerts else {}),
        "health": "unknown" if status is None else _HEALTH.get(status.health, "ok"),
        **({"lastError": error} if error else {}),
        "evaluationTime": _evaluation_seconds(timing),
        "lastEvaluation": go_time(last),
        "type": "alerting",
    }


def _evaluation_seconds(timing: Timing | None) -> float:
    return 0.0 if timing is None or timing.last_duration is None else timing.last_duration.total_seconds()


def _error(status: RuleStatus | None) -> str:
    if status is None or status.health not in (Health.ERR, Health.QUARANTINED):
        return ""
    return status.last_error or "; ".join(str(each.get("message", "")) for each in status.problems)


def _state(alerts: tuple[Alert, ...], last: datetime | None) -> str:
    states = {alert.state for alert in alerts}
    for state in (State.FIRING, State.PENDING):
        if state in states:
            return state.value
    return State.INACTIVE.value if last else "unknown"
