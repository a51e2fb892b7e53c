"""A PromQL expression as a small tree of our own, for those who reason about what it can answer (rules.lints).

It says what an expression means and not how it was written: parentheses and the sign of a number are gone, comments too. Text is
never made of it (see rules.promql).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Final, assert_never

import promql_parser as parser

from rules import promql
from rules.errors import PromqlError
from rules.labels import METRIC_NAME
from rules.promql_text import guard
from rules.rule import Condition

DEEPEST: Final = 100
"""Levels of a tree. Whoever reasons about it recurses, and a chain of operators is as deep as it is long."""
_SCALARS: Final = frozenset({"time", "scalar", "pi"})


class Many(StrEnum):
    """The side of a binary operation of which several series may match one of the other: `group_left`, `group_right`."""

    NEITHER = "neither"
    LEFT = "left"
    RIGHT = "right"


@dataclass(frozen=True, slots=True)
class Number:
    """A number that stands in the expression."""

    value: float


@dataclass(frozen=True, slots=True)
class Text:
    """A text in quotes."""

    value: str


@dataclass(frozen=True, slots=True)
class Matcher:
    """What a selector asks of one label; `operator` is one of = != =~ !~."""

    label: str
    operator: str
    value: str


@dataclass(frozen=True, slots=True)
class Selector:
    """Series of a metric, `None` when it is not named outright; `span` of a range, `None` for an instant.

    `moved` tells selectors of other times apart: it is made of `offset` and `@`; `is_ahead` that it may look at later samples.
    `has_alternatives` is set when matchers are joined by `or`, and then some of them are missing here.
    """

    name: str | None
    matchers: tuple[Matcher, ...]
    span: timedelta | None = None
    moved: str = ""
    is_ahead: bool = False
    has_alternatives: bool = False


@dataclass(frozen=True, slots=True)
class Subquery:
    """An expression at many instants of a span; `moved`, its step included, and `is_ahead` are as a selector's."""

    of: Tree
    span: timedelta
    moved: str = ""
    is_ahead: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """A function and what it is given."""

    function: str
    arguments: tuple[Tree, ...]


@dataclass(frozen=True, slots=True)
class Aggregate:
    """An aggregation. `keeps` are the labels of `by` (none without any clause), `drops` those of `without`."""

    operator: str
    of: Tree
    parameter: Tree | None
    keeps: tuple[str, ...] | None
    drops: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Binary:
    """Two expressions and what joins them. `on` are the labels that have to be equal, `None` for all but those `ignored`.

    `many` tells which side keeps its labels when that is asked for; `included` are then taken from the other.
    """

    operator: str
    left: Tree
    right: Tree
    is_bool: bool = False
    on: tuple[str, ...] | None = None
    ignored: tuple[str, ...] = ()
    many: Many = Many.NEITHER
    included: tuple[str, ...] = ()

    @property
    def is_filter(self) -> bool:
        """Whether it is a comparison that drops what does not hold."""
        return self.operator in _COMPARISONS and not self.is_bool


@dataclass(frozen=True, slots=True)
class Negated:
    """An expression with a minus before it."""

    of: Tree


Tree = Number | Text | Selector | Subquery | Call | Aggregate | Binary | Negated
_COMPARISONS: Final = frozenset(str(condition) for condition in Condition)


@lru_cache(maxsize=4096)
def tree(text: str) -> Tree:
    """The expression as a tree. Raises PromqlError when it does not parse, or is too large or too deep to reason about."""
    plain, regexes = promql.without_regexes(text, guard(text))
    return _Reading(regexes).read(promql.parsed(plain))


def filters(node: Tree) -> bool:
    """Whether anything in it can drop a series: a comparison, `and`, `unless`, `absent`.

    Where nothing does, a rule fires for every series there is.
    """
    return any(_drops(one) for one in walk(node))


def _drops(node: Tree) -> bool:
    match node:
        case Binary():
            return node.is_filter or node.operator in ("and", "unless")
        case Call():
            return node.function.startswith("absent")
        case _:
            return False


def children(node: Tree) -> tuple[Tree, ...]:
    """What a node is made of, from left to right."""
    match node:
        case Binary():
            return node.left, node.right
        case Aggregate():
            return (node.of,) if node.parameter is None else (node.parameter, node.of)
        case Call():
            return node.arguments
        case Subquery() | Negated():
            return (node.of,)
        case Number() | Text() | Selector():
            return ()
        case _:
            assert_never(node)


def walk(node: Tree) -> Iterator[Tree]:
    """The node and all below it."""
    waiting = [node]
    while waiting:
        one = waiting.pop()
        yield one
        waiting += reversed(children(one))


