"""The series of one rule test on their way into its Prometheus: input, recorded series, ALERTS, and the ends of all of them.

A series takes its points in the order of time, as in Prometheus' own storage, and two rules cannot write one point differently.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from engine.core.alert import Sample
from engine.private_prometheus import PrivatePrometheus
from engine.remote_write import Point
from rules.labels import Labels

STEPS: Final = 10_000
"""Times that one range query asks for; Prometheus refuses more than 11,000."""


class RuleFailedError(Exception):
    """A rule could not be evaluated, which fails its test; the message is Prometheus' or its like."""


class FedSeries:
    """What a Prometheus of our own is fed. What is put waits for the next question, and goes in with one request."""

    def __init__(self, prometheus: PrivatePrometheus) -> None:
        self._prometheus = prometheus
        self._last: dict[Labels, Point] = {}
        self._waiting: dict[Labels, list[Point]] = {}

    def put(self, labels: Labels, at: int, value: float | None) -> None:
        """Store a point with the next query. Raises RuleFailedError where the series has one there already, or a newer."""
        last = self._last.get(labels)
        if last is not None and last[0] >= at:
            if last[0] == at and _is_same(last[1], value):
                return
            why = "duplicate sample for timestamp" if last[0] == at else "out of order sample"
            raise RuleFailedError(f"{why}: something else writes {labels} too")
        self._last[labels] = (at, value)
        self._waiting.setdefault(labels, []).append((at, value))

    def end(self, labels: Labels, at: int) -> None:
        """Mark the series stale, unless somebody goes on writing it."""
        if self._last[labels][0] < at:
            self.put(labels, at, None)

    def query(self, expr: str, at: datetime) -> Sequence[Sample]:
        """Raises QueryError."""
        self._flush()
        return self._prometheus.query(expr, at).samples

    def query_steps(self, expr: str, start: datetime, interval: timedelta, count: int) -> list[list[Sample]]:
        """What `query` answers at so many times. Raises QueryError, where one of them has no answer or all together have none."""
        self._flush()
        found: list[list[Sample]] = [[] for _ in range(count)]
        for first in range(0, count, STEPS):
            last = min(count, first + STEPS) - 1
            for series in self._prometheus.query_range(
                expr, start + first * interval, start + last * interval, interval
            ):
                for seconds, value in series.points:
                    at = round((seconds - start.timestamp()) / interval.total_seconds())
                    found[at].append(Sample(labels=series.labels, value=value))
        return found

    def _flush(self) -> None:
        if self._waiting:
            self._prometheus.write(self._waiting.items())
            self._waiting = {}


def _is_same(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is other
    return one == other or (math.isnan(one) and math.isnan(other))
