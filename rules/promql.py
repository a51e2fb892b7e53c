"""PromQL behind one door: check an expression, cut it at its threshold, put a threshold on it.

Text is cut and joined, never printed from a parsed tree, because the tree forgets milliseconds, escapes and quotes. The
parser is advice (it knows less than a new server and more than an old one); the server's answer is the last word.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from itertools import pairwise
from typing import Final

import promql_parser as parser

from rules import go_strings
from rules.errors import PromqlError
from rules.labels import METRIC_NAME
from rules.promql_text import Kind, Token, guard, tokens
from rules.regexes import compiled
from rules.rule import Condition

FLIPPED: Final = {
    Condition.ABOVE: Condition.BELOW,
    Condition.AT_LEAST: Condition.AT_MOST,
    Condition.BELOW: Condition.ABOVE,
    Condition.AT_MOST: Condition.AT_LEAST,
    Condition.EQUAL: Condition.EQUAL,
    Condition.NOT_EQUAL: Condition.NOT_EQUAL,
}
_PLAIN_NAME: Final = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_NO_NAME: Final = re.compile(r"[\s(){}\[\]\"'`,=<>!~+*^%#@;\\\x00-\x1f\x7f\ud800-\udfff]")
"""What makes a metric_name look like an expression, although Prometheus 3 would allow most of it in a name."""
_LANGUAGE: Final = re.compile(
    "and|or|unless|atan2|by|without|on|ignoring|group_left|group_right|fill|bool|offset|inf|nan|start|end",
    re.IGNORECASE,
)
_RULES: Final = 32_768
"""So many expressions are known once they were looked at, for every slot asks about those of all rules. Were there one more than
these, the oldest would always be forgotten just before it is asked for."""


class _Type(StrEnum):
    VECTOR = "instant vector"
    SCALAR = "scalar"
    OTHER = "range vector or string"


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """An expression cut at its threshold: `lhs condition threshold` returns exactly what the whole returns."""

    lhs: str
    condition: Condition
    threshold: float


def check(text: str) -> None:
    """Refuse what no rule can evaluate: a syntax error, a range vector, a string, or text too large to parse safely.

    Raises PromqlError.
    """
    if _type(text) is _Type.OTHER:
        hint = "a rule needs an instant vector, such as rate(…[5m])"
        raise PromqlError(f"{text[:80]!r} is a range vector or a string; {hint}")


@lru_cache(maxsize=_RULES)
def split(text: str) -> Comparison | None:
    """The expression cut at its outermost comparison with a number, `None` when that cannot be proven to be the same.

    `5 < x` becomes `x > 5`. Not cut: `bool`, matching modifiers, NaN, a comparison inside `or`, `and` or a function.
    Raises PromqlError when the expression does not parse.
    """
    found = guard(text)
    tree = _unwrapped(parsed(without_regexes(text, found)[0]))
    if not isinstance(tree, parser.BinaryExpr) or tree.modifier is not None:
        return None
    inner = _without_parentheses(found)
    # Comparisons bind loosest but for the set operators, and to the left: the tree's own operator is the last one.
    cut = max((at for at, token in enumerate(inner) if _compares(token, inner[0].depth)), default=None)
    if cut is None:
        return None
    left, right = _unwrapped(tree.lhs), _unwrapped(tree.rhs)
    condition = Condition(inner[cut].text)
    if isinstance(right, parser.NumberLiteral):
        return _proven(text, inner[:cut], condition, right.val)
    if isinstance(left, parser.NumberLiteral):
        return _proven(text, inner[cut + 1 :], FLIPPED[condition], left.val)
    return None


def compared(lhs: str, condition: Condition, threshold: float) -> str:
    """The query that compares an expression with a number; the line feed keeps a trailing comment from hiding the `)`.

    A scalar is made a vector, because PromQL compares scalars with `bool` only. Raises PromqlError for a bad `lhs`.
    """
    check(lhs)
    wrapper = "vector" if _type(lhs) is _Type.SCALAR else ""
    return f"{wrapper}({lhs}\n) {condition} {number(threshold)}"


def number(value: float) -> str:
    """The number as PromQL and people write it: `80`, `0.1`, `1e+300`, `Inf`, `NaN`; it reads back bit by bit."""
    if math.isnan(value):
        return "NaN"
    return repr(float(value)).removesuffix(".0").replace("inf", "Inf")


def metric(name: str) -> str:
    """The selector of all series of a metric: `up`, `{"http.duration"}` for a name that needs quotes.

    Raises PromqlError for an empty name and for an expression, which belongs in `expr`.
    """
    odd = _NO_NAME.search(name)
    if not name or odd or len(name) > 1024:
        message = f"metric_name {name[:80]!r} is not the name of a metric, such as node_load1; put expressions in expr"
        raise PromqlError(message, field="metric_name", position=odd.start() if odd else None)
    if not _PLAIN_NAME.fullmatch(name):
        return f"{{{go_strings.quote(name)}}}"
    # A word of the language may not stand alone; this older way of naming a metric is understood by every server.
    return f'{{{METRIC_NAME}="{name}"}}' if _LANGUAGE.fullmatch(name) else name


def is_plain(name: str) -> bool:
    """Whether a name needs no quotes in PromQL."""
    return _PLAIN_NAME.fullmatch(name) is not None and not _LANGUAGE.fullmatch(name)


def skeleton(text: str) -> str:
    """What stays of an expression when values of equality matchers and a trailing threshold are left out.

    Only a stable input for hashing, so that rules which may share a query share a slot; any text has one.
    """
    found = list(tokens(text))
    return " ".join(_blanked(found, at) for at in range(_before_threshold(found)))


def metric_names(text: str) -> frozenset[str]:
    """The metrics an expression names outright; those it selects by a regex are not among them. Raises PromqlError."""
    return frozenset(name for node in _nodes(_checked(text)) for name in _names(node))


def is_scalar(text: str) -> bool:
    """Whether an expression is a scalar, which has to be made a vector before it is compared. Raises PromqlError."""
    return _type(text) is _Type.SCALAR


# --- parsing ---


@lru_cache(maxsize=_RULES)
def _type(text: str) -> _Type:
    plain, _ = without_regexes(text, guard(text))
    parsed(plain)
    # The tree tells no types; the parser does, by what it lets stand as an argument.
    if _parses(f"abs({plain}\n)"):
        return _Type.VECTOR
    return _Type.SCALAR if _parses(f"vector({plain}\n)") else _Type.OTHER


def _checked(text: str) -> parser.Expr:
    return parsed(without_regexes(text, guard(text))[0])


# As with promql_text.guard: what kind an expression is and where it is cut are asked one after the other.
@lru_cache(maxsize=64)
def parsed(text: str) -> parser.Expr:
    """The tree. Raises PromqlError."""
    try:
        return parser.parse(text)
    except ValueError as error:
        raise PromqlError(f"{text[:80]!r} is not PromQL: {str(error)[:200]}") from error


def _parses(text: str) -> bool:
    try:
        parser.parse(text)
    except ValueError:
        return False
    return True


def without_regexes(text: str, found: Sequence[Token]) -> tuple[str, Mapping[str, str]]:
    """The text with each regex replaced by a trivial one of its own that agrees on the empty value, and which stand for which.

    The parser would compile regexes by Rust's rules, at 0.1 s for a hostile one; Prometheus' are RE2's. Raises PromqlError.
    """
    parts, position = [], 0
    known: dict[str, str] = {}
    for operator, literal in pairwise(found):
        if operator.text in ("=~", "!~") and literal.kind is Kind.STRING:
            optional = "|" if _matches_empty(literal) else ""
            name = known.setdefault(literal.text, f"{optional}r{len(known)}")
            parts += [text[position : literal.start], f'"{name}"']
            position = literal.end
    return "".join(parts) + text[position:], {name: go_strings.unquote(literal) for literal, name in known.items()}


def _matches_empty(literal: Token) -> bool:
    try:
        return compiled(go_strings.unquote(literal.text)).fullmatch(b"") is not None
    except ValueError as error:
        raise PromqlError(f"{literal.text[:80]} is no regex: {error}", position=literal.start) from error


# --- walking ---


def _unwrapped(tree: parser.Expr) -> parser.Expr:
    while isinstance(tree, parser.ParenExpr):
        tree = tree.expr
    return tree


def _nodes(tree: object) -> Iterator[object]:
    """Every node; the parser's own walk copies each subtree and takes seconds for a long chain."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        waiting += _children(node)


