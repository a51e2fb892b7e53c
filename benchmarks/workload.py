"""What is evaluated: rules of one shape over so many series, of which it is known beforehand which fire.

Shapes: *selectors* `rate(m{service="…"}[1m]) > …`, a rule for each service; *thresholds* one expression with a threshold for each
rule; *ratios* of sums over metrics of its own for each rule. One rule in a hundred fires.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

QUIET, BUSY = 1, 100
"""What a series grows by in a second; the thresholds of rules that fire lie between the two."""


class Shape(StrEnum):
    """How the rules differ."""

    SELECTORS = "selectors"
    THRESHOLDS = "thresholds"
    RATIOS = "ratios"


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkRule:
    """`left > threshold`, with a name that is unique."""

    name: str
    left: str
    threshold: float

    @property
    def expr(self) -> str:
        """The whole comparison in PromQL."""
        return f"{self.left} > {self.threshold}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """So many rules of a shape over so many series."""

    shape: Shape
    rules: int
    series: int

    def __post_init__(self) -> None:
        least = 2 * self.rules if self.shape is Shape.RATIOS else self.rules
        if self.rules < 1 or self.series < 1 or (self.shape is not Shape.THRESHOLDS and self.series % least):
            raise ValueError(
                f"{self.series} series do not divide among {self.rules} rules; make it a multiple of {least}"
            )

    @property
    def busy(self) -> int:
        """How many series are busy where all rules look at the same."""
        return max(1, self.series // 1000)

    @property
    def firing(self) -> int:
        """How many alerts fire."""
        return sum(map(_fires, range(self.rules))) * self._alerts_per_rule

    @property
    def _alerts_per_rule(self) -> int:
        match self.shape:
            case Shape.SELECTORS:
                return self.series // self.rules
            case Shape.THRESHOLDS:
                return self.busy
            case Shape.RATIOS:
                return 1

    def exposition(self, age: timedelta) -> str:
        """The exporter's answer when it has run for `age`, in the exposition format."""
        return "\n".join(f"{series} {level * age.total_seconds()}" for series, level in self._series())

    def each_rule(self) -> Iterator[BenchmarkRule]:
        """The rules in order."""
        for number in range(self.rules):
            fires = _fires(number)
            match self.shape:
                case Shape.SELECTORS:
                    left, threshold = f'rate(m{{service="s{number}"}}[1m])', 50 + number / 1000
                case Shape.THRESHOLDS:
                    left, threshold = "rate(m[1m])", (50 if fires else 150) + number / 1000
                case Shape.RATIOS:
                    left = f"sum(rate(a_{number}_total[1m])) / sum(rate(b_{number}_total[1m]))"
                    threshold = 50 + number / 1000
            yield BenchmarkRule(name=f"rule {number}", left=left, threshold=threshold)

    def _series(self) -> Iterator[tuple[str, int]]:
        match self.shape:
            case Shape.SELECTORS:
                for number in range(self.series):
                    service = number % self.rules
                    yield f'm{{service="s{service}",replica="i{number // self.rules}"}}', _level(_fires(service))
            case Shape.THRESHOLDS:
                for number in range(self.series):
                    yield f'm{{service="s{number}"}}', _level(number < self.busy)
            case Shape.RATIOS:
                for number in range(self.series // 2):
                    rule, replica = number % self.rules, number // self.rules
                    yield f'a_{rule}_total{{replica="i{replica}"}}', _level(_fires(rule))
                    yield f'b_{rule}_total{{replica="i{replica}"}}', QUIET


def rule_file(workload: Workload, *, group_size: int = 100) -> str:
    """The rules as Prometheus and vmalert read them: JSON, which is YAML, in groups of its own default interval."""
    written = [{"alert": rule.name, "expr": rule.expr} for rule in workload.each_rule()]
    groups = [written[start : start + group_size] for start in range(0, len(written), group_size)]
    return json.dumps({"groups": [{"name": f"g{index}", "rules": rules} for index, rules in enumerate(groups)]})


def _level(busy: bool) -> int:
    return BUSY if busy else QUIET


def _fires(number: int) -> bool:
    """One in a hundred."""
    return number % 100 == 0
