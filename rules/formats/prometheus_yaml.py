"""Prometheus' rule files, read as strictly as Prometheus reads them: every mistake at once, at its line and column.

Source: prometheus/model/rulefmt (Parse, Validate). A file in which one thing is wrong is wrong as a whole. What Prometheus takes
and Tocsin has no use for is a warning: a recording rule stays in Prometheus, whose series it writes.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Final

from rules import lints, problems, promql
from rules.errors import RulesError, YamlError
from rules.formats import yaml_text
from rules.formats.reading import Flaw, Reader
from rules.formats.yaml_text import Kind, Node
from rules.labels import SEVERITY, LabelTexts
from rules.lints import Finding, Lint
from rules.problems import Problem, Severity
from rules.rule import Rule

_FILE: Final = ("groups",)
_GROUP: Final = ("name", "interval", "query_offset", "limit", "labels", "rules")
_RULE: Final = ("record", "alert", "expr", "for", "keep_firing_for", "labels", "annotations")
_ALERTING_ONLY: Final = ("for", "keep_firing_for", "annotations")
_WHOLE: Final = re.compile(r"[-+]?[0-9]{1,18}")
_MOST: Final = 2**31 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """A recording rule as its file declares it: Prometheus writes the series `record`, Tocsin only knows that it does."""

    record: str
    group: str
    expr: str
    labels: Mapping[str, str] = field(default_factory=dict)
    query_offset: timedelta | None = None
    limit: int = 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Entry:
    """One rule as it stands in its file: what it declares, how its problems call it, and where its fields are."""

    declares: Rule | Recording
    label: str
    file: str
    node: Node
    fields: Mapping[str, Node]

    def flaw(self, problem: Problem) -> Flaw:
        """The problem at the place of its field, or of the rule where the file does not give the field."""
        name, _, inner = problem.field.partition(".")
        where = _member(self.fields.get(name), inner) or self.node
        at = "" if problem.position is None else f" (at character {problem.position})"
        told = replace(problem, message=f"{self.label}{problem.field}: {problem.message}{at}")
        return Flaw(file=self.file, line=where.line, column=where.column, problem=told)


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleFile:
    """The alerting rules of a file in its order, without ids yet, and what is wrong; with an error there are no rules.

    `entries` are its rules of both kinds.
    """

    rules: tuple[Rule, ...] = ()
    flaws: tuple[Flaw, ...] = ()
    entries: tuple[Entry, ...] = field(default=(), compare=False)

    @property
    def errors(self) -> tuple[Flaw, ...]:
        return tuple(flaw for flaw in self.flaws if flaw.problem.severity is Severity.ERROR)


@dataclass(frozen=True, slots=True, kw_only=True)
class Linting:
    """Which lints are told beside the mistakes; `scrape_interval` is how often series get a sample, where that is known."""

    chosen: Collection[Lint] = lints.SURE
    scrape_interval: timedelta | None = None

    def of_rule(self, rule: Rule) -> tuple[Finding, ...]:
        """What is odd about an alerting rule."""
        return lints.check(rule, self.chosen, scrape_interval=self.scrape_interval)

    def of_recording(self, expr: str) -> tuple[Finding, ...]:
        """What is odd about a recording rule."""
        return lints.check_expression(expr, self.chosen, scrape_interval=self.scrape_interval)


USUAL: Final = Linting()


def parse(text: str, file: str = "rules.yml", linting: Linting = USUAL) -> RuleFile:
    """What the text declares; `file` is what its mistakes are told by. Raises nothing."""
    reader = _Reader(file, linting)
    try:
        entries = tuple(reader.entries(text))
    except YamlError as error:
        reader.unreadable(error)
        entries = ()
    rules = tuple(entry.declares for entry in entries if isinstance(entry.declares, Rule))
    found = RuleFile(rules=rules, flaws=reader.in_order(), entries=entries)
    return replace(found, rules=(), entries=()) if found.errors else found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Group:
    """What a group's rules have in common; `label` is how its mistakes are told."""

    label: str
    name: str
    interval: timedelta | None
    query_offset: timedelta | None
    limit: int
    labels: Mapping[str, str]


