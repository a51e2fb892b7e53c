"""Rows of routes as people write them by SQL, and the routes they mean."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from engine.store import routes
from engine.store.database import Database
from rules.errors import MatcherError, RulesError
from rules.matchers import Matcher, Operator
from rules.routing import Route

DB = Matcher("team", Operator.EQUAL, "db")
WEB = Matcher("job", Operator.REGEX, "web.*")


def test_the_shortest_insert_makes_a_route_that_inherits_everything(database: Database) -> None:
    with database.write() as connection:
        connection.execute(text("INSERT INTO routes (id, parent_id) VALUES ('r', 'root')"))
        assert routes.get(connection, "r") == Route(id="r", parent_id="root")


def test_no_list_means_inherited_and_an_empty_list_means_none(database: Database) -> None:
    with database.write() as connection:
        inherits = routes.put(connection, Route(id="a", parent_id="root"))
        none = routes.put(connection, Route(id="b", parent_id="root", channels=(), group_by=()))
    assert (inherits.channels, inherits.group_by) == (None, None)
    assert (none.channels, none.group_by) == ((), ())


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        pytest.param(["team=db"], (DB,), id="bare text"),
        pytest.param(['{team="db", job=~"web.*"}'], (DB, WEB), id="several in one text"),
        pytest.param(['team="db"', {"name": "job", "operator": "=~", "value": "web.*"}], (DB, WEB), id="mixed"),
        pytest.param([{"name": "team", "value": "db"}], (DB,), id="object without an operator"),
        pytest.param('{team="db"}', (DB,), id="one text and no list"),
        pytest.param([], (), id="empty"),
        pytest.param(None, (), id="null"),
    ],
)
def test_matchers_may_be_texts_or_objects(written: object, meant: tuple[Matcher, ...]) -> None:
    assert routes.from_row({"id": "r", "matchers": written}).matchers == meant


@pytest.mark.parametrize(
    ("written", "message"),
    [
        pytest.param(['team=="'], "matchers: ", id="text that is no matcher"),
        pytest.param(["team=~(", "a=b"], "matchers: ", id="broken regex"),
        pytest.param([{"operator": "=", "value": "db"}], "matchers: a matcher needs a label name", id="no name"),
        pytest.param([{"name": "a", "operator": "like"}], "operator is 'like'; give one of", id="unknown operator"),
        pytest.param([{"name": "a", "value": 1}], "value is 1; give a text", id="number for a value"),
        pytest.param([1], "matchers is 1; give a JSON list", id="number for a matcher"),
        pytest.param({"team": "db"}, "matchers is {'team': 'db'}; give a JSON list", id="object for the list"),
    ],
)
def test_what_is_no_matcher_is_refused_with_its_column(written: object, message: str) -> None:
    with pytest.raises(RulesError) as refused:
        routes.from_row({"id": "r", "matchers": written})
    assert refused.value.message.startswith(message)


def test_a_matcher_error_names_the_column_it_came_from() -> None:
    with pytest.raises(MatcherError) as refused:
        routes.from_row({"id": "r", "matchers": ["a=~("]})
    assert refused.value.field == "matchers"


@pytest.mark.parametrize(
    ("row", "message"),
    [
        pytest.param({"channels": "slack"}, "channels is 'slack'; give a JSON list", id="text for channels"),
        pytest.param({"group_by": [1]}, "group_by is 1; give a text", id="number in group_by"),
        pytest.param({"position": 1.5}, "position is 1.5; give a whole number", id="half a position"),
        pytest.param({"notify_on_unmute": "now"}, "give one of never needed always", id="unknown word"),
        pytest.param({"labels": {"team": 1}}, r"labels\.team is 1; give a text", id="number for a label"),
        pytest.param({"mute_time_intervals": "nights"}, "mute_time_intervals is 'nights'; give a JSON list", id="mute"),
        pytest.param({"active_time_intervals": [{}]}, "active_time_intervals is {}; give a text", id="active"),
        pytest.param({"group_wait_seconds": "30s"}, "group_wait_seconds is '30s'; give a number", id="duration"),
    ],
)
def test_a_row_that_is_no_route_is_refused(row: dict[str, object], message: str) -> None:
    with pytest.raises(RulesError, match=message):
        routes.from_row({"id": "r", **row})
