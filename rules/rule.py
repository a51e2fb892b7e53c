"""The alerting rule as people declare it, and the query it asks.

A rule is `metric_name condition threshold`, or a full `expr` (PromQL unless `language` says else) with its own
comparison, or an `expr` with `condition` and `threshold` beside it. Names are Prometheus' words; YAML `for` is `hold` in Python.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from rules.labels import Labels, LabelTexts


class Condition(StrEnum):
    """The six comparisons between a sample and a threshold, written as PromQL writes them."""

    ABOVE = ">"
    AT_LEAST = ">="
    BELOW = "<"
    AT_MOST = "<="
    EQUAL = "=="
    NOT_EQUAL = "!="


class NoData(StrEnum):
    """What becomes of the alerts of a rule whose query returns no series at all."""

    OK = "ok"
    KEEP = "keep"
    ALERT = "alert"


class MissingSeries(StrEnum):
    """What becomes of the alert of one vanished series while the rule still returns others."""

    RESOLVE = "resolve"
    KEEP = "keep"


class OnError(StrEnum):
    """What becomes of a rule's alerts while its evaluation fails."""

    KEEP = "keep"
    ALERT = "alert"
    OK = "ok"


class Plan(StrEnum):
    """Whether the rule's query may be shared with other rules' queries."""

    AUTO = "auto"
    ALONE = "alone"


class Language(StrEnum):
    """What a rule's `expr` is written in: PromQL, Loki's LogQL or VictoriaLogs' LogsQL."""

    PROMQL = "promql"
    LOGQL = "logql"
    LOGSQL = "logsql"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One alerting rule. `None` for `interval` and `query_offset` means the engine's default; `limit` 0 means none.

    A label whose text is empty removes the series' label of that name; only LabelTexts keep it.
    """

    id: str
    name: str
    group: str = ""
    team: str = ""
    expr: str | None = None
    language: Language = Language.PROMQL
    metric_name: str | None = None
    condition: Condition | None = None
    threshold: float | None = None
    hold: timedelta = timedelta(0)
    keep_firing_for: timedelta = timedelta(0)
    interval: timedelta | None = None
    query_offset: timedelta | None = None
    severity: str = ""
    labels: Labels = field(default_factory=LabelTexts)
    annotations: Mapping[str, str] = field(default_factory=dict)
    notification_channels: tuple[str, ...] = ()
    datasource: str = "default"
    enabled: bool = True
    no_data: NoData = NoData.OK
    missing_series: MissingSeries = MissingSeries.RESOLVE
    missing_for: timedelta = timedelta(days=1)
    on_error: OnError = OnError.KEEP
    limit: int = 0
    plan: Plan = Plan.AUTO
    origin: str = "sql"
    version: int = 1