class _Reader(Reader):
    """Reads the nodes of a rule file."""

    def __init__(self, file: str, linting: Linting) -> None:
        super().__init__(file)
        self.linting = linting

    def entries(self, text: str) -> Iterator[Entry]:
        document = yaml_text.compose(text)
        if document.second is not None:
            second = Node(kind=Kind.SCALAR, line=document.second, column=1)
            message = (
                "only the first YAML document is read, as in Prometheus; put these groups into a file of their own"
            )
            self.tell(second, "", message, Severity.WARNING)
        if document.root is None:
            return
        fields = self.mapping(document.root, "the file", _FILE)
        names: set[str] = set()
        for place, node in enumerate(self.list(fields.get("groups"), "groups")):
            yield from self.group(node, place, names)

    def group(self, node: Node, place: int, names: set[str]) -> Iterator[Entry]:
        fields = self.mapping(node, f"group {place + 1}", _GROUP)
        name = self.text(fields.get("name"), "name", f"group {place + 1}: ")
        label = f"group {name!r}: " if name else f"group {place + 1}: "
        if not name:
            self.tell(fields.get("name", node), "name", f"{label}the name is empty; give the group one")
        elif name in names:
            self.tell(fields["name"], "name", f"{label}the name is there twice in this file; rename one of the groups")
        names.add(name)
        group = _Group(
            label=label,
            name=name,
            interval=self.span(fields.get("interval"), "interval", label) or None,
            query_offset=self.span(fields.get("query_offset"), "query_offset", label),
            limit=self.limit(fields.get("limit"), label),
            labels=self.texts(fields.get("labels"), "labels", label),
        )
        for at, item in enumerate(self.list(fields.get("rules"), f"{label}rules")):
            yield from self.rule(item, at, group)

    def rule(self, node: Node, at: int, group: _Group) -> Iterator[Entry]:
        place = f"{group.label}rule {at + 1}"
        fields = self.mapping(node, place, _RULE)
        alert, record, label = self.names(node, place, fields)
        rule = self.declared(node, alert, fields, group, label)
        if record:
            self.recording(node, record, rule, fields, label)
            declared = _recorded(record, rule)
            entry = Entry(declares=declared, label=label, file=self.file, node=node, fields=fields)
            self.flaws += map(entry.flaw, map(problems.odd, self.linting.of_recording(declared.expr)))
            yield entry
        elif alert:
            entry = Entry(declares=rule, label=label, file=self.file, node=node, fields=fields)
            if rule.expr is not None:
                self.flaws += map(entry.flaw, problems.check_rule(rule, self.linting.of_rule))
            yield entry

    def names(self, node: Node, place: str, fields: Mapping[str, Node]) -> tuple[str, str, str]:
        """The names of the alert and of the record, of which there should be one, and how problems call the rule."""
        alert, record = (self.text(fields.get(name), name, f"{place}: ") for name in ("alert", "record"))
        named = alert or record
        label = f"{place} ({named}): " if named else f"{place}: "
        if alert and record:
            self.tell(fields.get("record", node), "alert", f"{label}both alert and record are given; keep one")
        elif not named:
            self.tell(node, "alert", f"{label}neither alert nor record is given")
        return alert, record, label

    def declared(self, node: Node, alert: str, fields: Mapping[str, Node], group: _Group, label: str) -> Rule:
        expr = self.text(fields.get("expr"), "expr", label)
        if not expr:
            self.tell(fields.get("expr", node), "expr", f"{label}expr is missing; give the PromQL to evaluate")
        labels = {**group.labels, **self.texts(fields.get("labels"), "labels", label)}
        severity = labels.get(SEVERITY, "")
        if "{{" in severity:
            severity = ""  # Only a label can be a template.
        return Rule(
            id="",
            name=alert,
            group=group.name,
            expr=expr or None,
            hold=self.span(fields.get("for"), "for", label) or timedelta(0),
            keep_firing_for=self.span(fields.get("keep_firing_for"), "keep_firing_for", label) or timedelta(0),
            interval=group.interval,
            query_offset=group.query_offset,
            limit=group.limit,
            severity=severity,
            labels=LabelTexts({name: text for name, text in labels.items() if not severity or name != SEVERITY}),
            annotations=self.texts(fields.get("annotations"), "annotations", label),
        )

    def recording(self, node: Node, record: str, rule: Rule, fields: Mapping[str, Node], label: str) -> None:
        """What Prometheus would refuse in a recording rule, and else that it stays there."""
        if "{" in record or "}" in record:
            self.tell(fields["record"], "record", f"{label}record {record[:80]!r} has braces; they belong into expr")
        unfit = {"for": rule.hold, "keep_firing_for": rule.keep_firing_for, "annotations": rule.annotations}
        for name in _ALERTING_ONLY:
            if unfit[name]:
                self.tell(fields[name], name, f"{label}a recording rule has no {name}; take it out")
        try:
            promql.metric_names(rule.expr or "0")
        except RulesError as error:
            self.tell(fields["expr"], "expr", f"{label}expr: {error.message}")
        message = f"{label}the recording rule {record[:80]!r} stays in Prometheus, which must go on evaluating it"
        self.tell(node, "record", message, Severity.WARNING)

    def limit(self, node: Node | None, label: str) -> int:
        if node is None or node.is_null:
            return 0
        if node.kind is not Kind.SCALAR or node.quoted or not _WHOLE.fullmatch(node.text) or int(node.text) > _MOST:
            self.tell(
                node, "limit", f"{label}limit is {node.text[:80]!r}; give a whole number, such as 100, or 0 for none"
            )
            return 0
        return max(0, int(node.text))


def _recorded(record: str, rule: Rule) -> Recording:
    return Recording(
        record=record,
        group=rule.group,
        expr=rule.expr or "",
        labels={**rule.labels, **({SEVERITY: rule.severity} if rule.severity else {})},
        query_offset=rule.query_offset,
        limit=rule.limit,
    )


def _member(node: Node | None, name: str) -> Node | None:
    """The member of a mapping where there is one, and else the node itself."""
    if node is None or node.kind is not Kind.MAPPING:
        return node
    return next((value for key, value in node.pairs() if key.text == name), node)
