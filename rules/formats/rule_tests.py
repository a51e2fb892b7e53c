"""Files of rule unit tests in promtool's format, read strictly: every mistake at once, at its line and column.

Source: prometheus/cmd/promtool/unittest.go (unitTestFile) and docs/configuration/unit_testing_rules.md. Native histograms are
refused, since rules compare floats.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Final, TypeVar

from rules.errors import RulesError, YamlError
from rules.formats import series_notation, yaml_text
from rules.formats.reading import Flaw, Reader
from rules.formats.series_notation import Run
from rules.formats.yaml_text import Kind, Node
from rules.labels import ALERTNAME, Labels, LabelTexts
from rules.problems import Severity

_FILE: Final = ("rule_files", "evaluation_interval", "fuzzy_compare", "group_eval_order", "tests")
_TEST: Final = (
    "name",
    "interval",
    "input_series",
    "alert_rule_test",
    "promql_expr_test",
    "external_labels",
    "external_url",
    "start_timestamp",
)
_SERIES: Final = ("series", "values")
_ALERT_TEST: Final = ("eval_time", "alertname", "exp_alerts")
_ALERT: Final = ("exp_labels", "exp_annotations")
_EXPR_TEST: Final = ("expr", "eval_time", "exp_samples")
_SAMPLE: Final = ("labels", "value", "histogram")
_MINUTE: Final = timedelta(minutes=1)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_BOOLEANS: Final = {
    word: value
    for value, words in ((True, ("true", "yes", "on")), (False, ("false", "no", "off")))
    for plain in words
    for word in (plain, plain.title(), plain.upper())
}
_NUMBER: Final = re.compile(r"[-+]?(?:0x[0-9a-f_]+|[0-9_]*\.?[0-9_]*(?:e[-+]?[0-9]+)?|\.inf)|\.nan", re.IGNORECASE)
_SECONDS: Final = re.compile(r"[-+]?[0-9]{1,10}(?:\.[0-9]*)?")

_LATEST: Final = 2200
MOST_STEPS: Final = 1_000_000
"""Evaluations of one test; a day of minutes has 1,440."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class InputSeries:
    """One series that the test feeds: its labels and its values, one for each `interval` of the test."""

    labels: Labels
    runs: tuple[Run, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedAlert:
    """One alert that should fire, `alertname` among its labels. An empty text is kept: it is unlike none."""

    labels: LabelTexts
    annotations: LabelTexts = field(default_factory=LabelTexts)


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertTest:
    """All alerts of one name that fire at `eval_time`; none at all where `alerts` is empty. `line` is where it says so."""

    eval_time: timedelta
    alertname: str
    alerts: tuple[ExpectedAlert, ...] = ()
    line: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedSample:
    """One series of an expression's answer."""

    labels: Labels
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ExprTest:
    """What an expression answers at `eval_time`, all of it."""

    eval_time: timedelta
    expr: str
    samples: tuple[ExpectedSample, ...] = ()
    line: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleTest:
    """One test: what is fed, and what is expected. `start` is the instant from which its times count."""

    name: str
    interval: timedelta
    series: tuple[InputSeries, ...] = ()
    alert_tests: tuple[AlertTest, ...] = ()
    expr_tests: tuple[ExprTest, ...] = ()
    external_labels: Labels = field(default_factory=Labels)
    external_url: str = ""
    start: datetime = _EPOCH
    line: int = 0

    @property
    def lasts(self) -> timedelta:
        """The latest time at which something is expected."""
        times = [test.eval_time for test in self.alert_tests] + [test.eval_time for test in self.expr_tests]
        return max(times, default=timedelta(0))


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleTestFile:
    """A file of tests. `rule_files` are paths or patterns, from where the file itself is; with an error there are no tests."""

    rule_files: tuple[str, ...] = ()
    evaluation_interval: timedelta = _MINUTE
    fuzzy_compare: bool = False
    group_eval_order: tuple[str, ...] = ()
    tests: tuple[RuleTest, ...] = ()
    flaws: tuple[Flaw, ...] = ()

    @property
    def errors(self) -> tuple[Flaw, ...]:
        return tuple(flaw for flaw in self.flaws if flaw.problem.severity is Severity.ERROR)


def parse(text: str, file: str = "tests.yml") -> RuleTestFile:
    """What the text declares; `file` is what its mistakes are told by. Raises nothing."""
    reader = _Reader(file)
    try:
        found = reader.file_of(text)
    except YamlError as error:
        reader.unreadable(error)
        found = RuleTestFile()
    found = replace(found, flaws=reader.in_order())
    return replace(found, tests=()) if found.errors else found


class _Reader(Reader):
    """Reads the nodes of a file of tests."""

    def file_of(self, text: str) -> RuleTestFile:
        root = yaml_text.compose(text).root
        fields = {} if root is None else self.mapping(root, "the file", _FILE)
        interval = self.span(fields.get("evaluation_interval"), "evaluation_interval", "") or _MINUTE
        return RuleTestFile(
            rule_files=self.words(fields.get("rule_files"), "rule_files"),
            evaluation_interval=interval,
            fuzzy_compare=self.boolean(fields.get("fuzzy_compare"), "fuzzy_compare"),
            group_eval_order=self.order(fields.get("group_eval_order")),
            tests=tuple(
                self.test(node, at, interval) for at, node in enumerate(self.list(fields.get("tests"), "tests"))
            ),
        )

    def order(self, node: Node | None) -> tuple[str, ...]:
        names = self.words(node, "group_eval_order")
        if node is not None and len(set(names)) < len(names):
            self.tell(node, "group_eval_order", "group_eval_order names a group twice; keep one of them")
        return names

    def test(self, node: Node, at: int, interval: timedelta) -> RuleTest:
        place = f"test {at + 1}"
        fields = self.mapping(node, place, _TEST)
        name = self.text(fields.get("name"), "name", f"{place}: ")
        label = f"{place} ({name}): " if name else f"{place}: "
        test = RuleTest(
            name=name,
            interval=self.span(fields.get("interval"), "interval", label) or interval,
            series=tuple(self.each_once(self.items(fields, "input_series", label), label)),
            alert_tests=tuple(self.alert_test(item, label) for item in self.items(fields, "alert_rule_test", label)),
            expr_tests=tuple(self.expr_test(item, label) for item in self.items(fields, "promql_expr_test", label)),
            external_labels=Labels(self.texts(fields.get("external_labels"), "external_labels", label)),
            external_url=self.text(fields.get("external_url"), "external_url", label),
            start=self.instant(fields.get("start_timestamp"), label),
            line=node.line,
        )
        if test.lasts // interval > MOST_STEPS:
            message = (
                f"evaluates more than {MOST_STEPS} times; give a longer evaluation_interval, or an earlier eval_time"
            )
            self.tell(node, "eval_time", f"{label}{message}")
        return test

    def each_once(self, nodes: Iterable[Node], label: str) -> Iterable[InputSeries]:
        """The series, the last of those with the same labels, as in promtool."""
        found: dict[Labels, InputSeries] = {}
        for node in nodes:
            series = self.series(node, label)
            if series.labels in found:
                message = f"{label}the series {series.labels} is given twice; only the last counts, so drop the others"
                self.tell(node, "series", message, Severity.WARNING)
            found[series.labels] = series
        return found.values()

    def series(self, node: Node, label: str) -> InputSeries:
        fields = self.mapping(node, f"{label}input_series", _SERIES)
        found = self.said(fields.get("series", node), "series", label, series_notation.labels, Labels())
        return InputSeries(
            labels=found, runs=self.said(fields.get("values"), "values", label, series_notation.values, ())
        )

    def alert_test(self, node: Node, label: str) -> AlertTest:
        fields = self.mapping(node, f"{label}alert_rule_test", _ALERT_TEST)
        name = self.text(fields.get("alertname"), "alertname", label)
        if not name:
            self.tell(node, "alertname", f"{label}alertname is missing; say which alert is tested")
        return AlertTest(
            eval_time=self.span(fields.get("eval_time"), "eval_time", label) or timedelta(0),
            alertname=name,
            alerts=tuple(self.alert(item, name, label) for item in self.items(fields, "exp_alerts", label)),
            line=node.line,
        )

    def alert(self, node: Node, name: str, label: str) -> ExpectedAlert:
        fields = self.mapping(node, f"{label}exp_alerts", _ALERT)
        labels = self.texts(fields.get("exp_labels"), "exp_labels", label)
        annotations = self.texts(fields.get("exp_annotations"), "exp_annotations", label)
        return ExpectedAlert(labels=LabelTexts({**labels, ALERTNAME: name}), annotations=LabelTexts(annotations))

    def expr_test(self, node: Node, label: str) -> ExprTest:
        fields = self.mapping(node, f"{label}promql_expr_test", _EXPR_TEST)
        expr = self.text(fields.get("expr"), "expr", label)
        if not expr:
            self.tell(fields.get("expr", node), "expr", f"{label}expr is missing; give the PromQL to ask")
        return ExprTest(
            eval_time=self.span(fields.get("eval_time"), "eval_time", label) or timedelta(0),
            expr=expr,
            samples=tuple(self.sample(item, label) for item in self.items(fields, "exp_samples", label)),
            line=node.line,
        )

    def sample(self, node: Node, label: str) -> ExpectedSample:
        fields = self.mapping(node, f"{label}exp_samples", _SAMPLE)
        if "histogram" in fields:
            message = "histogram: native histograms are not supported; test a quantile or a sum of it"
            self.tell(fields["histogram"], "histogram", f"{label}{message}")
        labels = self.said(fields.get("labels", node), "labels", label, series_notation.labels, Labels())
        return ExpectedSample(labels=labels, value=self.number(fields.get("value"), "value", label))

    def items(self, fields: Mapping[str, Node], name: str, label: str) -> Iterator[Node]:
        yield from self.list(fields.get(name), f"{label}{name}")

    def words(self, node: Node | None, name: str) -> tuple[str, ...]:
        return tuple(self.text(item, name, "") for item in self.list(node, name))

    def said(self, node: Node | None, name: str, label: str, read: Callable[[str], T], otherwise: T) -> T:
        """What the text says in a notation of its own."""
        if node is None:
            return otherwise
        text = self.text(node if node.kind is Kind.SCALAR else None, name, label)
        try:
            return read(text)
        except RulesError as error:
            at = getattr(error, "position", None)
            where = "" if at is None else f" (at character {at})"
            self.tell(node, name, f"{label}{name}: {error.message}{where}")
        return otherwise

    def boolean(self, node: Node | None, name: str) -> bool:
        if node is None or node.is_null:
            return False
        if node.quoted or node.text not in _BOOLEANS:
            self.tell(node, name, f"{name} is {node.text[:80]!r}; give true or false")
        return _BOOLEANS.get(node.text, False)

    def number(self, node: Node | None, name: str, label: str) -> float:
        if node is None or node.is_null:
            return 0.0
        text = node.text.lower().replace("_", "")
        try:
            if node.quoted or node.kind is not Kind.SCALAR or not _NUMBER.fullmatch(text):
                raise ValueError(text)
            return float(int(text, 16)) if "0x" in text else float(text.replace(".inf", "inf").replace(".nan", "nan"))
        except (ValueError, OverflowError):
            self.tell(node, name, f"{label}{name} is {node.text[:80]!r}; give a number, such as 0.5, .inf or .nan")
        return 0.0

    def instant(self, node: Node | None, label: str) -> datetime:
        """Seconds since the epoch, or RFC 3339."""
        text = self.text(node, "start_timestamp", label)
        try:
            if not text or _SECONDS.fullmatch(text):
                return _EPOCH + timedelta(seconds=float(text or 0))
            at = datetime.fromisoformat(text)
            if at.tzinfo is None or at.year > _LATEST:
                raise ValueError(text)
            return at.astimezone(UTC)
        except (ValueError, OverflowError):
            assert node is not None
            hint = f"give seconds since 1970, or an instant before {_LATEST} such as 2026-01-31T12:00:00Z"
            self.tell(node, "start_timestamp", f"{label}start_timestamp is {text[:80]!r}; {hint}")
            return _EPOCH
