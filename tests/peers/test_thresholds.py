"""Threshold rows with the real Prometheus: what it lets through, and what is compared here, agree to the last float."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Any, Final

import pytest

from engine.core.alert import Sample
from engine.core.levels import levelled
from engine.prometheus import Prometheus, QueryError
from rules import query, thresholds
from rules.matchers import Matcher, Operator
from rules.rule import Condition, Rule
from rules.thresholds import Threshold
from tests.peers.engine_process import EngineProcess
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


DISKS: Final = {"web": 96, "db": 91, "archive": 93, "cold": 60, "other": 95}
"""How full each host's disk is, in percent; the archive alone has a threshold of its own."""
OWN: Final = 'disk_used_threshold_percent{host="archive", severity="critical"} 92'


def documented() -> list[str]:
    """The queries that the page shows people write without threshold rows, in its order."""
    page = (Path(__file__).parents[2] / "docs" / "thresholds.md").read_text("utf-8")
    return re.findall(r"^```promql\n(.*?)^```$", page, flags=re.MULTILINE | re.DOTALL)


def exported(watched: Watched, *lines: str) -> None:
    disks = [f'disk_used_percent{{host="{host}"}} {percent}' for host, percent in DISKS.items()]
    marker = f"round_{len(lines)} 1"
    watched.exporter.set("\n".join([*disks, *lines, marker]))
    watched.prometheus.wait_for(marker.partition(" ")[0])


def hosts(prometheus: Prometheus, text: str) -> set[str]:
    return {sample.labels["host"] for sample in prometheus.query(text, datetime.now(UTC)).samples}


def by_rows(prometheus: Prometheus, *rows: Threshold) -> set[str]:
    """The hosts whose critical level is reached under these rows, by the query that Tocsin asks for them."""
    now = datetime.now(UTC)
    rule = Rule(
        id="r", name="R", metric_name="disk_used_percent", condition=Condition.ABOVE, threshold=80, severity="warning"
    )
    comparison = query.comparison(rule)
    assert comparison is not None
    levels = thresholds.levels(rule, comparison, rows, now, {"warning": 20, "critical": 30})
    samples = prometheus.query(query.asked(rule, rows, since=now, until=now + timedelta(seconds=1)), now).samples
    found = levelled(rule, samples, as_written, condition=comparison.condition, levels=levels, before={})
    return {labels["host"] for labels in found if labels["severity"] == "critical"}


def test_the_join_people_write_and_the_rows_say_the_same(watched: Watched) -> None:
    bare, with_default, _ = documented()
    everybody = Threshold(id="all", rule_id="r", threshold=95, severity="critical")
    archive = replace(everybody, id="archive", threshold=92, matchers=(Matcher("host", Operator.EQUAL, "archive"),))
    exported(watched, OWN)
    with closing(Prometheus(watched.prometheus.url)) as prometheus:
        assert hosts(prometheus, with_default) == by_rows(prometheus, everybody, archive) == {"web", "archive"}
        # What the page says of the shorter join: a host without a threshold never fires.
        assert hosts(prometheus, bare) == {"archive"}
        exported(watched, OWN, OWN.replace("}", ', why="twice"}').replace("92", "94"))
        with pytest.raises(QueryError, match="many-to-many"):
            hosts(prometheus, with_default)
        # Of two rows one governs, and nothing fails.
        twice = replace(archive, id="b", threshold=94)
        assert by_rows(prometheus, everybody, archive, twice) == {"web", "archive"}


def test_warn_at_80_critical_at_90_but_95_for_the_batch_hosts_until_friday(outside_sqlite: Outside) -> None:
    load = {("web-1", "web"): 92, ("batch-1", "batch"): 92, ("batch-2", "batch"): 97, ("idle", "web"): 10}
    lines = [f'cpu_percent{{host="{host}", role="{role}"}} {value}' for (host, role), value in load.items()]
    outside_sqlite.watched.exporter.set("\n".join(lines))
    outside_sqlite.watched.prometheus.wait_for("cpu_percent")

    def firing(engine: EngineProcess) -> set[tuple[str, str]]:
        page = engine.get("/api/v1/alerts?rule_id=cpu&state=firing")[1]
        return {(one["labels"]["host"], one["labels"]["severity"]) for one in page["items"]}

    with outside_sqlite.engine() as engine:
        outside_sqlite.sql(
            HURRY,
            "INSERT INTO alert_rules (id, name, metric_name, condition, threshold, severity, notification_channels) "
            "VALUES ('cpu', 'Busy', 'cpu_percent', '>', 1000, 'warning', '[\"slack\"]')",
        )
        evaluated = "SELECT 1 FROM evaluation_units WHERE last_slot IS NOT NULL"
        wait_until(lambda: bool(outside_sqlite.sql(evaluated)), what="a first evaluation", within=SOON)
        assert (firing(engine), outside_sqlite.told_by_slack) == (set(), [])
        outside_sqlite.sql(
            "INSERT INTO thresholds (rule_id, threshold) VALUES ('cpu', 80)",
            "INSERT INTO thresholds (rule_id, threshold, severity) VALUES ('cpu', 90, 'critical')",
            "INSERT INTO thresholds (id, rule_id, matchers, threshold, severity, valid_to, reason) "
            "VALUES ('friday', 'cpu', '[\"role=\\\"batch\\\"\"]', 95, 'critical', '2099-01-02T00:00:00Z', 'year-end jobs')",
        )
        busy = {(host, "warning") for host in ("web-1", "batch-1", "batch-2")}
        until_friday = busy | {("web-1", "critical"), ("batch-2", "critical")}
        wait_until(lambda: firing(engine) == until_friday, what="what the three rows say", within=SOON)
        wait_until(lambda: "firing" in outside_sqlite.told_by_slack, what="Slack to be told", within=SOON)
        governed = engine.get("/api/v1/rules/cpu/thresholds/effective")[1]["series"]
        critical = {
            one["labels"]["host"]: next(level for level in one["levels"] if level["severity"] == "critical")
            for one in governed
        }
        assert (critical["batch-1"]["threshold"], critical["batch-1"]["threshold_id"]) == (95, "friday")
        assert critical["web-1"]["threshold"] == 90
        outside_sqlite.sql("UPDATE thresholds SET valid_to = '2001-01-05T00:00:00Z' WHERE id = 'friday'")
        since_friday = until_friday | {("batch-1", "critical")}
        wait_until(lambda: firing(engine) == since_friday, what="Friday", within=SOON)
