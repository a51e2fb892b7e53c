"""Threshold rows with the real Prometheus: what it lets through, and what is compared here, agree to the last float."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any, Final

import pytest

from engine.core.alert import Sample
from engine.core.levels import levelled
from engine.prometheus import Prometheus
from rules import query, thresholds
from rules.rule import Condition, Rule
from rules.thresholds import Threshold
from tests.peers.processes import wait_until
from tests.peers.surroundings import HURRY, INSERT_RULE, RULE, SOON, Outside, Watched

pytestmark = pytest.mark.peer("prometheus")

VALUES: Final = (
    "NaN",
    "+Inf",
    "-Inf",
    "0",
    "-0",
    "1",
    "0.1",
    "0.30000000000000004",
    "5e-324",
    "1.7976931348623157e+308",
)
NUMBERS: Final = (0.3, 0.1 + 0.2, 0.0, float("inf"))


@pytest.fixture(scope="module")
def prometheus(watched: Watched) -> Iterator[Prometheus]:
    watched.exporter.set("\n".join(f'odd{{value="{value}"}} {value}' for value in VALUES))
    watched.prometheus.wait_for("odd")
    with closing(Prometheus(watched.prometheus.url)) as prometheus:
        yield prometheus


def as_written(text: str, _: Sample) -> str:
    return text


def reached(prometheus: Prometheus, rule: Rule, rows: list[Threshold], now: datetime) -> dict[str, set[str]]:
    """The series that reach each level, by one query and our own comparison."""
    comparison = query.comparison(rule)
    assert comparison is not None
    asked = query.asked(rule, rows, since=now, until=now + timedelta(seconds=1))
    levels = thresholds.levels(rule, comparison, rows, now, {})
    samples = prometheus.query(asked, now).samples
    found = levelled(rule, samples, as_written, condition=comparison.condition, levels=levels, before={})
    by_level: dict[str, set[str]] = {level.severity: set() for level in levels}
    for labels in found:
        by_level[labels["severity"]].add(labels["value"])
    return by_level


def test_every_level_is_reached_by_what_a_query_of_its_own_returns(prometheus: Prometheus) -> None:
    now = datetime.now(UTC)
    for condition, (own, other) in product(Condition, zip(NUMBERS, reversed(NUMBERS), strict=True)):
        rule = Rule(id="r", name="R", metric_name="odd", condition=condition, threshold=own, severity="low")
        row = Threshold(id="t", rule_id="r", threshold=other, severity="high")
        alone = {
            severity: {one.labels["value"] for one in prometheus.query(query.query_text(asked), now).samples}
            for severity, asked in (("low", rule), ("high", query.at_threshold(rule, other)))
        }
        assert reached(prometheus, rule, [row], now) == alone, (condition, own, other)


def test_rows_inserted_by_sql_make_levels_of_a_running_rule_and_take_them_back(outside: Outside) -> None:
    def firing(engine: Any) -> list[tuple[str, float]]:
        page = engine.get(f"/api/v1/alerts?rule_id={RULE}&state=firing")[1]
        return sorted((one["labels"]["severity"], float(one["threshold"])) for one in page["items"])

    columns = "INSERT INTO thresholds (rule_id, threshold, severity"
    with outside.engine() as engine:
        outside.sql(HURRY, INSERT_RULE, f"UPDATE alert_rules SET threshold = 50 WHERE id = '{RULE}'")
        outside.error_rate(27.4)
        evaluated = "SELECT 1 FROM evaluation_units WHERE last_slot IS NOT NULL"
        wait_until(lambda: bool(outside.sql(evaluated)), what="a first evaluation", within=SOON)
        assert firing(engine) == []
        outside.sql(
            f"{columns}) VALUES ('{RULE}', 10, 'warning')",
            f"{columns}) VALUES ('{RULE}', 20, 'page')",
            f"{columns}, matchers) VALUES ('{RULE}', 25, '', '[\"service=\\\"checkout\\\"\"]')",
        )
        levels = [("critical", 25.0), ("page", 20.0), ("warning", 10.0)]
        wait_until(lambda: firing(engine) == levels, what="every level to fire", within=SOON)
        outside.sql("DELETE FROM thresholds")
        wait_until(lambda: firing(engine) == [], what="every level to end", within=SOON)
