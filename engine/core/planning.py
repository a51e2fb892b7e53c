"""Which few queries answer many rules, and how their answers are taken apart again, so that each rule gets what it asked for.

Invariant: what `answers` gives a question is what the question's own `text` would have returned, sample for sample.

*Share.* `L > a` and `L > b` are both in what `L > min(a, b)` returns: a comparison with a number keeps or drops each sample by
its value alone and changes none, and floats are written so that they read back bit by bit. So the rest is compared here.
It holds for one direction at a time; `==` and `!=` share only with the same number.
*Union.* `L{s="a"}` and `L{s="b"}` are cut out of one query by rules/partition.py, which has the argument.
What has nothing in common can still ride in one request: engine/core/batching.py.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from itertools import groupby
from math import prod
from typing import Final

from engine.core.alert import Sample
from engine.core.remembering import Remembered
from engine.core.vector import Vector
from rules import promql
from rules.errors import PromqlError
from rules.labels import Labels
from rules.partition import Partition, partition
from rules.query import Asked
from rules.rule import Condition

MAX_BYTES: Final = 256 * 1024
"""How long one query may be: well below what proxies take by default, and the servers themselves."""
SMALL: Final = 8
"""A query for more rules than this gains nothing by riding in a batch."""
_SERIES: Final = 20_000
"""So many series of a query are known to belong to the same rules as last time, without looking at their labels again."""
_WASTE: Final = 4
"""How many times more combinations of values a union of several labels may ask for than there are rules for."""

PIECE: Final = " #"
"""Stands between a group's key and the number of a further query for it."""
_SIGNS: Final = {Condition.ABOVE: 1, Condition.AT_LEAST: 1, Condition.BELOW: -1, Condition.AT_MOST: -1}


class Means(StrEnum):
    """How a rule's question is asked."""

    ALONE = "alone"
    SHARE = "share"
    UNION = "union"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is to be asked for one rule, and what it falls apart by.

    `alone` says why it may not be asked together with others, empty if it may.
    """

    rule_id: str
    asked: Asked
    parted: Partition
    alone: str = ""

    @classmethod
    def of(cls, rule_id: str, asked: Asked, *, alone: str = "") -> Question:
        """The question with what its text falls apart by, which hangs on its comparison too."""
        exact = asked.condition in (Condition.EQUAL, Condition.NOT_EQUAL)
        return cls(rule_id=rule_id, asked=asked, parted=partition(asked.lhs, exact=exact), alone=alone)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """The rules for one combination of values, the one that is reached first before the others."""

    steps: tuple[tuple[float, bool], ...]
    rule_ids: tuple[str, ...]

    def reached(self, value: float, sign: int) -> int:
        """How many of the rules, from the first on, this value is past the bound of; with sign 0 the server has compared."""
        if sign == 0:
            return len(self.rule_ids)
        return 0 if value != value else bisect_right(self.steps, (sign * value, False))  # noqa: PLR0124 - NaN


@dataclass(frozen=True, kw_only=True)
class Shared:
    """One query and the questions it answers. `labels` are those it is cut by, in the order of a cell's values.

    `dropped` are those of them that the questions' own answers do not have. `sign` is the direction of the comparison left to
    do: 1 for above, -1 for below, 0 for none.
    """

    key: str
    text: str
    questions: tuple[Question, ...]
    labels: tuple[str, ...] = ()
    dropped: frozenset[str] = frozenset()
    sign: int = 0
    obstacle: str = ""
    batchable: bool = False

    @property
    def means(self) -> Means:
        """By which means its rules share it."""
        if len(self.questions) == 1:
            return Means.ALONE
        return Means.UNION if self.labels else Means.SHARE

    @cached_property
    def tag(self) -> str:
        """Its name in a batch."""
        return hashlib.sha256(self.key.encode()).hexdigest()[:12]

    @cached_property
    def cells(self) -> Mapping[tuple[str, ...], Cell]:
        """The questions by the values of the labels."""
        found: dict[tuple[str, ...], list[tuple[tuple[float, bool], str]]] = {}
        for question in self.questions:
            values = question.parted.values
            cell = found.setdefault(tuple(values[name] for name in self.labels), [])
            cell.append((_step(question.asked, self.sign), question.rule_id))
        return {values: _cell(entries) for values, entries in found.items()}

    @cached_property
    def placed(self) -> Remembered[Labels, tuple[Cell | None, Labels]]:
        """The cell a series belongs to, if to any, and its labels as the questions' own answers have them."""
        cells, labels, dropped = self.cells, self.labels, self.dropped

        def place(series: Labels) -> tuple[Cell | None, Labels]:
            cell = cells.get(tuple(series.get(name, "") for name in labels))
            return cell, series.without(*dropped) if dropped else series

        return Remembered(place, room=_SERIES)


