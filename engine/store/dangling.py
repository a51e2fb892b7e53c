"""Names of definitions that do not exist, in those that do. Such a name is a problem to be told of, and stops nothing."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from typing import Final

from rules.reach_problems import unknown
from rules.routing import Route
from rules.rule import Rule
from rules.silences import Silence
from rules.thresholds import Threshold

MISSING: Final = "which does not exist; declare it, or name another"


def of_rules(rules: Iterable[Rule], channels: Container[str]) -> Iterator[str]:
    """The channels that rules name and nobody declared."""
    for rule in sorted(rules, key=lambda rule: rule.id):
        for name in unknown(rule.notification_channels, channels):
            yield f"alert_rules {rule.id!r}: notification_channels names the channel {name!r}, {MISSING}"


def of_thresholds(rows: Iterable[Threshold], rules: Container[str]) -> Iterator[str]:
    """The threshold rows that refine a rule which does not exist, such as SQLite's shell leaves when a rule's id changes."""
    strays = (row for row in rows if row.rule_id not in rules)
    for row in sorted(strays, key=lambda row: row.id):
        yield f"thresholds {row.id!r}: rule_id names the rule {row.rule_id!r}, which does not exist; delete the row"


def of_routes(routes: Iterable[Route], channels: Container[str], intervals: Container[str]) -> Iterator[str]:
    """The channels and time intervals that routes name and nobody declared, each route's own and not what it inherits."""
    for route in sorted(routes, key=lambda route: route.id):
        for column, names, known, noun in (
            ("channels", route.channels or (), channels, "channel"),
            ("mute_time_intervals", route.mute_time_intervals, intervals, "time interval"),
            ("active_time_intervals", route.active_time_intervals, intervals, "time interval"),
        ):
            for name in dict.fromkeys(names):
                if name not in known:
                    yield f"routes {route.id!r}: {column} names the {noun} {name!r}, {MISSING}"


def of_silences(silences: Iterable[Silence], intervals: Container[str]) -> Iterator[str]:
    """The time intervals that silences name and nobody declared: such a name is never on."""
    for silence in silences:
        for name in dict.fromkeys(silence.time_intervals):
            if name not in intervals:
                yield f"silences {silence.id!r}: time_intervals names the time interval {name!r}, {MISSING}"
