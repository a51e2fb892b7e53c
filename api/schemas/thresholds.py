"""Threshold rows on the wire, and which of them governs each series of a rule now."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, ClassVar, Final

from pydantic import Field, StrictInt

from api.schemas.fields import Duration, Input, Instant, Measured, Number, Output, Text, example
from api.schemas.matchers import MatcherField, Matchers
from api.schemas.rules import Key, ProblemOut
from engine.core.levels import Effective, EffectiveLevel
from rules.thresholds import Threshold

_EXAMPLE: Final[dict[str, Any]] = {
    "id": "db-critical",
    "matchers": [{"name": "team", "value": "db", "operator": "="}],
    "threshold": 95.0,
    "recovery_threshold": 85.0,
    "severity": "critical",
    "for": "10m",
    "valid_from": None,
    "valid_to": "2027-01-01T00:00:00Z",
    "priority": 0,
    "reason": "the migration keeps the databases busy until the new year",
    "team": "sre",
}
_OUT_EXAMPLE: Final[dict[str, Any]] = {**_EXAMPLE, "rule_id": "cpu", "origin": "api", "version": 1, "problems": []}


class ThresholdFields(Output):
    """What people declare; null is the rule's own, or for a validity no bound."""

    threshold: Number
    recovery_threshold: Number | None = None
    severity: Text = ""
    hold: Duration | None = Field(default=None, alias="for")
    valid_from: Instant | None = None
    valid_to: Instant | None = None
    priority: Annotated[StrictInt, Field(ge=-(2**31), le=2**31 - 1)] = 0
    reason: Text = ""
    team: Text = ""


class ThresholdIn(Input, ThresholdFields):
    """A threshold row as it is sent; `id` may be chosen at POST, else one is made."""

    model_config = example(_EXAMPLE)
    read_only: ClassVar[frozenset[str]] = frozenset({"rule_id", "origin", "version", "problems"})
    id: Key | None = None
    matchers: Matchers = Field(default_factory=list)

    def to_threshold(self, threshold_id: str, rule_id: str, before: Threshold | None) -> Threshold:
        """The threshold row declared, under this id."""
        declared: dict[str, Any] = {name: getattr(self, name) for name in ThresholdFields.model_fields}
        matchers = tuple(field.matcher() for field in self.matchers)
        stands = before or Threshold(id=threshold_id, rule_id=rule_id, threshold=self.threshold, origin="api")
        return replace(stands, matchers=matchers, **declared)


class ThresholdOut(ThresholdFields):
    """A threshold row as it stands; `problems` are warnings, such as another row that is tied with it."""

    model_config = example(_OUT_EXAMPLE)
    id: str
    rule_id: str
    matchers: list[MatcherField]
    origin: str
    version: int
    problems: list[ProblemOut] = Field(default_factory=list)


class LevelOut(Output):
    """What governs one series at one level: a threshold row, or the rule's own threshold, or nothing.

    `threshold_id` null means the rule's own threshold, and `threshold` null nothing at all.
    """

    severity: str
    threshold: Measured | None
    recovery_threshold: Measured | None
    threshold_id: str | None
    why: str
    active: bool

    @classmethod
    def of(cls, level: EffectiveLevel) -> LevelOut:
        """The level as it is shown."""
        values = {name: getattr(level, name) for name in cls.model_fields if name != "threshold_id"}
        return cls.model_construct(**values, threshold_id=level.row_id)


class SeriesOut(Output):
    """One series the rule's left side returns now, with its levels, lowest first."""

    labels: dict[str, str]
    value: Measured
    levels: list[LevelOut]


class EffectiveOut(Output):
    """What governs each of the rule's series now; `idle` are the rows that govern none, `error` is why there is no answer."""

    model_config = example(
        {
            "series_count": 1,
            "series": [
                {
                    "labels": {"instance": "db-1", "team": "db"},
                    "value": 93.5,
                    "levels": [
                        {
                            "severity": "critical",
                            "threshold": 95.0,
                            "recovery_threshold": 85.0,
                            "threshold_id": "db-critical",
                            "why": "the only row that matches",
                            "active": False,
                        }
                    ],
                }
            ],
            "idle": [],
            "error": None,
        }
    )
    series_count: int
    series: list[SeriesOut]
    idle: list[str]
    error: str | None = None

    @classmethod
    def of(cls, effective: Effective, limit: int) -> EffectiveOut:
        """The first `limit` series; the count is of all."""
        series = [
            SeriesOut.model_construct(
                labels=dict(one.labels), value=one.value, levels=[LevelOut.of(level) for level in one.levels]
            )
            for one in effective.series[:limit]
        ]
        idle = list(effective.idle)
        return cls.model_construct(series_count=len(effective.series), series=series, idle=idle, error=effective.error)


def described(row: Threshold, problems: list[ProblemOut]) -> ThresholdOut:
    """The threshold row as it stands. Nothing is validated: a row made by SQL is shown as it is."""
    values = {name: getattr(row, name) for name in ThresholdOut.model_fields if name not in ("matchers", "problems")}
    matchers = [MatcherField.of(matcher) for matcher in row.matchers]
    return ThresholdOut.model_construct(**values, matchers=matchers, problems=problems)


def document(row: Threshold) -> dict[str, object]:
    """The threshold row's own fields as JSON, what changes are told in."""
    kept = {"id", *ThresholdFields.model_fields}
    shown = described(row, []).model_dump(mode="json", by_alias=True, include=kept)
    return {**shown, "matchers": [str(matcher) for matcher in row.matchers]}
