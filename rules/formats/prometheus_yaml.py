"""Prometheus' rule files, read as strictly as Prometheus reads them: every mistake at once, at its line and column.

Source: prometheus/model/rulefmt (Parse, Validate). A file in which one thing is wrong is wrong as a whole. What Prometheus takes
and Tocsin has no use for is a warning: a recording rule stays in Prometheus, whose series it writes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from rules import durations, problems, promql
from rules.errors import DurationError, RulesError, YamlError
from rules.formats import yaml_text
from rules.formats.yaml_text import Kind, Node
from rules.labels import SEVERITY, LabelTexts
from rules.problems import Problem, Severity
from rules.rule import Rule

_FILE: Final = ("groups",)
_GROUP: Final = ("name", "interval", "query_offset", "limit", "labels", "rules")
_RULE: Final = ("record", "alert", "expr", "for", "keep_firing_for", "labels", "annotations")
_ALERTING_ONLY: Final = ("for", "keep_firing_for", "annotations")
_WHOLE: Final = re.compile(r"[-+]?[0-9]{1,18}")
_MOST: Final = 2**31 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Flaw:
    """One problem and where in which file it is; line and column count from 1. It prints as one line, as compilers do."""

    file: str
    line: int
    column: int
    problem: Problem

    def __str__(self) -> str:
        said = "warning: " if self.problem.severity is Severity.WARNING else ""
        return f"{self.file}:{self.line}:{self.column}: {said}{self.problem.message}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleFile:
    """The alerting rules of a file in its order, without ids yet, and what is wrong; with an error there are no rules."""

    rules: tuple[Rule, ...] = ()
    flaws: tuple[Flaw, ...] = ()

    @property
    def errors(self) -> tuple[Flaw, ...]:
        return tuple(flaw for flaw in self.flaws if flaw.problem.severity is Severity.ERROR)


def parse(text: str, file: str = "rules.yml") -> RuleFile:
    """What the text declares; `file` is what its mistakes are told by. Raises nothing."""
    reader = _Reader(file)
    try:
        rules = tuple(reader.rules(text))
    except YamlError as error:
        reader.tell(Node(kind=Kind.SCALAR, line=error.line, column=error.column), "", error.message)
        rules = ()
    found = RuleFile(rules=rules, flaws=tuple(sorted(reader.flaws, key=lambda flaw: (flaw.line, flaw.column))))
    return replace(found, rules=()) if found.errors else found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Group:
    """What a group's rules have in common; `label` is how its mistakes are told."""

    label: str
    name: str
    interval: timedelta | None
    query_offset: timedelta | None
    limit: int
    labels: Mapping[str, str]


class _Reader:
    """Reads nodes as what they should be, and collects what they are not."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.flaws: list[Flaw] = []

    def tell(self, node: Node, field: str, message: str, severity: Severity = Severity.ERROR) -> None:
        problem = Problem(severity=severity, field=field, message=message)
        self.flaws.append(Flaw(file=self.file, line=node.line, column=node.column, problem=problem))

    def rules(self, text: str) -> Iterator[Rule]:
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

    def group(self, node: Node, place: int, names: set[str]) -> Iterator[Rule]:
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

    def rule(self, node: Node, at: int, group: _Group) -> Iterator[Rule]:
        place = f"{group.label}rule {at + 1}"
        fields = self.mapping(node, place, _RULE)
        alert, record, label = self.names(node, place, fields)
        rule = self.declared(node, alert, fields, group, label)
        if record:
            self.recording(node, record, rule, fields, label)
        elif alert:
            yield self.alerting(node, rule, fields, label)

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

    def alerting(self, node: Node, rule: Rule, fields: Mapping[str, Node], label: str) -> Rule:
        """The rule, with what Tocsin itself has to say about it told."""
        if rule.expr is None:
            return rule
        for problem in problems.check_rule(rule):
            name, _, inner = problem.field.partition(".")
            where = _member(fields.get(name), inner) or node
            at = "" if problem.position is None else f" (at character {problem.position})"
            self.tell(where, problem.field, f"{label}{problem.field}: {problem.message}{at}", problem.severity)
        return rule

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

    def mapping(self, node: Node, what: str, known: tuple[str, ...] | None) -> dict[str, Node]:
        """The members by name; nothing at all stands for an empty mapping. `known` None takes every name."""
        if node.is_null:
            return {}
        if node.kind is not Kind.MAPPING:
            self.tell(node, "", f"{what} is a {node.kind} and not a mapping")
            return {}
        found: dict[str, Node] = {}
        self.once(node, what)
        for key, value in node.pairs():
            if key.kind is not Kind.SCALAR:
                self.tell(key, "", f"{what}: a {key.kind} cannot be a name")
            elif known is not None and key.text not in known:
                message = f"{what}: there is no field {key.text[:80]!r}; known are {', '.join(known)}"
                self.tell(key, key.text[:80], message)
            else:
                found.setdefault(key.text, value)
        return found

    def once(self, node: Node, what: str) -> None:
        """Tell of each name that the mapping itself gives twice."""
        first: dict[str, Node] = {}
        for key in node.items[::2]:
            if key.kind is not Kind.SCALAR:
                continue
            if key.text in first:
                message = f"{what}: {key.text[:80]!r} is given already on line {first[key.text].line}; keep one of them"
                self.tell(key, key.text[:80], message)
            first.setdefault(key.text, key)

    def list(self, node: Node | None, what: str) -> list[Node]:
        """The items; Prometheus passes over those that are null."""
        if node is None or node.is_null:
            return []
        if node.kind is not Kind.LIST:
            self.tell(node, what, f"{what} is a {node.kind} and not a list; begin each item with -")
            return []
        return [item for item in node.items if not item.is_null]

    def text(self, node: Node | None, name: str, label: str) -> str:
        if node is None or node.is_null:
            return ""
        if node.kind is not Kind.SCALAR:
            self.tell(node, name, f"{label}{name} is a {node.kind} and not a text")
        return node.text

    def texts(self, node: Node | None, name: str, label: str) -> dict[str, str]:
        if node is None:
            return {}
        members = self.mapping(node, f"{label}{name}", None)
        return {key: self.text(value, f"{name}.{key}", label) for key, value in members.items()}

    def span(self, node: Node | None, name: str, label: str) -> timedelta | None:
        if node is None or node.is_null:
            return None
        text = self.text(node, name, label)
        if node.kind is Kind.SCALAR:
            try:
                return durations.parse(text)
            except DurationError as error:
                self.tell(node, name, f"{label}{name}: {error.message}")
        return None

    def limit(self, node: Node | None, label: str) -> int:
        if node is None or node.is_null:
            return 0
        if node.kind is not Kind.SCALAR or node.quoted or not _WHOLE.fullmatch(node.text) or int(node.text) > _MOST:
            self.tell(
                node, "limit", f"{label}limit is {node.text[:80]!r}; give a whole number, such as 100, or 0 for none"
            )
            return 0
        return max(0, int(node.text))


def _member(node: Node | None, name: str) -> Node | None:
    """The member of a mapping where there is one, and else the node itself."""
    if node is None or node.kind is not Kind.MAPPING:
        return node
    return next((value for key, value in node.pairs() if key.text == name), node)
