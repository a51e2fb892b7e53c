"""Reads an expression and proves on the way by which labels it can be cut; what the claim is, rules/partition.py says.

Every rule of the proof stands beside the code that applies it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from rules import go_strings
from rules.labels import METRIC_NAME
from rules.promql_text import Kind, Token
from rules.widening import Edit, What

_FUNCTIONS: Final = """
abs acos acosh asin asinh atan atanh avg_over_time ceil changes clamp clamp_max clamp_min cos cosh count_over_time
day_of_month day_of_week day_of_year days_in_month deg delta deriv exp floor holt_winters hour idelta increase irate
last_over_time ln log10 log2 max_over_time min_over_time minute month predict_linear present_over_time
quantile_over_time rad rate resets round sgn sin sinh sqrt stddev_over_time stdvar_over_time sum_over_time tan tanh
timestamp year
"""
PER_SERIES: Final = frozenset(_FUNCTIONS.split())
"""Functions that make one series out of one series, and keep its labels but for the name."""
IN_ORDER: Final = frozenset({"sum", "avg", "stddev", "stdvar"})
"""Aggregations whose last bits hang on the order of the series."""
IN_ANY_ORDER: Final = frozenset({"min", "max", "count", "group", "quantile"})
_OTHER_AGGREGATIONS: Final = frozenset({"topk", "bottomk", "count_values", "limitk", "limit_ratio"})
_NUMBERS: Final = frozenset({"time", "pi"})
_SET_OPERATORS: Final = frozenset({"and", "or", "unless"})
_LEVELS: Final = {
    **dict.fromkeys(["or"], 1),
    **dict.fromkeys(["and", "unless"], 2),
    **dict.fromkeys(["==", "!=", ">", ">=", "<", "<="], 3),
    **dict.fromkeys(["+", "-"], 4),
    **dict.fromkeys(["*", "/", "%", "atan2"], 5),
    "^": 6,
}
"""How tightly operators bind (P:promql/parser/generated_parser.y)."""
_PLAIN: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")


class UnprovenError(Exception):
    """No rule covers the expression; the text says what was met."""


@dataclass(frozen=True, slots=True)
class Cuttable:
    """What is known of a subexpression that is a vector: the labels it can be cut by, each with its value.

    Among them are those that its result does not carry, and those by which an aggregation in it was widened.
    """

    values: Mapping[str, str]
    dropped: frozenset[str] = frozenset()
    inexact: frozenset[str] = frozenset()

    def less(self, names: Collection[str]) -> Cuttable:
        """The same, not to be cut by these labels."""
        return replace(self, values={name: value for name, value in self.values.items() if name not in names})


@dataclass(frozen=True, slots=True)
class _Matching:
    """`on(…)` or `ignoring(…)` with its labels, which side has many, and the labels taken over from the other."""

    on: bool = False
    names: frozenset[str] = frozenset()
    at: int = 0
    many: str = ""
    included: frozenset[str] = frozenset()

    def adds(self, name: str) -> bool:
        """Whether the label has to be put into the list to be compared."""
        return self.on and name not in self.names

    def may_compare(self, name: str, operator: str, ends: tuple[bool, bool]) -> bool:
        """Whether samples that match can be held to one value of the label; `ends`: whether each side has dropped it."""
        if name in self.included or (name in self.names and not self.on):
            return False
        return ends[0] == ends[1] or (self.adds(name) and operator != "or")

    def is_one_to_one(self, operator: str) -> bool:
        return not self.many and operator not in _SET_OPERATORS


class Reader:
    """Reads an expression that the parser has accepted, and proves on the way what it can be cut by.

    A scalar is `None`: it has no labels and is the same for every part.
    """

    def __init__(self, found: Sequence[Token]) -> None:
        self._found, self._at = found, 0
        self.edits: list[Edit] = []

    def whole(self) -> Cuttable:
        """The whole expression. Raises UnprovenError."""
        vector = self._binary(1)
        if self._peek():
            raise UnprovenError(f"{self._peek()!r} is not known here")
        if vector is None:
            raise UnprovenError("it is a scalar")
        return vector

    # --- tokens ---

    def _peek(self, ahead: int = 0) -> str:
        at = self._at + ahead
        return self._found[at].text.lower() if at < len(self._found) else ""

    def _next(self) -> Token:
        if self._at >= len(self._found):
            raise UnprovenError("it ends too early")
        self._at += 1
        return self._found[self._at - 1]

    def _take(self, *texts: str) -> bool:
        if self._peek() not in texts:
            return False
        self._at += 1
        return True

    def _expect(self, text: str) -> Token:
        token = self._next()
        if token.text != text:
            raise UnprovenError(f"{token.text!r} is not known here")
        return token

    # --- operators ---

    def _binary(self, least: int) -> Cuttable | None:
        left = self._unary()
        while (level := _LEVELS.get(self._peek(), 0)) >= least and level:
            operator = self._next().text.lower()
            self._take("bool")
            matching = self._matching()
            right = self._binary(level if operator == "^" else level + 1)
            left = self._joined(operator, matching, left, right)
        return left

    def _unary(self) -> Cuttable | None:
        """A sign makes one series of one series."""
        if self._take("+", "-"):
            return self._binary(_LEVELS["^"])
        return self._postfixed(self._primary())

    def _joined(
        self, operator: str, matching: _Matching, left: Cuttable | None, right: Cuttable | None
    ) -> Cuttable | None:
        if left is None or right is None:  # Each sample of a vector beside a scalar is computed by itself.
            return self._compared(operator, left or right)
        return self._compared(operator, self._matched(operator, matching, left, right))

    def _compared(self, operator: str, joined: Cuttable | None) -> Cuttable | None:
        # A last bit that differs must not make equal what is not.
        return joined.less(joined.inexact) if joined is not None and operator in ("==", "!=") else joined

    def _matched(self, operator: str, matching: _Matching, left: Cuttable, right: Cuttable) -> Cuttable:
        """Samples that match have the same value of L: by its being compared, or by our having it compared too.

        So no sample of one part meets one of another, and within a part L is the same everywhere and decides nothing. It is
        compared where both sides carry it, in E as in W, or neither does in E and both in W.
        """
        values, dropped = {}, set()
        for name in left.values.keys() & right.values.keys():
            ends = (name in left.dropped, name in right.dropped)
            if left.values[name] != right.values[name] or not matching.may_compare(name, operator, ends):
                continue
            added = matching.adds(name)
            if added:
                self._list(matching.at, name)
            values[name] = left.values[name]
            if (added and matching.is_one_to_one(operator)) or ends[matching.many == "group_right"]:
                dropped.add(name)
        return Cuttable(values, frozenset(dropped), left.inexact | right.inexact)

    def _matching(self) -> _Matching:
        if self._peek() not in ("on", "ignoring"):
            # A grouping without on or ignoring is none that the parser accepts.
            return _Matching()
        on = self._next().text.lower() == "on"
        at, names = self._names()
        many, included = "", frozenset[str]()
        if self._peek() in ("group_left", "group_right"):
            many = self._next().text.lower()
            if self._peek() == "(":
                # A list of labels, unless it is the operand in brackets, which then is the same.
                included = self._included()
        return _Matching(on=on, names=names, at=at, many=many, included=included)

    def _included(self) -> frozenset[str]:
        begin = self._at
        try:
            _, names = self._names()
        except UnprovenError:
            self._at = begin
            return frozenset()
        return names

    def _names(self) -> tuple[int, frozenset[str]]:
        """A list of labels in brackets, and where in `_found` it opens."""
        at, names = self._at, set()
        self._expect("(")
        while not self._take(")"):
            token = self._next()
            if token.kind is Kind.WORD:
                names.add(token.text)
            elif token.kind is Kind.STRING:
                names.add(_unquoted(token))
            else:
                raise UnprovenError(f"{token.text!r} is not known in a list of labels")
            self._take(",")
        return at, frozenset(names)

    def _list(self, at: int, name: str) -> None:
        """Adds a label to the list that opens at this token."""
        behind = self._found[at].end
        empty = self._found[at + 1].text == ")"
        self.edits.append(Edit(What.EMPTY_LIST if empty else What.LIST, name, behind, behind))

    # --- operands ---

    def _postfixed(self, vector: Cuttable | None) -> Cuttable | None:
        """A range, `offset` and `@` say when; of whom is decided. A subquery makes one series of those with equal labels."""
        while True:
            if self._take("["):
                while not self._take("]"):
                    self._next()
            elif self._take("offset"):
                self._take("-", "+")
                self._number()
            elif self._take("@"):
                self._instant()
            else:
                return vector

    def _instant(self) -> None:
        if self._take("start", "end"):
            self._expect("(")
            self._expect(")")
        else:
            self._take("-", "+")
            self._number()

    def _number(self) -> None:
        token = self._next()
        if not token.is_number:
            raise UnprovenError(f"{token.text!r} is not known here")

    def _primary(self) -> Cuttable | None:
        token = self._next()
        if token.is_number or token.kind is Kind.STRING:
            return None
        if token.text == "(":
            inner = self._binary(1)
            self._expect(")")
            return inner
        if token.text == "{":
            return self._selector()
        if token.kind is not Kind.WORD:
            raise UnprovenError(f"{token.text!r} is not known here")
        return self._named(token)

    def _named(self, token: Token) -> Cuttable | None:
        word = token.text.lower()
        if word in IN_ORDER or word in IN_ANY_ORDER:
            return self._aggregation(token)
        if word in _OTHER_AGGREGATIONS:
            raise UnprovenError(f"{word} chooses among all series")
        if self._peek() == "(":
            return self._call(word)
        return self._selector() if self._take("{") else Cuttable({})

    def _selector(self) -> Cuttable:
        """All its series carry L="v". One without the matcher belongs to every part, so nothing is cut by L then."""
        values: dict[str, str] = {}
        spoiled: set[str] = {METRIC_NAME}
        while not self._take("}"):
            name = self._next()
            operator = self._next() if self._peek() in ("=", "!=", "=~", "!~") else None
            if operator is not None:
                self._matcher(name, operator, self._next(), values, spoiled)
            elif name.kind is not Kind.STRING:
                raise UnprovenError(f"{name.text!r} is not known in a selector")
            self._take(",")
        return Cuttable(values).less(spoiled)

    def _matcher(self, name: Token, operator: Token, value: Token, values: dict[str, str], spoiled: set[str]) -> None:
        if operator.text != "=" or not _PLAIN.fullmatch(name.text):
            return
        text = _unquoted(value)
        if name.text in values or not text:
            # No series has the one and the other, and the empty value is that of a series without the label.
            spoiled.add(name.text)
        values[name.text] = text
        self.edits.append(Edit(What.MATCHER, name.text, operator.start, value.end))

    def _call(self, word: str) -> Cuttable | None:
        if word not in PER_SERIES and word not in _NUMBERS and word != "histogram_quantile":
            raise UnprovenError(f"{word}() may look at several series at once")
        vectors = [vector for vector in self._arguments() if vector is not None]
        if word in _NUMBERS:
            return None
        if len(vectors) != 1:
            raise UnprovenError(f"{word}() has no vector to look at")
        # Each series by itself; a histogram is the series that differ in `le` only, which all have the same L.
        return vectors[0].less({"le"}) if word == "histogram_quantile" else vectors[0]

    def _arguments(self) -> list[Cuttable | None]:
        self._expect("(")
        found: list[Cuttable | None] = []
        while not self._take(")"):
            found.append(self._binary(1))
            self._take(",")
        return found

    def _aggregation(self, operation: Token) -> Cuttable:
        """Series of different parts fall into different groups if the groups differ in L; where E has them not, W does.

        E's group is then W's with L="v": the same series. `by` names L or is given it, `without` must not name it.
        """
        clause = self._clause()
        arguments = self._arguments()
        clause = clause or self._clause()
        vector = arguments[-1] if arguments else None
        if vector is None or any(arguments[:-1]):
            raise UnprovenError(f"{operation.text} of a scalar")
        word, at, names = clause or ("by", None, frozenset())
        if word == "without":
            return vector.less(names)
        return self._grouped(operation, vector, at, vector.values.keys() - names)

    def _grouped(self, operation: Token, vector: Cuttable, at: int | None, added: set[str]) -> Cuttable:
        """The groups of `by`, whose list opens at `at` if there is one, with these labels put into it."""
        for name in sorted(added):
            if at is None:
                self.edits.append(Edit(What.CLAUSE, name, operation.end, operation.end))
            else:
                self._list(at, name)
        inexact = added if operation.text.lower() in IN_ORDER else frozenset()
        return replace(vector, dropped=vector.dropped | added, inexact=vector.inexact | inexact)

    def _clause(self) -> tuple[str, int | None, frozenset[str]] | None:
        if self._peek() not in ("by", "without"):
            return None
        word = self._next().text.lower()
        return word, *self._names()


def _unquoted(token: Token) -> str:
    try:
        return go_strings.unquote(token.text)
    except ValueError as error:
        raise UnprovenError(f"{token.text[:40]} is no string that can be read") from error
