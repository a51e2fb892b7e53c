"""Rule unit tests in promtool's format: Prometheus itself answers the PromQL, the engine's own core decides the alerts.

Each test has a Prometheus of its own that is fed step by step, so that at any time it holds what would be there at that time. At
every step all groups are evaluated in order; what a rule writes (recorded series, ALERTS, stale markers) the next rule sees.
Source: prometheus/cmd/promtool/unittest.go (test), prometheus/rules/group.go (Eval).
"""

from __future__ import annotations

import glob
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import Final

from engine import importing
from engine.clock import SystemClock
from engine.core import unit_testing
from engine.core.alert import Alert, Sample, State
from engine.core.evaluation import DuplicateLabelSetError, evaluate, labelled
from engine.private_prometheus import PrivatePrometheus
from engine.prometheus import QueryError
from engine.remote_write import Point
from rules import promql, templates
from rules.errors import LabelError
from rules.formats import prometheus_yaml, rule_tests
from rules.formats.prometheus_yaml import Entry, Recording
from rules.formats.reading import Flaw
from rules.formats.rule_tests import AlertTest, ExpectedAlert, ExprTest, InputSeries, RuleTest, RuleTestFile
from rules.labels import Labels, LabelTexts
from rules.problems import Severity
from rules.rule import Rule

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)


class RuleFailedError(Exception):
    """A rule could not be evaluated, which fails its test; the message is Prometheus' or its like."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """A file of tests with the rules it names, in the order of their evaluation; with flaws that are errors nothing can run."""

    file: Path
    declared: RuleTestFile
    entries: tuple[Entry, ...] = ()
    flaws: tuple[Flaw, ...] = ()
    unmatched: tuple[str, ...] = ()

    @property
    def flawed(self) -> bool:
        """Whether a mistake keeps its tests from running."""
        return any(flaw.problem.severity is Severity.ERROR for flaw in self.flaws)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """One expectation that was not met, or one rule that failed: `expected` and `got` are what differs, `error` says why else."""

    subject: str
    at: timedelta
    line: int
    expected: tuple[str, ...] = ()
    got: tuple[str, ...] = ()
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one test came to."""

    test: RuleTest
    failures: tuple[Failure, ...]
    seconds: float


def load(file: Path) -> Suite:
    """The tests of a file and the rules they are about; patterns count from the file's own folder."""
    text = importing.text_of(file)
    if isinstance(text, Flaw):
        return Suite(file=file, declared=RuleTestFile(), flaws=(text,))
    declared = rule_tests.parse(text, str(file))
    entries: list[Entry] = []
    flaws = list(declared.flaws)
    unmatched = []
    for pattern in declared.rule_files:
        found = sorted(glob.glob(str(file.parent / pattern)))  # noqa: PTH207 - a pattern may be absolute
        unmatched += [] if found else [pattern]
        for name in map(Path, found):
            read = importing.text_of(name)
            rules = None if isinstance(read, Flaw) else prometheus_yaml.parse(read, str(name))
            flaws += [read] if isinstance(read, Flaw) else rules.errors if rules else ()
            entries += rules.entries if rules else ()
    ordered = tuple(_in_order(entries, declared.group_eval_order))
    return Suite(file=file, declared=declared, entries=ordered, flaws=tuple(flaws), unmatched=tuple(unmatched))


def _in_order(entries: Iterable[Entry], order: Sequence[str]) -> list[Entry]:
    """The groups as they stand in their files, those that are named moved by their place among the names."""
    places = {name: at for at, name in enumerate(order)}
    groups = [list(members) for _, members in groupby(entries, key=lambda entry: (entry.file, entry.declares.group))]
    groups.sort(key=lambda members: places.get(members[0].declares.group, -1))
    return [entry for members in groups for entry in members]


def run(suite: Suite, test: RuleTest, program: Path) -> Outcome:
    """Run one test against a Prometheus of its own. Raises PrometheusStartError when there can be none."""
    clock = SystemClock()
    began = clock.monotonic()
    with PrivatePrometheus(program, resolution=suite.declared.evaluation_interval) as prometheus:
        failures = tuple(_Run(suite, test, prometheus).failures())
    return Outcome(test=test, failures=failures, seconds=clock.monotonic() - began)


