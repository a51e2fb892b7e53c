"""Facts for tests of messages: a firing group with everything in it, and shorthands to vary one thing at a time."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Literal

from engine.core.facts import AlertFacts, Facts
from rules.labels import Labels

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)

RUNBOOK = "https://wiki.example.org/runbooks/errors"
DASHBOARD = "https://grafana.example.org/d/errors"
QUERY = "https://prometheus.example.org/graph?g0.expr=up&g0.tab=1"


def alert(
    labels: Mapping[str, str] | None = None,
    *,
    status: Literal["firing", "resolved"] = "firing",
    annotations: Mapping[str, str] | None = None,
    value: float | None = 97.25,
    threshold: str | None = "> 80",
    generator_url: str = QUERY,
    starts_at: datetime = NOON,
    number: int | None = None,
) -> AlertFacts:
    """One alert: HighErrorRate, critical, of instance web-1, unless `labels` say otherwise."""
    all_labels = Labels({"alertname": "HighErrorRate", "severity": "critical", "instance": "web-1", **(labels or {})})
    return AlertFacts(
        status=status,
        fingerprint=all_labels.fingerprint(),
        source="rule-1",
        labels=all_labels,
        annotations={"summary": "Too many errors"} if annotations is None else annotations,
        starts_at=starts_at,
        ends_at=starts_at + timedelta(minutes=5) if status == "resolved" else None,
        value=value,
        threshold=threshold,
        generator_url=generator_url,
        number=number,
    )


def facts(
    *alerts: AlertFacts,
    group_labels: Mapping[str, str] | None = None,
    dedup_key: str = "4f2a" * 16,
    group_key: str = '{}:{alertname="HighErrorRate"}',
    reason: str = "first notification",
    receiver: str = "ops",
    external_url: str = "https://tocsin.example.org",
    notes: tuple[str, ...] = (),
) -> Facts:
    """One notification of these alerts, of one firing alert when none is given."""
    return Facts(
        group_key=group_key,
        dedup_key=dedup_key,
        receiver=receiver,
        reason=reason,
        flush_at=NOON + timedelta(minutes=1),
        group_labels=Labels({"alertname": "HighErrorRate"} if group_labels is None else group_labels),
        alerts=alerts or (alert(),),
        external_url=external_url,
        notes=notes,
    )


def many(count: int, status: Literal["firing", "resolved"] = "firing") -> tuple[AlertFacts, ...]:
    """So many alerts that differ by their instance."""
    return tuple(alert({"instance": f"web-{index}"}, status=status) for index in range(1, count + 1))
