"""Everything that keeps routes from being a tree, told at once."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.errors import RouteError
from rules.matchers import parse_matchers
from rules.problems import check_routes
from rules.routing import DEEPEST, ROOT, Route, build

TREE = (Route(id=ROOT), Route(id="a", parent_id=ROOT), Route(id="b", parent_id="a"))


def found(*routes: Route) -> list[tuple[str, str]]:
    return [(problem.field, problem.message) for problem in check_routes(routes)]


def test_a_tree_has_no_problems() -> None:
    assert found(*TREE) == []


@pytest.mark.parametrize(
    ("routes", "field", "message"),
    [
        pytest.param((), "id", "needs one route with id 'root'", id="nothing"),
        pytest.param((Route(id=ROOT, parent_id="a"), *TREE[1:]), "0.parent_id", "has no parent", id="root below"),
        pytest.param(
            (Route(id=ROOT, matchers=parse_matchers('a="b"')),), "0.matchers", "no matchers", id="root that matches"
        ),
        pytest.param((Route(id=ROOT), Route(id="a")), "1.parent_id", "only 'root' stands alone", id="no parent"),
        pytest.param(
            (Route(id=ROOT), Route(id="a", parent_id="x")), "1.parent_id", "'x' does not exist", id="unknown parent"
        ),
        pytest.param((*TREE, TREE[1]), "3.id", "there twice", id="id twice"),
        pytest.param(
            (*TREE, Route(id="c", parent_id=ROOT, group_wait=timedelta(seconds=-1))),
            "3.group_wait",
            "negative",
            id="timing",
        ),
        pytest.param(
            (Route(id=ROOT), Route(id="a", parent_id="b"), Route(id="b", parent_id="a")),
            "parent_id",
            "a, b: their parents go round in a circle",
            id="circle",
        ),
        pytest.param(
            (Route(id=ROOT), *(Route(id=f"r{n}", parent_id=f"r{n - 1}" if n else ROOT) for n in range(DEEPEST + 1))),
            "parent_id",
            f"more than {DEEPEST} deep",
            id="too deep",
        ),
    ],
)
def test_what_is_no_tree_says_where_and_why(routes: tuple[Route, ...], field: str, message: str) -> None:
    ((where, why),) = found(*routes)
    assert (where, message in why) == (field, True)


def test_every_problem_is_told_at_once() -> None:
    routes = (
        Route(id="a", parent_id="none", group_by=("x", "x")),
        Route(id="b", parent_id="c", group_interval=timedelta(0)),
        Route(id="c", parent_id="b"),
    )
    assert [field for field, _ in found(*routes)] == [
        "0.group_by",
        "0.parent_id",
        "1.group_interval",
        "id",
        "parent_id",
    ]


@pytest.mark.parametrize("routes", [TREE, TREE[:1]])
def test_what_has_no_problems_can_be_built(routes: tuple[Route, ...]) -> None:
    assert (found(*routes), build(routes).root.route.id) == ([], ROOT)


IDS = st.sampled_from([ROOT, "a", "b", "c"])
SPANS = st.sampled_from([None, timedelta(0), timedelta(minutes=1)])


@settings(max_examples=150)
@given(
    st.lists(st.builds(Route, id=IDS, parent_id=st.none() | IDS | st.just("none"), group_interval=SPANS), max_size=5)
)
def test_routes_have_problems_exactly_when_they_cannot_be_built(routes: list[Route]) -> None:
    try:
        build(routes)
    except RouteError:
        assert check_routes(routes)
    else:
        assert check_routes(routes) == ()