def group_key(question: Question, *, together: bool = True) -> str:
    """Questions with the same may be asked as one query; unless rules are asked together, only the same text is."""
    asked = question.asked
    if question.alone:
        return f"alone {question.rule_id}"
    if not together:
        return f"same {asked.text}"
    direction = "whole" if asked.condition is None else str(_SIGNS.get(asked.condition, ""))
    exactly = f"{asked.condition} {asked.bound!r}" if direction == "" else ""
    return f"{direction}{exactly} {question.parted.key}"


def group_of(key: str) -> str:
    """The key of the group that the query with this key is for."""
    return key.rpartition(PIECE)[0] or key


def shared(key: str, questions: Collection[Question], *, pieces: int = 1) -> tuple[Shared, ...]:
    """The queries for questions with the same key: one, unless it would be too long or ask for far too much.

    `pieces` is into how many it is to be cut at least, because it failed as fewer.
    """
    ordered = sorted(questions, key=lambda question: question.rule_id)
    parts = [part for piece in _pieces(ordered, pieces) for part in _without_waste(piece)]
    return tuple(
        _shared(f"{key}{PIECE}{number}" if number else key, part) for number, part in enumerate(_within_limit(parts))
    )


def answers(query: Shared, samples: Sequence[Sample]) -> Mapping[str, Sequence[Sample]]:
    """The samples of each rule whose question has any, as its own query would have returned them.

    Raises LabelError where the labels of a series have to be looked at and are none.
    """
    if not samples:
        return {}
    vector = Vector.of(samples)
    if not query.labels:
        return _by_value(query, vector)
    found: dict[str, list[Sample]] = {}
    placed, sign, dropped = query.placed, query.sign, query.dropped
    for sample in vector:
        cell, own = placed[sample.labels]
        count = 0 if cell is None else cell.reached(sample.value, sign)
        if cell is None or not count:
            continue
        mine = Sample(labels=own, value=sample.value) if dropped else sample
        for rule_id in cell.rule_ids[:count]:
            found.setdefault(rule_id, []).append(mine)
    return found


def _by_value(query: Shared, vector: Vector) -> Mapping[str, Sequence[Sample]]:
    """The samples of each rule where all of them look at the same series: no labels are looked at."""
    [cell] = query.cells.values()
    if query.sign == 0:
        return dict.fromkeys(cell.rule_ids, vector)
    counts = [cell.reached(value, query.sign) for value in vector.values]
    found: dict[str, list[Sample]] = {}
    for index, count in enumerate(counts):
        if count:
            sample = vector[index]
            for rule_id in cell.rule_ids[:count]:
                found.setdefault(rule_id, []).append(sample)
    return found


def answers_plainly(query: Shared, samples: Sequence[Sample]) -> dict[str, list[Sample]]:
    """What `answers` gives, one question after the other: the version to read, and to compare with."""
    found: dict[str, list[Sample]] = {}
    for question in query.questions:
        values = question.parted.values
        for sample in samples:
            mine = all(sample.labels.get(name, "") == values[name] for name in query.labels)
            if mine and (query.sign == 0 or _past(sample.value, question.asked)):
                own = replace(sample, labels=sample.labels.without(*query.dropped))
                found.setdefault(question.rule_id, []).append(own)
    return found


# --- one query ---


