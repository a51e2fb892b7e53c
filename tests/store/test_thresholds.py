"""Rows of thresholds as people write them by SQL, and what they mean; they live and go with their rule."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from engine.store import rules, thresholds
from engine.store.database import Database
from engine.store.door import Connection
from rules.errors import RulesError
from rules.matchers import parse_matchers
from rules.rule import Condition, Rule
from rules.thresholds import Threshold

NOON = datetime(2026, 11, 21, 12, 0, 0, 123456, tzinfo=UTC)
FULL = Threshold(
    id="t",
    rule_id="r",
    matchers=parse_matchers('team="db",host!~"a|b"'),
    threshold=0.1,
    recovery_threshold=-math.inf,
    severity="page",
    hold=timedelta(seconds=90.5),
    valid_from=NOON,
    valid_to=NOON + timedelta(microseconds=1),
    priority=-7,
    reason="batch night",
    team="shop",
    origin="api",
)


@pytest.fixture
def connection(database: Database) -> Iterator[Connection]:
    """A transaction in a database with the rules `r` and `s`."""
    with database.write() as opened:
        for key in ("r", "s"):
            rules.put(opened, Rule(id=key, name="n", metric_name="m", condition=Condition.ABOVE, threshold=1.0))
        yield opened


def refine(connection: Connection, *rows: tuple[str, str]) -> None:
    for key, rule_id in rows:
        thresholds.put(connection, Threshold(id=key, rule_id=rule_id, threshold=5.0))


def test_the_shortest_insert_refines_the_rule_for_every_series_for_ever(connection: Connection) -> None:
    connection.execute(text("INSERT INTO thresholds (rule_id, threshold) VALUES ('r', 25)"))
    (found,) = thresholds.of_rule(connection, "r")
    assert found == Threshold(id=found.id, rule_id="r", threshold=25.0)


def test_what_is_put_is_read_back_whole(connection: Connection) -> None:
    assert thresholds.put(connection, FULL) == FULL == thresholds.get(connection, "t")


def test_a_put_that_changes_something_counts_up_the_version_and_one_that_does_not_does_not(
    connection: Connection,
) -> None:
    found = [thresholds.put(connection, row).version for row in (FULL, FULL, replace(FULL, valid_to=None))]
    assert found == [1, 1, 2]


def test_pages_are_of_one_rule_or_of_all(connection: Connection) -> None:
    refine(connection, ("a", "r"), ("b", "s"), ("c", "r"), ("d", "r"))
    every = [row.id for row in thresholds.page(connection, after="a", limit=2)]
    of_one = [row.id for row in thresholds.page(connection, after="a", limit=2, rule_id="r")]
    assert (every, of_one) == (["b", "c"], ["c", "d"])


def test_the_rows_of_a_rule_come_by_id_and_without_those_that_cannot_be_read(connection: Connection) -> None:
    refine(connection, ("c", "r"), ("a", "r"), ("b", "r"), ("d", "s"))
    connection.execute(text("""UPDATE thresholds SET matchers = '["=="]' WHERE id = 'b'"""))
    assert [row.id for row in thresholds.of_rule(connection, "r")] == ["a", "c"]


def test_a_row_of_no_rule_is_refused(connection: Connection) -> None:
    with pytest.raises(IntegrityError), connection.begin_nested():
        thresholds.put(connection, replace(FULL, rule_id="nobody"))
    assert thresholds.get(connection, "t") is None


def test_a_deleted_rule_takes_its_rows_and_no_others(connection: Connection) -> None:
    refine(connection, ("a", "r"), ("b", "s"))
    rules.delete(connection, "r")
    assert [row.id for row in thresholds.page(connection)] == ["b"]


def test_an_edited_rule_keeps_its_rows(connection: Connection) -> None:
    refine(connection, ("a", "r"))
    rules.put(connection, Rule(id="r", name="other", metric_name="m", condition=Condition.ABOVE, threshold=2.0))
    assert [row.id for row in thresholds.of_rule(connection, "r")] == ["a"]


def test_a_row_can_be_deleted_once(connection: Connection) -> None:
    refine(connection, ("a", "r"))
    assert [thresholds.delete(connection, "a") for _ in range(2)] == [True, False]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        pytest.param({"threshold": None}, "threshold is NULL; give the number to compare with", id="no threshold"),
        pytest.param({"threshold": "ten"}, "threshold is 'ten'; give a number", id="threshold in words"),
        pytest.param(
            {"recovery_threshold": "low"}, "recovery_threshold is 'low'; give a number", id="recovery in words"
        ),
        pytest.param({"rule_id": None}, "rule_id is NULL; give a text", id="no rule"),
        pytest.param({"priority": 1.5}, "priority is 1.5; give a whole number", id="half a priority"),
        pytest.param({"for_seconds": "5m"}, "for_seconds is '5m'; give a number", id="duration"),
        pytest.param({"valid_from": "monday"}, "valid_from is 'monday'; give a moment such as", id="no moment"),
        pytest.param({"valid_to": 5}, "valid_to is 5; give a moment such as", id="number for a moment"),
        pytest.param({"matchers": ["a=~("]}, "matchers: ", id="broken regex"),
    ],
)
def test_a_row_that_is_no_threshold_row_is_refused_with_its_column(row: dict[str, object], message: str) -> None:
    with pytest.raises(RulesError, match=message) as refused:
        thresholds.from_row({"id": "t", "rule_id": "r", "threshold": 1.0, **row})
    assert refused.value.field == next(iter(row))
