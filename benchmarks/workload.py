"""What is evaluated: services that each expose a few series, and one alerting rule for each service.

Rule n looks at service n. Even rules ask for a counter's rate, odd ones compare a gauge; one rule in a hundred fires, for
every series of its service. No two rules have a threshold or a selector in common.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

QUIET, BUSY = 1, 100
"""What a series shows, or grows by in a second; the thresholds lie between the two."""


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
    """So many rules over so many series; every service has the same number of series, at least one."""

    rules: int
    series: int

    def __post_init__(self) -> None:
        if self.rules < 1 or self.series < self.rules or self.series % self.rules:
            raise ValueError(f"{self.series} series do not divide among {self.rules} rules; make it a multiple")

    @property
    def firing(self) -> int:
        """How many alerts fire: one rule in a hundred, with all series of its service."""
        return sum(map(_fires, range(self.rules))) * self._series_per_service

    def exposition(self, age: timedelta) -> str:
        """The exporter's answer when it has run for `age`, in the exposition format."""
        return "\n".join(self._lines(age.total_seconds()))

    def each_rule(self) -> Iterator[BenchmarkRule]:
        """The rules in order."""
        for number in range(self.rules):
            selector = f'm{{service="s{number}"}}'
            left = f"rate({selector}[1m])" if _is_rate(number) else selector
            yield BenchmarkRule(name=f"rule {number}", left=left, threshold=50 + number / 1000)

    @property
    def _series_per_service(self) -> int:
        return self.series // self.rules

    def _lines(self, seconds: float) -> Iterator[str]:
        for number in range(self.rules):
            level = BUSY if _fires(number) else QUIET
            value = level * seconds if _is_rate(number) else level
            for replica in range(self._series_per_service):
                yield f'm{{service="s{number}",replica="i{replica}"}} {value}'


def rule_file(workload: Workload, *, group_size: int = 100) -> str:
    """The rules as Prometheus reads them: JSON, which is YAML, in groups of its own default interval."""
    written = [{"alert": rule.name, "expr": rule.expr} for rule in workload.each_rule()]
    groups = [written[start : start + group_size] for start in range(0, len(written), group_size)]
    return json.dumps({"groups": [{"name": f"g{index}", "rules": rules} for index, rules in enumerate(groups)]})


def _is_rate(number: int) -> bool:
    return number % 2 == 0


def _fires(number: int) -> bool:
    """One in a hundred, an even and an odd one in turn."""
    return number % 200 in (0, 101)
