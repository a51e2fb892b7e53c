"""Rules on the wire: what is declared, how the rule is doing, and what it would do right now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Annotated, Any, ClassVar, Final

from pydantic import AfterValidator, Field, StrictBool, StrictInt

from api.backend import Timing, Trial
from api.schemas.alerts import EXAMPLE as ALERT_EXAMPLE
from api.schemas.alerts import AlertOut
from api.schemas.fields import Duration, Input, Number, Output, Text, example
from engine.core.alert import State
from engine.store.rule_status import Health, RuleStatus
from rules.labels import LabelTexts
from rules.problems import Problem
from rules.rule import Condition, Language, MissingSeries, NoData, OnError, Plan, Rule

ALERTS_SHOWN: Final = 100
"""Alerts of a first evaluation that are told one by one; the count is of all."""

KEY: Final = r"^[^/\x00-\x1f]+$"
"""What an id or name may be, so that it can stand in a path."""

Key = Annotated[str, Field(min_length=1, max_length=200, pattern=KEY), AfterValidator(str)]
Pairs = dict[Text, Text]


_EXAMPLE: Final[dict[str, Any]] = {
    "id": "cpu",
    "name": "HighCpu",
    "group": "hosts",
    "team": "sre",
    "expr": None,
    "metric_name": "cpu_usage_percent",
    "condition": ">",
    "threshold": 90.0,
    "for": "5m",
    "keep_firing_for": "0s",
    "interval": "30s",
    "query_offset": None,
    "severity": "critical",
    "labels": {"service": "shop"},
    "annotations": {"summary": "CPU of {{ $labels.instance }} at {{ $value }} %"},
    "notification_channels": ["slack", "pagerduty"],
    "datasource": "default",
    "enabled": True,
    "no_data": "ok",
    "missing_series": "resolve",
    "missing_for": "1d",
    "on_error": "keep",
    "limit": 0,
    "plan": "auto",
    "language": "promql",
}
PATCH_EXAMPLE: Final[dict[str, Any]] = {"threshold": 95, "labels": {"service": None}}
_STATUS_EXAMPLE: Final[dict[str, Any]] = {
    "health": "ok",
    "state": "firing",
    "problems": [],
    "last_evaluation_at": "2026-11-21T12:00:00Z",
    "next_evaluation_at": "2026-11-21T12:00:30Z",
    "last_sample_count": 1,
    "last_error": None,
    "last_data_at": "2026-11-21T11:00:00Z",
    "checked_version": 1,
    "good_version": 1,
}
_OUT_EXAMPLE: Final[dict[str, Any]] = {**_EXAMPLE, "origin": "api", "version": 1, "status": _STATUS_EXAMPLE}
_FIRST_EXAMPLE: Final[dict[str, Any]] = {
    "sample_count": 1,
    "alert_count": 1,
    "alerts": [ALERT_EXAMPLE],
    "warning": None,
    "error": None,
}


class RuleFields(Output):
    """What people declare. A rule asks `metric_name condition threshold`, or an `expr` in its `language`."""

    name: Text = Field(min_length=1, max_length=1000)
    group: Text = ""
    team: Text = ""
    expr: Text | None = Field(default=None, min_length=1, max_length=16384)
    metric_name: Text | None = Field(default=None, min_length=1, max_length=1024)
    condition: Condition | None = None
    threshold: Number | None = None
    hold: Duration = Field(default=timedelta(0), alias="for")
    keep_firing_for: Duration = timedelta(0)
    interval: Duration | None = None
    query_offset: Duration | None = None
    severity: Text = ""
    labels: Pairs = Field(default_factory=dict)
    annotations: Pairs = Field(default_factory=dict)
    notification_channels: list[Text] = Field(default_factory=list)
    datasource: Text = "default"
    enabled: StrictBool = True
    no_data: NoData = NoData.OK
    missing_series: MissingSeries = MissingSeries.RESOLVE
    missing_for: Duration = timedelta(days=1)
    on_error: OnError = OnError.KEEP
    limit: StrictInt = Field(default=0, le=2**31 - 1, ge=-(2**31))
    plan: Plan = Plan.AUTO
    language: Language = Language.PROMQL


class RuleIn(Input, RuleFields):
    """A rule as it is sent; `id` may be chosen at POST, else one is made."""

    model_config = example(
        {
            "name": "HighCpu",
            "metric_name": "cpu_usage_percent",
            "condition": ">",
            "threshold": 90,
            "for": "5m",
            "severity": "critical",
            "annotations": {"summary": "CPU of {{ $labels.instance }} at {{ $value }} %"},
            "notification_channels": ["slack", "pagerduty"],
        }
    )
    read_only: ClassVar[frozenset[str]] = frozenset(
        {"origin", "version", "status", "problems", "first_evaluation", "first_page_after"}
    )
    id: Key | None = None

    def to_rule(self, rule_id: str, *, origin: str, version: int) -> Rule:
        """The rule declared, under this id."""
        declared = {name: getattr(self, name) for name in RuleFields.model_fields}
        declared["labels"] = LabelTexts(self.labels)
        declared["notification_channels"] = tuple(self.notification_channels)
        return Rule(id=rule_id, origin=origin, version=version, **declared)


class ProblemOut(Output):
    """One thing wrong with a rule that does not keep it from being stored; `position` counts characters from 0."""

    severity: str
    field: str
    message: str
    position: int | None = None

    @classmethod
    def all_of(cls, problems: Sequence[Problem]) -> list[ProblemOut]:
        """These problems, in order."""
        return [cls(severity=p.severity, field=p.field, message=p.message, position=p.position) for p in problems]


TIMING: Final = ("last_evaluation_at", "next_evaluation_at", "last_sample_count")


class StatusOut(Output):
    """How the rule is doing. `state` is that of its most alarming alert; `good_version` is in force when quarantined."""

    health: Health = Health.UNKNOWN
    state: State = State.INACTIVE
    problems: list[dict[str, Any]] = Field(default_factory=list)
    last_evaluation_at: datetime | None = None
    next_evaluation_at: datetime | None = None
    last_sample_count: int | None = None
    last_error: str | None = None
    last_data_at: datetime | None = None
    checked_version: int | None = None
    good_version: int | None = None

    @classmethod
    def of(
        cls, status: RuleStatus | None, state: State, timing: Timing | None, problems: Iterable[Problem] = ()
    ) -> StatusOut:
        """The status stored, if the rule was ever evaluated, with the state of its alerts, its clock and more problems."""
        clock = {} if timing is None else {name: getattr(timing, name) for name in TIMING}
        more = [asdict(problem) for problem in problems]
        if status is None:
            return cls(state=state, problems=more, **clock)
        return cls(
            health=status.health,
            state=state,
            problems=[*map(dict, status.problems), *more],
            last_error=status.last_error,
            last_data_at=status.last_data_at,
            checked_version=status.checked_version,
            good_version=status.good_version,
            **clock,
        )


class RuleOut(RuleFields):
    """A rule as it stands."""

    model_config = example(_OUT_EXAMPLE)
    id: str
    origin: str
    version: int
    status: StatusOut = Field(default_factory=StatusOut)


class FirstEvaluation(Output):
    """What the rule returns at this moment, found out without any effect; `alerts` are the first hundred."""

    sample_count: int
    alert_count: int
    alerts: list[AlertOut]
    warning: str | None = None
    error: str | None = None

    @classmethod
    def of(cls, trial: Trial) -> FirstEvaluation:
        """The trial's answer, with a warning when the query answered and matched nothing."""
        warning = None
        if trial.error is None and trial.sample_count == 0:
            warning = "nothing matches now: right if all is well, wrong if a name or a label is misspelt"
        return cls(
            sample_count=trial.sample_count,
            alert_count=len(trial.alerts),
            alerts=[AlertOut.of(alert) for alert in trial.alerts[:ALERTS_SHOWN]],
            warning=warning,
            error=trial.error,
        )


