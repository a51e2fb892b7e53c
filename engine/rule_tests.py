"""Rule unit tests in promtool's format: Prometheus itself answers the PromQL, the engine's own core decides the alerts.

Each test has a Prometheus of its own that is fed step by step, so that at any time it holds what would be there at that time. At
every step all groups are evaluated in order; what a rule writes (recorded series, ALERTS, stale markers) the next rule sees.
Source: prometheus/cmd/promtool/unittest.go (test), prometheus/rules/group.go (Eval).
"""

from __future__ import annotations

import glob
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
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
from engine.fed_series import FedSeries, RuleFailedError
from engine.private_prometheus import PrivatePrometheus
from engine.prometheus import QueryError
from rules import promql, templates
from rules.errors import LabelError
from rules.formats import prometheus_yaml, rule_tests
from rules.formats.prometheus_yaml import Entry, Recording
from rules.formats.reading import Flaw
from rules.formats.rule_tests import AlertTest, ExpectedAlert, ExprTest, InputSeries, RuleTest, RuleTestFile
from rules.labels import METRIC_NAME, Labels, LabelTexts
from rules.problems import Severity
from rules.rule import Rule

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)


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
            read, wrong = _rules_of(name)
            entries += read
            flaws += wrong
    ordered = tuple(_in_order(entries, declared.group_eval_order))
    return Suite(file=file, declared=declared, entries=ordered, flaws=tuple(flaws), unmatched=tuple(unmatched))


def _rules_of(file: Path) -> tuple[Sequence[Entry], Sequence[Flaw]]:
    text = importing.text_of(file)
    if isinstance(text, Flaw):
        return (), (text,)
    rules = prometheus_yaml.parse(text, str(file))
    return rules.entries, rules.errors


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
    """What is known of one rule between two evaluations: its alerts, what makes their annotations, the series it wrote last."""

    alerts: Mapping[Labels, Alert] = field(default_factory=dict)
    words: dict[Labels, Callable[[], LabelTexts]] = field(default_factory=dict)
    written: frozenset[Labels] = frozenset()


