"""The way of an alert through the routing tree, with the reason of every route it comes to."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from rules.labels import Labels
from rules.matchers import Matcher, Operator, parse_matchers
from rules.routing import ROOT, Route, Step, Verdict, build, trace


def route(id_: str, matchers: str = "", parent: str = ROOT, *, position: int = 0, continue_: bool = False) -> Route:
    return Route(id=id_, parent_id=parent, matchers=parse_matchers(matchers), position=position, continue_=continue_)


def told(*routes: Route, **labels: str) -> list[tuple[str, int, str]]:
    """The routes come to, their depth and verdict, in the order they were tried."""
    steps = trace(build([Route(id=ROOT), *routes]), labels)
    return [(step.route_id, step.depth, step.verdict.value) for step in steps]


def test_the_root_takes_what_nobody_else_does() -> None:
    assert told(team="db") == [("root", 0, "taken")]
    assert told(route("web", 'team="web"'), team="db") == [("root", 0, "taken"), ("web", 1, "not matched")]


def test_a_route_passes_on_what_one_below_it_takes() -> None:
    below = route("pages", 'severity="critical"', "db")
    assert told(route("db", 'team="db"'), below, team="db", severity="critical") == [
        ("root", 0, "passed on"),
        ("db", 1, "passed on"),
        ("pages", 2, "taken"),
    ]


def test_after_a_route_that_took_the_alert_no_sibling_is_tried() -> None:
    routes = [route(name, 'team="db"', position=place) for place, name in enumerate("ab")]
    assert told(*routes, route("below", "", "b"), team="db") == [
        ("root", 0, "passed on"),
        ("a", 1, "taken"),
        ("b", 1, "not tried"),
    ]


def test_after_a_route_that_continues_the_next_is_tried() -> None:
    routes = [route("a", 'team="db"', continue_=True), route("b", 'team="db"', position=1)]
    assert told(*routes, team="db")[1:] == [("a", 1, "taken"), ("b", 1, "taken")]


def test_below_a_route_that_does_not_match_nothing_is_come_to() -> None:
    assert told(route("db", 'team="db"'), route("below", "", "db"), team="web")[1:] == [("db", 1, "not matched")]


def test_every_step_says_why() -> None:
    routes = [
        route("web", 'team="web"'),
        route("old", 'site="a"', position=1),
        route("db", 'team="db"', position=2),
        route("pages", 'severity="critical"', "db"),
        route("rest", position=3),
    ]
    steps = trace(build([Route(id=ROOT), *routes]), {"team": "db"})
    assert [step.why for step in steps] == [
        "it matches, and routes below it take the alert",
        "team=\"web\" does not match: the alert has team='db'",
        'site="a" does not match: the alert has no label site',
        'it matches team="db", and no route below it does',
        'severity="critical" does not match: the alert has no label severity',
        "route 'db' before it took the alert and does not continue",
    ]
    assert trace(build([Route(id=ROOT)]), {}) == (
        Step(route_id=ROOT, depth=0, verdict=Verdict.TAKEN, why="it matches"),
    )


VALUES = st.sampled_from(["", "x", "y"])
MATCHERS = st.builds(Matcher, st.sampled_from(["a", "b"]), st.sampled_from(list(Operator)), VALUES)


@st.composite
def trees(draw: st.DrawFn) -> list[Route]:
    """Routes that each hang on an earlier one."""
    routes = [Route(id=ROOT)]
    for number in range(draw(st.integers(0, 7))):
        routes.append(
            Route(
                id=f"r{number}",
                parent_id=draw(st.sampled_from([one.id for one in routes])),
                matchers=tuple(draw(st.lists(MATCHERS, max_size=2))),
                continue_=draw(st.booleans()),
            )
        )
    return routes


@settings(max_examples=60)
@given(trees(), st.dictionaries(st.sampled_from(["a", "b"]), st.sampled_from(["x", "y"])))
def test_the_routes_taken_are_those_the_tree_matches(routes: list[Route], labels: dict[str, str]) -> None:
    tree = build(routes)
    taken = [step.route_id for step in trace(tree, Labels(labels)) if step.verdict is Verdict.TAKEN]
    assert taken == [policy.route_id for policy in tree.match(Labels(labels))]