def _shared(key: str, questions: Sequence[Question]) -> Shared:
    first = questions[0]
    batchable = not first.alone and len(questions) <= SMALL and not first.asked.whole and not _is_scalar(first.asked)
    if all(question.asked.text == first.asked.text for question in questions):
        obstacle = first.alone or first.parted.obstacle
        text = first.asked.text
        return Shared(key=key, text=text, questions=tuple(questions), obstacle=obstacle, batchable=batchable)
    varying = _varying(questions)
    labels = tuple(sorted(varying))
    parted = first.parted
    sign = _SIGNS.get(first.asked.condition, 0) if first.asked.condition is not None else 0
    return Shared(
        key=key,
        text=_compared(parted.widened(varying), questions, sign),
        questions=tuple(questions),
        labels=labels,
        dropped=parted.dropped & varying.keys(),
        sign=sign,
        obstacle=parted.obstacle,
        batchable=batchable,
    )


def _is_scalar(asked: Asked) -> bool:
    try:
        return promql.is_scalar(asked.lhs)
    except PromqlError:  # Too long to be looked at; it was accepted as a part of something shorter.
        return True


def _compared(lhs: str, questions: Sequence[Question], sign: int) -> str:
    """The left side past the bound that lets through what any of the questions needs."""
    asked = [question.asked for question in questions]
    if asked[0].condition is None:
        return lhs
    loosest = min(asked, key=lambda one: _step(one, sign)) if sign else asked[0]
    assert loosest.condition is not None
    assert loosest.bound is not None
    wrapper = "vector" if _is_scalar(asked[0]) else ""
    return f"{wrapper}({lhs}\n) {loosest.condition} {promql.number(loosest.bound)}"


def _step(asked: Asked, sign: int) -> tuple[float, bool]:
    """Sorts bounds by what lets through more: the further first, and of equal ones that which lets the number itself through."""
    return (
        (sign * (asked.bound or 0.0), asked.condition in (Condition.ABOVE, Condition.BELOW)) if sign else (0.0, False)
    )


def _past(value: float, asked: Asked) -> bool:
    assert asked.bound is not None
    match asked.condition:
        case Condition.ABOVE:
            return value > asked.bound
        case Condition.AT_LEAST:
            return value >= asked.bound
        case Condition.BELOW:
            return value < asked.bound
        case _:
            return value <= asked.bound


def _cell(entries: list[tuple[tuple[float, bool], str]]) -> Cell:
    entries.sort()
    return Cell(steps=tuple(step for step, _ in entries), rule_ids=tuple(rule_id for _, rule_id in entries))


def _varying(questions: Sequence[Question]) -> dict[str, list[str]]:
    """The labels whose values differ among the questions, which have the same labels, with all of these values."""
    found = {name: {question.parted.values[name] for question in questions} for name in questions[0].parted.values}
    return {name: sorted(values) for name, values in found.items() if len(values) > 1}


def _without_waste(questions: Sequence[Question]) -> Iterator[Sequence[Question]]:
    """The questions in parts each of which asks for hardly more combinations of values than it has questions for."""
    varying = _varying(questions)
    if len(varying) < 2 or prod(map(len, varying.values())) <= _WASTE * len(questions):
        yield questions
        return
    # The label with the fewest values costs the fewest queries.
    fewest = min(varying, key=lambda name: (len(varying[name]), name))

    def value(question: Question) -> str:
        return question.parted.values[fewest]

    for _, part in groupby(sorted(questions, key=value), key=value):
        yield from _without_waste(list(part))


def _pieces(questions: Sequence[Question], pieces: int) -> Iterator[Sequence[Question]]:
    size = max(1, -(-len(questions) // pieces))
    for start in range(0, len(questions), size):
        yield questions[start : start + size]


def _within_limit(parts: list[Sequence[Question]]) -> Iterator[Sequence[Question]]:
    """The parts halved until each one's query is short enough; what is too long by itself goes by itself."""
    while parts:
        questions = parts.pop(0)
        if len(questions) > 1 and _length(questions) > MAX_BYTES:
            middle = len(questions) // 2
            parts[:0] = [questions[:middle], questions[middle:]]
        else:
            yield questions


def _length(questions: Sequence[Question]) -> int:
    """About how long the query will be, in bytes."""
    parted = questions[0].parted
    added = sum(len(value.encode()) + 1 for values in _varying(questions).values() for value in values)
    return len(questions[0].asked.lhs.encode()) + added * max(1, parted.selectors)