def _children(node: object) -> Sequence[object]:
    match node:
        case parser.BinaryExpr():
            return node.lhs, node.rhs
        case parser.AggregateExpr():
            return node.expr, node.param
        case parser.Call():
            return node.args
        case parser.MatrixSelector():
            return (node.vector_selector,)
        case parser.ParenExpr() | parser.UnaryExpr() | parser.SubqueryExpr():
            return (node.expr,)
        case _:
            return ()


def _names(node: object) -> Iterator[str]:
    if isinstance(node, parser.VectorSelector):
        if node.name:
            yield node.name
        for matcher in node.matchers.matchers:
            if matcher.name == METRIC_NAME and matcher.op == parser.MatchOp.Equal:
                yield matcher.value


# --- cutting ---


def _compares(token: Token, depth: int) -> bool:
    return token.kind is Kind.COMPARISON and token.depth == depth


def _without_parentheses(found: Sequence[Token]) -> Sequence[Token]:
    while found[0].text == "(" and _closing(found) == len(found) - 1:
        found = found[1:-1]
    return found


def _closing(found: Sequence[Token]) -> int:
    """Where the bracket closes that the tokens begin with; parsed text has one."""
    return next(at for at, token in enumerate(found) if at and token.depth == found[0].depth)


def _proven(text: str, kept: Sequence[Token], condition: Condition, threshold: float) -> Comparison | None:
    lhs = text[kept[0].start : kept[-1].end]
    if math.isnan(threshold) or _type(lhs) is not _Type.VECTOR:
        return None
    return Comparison(lhs=lhs, condition=condition, threshold=threshold)


# --- the skeleton ---


def _before_threshold(found: Sequence[Token]) -> int:
    at = len(found) - 1
    if at < 0 or not found[at].is_number:
        return len(found)
    while at and found[at - 1].text in ("+", "-"):
        at -= 1
    return at if at and found[at - 1].kind is Kind.COMPARISON else len(found)


def _blanked(found: Sequence[Token], at: int) -> str:
    is_value = at > 1 and found[at].kind is Kind.STRING and found[at - 1].text == "="
    return '""' if is_value and found[at - 2].text.strip("\"'`") != METRIC_NAME else found[at].text
