"""What an evaluation sees and makes: samples in, alerts and their changes out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from rules.labels import Labels


class State(StrEnum):
    """Where one alert stands; the words are Prometheus'. `inactive` is an alert that has resolved (or never got past pending)."""

    PENDING = "pending"
    FIRING = "firing"
    INACTIVE = "inactive"


class TransitionReason(StrEnum):
    """Why an alert changed its state; closed, so that every ledger row can be read by a program."""

    CONDITION_MET = "condition_met"
    """The expression returned the series: pending begins."""
    HELD = "held"
    """The condition held for the rule's `for`: firing begins."""
    CONDITION_ENDED = "condition_ended"
    """The expression no longer returns the series (its value recovered, or the series is gone)."""
    NO_DATA = "no_data"
    """The rule's left-hand side returned nothing at all, and its `no_data` says what that means."""
    SERIES_MISSING = "series_missing"
    """This series is gone while the rule still returns others, and `missing_series` says what that means."""
    HOLD_RAISED = "hold_raised"
    """`for` was raised above the time the alert has been active: back to pending (P: TestFiringAlertResetToPending…)."""
    DATA_RETURNED = "data_returned"
    """What was missing is back: the series, the left-hand side, or an evaluation without an error."""
    EVALUATION_ERROR = "evaluation_error"
    """The rule's evaluation fails, and its `on_error` says what that means."""
    RULE_DELETED = "rule_deleted"
    RULE_DISABLED = "rule_disabled"
    POSTED = "posted"
    """Somebody posted the alert as firing."""
    RESOLVED_BY_SENDER = "resolved_by_sender"
    """Whoever posts the alert said that it is over."""
    EXPIRED = "expired"
    """Nobody posted the alert again before the end it was posted with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One element of a query's answer at its evaluation time; `labels` hold `__name__` when the query kept it."""

    labels: Labels
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Absence:
    """That an alert is only kept: since when its series is not there, and why (`no_data` or `series_missing`)."""

    since: datetime
    reason: TransitionReason


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One alert of one rule: identity is (`source`, `labels`); `episode` counts how often it has become active.

    `source` is the rule's id, or `external` for a posted alert. `labels` are the final ones, `alertname` included;
    `sample_labels` are the series' own, which templates see as `$labels`. `value` and `annotations` are those of the last
    evaluation that returned the series. `threshold` is the number that made it active and `threshold_id` the threshold row it
    comes from, `None` for the rule's own. `absence` is set while the alert is kept without its series. `generator_url` is what a
    posted alert names as its origin. `id` is the row's number, `None` until it is stored.
    """

    source: str
    labels: Labels
    sample_labels: Labels
    state: State
    value: float
    active_at: datetime
    fired_at: datetime | None = None
    keep_firing_since: datetime | None = None
    resolved_at: datetime | None = None
    episode: int = 1
    annotations: Mapping[str, str] = field(default_factory=dict)
    rule_version: int = 1
    threshold: float | None = None
    threshold_id: str | None = None
    absence: Absence | None = None
    generator_url: str = ""
    id: int | None = None

    def at(self, value: float) -> Alert:
        """The same alert with another value, as `replace` makes it, in a quarter of the time: this is done at every slot."""
        return Alert(
            source=self.source,
            labels=self.labels,
            sample_labels=self.sample_labels,
            state=self.state,
            value=value,
            active_at=self.active_at,
            fired_at=self.fired_at,
            keep_firing_since=self.keep_firing_since,
            resolved_at=self.resolved_at,
            episode=self.episode,
            annotations=self.annotations,
            rule_version=self.rule_version,
            threshold=self.threshold,
            threshold_id=self.threshold_id,
            absence=self.absence,
            generator_url=self.generator_url,
            id=self.id,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A transition of one alert: what it was (`None` when new), what it is now, and why.

    It was and is the same where only the reason is new: the alert is kept from now on, or no longer has to be.
    """

    before: State | None
    alert: Alert
    reason: TransitionReason
