"""Threshold rows through time: levels that rise and fall, rows that come and go, and what is told of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Final

import pytest

from engine.prometheus import QueryError, QueryErrorKind
from engine.store.ledger import Kind, Subject
from engine.store.tables import alert_rules
from rules import promql
from rules.threshold_problems import check_thresholds
from tests.scenarios.world import START, World

DOCUMENT: Final = Path(__file__).parents[2] / "docs" / "thresholds.md"
DISK: Final = {"__name__": "disk_used", "host": "db-1"}
CRITICAL: Final = (
    "INSERT INTO thresholds (id, rule_id, threshold, recovery_threshold, severity) "
    "VALUES ('critical', 'disk', 95, 90, 'critical')"
)
ONCE: Final = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"""For what has nothing to do with the database."""
STEP: Final = 60
"""Seconds between two values of the tables in the document."""


def disk(world: World, **columns: object) -> None:
    given = {
        "id": "disk",
        "name": "DiskFilling",
        "metric_name": "disk_used",
        "condition": ">",
        "threshold": 80,
        "severity": "warning",
        **columns,
    }
    with world.service.database.write() as connection:
        connection.execute(alert_rules.insert().values(given))


def measure(world: World, value: float, *, asked: float = 80, **labels: str) -> None:
    """From now on the disk is so full, and Prometheus says so when asked for what is above `asked`."""
    series = [({**DISK, **labels}, value)] if value > asked else []
    world.returns(f"(disk_used\n) > {asked:g}", *series)


def standing(world: World) -> dict[str, str]:
    """The state of each level."""
    rows = world.rows("SELECT labels, state FROM alerts ORDER BY id")
    return {_labels(labels)["severity"]: state for labels, state in rows}


def _labels(stored: object) -> dict[str, str]:
    found: dict[str, str] = json.loads(stored) if isinstance(stored, str) else dict(stored)  # type: ignore[call-overload]
    return found


# --- the tables of the document ---


@dataclass(frozen=True)
class Heard:
    """How far the deliveries and the ledger have been read."""

    deliveries: int = 0
    entries: int = 0


def told(world: World, since: Heard) -> str:
    """What the messages since then said, as `firing: critical, warning`."""
    messages = []
    for one in world.deliveries[since.deliveries :]:
        parts = []
        for status in ("firing", "resolved"):
            levels = sorted(each["labels"]["severity"] for each in one.body["alerts"] if each["status"] == status)
            parts += [f"{status} {', '.join(levels)}"] if levels else []
        messages.append("; ".join(parts))
    return " / ".join(messages) or "–"


def quiet(world: World) -> list[str]:
    """The mutes as the ledger has them: `warning by critical`, or that it ended."""
    names = {
        number: _labels(labels)["severity"]
        for number, labels in world.rows("SELECT id, labels FROM alerts ORDER BY id")
    }
    groups = [group for (group,) in world.rows("SELECT id FROM alert_groups ORDER BY id")]
    entries = [entry for group in groups for entry in world.ledger(Subject.GROUP, group) if entry.kind is Kind.MUTE]
    return [_quiet(entry.reason, entry.alert_ids, entry.detail.get("sources", {}), names) for entry in entries]


def _quiet(reason: str, numbers: Sequence[int], sources: dict[str, int], names: dict[int, str]) -> str:
    if reason == "ended":
        return f"{', '.join(names[number] for number in numbers)} no more"
    return ", ".join(f"{names[number]} by {names[sources[str(number)]]} ({reason})" for number in numbers)


def timeline(world: World, values: Sequence[float]) -> list[str]:
    """The rows of a table, one for each value the disk had for a STEP."""
    disk(world)
    world.sql(CRITICAL)
    lines, since = [], Heard()
    for step, value in enumerate(values):
        measure(world, value)
        world.until((step + 1) * STEP - 1)
        mutes, states = quiet(world), standing(world)
        cells = [f"{step * STEP} s", f"{value:g} %", *(states.get(level, "–") for level in ("warning", "critical"))]
        cells += [told(world, since), "; ".join(mutes[since.entries :]) or "–"]
        lines.append(f"| {' | '.join(cells)} |".replace("inactive", "resolved"))
        since = Heard(deliveries=len(world.deliveries), entries=len(mutes))
    return lines


@pytest.mark.parametrize(
    ("heading", "values"),
    [
        ("Step by step", [70, 85, 97, 92, 85, 70]),
        ("All at once", [70, 97, 85, 70]),
    ],
)
def test_what_is_told_of_rising_and_falling_levels_is_what_the_document_says(
    world: World, heading: str, values: list[float]
) -> None:
    section = DOCUMENT.read_text().split(f"### {heading}\n")[1].split("\n#")[0]
    documented = [line for line in section.splitlines() if line.startswith("| ")][1:]
    assert timeline(world, values) == documented


# --- rows that come and go ---


def two_hosts(world: World, *, asked: float) -> None:
    """`a` is at 60 and `b` at 70."""
    values = {"a": 60, "b": 70}
    series = [({**DISK, "host": host}, value) for host, value in values.items() if value > asked]
    world.returns(f"(disk_used\n) > {asked:g}", *series)


def test_three_inserts_change_what_fires_at_the_next_slot(world: World) -> None:
    disk(world)
    for asked in (80, 50):
        two_hosts(world, asked=asked)
    world.until(35)
    ((unit, slot),) = world.rows("SELECT id, last_slot FROM evaluation_units")
    assert standing(world) == {}
    columns = "INSERT INTO thresholds (rule_id, matchers, threshold, severity)"
    world.sql(f"""{columns} VALUES ('disk', '["host=\\"a\\""]', 55, '')""")
    world.sql(f"""{columns} VALUES ('disk', '["host=\\"b\\""]', 90, 'warning')""")
    world.sql(f"{columns} VALUES ('disk', '[]', 50, 'critical')")
    world.until(46)
    fired = world.rows("SELECT labels, fired_at, threshold FROM alerts WHERE state = 'firing' ORDER BY id")
    assert [(_labels(labels)["host"], _labels(labels)["severity"], number) for labels, _, number in fired] == [
        ("a", "warning", "55.0"),
        ("a", "critical", "50.0"),
        ("b", "critical", "50.0"),
    ]
    assert len({at for _, at, _ in fired}) == 1
    ((same, next_slot),) = world.rows("SELECT id, last_slot FROM evaluation_units")
    assert same == unit
    assert next_slot != slot
    assert [text for text, _ in world.prometheus.asked if not text.startswith("count(")][-2:] == [
        "(disk_used\n) > 80",
        "(disk_used\n) > 50",
    ]


def test_a_row_governs_from_its_first_moment_until_its_last(world: World) -> None:
    disk(world)
    row = "INSERT INTO thresholds (rule_id, threshold, valid_from, valid_to) VALUES ('disk', 50, :since, :until)"
    world.sql(row, since=START + timedelta(seconds=60), until=START + timedelta(seconds=120))
    for asked in (80, 50):
        measure(world, 60, asked=asked)
    story = []
    for end in (59, 75, 119, 135):
        world.until(end)
        story.append(standing(world).get("warning"))
    assert story == [None, "firing", "firing", "inactive"]


def test_a_firing_level_is_held_by_its_recovery_over_a_restart(world: World) -> None:
    disk(world, severity="critical", threshold=95)
    world.sql("INSERT INTO thresholds (id, rule_id, threshold, recovery_threshold) VALUES ('row', 'disk', 95, 90)")
    measure(world, 97, asked=90)
    world.until(30)
    measure(world, 92, asked=90)
    world.restart()
    world.until(90)
    assert world.rows("SELECT state, threshold_id FROM alerts") == [("firing", "row")]
    world.sql("UPDATE thresholds SET recovery_threshold = 91, threshold = 96")
    measure(world, 92, asked=91)
    world.until(110)
    assert world.rows("SELECT state, threshold FROM alerts") == [("firing", "96.0")]
    world.sql("DELETE FROM thresholds")
    measure(world, 92, asked=95)
    world.until(130)
    assert standing(world) == {"critical": "inactive"}


@ONCE
def test_a_rule_that_does_not_split_goes_on_without_its_rows_and_says_so(world: World) -> None:
    disk(world, metric_name=None, condition=None, threshold=None, expr="disk_used > disk_limit")
    world.sql(CRITICAL)
    world.returns("disk_used > disk_limit", (DISK, 60))
    world.until(30)
    assert standing(world) == {"warning": "firing"}
    with world.service.database.read() as connection:
        ((stored,),) = connection.exec_driver_sql("SELECT CAST(problem AS TEXT) FROM rule_status").all()
    (problem,) = json.loads(stored)
    assert (problem["severity"], problem["field"]) == ("error", "thresholds")
    world.sql("DELETE FROM thresholds")
    world.until(50)
    assert world.rows("SELECT CAST(problem AS TEXT) FROM rule_status") == [("[]",)]


@ONCE
def test_equality_is_compared_here_and_the_whole_left_side_is_asked_for(world: World) -> None:
    disk(world, condition="==")
    world.sql("INSERT INTO thresholds (rule_id, threshold, severity) VALUES ('disk', 60, 'critical')")
    world.returns("disk_used", (DISK, 60), ({**DISK, "host": "nan"}, float("nan")))
    world.until(30)
    assert standing(world) == {"critical": "firing"}


@ONCE
def test_what_governs_each_series_can_be_asked_at_any_time(world: World) -> None:
    disk(world)
    world.sql(CRITICAL)
    world.sql(
        """INSERT INTO thresholds (id, rule_id, matchers, threshold) VALUES ('gone', 'disk', '["host=\\"x\\""]', 1)"""
    )
    world.returns("disk_used", (DISK, 97))
    world.tick()
    with world.service.database.read() as connection:
        rule = world.service.feed.refresh(connection).rules["disk"]
    found = world.service.effective(rule)
    (series,) = found.series
    assert (dict(series.labels), series.value, found.idle, found.error) == (DISK, 97, ("gone",), None)
    assert [(one.severity, one.threshold, one.row_id, one.active) for one in series.levels] == [
        ("warning", 80, None, True),
        ("critical", 95, "critical", True),
    ]
    world.fails("disk_used", QueryError(QueryErrorKind.TIMEOUT, "query timed out"))
    assert world.service.effective(rule).error == "query timed out"
    assert "'nowhere'" in str(world.service.effective(replace(rule, datasource="nowhere")).error)
    assert "does not end in" in str(
        world.service.effective(replace(rule, threshold=None, condition=None, metric_name=None, expr="a > b")).error
    )


@ONCE
def test_a_trial_counts_with_the_rows(world: World) -> None:
    disk(world)
    world.sql("INSERT INTO thresholds (id, rule_id, threshold, severity) VALUES ('odd', 'disk', 50, 'odd')")
    measure(world, 60, asked=50)
    world.tick()
    with world.service.database.read() as connection:
        rule = world.service.feed.refresh(connection).rules["disk"]
    tried = world.service.trial(rule)
    assert [(alert.labels["severity"], alert.threshold_id) for alert in tried.alerts] == [("odd", "odd")]
    assert [problem.field for problem in tried.problems] == ["thresholds.odd.severity"]


@ONCE
def test_a_message_says_the_number_of_the_row(world: World) -> None:
    world.sql("UPDATE channels SET kind = 'log', url = '' WHERE name = 'hook'")
    disk(world)
    world.sql(CRITICAL)
    measure(world, 97)
    world.until(20)
    ((content,),) = world.rows("SELECT content FROM notification_facts")
    assert b"> 95" in content
    assert b"disk_used%0A%29%20%3E%2095" in content


@ONCE
def test_a_higher_level_keeps_the_lower_quiet_in_another_group_too(world: World) -> None:
    world.sql("INSERT INTO channels (name, kind) VALUES ('pager', 'log')")
    world.sql(
        "INSERT INTO routes (id, parent_id, channels, matchers) "
        """VALUES ('page', 'root', '["pager"]', '["severity=\\"critical\\""]')"""
    )
    disk(world)
    world.sql(CRITICAL)
    measure(world, 97)
    world.until(60)
    assert len(world.rows("SELECT id FROM alert_groups")) == 2
    assert (len(world.told("LogAddress")), world.told("WebhookUrl")) == (1, [])
    measure(world, 85)
    world.until(120)
    assert [status for _, status in world.told("WebhookUrl")] == ["firing"]


def blocks(language: str) -> list[str]:
    """The examples of the document in this language."""
    return [each.split("\n```")[0] for each in DOCUMENT.read_text().split(f"```{language}\n")[1:]]


def test_the_rows_of_the_document_are_taken_as_they_stand_there(world: World) -> None:
    for statement in "\n".join(blocks("sql")).split(";\n"):
        world.sql(statement.replace(":00", "\\:00"))
    with world.service.database.read() as connection:
        definitions = world.service.feed.refresh(connection)
    assert {rule: len(rows) for rule, rows in definitions.thresholds.items()} == {"cpu": 2, "disk": 3}
    assert definitions.problems == ()
    rows = definitions.thresholds["disk"]
    assert check_thresholds(definitions.rules["disk"], rows, {"warning": 20, "critical": 30}) == ()
    assert sorted(str(row.valid_to) for row in rows) == ["2026-12-07 00:00:00+00:00", "None", "None"]


def test_the_promql_of_the_document_is_promql() -> None:
    examples = blocks("promql")
    assert len(examples) == 3
    for example in examples:
        promql.check(example)