@dataclass(slots=True, kw_only=True)
class _Standing:
    """What is known of one rule between two evaluations: its alerts with their annotations, and the series it wrote last."""

    alerts: Mapping[Labels, Alert] = field(default_factory=dict)
    annotations: dict[Labels, LabelTexts] = field(default_factory=dict)
    written: frozenset[Labels] = frozenset()


class _Storage:
    """The way into the Prometheus: it takes points of a series in the order of time only, and so does this."""

    def __init__(self, prometheus: PrivatePrometheus) -> None:
        self._prometheus = prometheus
        self._last: dict[Labels, Point] = {}
        self._waiting: dict[Labels, list[Point]] = {}

    def put(self, labels: Labels, at: int, value: float | None) -> None:
        """Store a point with the next query. Raises RuleFailedError where the series has one there already, or a newer."""
        last = self._last.get(labels)
        if last is not None and last[0] >= at:
            if last[0] == at and _is_same(last[1], value):
                return
            why = "duplicate sample for timestamp" if last[0] == at else "out of order sample"
            raise RuleFailedError(f"{why}: something else writes {labels} too")
        self._last[labels] = (at, value)
        self._waiting.setdefault(labels, []).append((at, value))

    def end(self, labels: Labels, at: int) -> None:
        """Mark the series stale, unless somebody goes on writing it."""
        if self._last[labels][0] < at:
            self.put(labels, at, None)

    def query(self, expr: str, at: datetime) -> tuple[Sample, ...]:
        """Raises QueryError."""
        if self._waiting:
            self._prometheus.write(self._waiting.items())
            self._waiting = {}
        return self._prometheus.query(expr, at).samples


