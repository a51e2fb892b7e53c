"""Rows of time_intervals as people write them by SQL, and the intervals they mean."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import text

from engine.store import time_intervals
from engine.store.database import Database
from rules.errors import RulesError
from rules.time_intervals import DayTime, Period, Span, TimeInterval

OFFICE = [{"times": [{"start_time": "09:00", "end_time": "17:30"}], "weekdays": ["monday:friday"], "months": ["5"]}]


def test_a_row_says_what_alertmanagers_file_says(database: Database) -> None:
    with database.write() as connection:
        connection.execute(
            text("INSERT INTO time_intervals (name, time_intervals) VALUES ('office', :spec)"),
            {"spec": json.dumps(OFFICE)},
        )
        found = time_intervals.get(connection, "office")
    times, weekdays, months = (DayTime(540, 1050),), (Span(1, 5),), (Span(5, 5),)
    assert found == TimeInterval(name="office", periods=(Period(times=times, weekdays=weekdays, months=months),))


def test_another_spelling_of_the_same_periods_is_no_new_version(database: Database) -> None:
    with database.write() as connection:
        connection.execute(
            text("INSERT INTO time_intervals (name, time_intervals) VALUES ('office', :spec)"),
            {"spec": json.dumps(OFFICE)},
        )
        found = time_intervals.get(connection, "office")
        assert found is not None
        assert time_intervals.put(connection, found).version == 1


@pytest.mark.parametrize(
    ("written", "field", "message"),
    [
        pytest.param(None, "time_intervals", "time_intervals is NULL; give a JSON list of periods", id="null"),
        pytest.param({"weekdays": ["monday"]}, "time_intervals", "; give a JSON list of periods", id="one period"),
        pytest.param([], "time_intervals", "has no period", id="none"),
        pytest.param(["monday"], "time_intervals.0", "time_intervals.0: 'monday' is no period", id="a word"),
        pytest.param([{}, {"days": []}], "time_intervals.1.days", "time_intervals.1: .*days", id="unknown field"),
        pytest.param(
            [{"weekdays": ["mon"]}], "time_intervals.0.weekdays", "time_intervals.0: weekdays", id="no weekday"
        ),
        pytest.param(
            [{"location": "\ud800"}],
            "time_intervals.0.location",
            r"location '\\ud800' is no time zone",
            id="no Unicode",
        ),
    ],
)
def test_a_row_that_says_no_time_is_refused_with_the_place(written: object, field: str, message: str) -> None:
    with pytest.raises(RulesError, match=message) as refused:
        time_intervals.from_row({"name": "t", "time_intervals": written})
    assert refused.value.field == field