class _Run:
    """One test from its first step to its last."""

    def __init__(self, suite: Suite, test: RuleTest, prometheus: PrivatePrometheus) -> None:
        self._suite, self._test = suite, test
        self._storage = FedSeries(prometheus)
        self._standing = [_Standing() for _ in suite.entries]
        self._inputs = [_points(series, test) for series in test.series]
        self._next = [next(points, None) for points in self._inputs]
        self._interval = suite.declared.evaluation_interval
        self._steps = test.lasts // self._interval + 1
        self._foreseen: Mapping[int, list[list[Sample]]] = {}

    def failures(self) -> Iterator[Failure]:
        interval = self._interval
        waiting = sorted(self._test.alert_tests, key=lambda test: test.eval_time)
        self._foresee()
        for step in range(self._steps):
            at = step * interval
            failed = list(self._fed(at)) or list(self._evaluated(step))
            yield from failed
            if failed:
                return
            while waiting and waiting[0].eval_time < at + interval:
                yield from self._fired(waiting.pop(0))
        for test in self._test.expr_tests:
            yield from self._answered(test)

    def _foresee(self) -> None:
        """Ask at once for all answers that hang on the input alone, which is then there from the beginning."""
        places = _foreseeable(self._suite.entries, self._test)
        if not places or any(self._fed((self._steps - 1) * self._interval)):
            return
        for place in places:
            rule = self._suite.entries[place].declares
            start = self._test.start - (rule.query_offset or timedelta(0))
            # Where one time has no answer, the rule is asked for step by step, to fail at that time.
            with suppress(QueryError):
                answers = self._storage.query_steps(rule.expr or "", start, self._interval, self._steps)
                self._foreseen = {**self._foreseen, place: answers}

    def _answer(self, place: int, step: int) -> Sequence[Sample]:
        """What the rule's expression answers at this step. Raises QueryError."""
        if place in self._foreseen:
            return self._foreseen[place][step]
        rule = self._suite.entries[place].declares
        at = self._test.start + step * self._interval - (rule.query_offset or timedelta(0))
        return self._storage.query(rule.expr or "", at)

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

    def _evaluated(self, step: int) -> Iterator[Failure]:
        """Every rule once, in order; those that failed."""
        at = self._test.start + step * self._interval
        for place, (entry, standing) in enumerate(zip(self._suite.entries, self._standing, strict=True)):
            rule = entry.declares
            try:
                samples = self._answer(place, step)
                made = (
                    _recorded(rule, samples)
                    if isinstance(rule, Recording)
                    else self._alerts(rule, standing, samples, at)
                )
                self._write(standing, made, at - (rule.query_offset or timedelta(0)))
            except (QueryError, DuplicateLabelSetError, LabelError, RuleFailedError) as error:
                name = rule.record if isinstance(rule, Recording) else rule.name
                yield Failure(subject=f"rule {name}", at=step * self._interval, line=self._test.line, error=str(error))

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
        standing.words.update({labels: self._words(rule, element.sample, at) for labels, element in elements.items()})
        standing.words = {labels: standing.words[labels] for labels in evaluation.alerts}
        return [sample for alert in evaluation.alerts.values() for sample in unit_testing.shown(rule, alert)]

    def _words(self, rule: Rule, sample: Sample, at: datetime) -> Callable[[], LabelTexts]:
        """The annotations as of the last evaluation that returned the series; those that ask are made at that time."""
        texts = rule.annotations.items()
        if any(templates.uses_query(text) for _, text in texts):
            made = LabelTexts({name: self._text(rule, text, sample, at) for name, text in texts})
            return lambda: made
        return lambda: LabelTexts({name: self._text(rule, text, sample, at) for name, text in texts})

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

    def _asked(self, expr: str, at: datetime) -> Sequence[Sample]:
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
            ExpectedAlert(labels=LabelTexts(labels), annotations=standing.words[labels]())
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


def _foreseeable(entries: Sequence[Entry], test: RuleTest) -> frozenset[int]:
    """The rules whose answers hang on the input alone; none where a template asks, for what it asks is not known yet."""
    if any(_asks(entry.declares) for entry in entries):
        return frozenset()
    recorded = {entry.declares.record for entry in entries if isinstance(entry.declares, Recording)}
    fed = {series.labels.get(METRIC_NAME, "") for series in test.series}
    written = {*recorded, unit_testing.ALERTS, unit_testing.ALERTS_FOR_STATE}
    return unit_testing.foreseeable([entry.declares.expr or "" for entry in entries], written, fed)


def _asks(rule: Rule | Recording) -> bool:
    texts = (*rule.labels.values(), *rule.annotations.values()) if isinstance(rule, Rule) else ()
    return any(map(templates.uses_query, texts))


def _points(series: InputSeries, test: RuleTest) -> Iterator[tuple[int, float | None]]:
    start, interval = _stamp(test.start), test.interval // _MILLISECOND
    for run_ in series.runs:
        for at, value in run_.values():
            yield start + at * interval, value


def _recorded(rule: Recording, samples: Sequence[Sample]) -> list[Sample]:
    found = list(unit_testing.recorded(rule.record, rule.labels, samples))
    if len({sample.labels for sample in found}) < len(found):
        raise RuleFailedError("vector contains metrics with the same labelset after applying rule labels")
    if 0 < rule.limit < len(found):
        raise RuleFailedError(f"exceeded limit of {rule.limit} with {len(found)} series")
    return found


def _stamp(at: datetime) -> int:
    return (at - _EPOCH) // _MILLISECOND


def _alert_text(alert: ExpectedAlert) -> str:
    return "\n".join((str(alert.labels), *(f"  {name}: {text}" for name, text in alert.annotations.items())))


def _sample_text(labels: Labels, value: float) -> str:
    return f"{labels} {promql.number(value)}"
