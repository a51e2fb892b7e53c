"""What one rendering of a template may cost, so that no annotation can eat the memory or the minute of an evaluation.

gotpl bounds output, iterations, calls and depth. It does not bound the size of values that never reach the output, the
cost of a call, or a template that calls itself twice at every level; those bounds are here. All are counts, never
clocks, so that a template which works once always works.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Final

from gotpl import BudgetExceededError, ExecutionBudget

MAX_TEMPLATE: Final = 16 * 1024
MAX_OUTPUT: Final = 64 * 1024
MAX_VALUE: Final = 64 * 1024
MAX_WIDTH: Final = 999
MAX_SAMPLES: Final = 10_000
MAX_QUERIES: Final = 10
MAX_PATTERNS: Final = 20
MAX_REGEX_INPUT: Final = 4096
_MAX_WORK: Final = 1_000_000
_MAX_CALLS: Final = 10_000
_MAX_ITERATIONS: Final = 10_000
_MAX_DEPTH: Final = 50
_STEPS: Final = 1_000_000
"""Characters of template that may be walked over: less than half a second."""

_CALL: Final = re.compile(r"\{\{-?\s*(?:template|block)\b")
_DIRECTIVE: Final = re.compile(r"%[-+# 0-9.\[\]*]*")


class Samples(tuple[object, ...]):
    """The answer of a query. It weighs one per series, since a template mostly takes the first."""

    __slots__ = ()


def budget(template: str) -> ExecutionBudget:
    """The limits for this template: the longer it is and the more templates it calls, the fewer steps each may take.

    With `calls` calls in the text, a depth of d can mean calls ** d executions; iterations multiply them.
    """
    steps = max(1, _STEPS // max(1, len(template)))
    calls = len(_CALL.findall(template))
    depth = _MAX_DEPTH if calls < 2 else max(1, min(_MAX_DEPTH, int(math.log(steps) / 2 / math.log(calls))))
    executions = calls**depth if calls else 1
    return ExecutionBudget(
        max_output_chars=MAX_OUTPUT,
        max_iterations=max(1, min(_MAX_ITERATIONS, steps // executions)),
        max_template_depth=depth,
        max_function_calls=_MAX_CALLS,
    )


class Spending:
    """What one rendering has used up; the only thing here that changes, and it lives as long as the rendering."""

    def __init__(self) -> None:
        self._work = 0
        self._queries = 0
        self._patterns: set[str] = set()

    def charge(self, *values: object) -> None:
        """Count values going in or out of a function. Raises BudgetExceededError."""
        weight = weigh(values)
        if weight > MAX_VALUE:
            raise BudgetExceededError(f"a value has grown beyond {MAX_VALUE} characters")
        self._work += weight
        if self._work > _MAX_WORK:
            raise BudgetExceededError(f"functions were given more than {_MAX_WORK} characters in all")

    def charge_query(self) -> None:
        """Count a query to Prometheus. Raises BudgetExceededError."""
        self._queries += 1
        if self._queries > MAX_QUERIES:
            raise BudgetExceededError(f"a template may query {MAX_QUERIES} times")

    def charge_pattern(self, pattern: str, text: str) -> None:
        """Count a regex to compile, and the text it is tried on. Raises BudgetExceededError."""
        self._patterns.add(pattern)
        if len(self._patterns) > MAX_PATTERNS:
            raise BudgetExceededError(f"a template may use {MAX_PATTERNS} different regexes")
        if len(text) > MAX_REGEX_INPUT:
            raise BudgetExceededError(f"a regex may be tried on {MAX_REGEX_INPUT} characters, got {len(text)}")
        self._work += 19 * len(text)


def weigh(value: object) -> int:
    """How large a value is, in characters and elements, counting shared parts each time; exact up to MAX_VALUE."""
    weight, waiting = 0, [value]
    while waiting and weight <= MAX_VALUE:
        part = waiting.pop()
        weight += 1
        if isinstance(part, str | bytes | Samples):
            weight += len(part)
        elif isinstance(part, Mapping):
            waiting += [*part.keys(), *part.values()]
        elif isinstance(part, list | tuple):
            waiting += part
    return weight


def check_widths(layout: str, values: tuple[object, ...]) -> None:
    """Refuse a printf that would pad to a giant: widths and precisions beyond MAX_WIDTH. Raises BudgetExceededError."""
    directives = " ".join(_DIRECTIVE.findall(layout))
    wanted = [len(digits) <= 3 for digits in re.findall(r"[0-9]+", directives)]
    if "*" in directives:
        wanted += [abs(value) <= MAX_WIDTH for value in values if isinstance(value, int)]
    if not all(wanted):
        raise BudgetExceededError(f"printf may pad to {MAX_WIDTH} characters at most")
