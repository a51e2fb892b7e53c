"""By which labels an expression falls apart into independent parts, so that one query can ask for many parts at once.

Two rules often differ in nothing but the value of an equality matcher: `rate(m{service="a"}[5m])` and the same for `b`.
Where each part depends on nothing outside of it, the query for `service=~"a|b"`, cut by `service`, is both of them.

The claim. For an expression E all of whose selectors ask for `L="v"`, let W be E with `L` asked for by a set of values instead,
and with `L` added where E would sum it away. Then E is what W returns with `L="v"`, less the label `L` where E does not
return it. The proof goes by the structure of E; every rule of it stands beside the code that applies it (`_Reader`), and what no
rule covers is not taken apart. Values: W computes each of them from the same samples as E does, by the same operations. An
aggregation adds up in the order in which the server finds the series; Prometheus keeps that order whatever else a selector
matches, but no document promises it, so a label that an aggregation was widened by is `inexact`, and is never used where the
result is compared by `==` or `!=`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from functools import lru_cache
from typing import Final

from rules import go_strings
from rules.errors import PromqlError
from rules.labels import METRIC_NAME
from rules.promql_text import Kind, Token, guard

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
_SPECIAL: Final = re.compile(r"[\\.+*?()|\[\]{}^$]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Partition:
    """The labels by which an expression can be asked for together with others, each with the value it asks for.

    Expressions with the same `key` differ in these values only. `dropped` are the labels that are not in the result.
    `obstacle` says why there is no label at all, in words for people; empty when there is one.
    """

    key: str
    values: Mapping[str, str]
    dropped: frozenset[str] = frozenset()
    obstacle: str = ""
    _text: str = field(repr=False)
    _edits: tuple[_Edit, ...] = field(default=(), repr=False)

    @property
    def selectors(self) -> int:
        """How often a value is asked for."""
        return sum(edit.what is _What.MATCHER for edit in self._edits)

    def widened(self, values: Mapping[str, Collection[str]]) -> str:
        """The expression for all these values of these labels."""
        pieces, position = [], 0
        for start, end, edits in _places(self._edits, values):
            pieces += [self._text[position:start], _written(edits, values)]
            position = end
        return "".join(pieces) + self._text[position:]


class _What(Enum):
    MATCHER = auto()
    """From the operator to the end of the value."""
    LIST = auto()
    """Behind the bracket that opens a list of labels."""
    EMPTY_LIST = auto()
    CLAUSE = auto()
    """Behind the name of an aggregation that has no list."""


@dataclass(frozen=True, slots=True)
class _Edit:
    what: _What
    label: str
    start: int
    end: int


@lru_cache(maxsize=10_000)
def partition(text: str, *, exact: bool = False) -> Partition:
    """How the expression falls apart; `exact` leaves out labels by which an aggregation would have to be widened.

    Never raises: what cannot be read has no labels.
    """
    try:
        found = guard(text)
        reader = _Reader(found)
        vector = reader.whole()
    except PromqlError as error:
        return Partition(key=text, values={}, obstacle=error.message, _text=text)
    except _UnprovenError as reason:
        return Partition(key=_key(found, ()), values={}, obstacle=str(reason), _text=text)
    values = {name: value for name, value in vector.values.items() if not (exact and name in vector.inexact)}
    edits = tuple(edit for edit in reader.edits if edit.label in values)
    return Partition(
        key=_key(found, edits),
        values=values,
        dropped=vector.dropped & values.keys(),
        obstacle=""
        if values
        else "its selectors have no equality matcher in common whose label could tell results apart",
        _text=text,
        _edits=edits,
    )


def alternatives(values: Iterable[str]) -> str:
    """The regex that matches exactly these values, as Prometheus' own look-up of alternatives understands it."""
    return "|".join(_SPECIAL.sub(r"\\\g<0>", value) for value in values)


def _key(found: Sequence[Token], edits: Sequence[_Edit]) -> str:
    blank = {edit.end: edit.label for edit in edits if edit.what is _What.MATCHER}
    return " ".join(f"<{blank[token.end]}>" if token.end in blank else token.text for token in found)


