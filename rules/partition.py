"""By which labels an expression falls apart into independent parts, so that one query can ask for many parts at once.

Two rules often differ in nothing but the value of an equality matcher: `rate(m{service="a"}[5m])` and the same for `b`.
Where each part depends on nothing outside of it, the query for `service=~"a|b"`, cut by `service`, is both of them.

The claim. For an expression E all of whose selectors ask for `L="v"`, let W be E with `L` asked for by a set of values instead,
and with `L` added where E would sum it away. Then E is what W returns with `L="v"`, less the label `L` where E does not
return it. The proof goes by the structure of E; every rule of it stands beside the code that applies it
(rules/partition_proof.py), and what no rule covers is not taken apart. Values: W computes each of them from the same samples
as E does, by the same operations. An aggregation adds up in the order in which the server finds the series; Prometheus keeps
that order whatever else a selector matches, but no document promises it, so a label that an aggregation was widened by is
`inexact`, and is never used where the result is compared by `==` or `!=`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from rules.errors import PromqlError
from rules.partition_proof import Reader, UnprovenError
from rules.promql_text import Token, guard
from rules.widening import Edit, What, places, written


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
    _edits: tuple[Edit, ...] = field(default=(), repr=False)

    @property
    def selectors(self) -> int:
        """How often a value is asked for."""
        return sum(edit.what is What.MATCHER for edit in self._edits)

    def widened(self, values: Mapping[str, Collection[str]]) -> str:
        """The expression for all these values of these labels."""
        pieces, position = [], 0
        for start, end, edits in places(self._edits, values):
            pieces += [self._text[position:start], written(edits, values)]
            position = end
        return "".join(pieces) + self._text[position:]


@lru_cache(maxsize=10_000)
def partition(text: str, *, exact: bool = False) -> Partition:
    """How the expression falls apart; `exact` leaves out labels by which an aggregation would have to be widened.

    Never raises: what cannot be read has no labels.
    """
    try:
        found = guard(text)
        reader = Reader(found)
        vector = reader.whole()
    except PromqlError as error:
        return Partition(key=text, values={}, obstacle=error.message, _text=text)
    except UnprovenError as reason:
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


def _key(found: Sequence[Token], edits: Sequence[Edit]) -> str:
    blank = {edit.end: edit.label for edit in edits if edit.what is What.MATCHER}
    return " ".join(f"<{blank[token.end]}>" if token.end in blank else token.text for token in found)
