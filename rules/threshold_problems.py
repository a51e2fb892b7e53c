"""Lint: everything wrong with all the threshold rows of a rule together, for the rule's status and for trials."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from rules import query, thresholds
from rules.errors import RulesError
from rules.matchers import Matcher, Operator
from rules.problems import Problem, Severity, check_threshold
from rules.rule import Rule
from rules.thresholds import Threshold

_Exact = frozenset[tuple[str, Operator, str]]
_Shape = frozenset[str] | None


def check_thresholds(rule: Rule, rows: Sequence[Threshold], ranks: Mapping[str, int]) -> tuple[Problem, ...]:
    """Everything wrong with the threshold rows of a rule; a field begins with its row: `thresholds.<id>.severity`.

    Where the field is `thresholds` alone, no row counts, and the rule goes on with its own query.
    """
    try:
        comparison = query.comparison(rule)
    except RulesError:
        return ()  # told with the rule
    if comparison is None:
        message = f"the rule has {len(rows)} threshold rows, which do not count: {query.UNSPLIT}"
        return (Problem(severity=Severity.ERROR, field="thresholds", message=message),) if rows else ()
    own = thresholds.own_severity(rule)
    each = [_named(row, problem) for row in rows for problem in check_threshold(row, rule, ())]
    return (*each, *_ranks(own, rows, ranks), *_ties(own, rows))


def _named(row: Threshold, problem: Problem) -> Problem:
    return replace(problem, field=f"thresholds.{row.id}.{problem.field}")


def _ranks(own: str, rows: Sequence[Threshold], ranks: Mapping[str, int]) -> Iterator[Problem]:
    """A severity without a rank neither inhibits nor is above anything, which matters as soon as there are two levels."""
    if len({own, *(row.severity or own for row in rows)}) == 1:
        return
    for row in rows:
        severity = row.severity or own
        if severity not in ranks:
            known = ", ".join(sorted(ranks, key=lambda name: ranks[name]))
            fix = f"give one of {known}, or add it to the table severities"
            yield _noted(row, "severity", f"severity {severity!r} has no rank, so it counts as the lowest; {fix}")


def _ties(own: str, rows: Sequence[Threshold]) -> Iterator[Problem]:
    """Rows of which only the id decides which goes first; a row is named once, with the first that it ties with."""
    seen: dict[tuple[object, ...], dict[_Shape, dict[_Exact, list[Threshold]]]] = {}
    for row in sorted(rows, key=lambda row: row.id):
        exact = frozenset((matcher.name, matcher.operator, matcher.value) for matcher in row.matchers)
        shape = _shape(row.matchers)
        rivals = seen.setdefault((row.severity or own, row.precedence), {})
        rival = next((one for one in _candidates(rivals, shape, exact) if _may_tie(one, row)), None)
        if rival is not None:
            same = (
                f"row {rival.id!r} has the same severity, priority and number of matchers and may match the same series"
            )
            yield _noted(row, "priority", f"{same}, and goes first only by its id; give one of them a higher priority")
        rivals.setdefault(shape, {}).setdefault(exact, []).append(row)


def _shape(matchers: Sequence[Matcher]) -> _Shape:
    """The labels of rows that only ask for equality: two of one shape match the same series only when they are alike."""
    plain = all(matcher.operator is Operator.EQUAL for matcher in matchers)
    return frozenset(matcher.name for matcher in matchers) if plain else None


def _candidates(
    rivals: Mapping[_Shape, Mapping[_Exact, list[Threshold]]], shape: _Shape, exact: _Exact
) -> Iterator[Threshold]:
    for other, rows in rivals.items():
        alike = [rows.get(exact, [])] if shape is not None and shape == other else rows.values()
        yield from (row for found in alike for row in found)


def _may_tie(one: Threshold, other: Threshold) -> bool:
    """Whether both may govern one series at one time, as far as equality matchers and validity tell."""
    wanted, offered = _equal(one), _equal(other)
    if any(wanted.get(name, value) != value for name, value in offered.items()):
        return False
    return not (_ends_before(one, other) or _ends_before(other, one))


def _equal(row: Threshold) -> dict[str, str]:
    return {matcher.name: matcher.value for matcher in row.matchers if matcher.operator is Operator.EQUAL}


def _ends_before(one: Threshold, other: Threshold) -> bool:
    return one.valid_to is not None and other.valid_from is not None and one.valid_to <= other.valid_from


def _noted(row: Threshold, field: str, message: str) -> Problem:
    return Problem(severity=Severity.WARNING, field=f"thresholds.{row.id}.{field}", message=message)