def _places(edits: Iterable[_Edit], labels: Collection[str]) -> Iterator[tuple[int, int, list[_Edit]]]:
    places: dict[tuple[int, int], list[_Edit]] = {}
    for edit in edits:
        if edit.label in labels:
            places.setdefault((edit.start, edit.end), []).append(edit)
    for start, end in sorted(places):
        yield start, end, places[start, end]


def _written(edits: Sequence[_Edit], values: Mapping[str, Collection[str]]) -> str:
    names = ", ".join(edit.label for edit in edits)
    match edits[0].what:
        case _What.MATCHER:
            return f"=~{go_strings.quote(alternatives(values[edits[0].label]))}"
        case _What.LIST:
            return f"{names}, "
        case _What.EMPTY_LIST:
            return names
        case _:
            return f" by ({names}) "


class _UnprovenError(Exception):
    """No rule covers the expression; the text says what was met."""


@dataclass(frozen=True, slots=True)
class _Vector:
    """What is known of a subexpression that is a vector: the labels it can be cut by, each with its value.

    Among them are those that its result does not carry, and those by which an aggregation in it was widened.
    """

    values: Mapping[str, str]
    dropped: frozenset[str] = frozenset()
    inexact: frozenset[str] = frozenset()

    def less(self, names: Collection[str]) -> _Vector:
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


