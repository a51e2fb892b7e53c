"""One rule at one slot, from its reply to what is to be written: alerts, transitions, health.

Between the pure decision (core.evaluation) and the loop: it renders templates and turns an error into a health.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from engine.core.alert import Alert, Change, Sample, State
from engine.core.element import Element
from engine.core.evaluation import DuplicateLabelSetError, Evaluation, Naming, credit_gap, evaluate, failed, labelled
from engine.core.levels import levelled, past
from engine.core.rule_alert import reason_of, told
from engine.core.standing import Basis, Stance, Standing, stance
from engine.core.vector import Present, Vector
from engine.querying import Reply
from engine.store.rule_status import Health, RuleStatus
from rules import query, templates, thresholds
from rules.errors import LabelError
from rules.labels import Labels
from rules.problems import Problem, Severity
from rules.rule import Rule
from rules.thresholds import Threshold


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What one rule's slot came to. `touched` moved without a transition; `status` is None when health did not change.

    `stance` is what the alerts stand on, where the same series again would change nothing but their values.
    """

    alerts: Mapping[Labels, Alert]
    changes: Sequence[Change] = ()
    touched: Sequence[Alert] = ()
    status: RuleStatus | None = None
    error: str | None = None
    sample_count: int = 0
    duration: timedelta = field(default=timedelta(0))
    stance: Stance | None = None

    @property
    def is_idle(self) -> bool:
        """Whether nothing is active, nothing changed, and there is nothing to write."""
        return not (self.alerts or self.changes or self.touched or self.status or self.error)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refinement:
    """The threshold rows of a rule, the ranks of severities, and what is wrong with the rows beside the rule.

    `names` remembers the labels of the rule's alerts, where somebody keeps them from slot to slot.
    """

    rows: tuple[Threshold, ...] = ()
    ranks: Mapping[str, int] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    names: Naming | None = None


LIMIT: Final = "limit"

PLAIN: Final = Refinement()
"""That of a rule without rows."""


def at_limit(rule: Rule) -> Problem:
    """What a rule's status says while more of its series are active than its limit has room for."""
    message = f"more than limit = {rule.limit} series are active: the others have no alert; raise limit, or narrow expr"
    return Problem(severity=Severity.WARNING, field=LIMIT, message=message)


def is_limited(status: RuleStatus | None) -> bool:
    """Whether the rule was at its limit when it was last evaluated without an error."""
    return status is not None and any(problem["field"] == LIMIT for problem in status.problems)


Ask = Callable[[str], Sequence[Sample]]
"""Answers what a template asks Prometheus, at the slot."""
Expand = Callable[[str, Sample], str]
"""A template's text for a sample."""


@dataclass(frozen=True, slots=True)
class Judge:
    """Judges rules; the fields are what templates see as `$externalURL` and `$externalLabels`."""

    external_url: str
    external_labels: Labels = field(default_factory=Labels)

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
        ask: Ask | None = None,
    ) -> Judgement:
        """The rule at `slot`. An error is no evidence: what it makes of the alerts, the rule's `on_error` says.

        `ask` answers the `query` of templates; without it there is nobody to ask.
        """
        basis = _basis(rule, reply, refinement, slot)
        if isinstance(before, Standing):
            standing = None if basis is None else before.moved(basis, gap)
            if standing is not None:
                return Judgement(alerts=standing, sample_count=len(reply.samples), duration=reply.duration)
            before = before.made
        expand = self._expanding(rule, slot, ask)
        evaluation, error = _evaluated(rule, reply, credit_gap(before, gap, slot), refinement, slot, expand=expand)
        over = evaluation.over_limit > 0 if error is None else is_limited(status)
        limits = (at_limit(rule),) if over else ()
        changes = [
            replace(change, alert=_worded(rule, change.alert, expand, error=error)) for change in evaluation.changes
        ]
        rendered = {change.alert.labels: change.alert for change in changes if change.alert.state is not State.INACTIVE}
        rendered |= {
            labels: _worded(rule, alert, expand, error=error)
            for labels, alert in evaluation.alerts.items()
            if labels not in rendered and alert.rule_version != before[labels].rule_version
        }
        after = {**evaluation.alerts, **rendered}
        return Judgement(
            alerts=after,
            changes=changes,
            touched=_touched(before, after),
            status=_status(rule, reply, error, status, slot=slot, problems=(*refinement.problems, *limits)),
            error=error,
            sample_count=len(reply.samples),
            duration=reply.duration,
            stance=None if basis is None or over or error is not None else stance(basis, after),
        )

    def annotations(self, rule: Rule, alert: Alert, value: float, at: datetime) -> Mapping[str, str]:
        """An active alert's annotations as they read with its current value, as of `at`.

        Those that ask Prometheus stay as they were at its last transition, and so do those of an alert of the rule itself.
        """
        if reason_of(alert) is not None:
            return alert.annotations
        expand = self._expanding(rule, at, None)
        sample = Sample(labels=alert.sample_labels, value=value)
        return {
            name: alert.annotations.get(name, "") if templates.uses_query(text) else expand(text, sample)
            for name, text in rule.annotations.items()
        }

    def _expanding(self, rule: Rule, slot: datetime, ask: Ask | None) -> Expand:
        def expand(text: str, sample: Sample) -> str:
            data = templates.TemplateData(
                labels=sample.labels,
                value=sample.value,
                external_labels=self.external_labels,
                external_url=self.external_url,
                query=ask,
                now=slot,
                alert=rule.name,
            )
            return templates.render_or_error(text, data)

        return expand


