"""Rows of inhibit_rules as people write them by SQL, and the rules they mean."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from engine.store import inhibit_rules
from engine.store.database import Database
from rules.errors import RulesError
from rules.inhibition import InhibitRule
from rules.matchers import parse_matchers


def test_the_shortest_insert_needs_no_name_and_nothing_equal(database: Database) -> None:
    statement = """INSERT INTO inhibit_rules (source_matchers, target_matchers) VALUES ('["a=b"]', '["c=d"]')"""
    with database.write() as connection:
        connection.execute(text(statement))
        (found,) = inhibit_rules.page(connection)
    assert found == InhibitRule(
        id=found.id, source_matchers=parse_matchers("a=b"), target_matchers=parse_matchers("c=d")
    )


@pytest.mark.parametrize(
    ("row", "message"),
    [
        pytest.param({"source_matchers": []}, "source_matchers is empty", id="no source"),
        pytest.param({"target_matchers": []}, "target_matchers is empty", id="no target"),
        pytest.param({"target_matchers": ["a=~("]}, "target_matchers: ", id="broken regex"),
        pytest.param({"equal": "cluster"}, "equal is 'cluster'; give a JSON list", id="text for the list"),
        pytest.param({"equal": [1]}, "equal is 1; give a text", id="number for a label"),
        pytest.param({"equal": ["a", "a"]}, "equal names label 'a' twice", id="a label twice"),
    ],
)
def test_a_row_that_is_no_inhibit_rule_is_refused_with_its_column(row: dict[str, object], message: str) -> None:
    with pytest.raises(RulesError, match=message) as refused:
        inhibit_rules.from_row({"id": "i", "source_matchers": ["a=b"], "target_matchers": ["c=d"], **row})
    assert refused.value.field == next(iter(row))