class _Reader:
    """Reads an expression that the parser has accepted, and proves on the way what it can be cut by.

    A scalar is `None`: it has no labels and is the same for every part.
    """

    def __init__(self, found: Sequence[Token]) -> None:
        self._found, self._at = found, 0
        self.edits: list[_Edit] = []

    def whole(self) -> _Vector:
        """The whole expression. Raises _UnprovenError."""
        vector = self._binary(1)
        if self._peek():
            raise _UnprovenError(f"{self._peek()!r} is not known here")
        if vector is None:
            raise _UnprovenError("it is a scalar")
        return vector

    # --- tokens ---

    def _peek(self, ahead: int = 0) -> str:
        at = self._at + ahead
        return self._found[at].text.lower() if at < len(self._found) else ""

    def _next(self) -> Token:
        if self._at >= len(self._found):
            raise _UnprovenError("it ends too early")
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
            raise _UnprovenError(f"{token.text!r} is not known here")
        return token

    # --- operators ---

    def _binary(self, least: int) -> _Vector | None:
        left = self._unary()
        while (level := _LEVELS.get(self._peek(), 0)) >= least and level:
            operator = self._next().text.lower()
            self._take("bool")
            matching = self._matching()
            right = self._binary(level if operator == "^" else level + 1)
            left = self._joined(operator, matching, left, right)
        return left

    def _unary(self) -> _Vector | None:
        """A sign makes one series of one series."""
        if self._take("+", "-"):
            return self._binary(_LEVELS["^"])
        return self._postfixed(self._primary())

    def _joined(
        self, operator: str, matching: _Matching, left: _Vector | None, right: _Vector | None
    ) -> _Vector | None:
        if left is None or right is None:  # Each sample of a vector beside a scalar is computed by itself.
            return self._compared(operator, left or right)
        return self._compared(operator, self._matched(operator, matching, left, right))

    def _compared(self, operator: str, joined: _Vector | None) -> _Vector | None:
        # A last bit that differs must not make equal what is not.
        return joined.less(joined.inexact) if joined is not None and operator in ("==", "!=") else joined

    def _matched(self, operator: str, matching: _Matching, left: _Vector, right: _Vector) -> _Vector:
        """Samples that match have the same value of L: by its being compared, or by our having it compared too.

        So no sample of one part meets one of another, and within a part L is the same everywhere and decides nothing. It is
        compared where both sides carry it, in E as in W, or neither does in E and both in W.
        """
        values, dropped = {}, set()
        for name in left.values.keys() & right.values.keys():
            ends = [name in side.dropped for side in (left, right)]
            listed = name in matching.names
            added = matching.on and not listed
            if left.values[name] != right.values[name] or name in matching.included or (listed and not matching.on):
                continue
            if ends[0] != ends[1] and (not added or operator == "or"):
                continue
            if added:
                self._list(matching.at, name)
            values[name] = left.values[name]
            one_to_one = not matching.many and operator not in _SET_OPERATORS
            if (added and one_to_one) or ends[matching.many == "group_right"]:
                dropped.add(name)
        return _Vector(values, frozenset(dropped), left.inexact | right.inexact)

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
        except _UnprovenError:
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
                raise _UnprovenError(f"{token.text!r} is not known in a list of labels")
            self._take(",")
        return at, frozenset(names)

    def _list(self, at: int, name: str) -> None:
        """Adds a label to the list that opens at this token."""
        behind = self._found[at].end
        empty = self._found[at + 1].text == ")"
        self.edits.append(_Edit(_What.EMPTY_LIST if empty else _What.LIST, name, behind, behind))

    # --- operands ---

    def _postfixed(self, vector: _Vector | None) -> _Vector | None:
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
            raise _UnprovenError(f"{token.text!r} is not known here")

    def _primary(self) -> _Vector | None:
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
            raise _UnprovenError(f"{token.text!r} is not known here")
        return self._named(token)

    def _named(self, token: Token) -> _Vector | None:
        word = token.text.lower()
        if word in IN_ORDER or word in IN_ANY_ORDER:
            return self._aggregation(token)
        if word in _OTHER_AGGREGATIONS:
            raise _UnprovenError(f"{word} chooses among all series")
        if self._peek() == "(":
            return self._call(word)
        return self._selector() if self._take("{") else _Vector({})

    def _selector(self) -> _Vector:
        """All its series carry L="v". One without the matcher belongs to every part, so nothing is cut by L then."""
        values: dict[str, str] = {}
        spoiled: set[str] = {METRIC_NAME}
        while not self._take("}"):
            name = self._next()
            operator = self._next() if self._peek() in ("=", "!=", "=~", "!~") else None
            if operator is not None:
                self._matcher(name, operator, self._next(), values, spoiled)
            elif name.kind is not Kind.STRING:
                raise _UnprovenError(f"{name.text!r} is not known in a selector")
            self._take(",")
        return _Vector(values).less(spoiled)

    def _matcher(self, name: Token, operator: Token, value: Token, values: dict[str, str], spoiled: set[str]) -> None:
        if operator.text != "=" or not _PLAIN.fullmatch(name.text):
            return
        text = _unquoted(value)
        if name.text in values or not text:
            # No series has the one and the other, and the empty value is that of a series without the label.
            spoiled.add(name.text)
        values[name.text] = text
        self.edits.append(_Edit(_What.MATCHER, name.text, operator.start, value.end))

    def _call(self, word: str) -> _Vector | None:
        if word not in PER_SERIES and word not in _NUMBERS and word != "histogram_quantile":
            raise _UnprovenError(f"{word}() may look at several series at once")
        vectors = [vector for vector in self._arguments() if vector is not None]
        if word in _NUMBERS:
            return None
        if len(vectors) != 1:
            raise _UnprovenError(f"{word}() has no vector to look at")
        # Each series by itself; a histogram is the series that differ in `le` only, which all have the same L.
        return vectors[0].less({"le"}) if word == "histogram_quantile" else vectors[0]

    def _arguments(self) -> list[_Vector | None]:
        self._expect("(")
        found: list[_Vector | None] = []
        while not self._take(")"):
            found.append(self._binary(1))
            self._take(",")
        return found

    def _aggregation(self, operation: Token) -> _Vector:
        """Series of different parts fall into different groups if the groups differ in L; where E has them not, W does.

        E's group is then W's with L="v": the same series. `by` names L or is given it, `without` must not name it.
        """
        clause = self._clause()
        arguments = self._arguments()
        clause = clause or self._clause()
        vector = arguments[-1] if arguments else None
        if vector is None or any(arguments[:-1]):
            raise _UnprovenError(f"{operation.text} of a scalar")
        word, at, names = clause or ("by", None, frozenset())
        if word == "without":
            return vector.less(names)
        added = vector.values.keys() - names
        for name in sorted(added):
            if at is None:
                self.edits.append(_Edit(_What.CLAUSE, name, operation.end, operation.end))
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
        raise _UnprovenError(f"{token.text[:40]} is no string that can be read") from error
