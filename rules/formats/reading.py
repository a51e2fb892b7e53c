"""YAML nodes read as what they should be, and every way in which they are not, at its line and column.

Names are checked and never passed over: an unknown one is a slip of the pen. Source of what a null, a number or an empty text is
taken for: Prometheus' own files (prometheus/model/rulefmt, cmd/promtool/unittest.go).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from rules import durations
from rules.errors import DurationError, YamlError
from rules.formats.yaml_text import Kind, Node
from rules.problems import Problem, Severity

TRUE: Final = frozenset({"true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON", "y", "Y"})
FALSE: Final = frozenset({"false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF", "n", "N"})


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


class Reader:
    """Reads nodes as what they should be, and collects what they are not; `file` is what its mistakes are told by."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.flaws: list[Flaw] = []

    def tell(self, node: Node, field: str, message: str, severity: Severity = Severity.ERROR) -> None:
        problem = Problem(severity=severity, field=field, message=message)
        self.flaws.append(Flaw(file=self.file, line=node.line, column=node.column, problem=problem))

    def unreadable(self, error: YamlError) -> None:
        """Tell why there is nothing to read."""
        self.tell(Node(kind=Kind.SCALAR, line=error.line, column=error.column), "", error.message)

    def in_order(self) -> tuple[Flaw, ...]:
        """What was told, from the top of the file to its end."""
        return tuple(sorted(self.flaws, key=lambda flaw: (flaw.line, flaw.column)))

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

    def flag(self, node: Node | None, name: str, label: str) -> bool:
        """A truth, in any of the words YAML 1.1 has for it; nothing is false."""
        if node is None or node.is_null or (node.kind is Kind.SCALAR and node.text in FALSE):
            return False
        if node.kind is not Kind.SCALAR or node.text not in TRUE:
            self.tell(node, name, f"{label}{name} is {node.text[:80]!r}; give true or false")
        return True
