"""Rows of alert_rules as people write them by SQL, and the rules they mean, to the last digit."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from engine.store import rules
from engine.store.database import Database
from rules.errors import RulesError
from rules.labels import LabelTexts
from rules.rule import Condition, MissingSeries, NoData, OnError, Plan, Rule

words = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=30)
names = words.filter(bool)
spans = st.timedeltas(timedelta(0), timedelta(days=36500))
positive = st.timedeltas(timedelta(microseconds=1), timedelta(days=36500))
asked: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.fixed_dictionaries({"expr": names}),
    st.fixed_dictionaries(
        {
            "metric_name": names,
            "condition": st.sampled_from(Condition),
            "threshold": st.floats(allow_nan=False),
        }
    ),
)
declared: st.SearchStrategy[Rule] = st.builds(
    Rule,
    id=names,
    name=names,
    group=words,
    team=words,
    hold=spans,
    keep_firing_for=spans,
    interval=st.none() | positive,
    query_offset=st.none() | spans,
    severity=words,
    labels=st.dictionaries(words, words, max_size=3).map(LabelTexts),
    annotations=st.dictionaries(words, words, max_size=3),
    notification_channels=st.lists(words, max_size=3).map(tuple),
    enabled=st.booleans(),
    no_data=st.sampled_from(NoData),
    missing_series=st.sampled_from(MissingSeries),
    missing_for=spans,
    on_error=st.sampled_from(OnError),
    limit=st.integers(0, 2**31 - 1),
    plan=st.sampled_from(Plan),
    origin=words,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rule=declared, question=asked)
def test_every_rule_that_can_be_stored_is_read_back_the_same(
    database: Database, rule: Rule, question: dict[str, Any]
) -> None:
    rule = replace(rule, **question)
    with database.write() as connection:
        rules.delete(connection, rule.id)
        assert rules.put(connection, rule) == rule == rules.get(connection, rule.id)


def test_the_shortest_insert_makes_a_rule_with_every_default(database: Database) -> None:
    with database.write() as connection:
        connection.execute(
            text(
                "INSERT INTO alert_rules (id, name, metric_name, condition, threshold, severity, notification_channels) "
                """VALUES ('r1', 'Down', 'up', '<', 1, 'page', '["slack"]')"""
            )
        )
        found = rules.get(connection, "r1")
    asks = {"metric_name": "up", "condition": Condition.BELOW, "threshold": 1.0}
    assert found == Rule(id="r1", name="Down", severity="page", notification_channels=("slack",), **asks)  # type: ignore[arg-type]  # fields of one dict


def test_a_rule_inserted_without_an_id_is_given_one(database: Database) -> None:
    with database.write() as connection:
        connection.execute(text("INSERT INTO alert_rules (name, expr) VALUES ('Down', 'up < 1')"))
        (found,) = rules.page(connection)
    assert len(found.id) == 32
    assert found.expr == "up < 1"


@pytest.mark.parametrize("threshold", [0.1, -0.0, 1e308, float("inf"), float("-inf"), 5e-324])
def test_a_threshold_keeps_every_digit(database: Database, threshold: float) -> None:
    rule = Rule(id="r", name="n", metric_name="m", condition=Condition.ABOVE, threshold=threshold)
    with database.write() as connection:
        assert rules.put(connection, rule).threshold == threshold


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        pytest.param("labels", '{"team": 1}', "labels.team is 1; give a text", id="label is a number"),
        pytest.param("labels", '{"team": null}', "labels.team is NULL; give a text", id="label is null"),
        pytest.param(
            "annotations", '{"a": ["b"]}', r"annotations.a is \['b'\]; give a text", id="annotation is a list"
        ),
        pytest.param(
            "notification_channels", "[1]", "notification_channels is 1; give a text", id="channel is a number"
        ),
        pytest.param(
            "notification_channels", '[["slack"]]', r"notification_channels is \['slack'\]", id="channel is a list"
        ),
    ],
)
def test_json_that_passes_the_constraints_but_is_no_rule_is_refused(
    database: Database, column: str, value: str, message: str
) -> None:
    with database.write() as connection:
        connection.execute(
            text(f"INSERT INTO alert_rules (id, name, expr, {column}) VALUES ('r', 'n', 'up', :value)"),
            {"value": value},
        )
        with pytest.raises(RulesError, match=message) as refused:
            rules.get(connection, "r")
    assert refused.value.field is not None
    assert refused.value.field.split(".")[0] == column


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        pytest.param("name = CAST(x'DC6265726C617374' AS TEXT)", "name is .*write it as valid Unicode", id="Latin-1"),
        pytest.param("""labels = '{"a": "\\ud800"}'""", "labels", id="half a surrogate pair"),
        pytest.param(
            """annotations = replace(hex(zeroblob(800)), '00', '{"a":') || '1'""", "annotations", id="no JSON"
        ),
        pytest.param("labels = '[1]'", "labels is .*give a JSON object", id="wrong shape"),
        pytest.param("notification_channels = '{}'", "give a JSON list of texts", id="not a list"),
        pytest.param("no_data = 'never'", "no_data is 'never'; give one of ok keep alert", id="word outside the set"),
        pytest.param("for_seconds = 'long'", "for_seconds is 'long'; give a number", id="word for a number"),
        pytest.param("for_seconds = 1e300", "for_seconds is 1e.300; give a number of seconds", id="endless span"),
        pytest.param("alert_limit = 1.5", "alert_limit is 1.5; give a whole number", id="half a limit"),
    ],
)
def test_what_a_shell_without_constraints_leaves_spoils_one_row_only(
    sqlite: Database, assignment: str, message: str
) -> None:
    with sqlite.write() as connection:
        connection.exec_driver_sql(
            "INSERT INTO alert_rules (id, name, expr) VALUES ('bad', 'n', 'up'), ('ok', 'n', 'up')"
        )
        for trigger in ("inserted", "updated", "deleted"):
            connection.exec_driver_sql(f"DROP TRIGGER alert_rules_{trigger}")
        connection.exec_driver_sql("PRAGMA ignore_check_constraints = ON")
        connection.exec_driver_sql(f"UPDATE alert_rules SET {assignment} WHERE id = 'bad'")
        assert [rule.id for rule in rules.page(connection)] == ["ok"]
        with pytest.raises(RulesError, match=message):
            rules.get(connection, "bad")


def test_json_nested_deeper_than_python_reads_is_refused_with_its_column(database: Database) -> None:
    deep = "[" * 990 + "]" * 990
    with database.write() as connection:
        connection.execute(
            text("INSERT INTO alert_rules (id, name, expr, notification_channels) VALUES ('r', 'n', 'up', :deep)"),
            {"deep": deep},
        )
        with pytest.raises(RulesError, match="notification_channels"):
            rules.get(connection, "r")


def test_a_row_of_an_older_schema_reads_with_the_defaults_of_what_it_lacks() -> None:
    assert rules.from_row({"id": "r", "name": "n", "expr": "up"}) == Rule(id="r", name="n", expr="up")


def test_a_row_without_a_name_is_no_rule() -> None:
    with pytest.raises(RulesError, match="name is NULL; give a text"):
        rules.from_row({"id": "r"})


@pytest.mark.parametrize(
    ("recorded", "message"),
    [
        pytest.param({"enabled": "yes"}, "enabled is 'yes'; give true or false", id="word for a flag"),
        pytest.param({"threshold": True}, "threshold is True; give a number", id="flag for a number"),
        pytest.param({"threshold": "high"}, "threshold is 'high'; give a number", id="word for a number"),
        pytest.param({"version": "x"}, "version is 'x'; give a whole number", id="word for a whole number"),
        pytest.param({"alert_limit": float("inf")}, "alert_limit is inf; give a whole number", id="no end"),
        pytest.param({"plan": []}, r"plan is \[\]; give one of auto alone", id="list for a word"),
    ],
)
def test_a_recorded_row_that_is_no_rule_is_refused(recorded: dict[str, object], message: str) -> None:
    with pytest.raises(RulesError, match=message):
        rules.from_row({"id": "r", "name": "n", "expr": "up", **recorded})


def test_a_recorded_infinite_threshold_is_read_from_its_text() -> None:
    assert rules.from_row({"id": "r", "name": "n", "threshold": "-Infinity"}).threshold == float("-inf")
