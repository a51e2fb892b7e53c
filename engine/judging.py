"""One rule at one slot, from its reply to what is to be written: alerts, transitions, health.

Between the pure decision (core.evaluation) and the loop: it renders templates and turns an error into a health.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from engine.core.alert import Alert, Change, Sample, State
from engine.core.evaluation import DuplicateLabelSetError, Element, Evaluation, credit_gap, evaluate, labelled
from engine.core.levels import levelled
from engine.querying import Reply
from engine.store.rule_status import Health, RuleStatus
from rules import query, templates, thresholds
from rules.errors import LabelError
from rules.labels import Labels
from rules.problems import Problem
from rules.rule import Rule
from rules.thresholds import Threshold


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What one rule's slot came to. `touched` moved without a transition; `status` is None when health did not change."""

    alerts: Mapping[Labels, Alert]
    changes: Sequence[Change] = ()
    touched: Sequence[Alert] = ()
    status: RuleStatus | None = None
    error: str | None = None
    sample_count: int = 0
    duration: timedelta = field(default=timedelta(0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Refinement:
    """The threshold rows of a rule, the ranks of severities, and what is wrong with the rows beside the rule."""

    rows: tuple[Threshold, ...] = ()
    ranks: Mapping[str, int] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()


PLAIN: Final = Refinement()
"""That of a rule without rows."""


@dataclass(frozen=True, slots=True)
class Judge:
    """Judges rules; `external_url` is what templates see as `$externalURL`."""

    external_url: str

    def judge(
        self,
        rule: Rule,
        reply: Reply,
        before: Mapping[Labels, Alert],
        status: RuleStatus | None,
        *,
        slot: datetime,
        gap: timedelta,
        refinement: Refinement = PLAIN,
    ) -> Judgement:
        """The rule at `slot`. An error leaves every alert as it is: no evidence, no change, and never a false resolve."""
        error = None if reply.error is None else str(reply.error)
        evaluation = Evaluation(alerts=credit_gap(before, gap, slot))
        if error is None:
            try:
                elements = self._elements(rule, reply, evaluation.alerts, refinement, slot)
            except (DuplicateLabelSetError, LabelError) as refused:
                error = str(refused)
            else:
                evaluation = evaluate(rule, elements, evaluation.alerts, slot)
        changes = [self._told(rule, change) for change in evaluation.changes]
        rendered = {change.alert.labels: change.alert for change in changes if change.alert.state is not State.INACTIVE}
        after = {labels: rendered.get(labels, alert) for labels, alert in evaluation.alerts.items()}
        return Judgement(
            alerts=after,
            changes=changes,
            touched=_touched(before, after),
            status=_status(rule, reply, error, status, slot=slot, problems=refinement.problems),
            error=error,
            sample_count=len(reply.samples),
            duration=reply.duration,
        )

    def _elements(
        self, rule: Rule, reply: Reply, before: Mapping[Labels, Alert], refinement: Refinement, slot: datetime
    ) -> Mapping[Labels, Element]:
        """What is active: every sample of a rule without rows, else the levels each sample reaches."""
        comparison = query.comparison(rule) if refinement.rows else None
        if comparison is None:
            return labelled(rule, reply.samples, self._expand)
        levels = thresholds.levels(rule, comparison, refinement.rows, slot, refinement.ranks)
        return levelled(rule, reply.samples, self._expand, condition=comparison.condition, levels=levels, before=before)

    def _told(self, rule: Rule, change: Change) -> Change:
        """The change with its annotations rendered, as its alert stands at the transition."""
        sample = Sample(labels=change.alert.sample_labels, value=change.alert.value)
        rendered = {name: self._expand(text, sample) for name, text in rule.annotations.items()}
        return replace(change, alert=replace(change.alert, annotations=rendered))

    def _expand(self, text: str, sample: Sample) -> str:
        data = templates.TemplateData(labels=sample.labels, value=sample.value, external_url=self.external_url)
        return templates.render_or_error(text, data)


def _touched(before: Mapping[Labels, Alert], after: Mapping[Labels, Alert]) -> list[Alert]:
    moved = []
    for labels, alert in after.items():
        known = before.get(labels)
        if known is None or known.state is not alert.state:
            continue
        if _kept(known) != _kept(alert):
            moved.append(alert)
    return moved


def _kept(alert: Alert) -> tuple[object, ...]:
    """What is kept of an alert between its transitions, its value aside."""
    governed = alert.threshold, alert.threshold_id
    return alert.active_at, alert.keep_firing_since, *governed, alert.sample_labels


def _status(
    rule: Rule,
    reply: Reply,
    error: str | None,
    known: RuleStatus | None,
    *,
    slot: datetime,
    problems: Sequence[Problem],
) -> RuleStatus | None:
    """The rule's status, `None` when nothing about it changed."""
    before = known or RuleStatus(rule_id=rule.id, health=Health.UNKNOWN, changed_at=slot)
    last_data_at = before.last_data_at or (slot if reply.has_data else None)
    fresh = RuleStatus(
        rule_id=rule.id,
        health=_health(reply, error, last_data_at),
        last_error=error,
        problems=tuple({**asdict(one), "severity": one.severity.value} for one in problems),
        checked_version=rule.version,
        good_version=rule.version,
        last_data_at=last_data_at,
        changed_at=before.changed_at,
    )
    return None if fresh == known else replace(fresh, changed_at=slot)


def _health(reply: Reply, error: str | None, last_data_at: datetime | None) -> Health:
    if error is not None:
        return Health.ERR
    # `has_data` is False only where the left side was counted; an expression that does not split cannot be.
    return Health.NEVER_HAD_DATA if last_data_at is None and reply.has_data is False else Health.OK