class RuleAnswer(RuleOut):
    """A rule as it stands after a change, its warnings, and at its creation what it would do right now."""

    model_config = example(
        {**_OUT_EXAMPLE, "problems": [], "first_evaluation": _FIRST_EXAMPLE, "first_page_after": "6m"}
    )
    problems: list[ProblemOut] = Field(default_factory=list)
    first_evaluation: FirstEvaluation | None = None
    first_page_after: Duration | None = None


class EvaluationOut(FirstEvaluation):
    """One evaluation on request."""

    model_config = example({**_FIRST_EXAMPLE, "problems": [], "first_page_after": "6m"})
    problems: list[ProblemOut]
    first_page_after: Duration


def declared(rule: Rule) -> dict[str, Any]:
    """The rule's own fields as values, what models are built of."""
    values = {name: getattr(rule, name) for name in RuleFields.model_fields}
    lists = {"labels": dict(rule.labels), "annotations": dict(rule.annotations)}
    return {**values, **lists, "notification_channels": list(rule.notification_channels)}


def document(rule: Rule) -> dict[str, object]:
    """The rule's own fields as JSON, what changes are told in and patches are laid over."""
    return RuleFields.model_construct(**declared(rule)).model_dump(mode="json", by_alias=True)


def described(rule: Rule, status: StatusOut, more: Mapping[str, Any] | None = None) -> RuleAnswer:
    """The rule as it stands. Nothing is validated: a row made by SQL is shown as it is."""
    identity = {"id": rule.id, "origin": rule.origin, "version": rule.version}
    empty: dict[str, Any] = {"problems": [], "first_evaluation": None, "first_page_after": None}
    return RuleAnswer.model_construct(**{**declared(rule), **identity, **empty, "status": status, **(more or {})})