class _Run:
    """One test from its first step to its last."""

    def __init__(self, suite: Suite, test: RuleTest, prometheus: PrivatePrometheus) -> None:
        self._suite, self._test = suite, test
        self._storage = _Storage(prometheus)
        self._standing = [_Standing() for _ in suite.entries]
        self._inputs = [_points(series, test) for series in test.series]
        self._next = [next(points, None) for points in self._inputs]

    def failures(self) -> Iterator[Failure]:
        interval = self._suite.declared.evaluation_interval
        waiting = sorted(self._test.alert_tests, key=lambda test: test.eval_time)
        for step in range(self._test.lasts // interval + 1):
            at = step * interval
            failed = list(self._fed(at)) or list(self._evaluated(at))
            yield from failed
            if failed:
                return
            while waiting and waiting[0].eval_time < at + interval:
                yield from self._fired(waiting.pop(0))
        for test in self._test.expr_tests:
            yield from self._answered(test)

    def _fed(self, until: timedelta) -> Iterator[Failure]:
        """Write what the input has up to and including this time; what of it a rule has written already."""
        end = _stamp(self._test.start + until)
        try:
            for at, series in enumerate(self._test.series):
                while (point := self._next[at]) is not None and point[0] <= end:
                    self._storage.put(series.labels, *point)
                    self._next[at] = next(self._inputs[at], None)
        except RuleFailedError as error:
            yield Failure(subject="input_series", at=until, line=self._test.line, error=str(error))

    def _evaluated(self, step: timedelta) -> Iterator[Failure]:
        """Every rule once, in order; those that failed."""
        for entry, standing in zip(self._suite.entries, self._standing, strict=True):
            rule, at = entry.declares, self._test.start + step
            try:
                samples = self._storage.query(rule.expr or "", at - (rule.query_offset or timedelta(0)))
                made = (
                    _recorded(rule, samples)
                    if isinstance(rule, Recording)
                    else self._alerts(rule, standing, samples, at)
                )
                self._write(standing, made, at - (rule.query_offset or timedelta(0)))
            except (QueryError, DuplicateLabelSetError, LabelError, RuleFailedError) as error:
                name = rule.record if isinstance(rule, Recording) else rule.name
                yield Failure(subject=f"rule {name}", at=step, line=self._test.line, error=str(error))

    def _alerts(self, rule: Rule, standing: _Standing, samples: Sequence[Sample], at: datetime) -> list[Sample]:
        """Advance the rule's alerts; the series that show them."""

        def expand(text: str, sample: Sample) -> str:
            return self._text(rule, text, sample, at)

        elements = labelled(rule, samples, expand)
        evaluation = evaluate(rule, elements, standing.alerts, at)
        if evaluation.over_limit:
            count = len(evaluation.alerts) + evaluation.over_limit
            raise RuleFailedError(f"exceeded limit of {rule.limit} with {count} alerts")
        standing.alerts = evaluation.alerts
        # As in Prometheus they are those of the last evaluation that returned the series.
        fresh = {
            labels: LabelTexts({name: expand(text, element.sample) for name, text in rule.annotations.items()})
            for labels, element in elements.items()
        }
        standing.annotations = {
            labels: fresh.get(labels) or standing.annotations.get(labels, LabelTexts()) for labels in evaluation.alerts
        }
        return [sample for alert in evaluation.alerts.values() for sample in unit_testing.shown(rule, alert)]

    def _text(self, rule: Rule, text: str, sample: Sample, at: datetime) -> str:
        data = templates.TemplateData(
            labels=sample.labels,
            value=sample.value,
            external_labels=self._test.external_labels,
            external_url=self._test.external_url,
            query=lambda expr: self._asked(expr, at),
            now=at,
            alert=rule.name,
        )
        return templates.render_or_error(text, data)

    def _asked(self, expr: str, at: datetime) -> tuple[Sample, ...]:
        try:
            return self._storage.query(expr, at)
        except QueryError as error:
            raise ValueError(error.message) from error

    def _write(self, standing: _Standing, samples: Sequence[Sample], at: datetime) -> None:
        """Store what the rule made, and mark stale what it made last time and did not now."""
        stamp = _stamp(at)
        for sample in samples:
            self._storage.put(sample.labels, stamp, sample.value)
        written = frozenset(sample.labels for sample in samples)
        for labels in standing.written - written:
            self._storage.end(labels, stamp)
        standing.written = written

    def _fired(self, test: AlertTest) -> Iterator[Failure]:
        got = [
            ExpectedAlert(labels=LabelTexts(labels), annotations=standing.annotations[labels])
            for entry, standing in zip(self._suite.entries, self._standing, strict=True)
            if isinstance(entry.declares, Rule) and entry.declares.name == test.alertname
            for labels, alert in standing.alerts.items()
            if alert.state is State.FIRING
        ]
        missing, extra = unit_testing.unlike(test.alerts, got)
        if missing or extra:
            yield Failure(
                subject=f"alert {test.alertname}",
                at=test.eval_time,
                line=test.line,
                expected=tuple(map(_alert_text, missing)),
                got=tuple(map(_alert_text, extra)),
            )

    def _answered(self, test: ExprTest) -> Iterator[Failure]:
        subject = f"expr {test.expr.strip()}"
        try:
            got = self._storage.query(test.expr, self._test.start + test.eval_time)
        except QueryError as error:
            yield Failure(subject=subject, at=test.eval_time, line=test.line, error=str(error))
            return
        if unit_testing.answers(test.samples, got, fuzzy=self._suite.declared.fuzzy_compare):
            return
        yield Failure(
            subject=subject,
            at=test.eval_time,
            line=test.line,
            expected=tuple(sorted(_sample_text(sample.labels, sample.value) for sample in test.samples)),
            got=tuple(sorted(_sample_text(sample.labels, sample.value) for sample in got)),
        )


def _points(series: InputSeries, test: RuleTest) -> Iterator[tuple[int, float | None]]:
    for run_ in series.runs:
        for at, value in run_.values():
            yield _stamp(test.start + at * test.interval), value


def _recorded(rule: Recording, samples: Sequence[Sample]) -> list[Sample]:
    found = list(unit_testing.recorded(rule.record, rule.labels, samples))
    if len({sample.labels for sample in found}) < len(found):
        raise RuleFailedError("vector contains metrics with the same labelset after applying rule labels")
    if 0 < rule.limit < len(found):
        raise RuleFailedError(f"exceeded limit of {rule.limit} with {len(found)} series")
    return found


def _is_same(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is other
    return one == other or (math.isnan(one) and math.isnan(other))


def _stamp(at: datetime) -> int:
    return (at - _EPOCH) // _MILLISECOND


def _alert_text(alert: ExpectedAlert) -> str:
    return "\n".join((str(alert.labels), *(f"  {name}: {text}" for name, text in alert.annotations.items())))


def _sample_text(labels: Labels, value: float) -> str:
    return f"{labels} {promql.number(value)}"