def is_scalar(node: Tree) -> bool:
    """Whether it is a number and no series."""
    match node:
        case Number():
            return True
        case Call():
            return node.function in _SCALARS
        case Negated():
            return is_scalar(node.of)
        case Binary():
            return is_scalar(node.left) and is_scalar(node.right)
        case _:
            return False


class _Reading:
    """Makes our nodes of the parser's, with the regexes put back."""

    def __init__(self, regexes: Mapping[str, str]) -> None:
        self._regexes = regexes
        self._depth = 0

    def read(self, node: parser.Expr) -> Tree:
        """The node and all below it. Raises PromqlError below DEEPEST levels."""
        self._depth += 1
        if self._depth > DEEPEST:
            raise PromqlError(f"the expression is more than {DEEPEST} levels deep; split it into several rules")
        found = self._read(node)
        self._depth -= 1
        return found

    def _read(self, node: parser.Expr) -> Tree:
        match node:
            case parser.ParenExpr():
                return self.read(node.expr)
            case parser.UnaryExpr():
                return Negated(self.read(node.expr))
            case parser.Call():
                return Call(node.func.name, tuple(self.read(one) for one in node.args))
            case parser.AggregateExpr():
                return self._aggregate(node)
            case parser.BinaryExpr():
                return self._binary(node)
            case _:
                return self._leaf(node)

    def _leaf(self, node: parser.Expr) -> Tree:
        match node:
            case parser.NumberLiteral():
                return Number(node.val)
            case parser.StringLiteral():
                return Text(node.val)
            case parser.VectorSelector():
                return self._selector(node, None)
            case parser.MatrixSelector():
                return self._selector(node.vector_selector, node.range)
            case _:
                assert isinstance(node, parser.SubqueryExpr)
                moved = f"{_moved(node.offset, node.at)} {node.step}"
                return Subquery(
                    self.read(node.expr), node.range or timedelta(0), moved, _is_ahead(node.offset, node.at)
                )

    def _selector(self, node: parser.VectorSelector, span: timedelta | None) -> Selector:
        matchers = tuple(self._matcher(one) for one in node.matchers.matchers)
        named = [one.value for one in matchers if one.label == METRIC_NAME and one.operator == "="]
        return Selector(
            name=node.name or next(iter(named), None),
            matchers=tuple(one for one in matchers if one.label != METRIC_NAME or one.operator != "="),
            span=span,
            moved=_moved(node.offset, node.at),
            is_ahead=_is_ahead(node.offset, node.at),
            has_alternatives=bool(node.matchers.or_matchers),
        )

    def _matcher(self, matcher: parser.Matcher) -> Matcher:
        operator = _OPERATORS[str(matcher.op)]
        is_regex = operator in ("=~", "!~")
        return Matcher(matcher.name, operator, self._regexes[matcher.value] if is_regex else matcher.value)

    def _aggregate(self, node: parser.AggregateExpr) -> Aggregate:
        modifier = node.modifier
        without = modifier is not None and modifier.type == parser.AggModifierType.Without
        labels = () if modifier is None else tuple(modifier.labels)
        return Aggregate(
            operator=str(node.op),
            of=self.read(node.expr),
            parameter=None if node.param is None else self.read(node.param),
            keeps=None if without else labels,
            drops=labels if without else (),
        )

    def _binary(self, node: parser.BinaryExpr) -> Binary:
        left, right, modifier = self.read(node.lhs), self.read(node.rhs), node.modifier
        if modifier is None:
            return Binary(str(node.op), left, right)
        matching = modifier.matching
        labels = () if matching is None else tuple(matching.labels)
        is_on = matching is not None and matching.type == parser.LabelModifierType.Include
        return Binary(
            operator=str(node.op),
            left=left,
            right=right,
            is_bool=modifier.return_bool,
            on=labels if is_on else None,
            ignored=() if is_on else labels,
            many=_MANY.get(str(modifier.card), Many.NEITHER),
            included=tuple(modifier.group_labels or ()),
        )


def _is_ahead(offset: timedelta | None, at: parser.AtModifier | None) -> bool:
    return at is not None or (offset is not None and offset < timedelta(0))


def _moved(offset: timedelta | None, at: parser.AtModifier | None) -> str:
    instant = "" if at is None else f"{at.type} {at.at}"
    return f"{offset or ''}{instant}"


_OPERATORS: Final = {"MatchOp.Equal": "=", "MatchOp.NotEqual": "!=", "MatchOp.Re": "=~", "MatchOp.NotRe": "!~"}
_MANY: Final = {"VectorMatchCardinality.ManyToOne": Many.LEFT, "VectorMatchCardinality.OneToMany": Many.RIGHT}