def _basis(rule: Rule, reply: Reply, refinement: Refinement, slot: datetime) -> Basis | None:
    """What the rule's judgement is made of, where it is made of nothing but the answer's series and which are active."""
    if reply.error is not None or refinement.rows or refinement.names is None or not refinement.names.is_plain:
        return None
    cut = query.comparison(rule) if query.watched(rule) else None
    return Basis(
        rule=rule,
        refinement=refinement,
        samples=reply.samples,
        past=None if cut is None else (cut.condition, cut.threshold),
        has_data=reply.has_data,
        slot=slot,
    )


def _evaluated(
    rule: Rule,
    reply: Reply,
    before: Mapping[Labels, Alert],
    refinement: Refinement,
    slot: datetime,
    *,
    expand: Expand,
) -> tuple[Evaluation, str | None]:
    """The evaluation, and the error that made it fail."""
    if reply.error is not None:
        return failed(rule, before, slot), str(reply.error)
    try:
        elements = _elements(rule, reply, before, refinement, slot, expand=expand)
        return evaluate(rule, elements, before, slot, present=_present(rule, reply)), None
    except (DuplicateLabelSetError, LabelError) as refused:
        return failed(rule, before, slot), str(refused)


def _elements(
    rule: Rule,
    reply: Reply,
    before: Mapping[Labels, Alert],
    refinement: Refinement,
    slot: datetime,
    *,
    expand: Expand,
) -> Mapping[Labels, Element]:
    """What is active: every sample of a rule without rows, else the levels each sample reaches."""
    comparison = query.comparison(rule) if refinement.rows or query.watched(rule) else None
    if comparison is None:
        return labelled(rule, reply.samples, expand, refinement.names)
    samples = past(reply.samples, comparison, refinement.rows, slot)
    if not refinement.rows:
        return labelled(rule, samples, expand, refinement.names)
    levels = thresholds.levels(rule, comparison, refinement.rows, slot, refinement.ranks)
    return levelled(
        rule,
        samples,
        expand,
        condition=comparison.condition,
        levels=levels,
        before=before,
        names=refinement.names,
    )


def _worded(rule: Rule, alert: Alert, expand: Expand, *, error: str | None) -> Alert:
    """The alert with its annotations rendered as it stands now: at a transition, and when its rule was edited."""
    raised = reason_of(alert)
    if raised is not None:
        return replace(alert, annotations=told(rule, raised, error))
    sample = Sample(labels=alert.sample_labels, value=alert.value)
    return replace(alert, annotations={name: expand(text, sample) for name, text in rule.annotations.items()})


def _present(rule: Rule, reply: Reply) -> Present | None:
    """The series of the left side, where the whole of it was asked for."""
    return Present(Vector.of(reply.samples)) if query.asks_all(rule) else None


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
    return alert.active_at, alert.keep_firing_since, alert.absence, *governed, alert.sample_labels, alert.rule_version


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
