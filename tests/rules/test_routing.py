"""The routing tree: options are inherited, alerts go depth first, and a tree that cannot be used is refused by name."""

from collections.abc import Mapping
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.errors import RouteError
from rules.labels import Labels
from rules.matchers import parse_matchers
from rules.routing import DEEPEST, NotifyOnUnmute, Policy, Route, build, implicit

MINUTE = timedelta(minutes=1)
ZERO = timedelta(0)
ROOT = Route(id="root", receiver="ops", channels=("mail",))


def route(name: str, parent: str | None = "root", matchers: str = "", *, continue_: bool = False) -> Route:
    return Route(id=name, parent_id=parent, matchers=parse_matchers(matchers), continue_=continue_)


# As in A:dispatch/route_test.go: owners below the root, environments below an owner, `continue` at each level.
TREE = build(
    [
        ROOT,
        Route(id="team-a", parent_id="root", position=1, matchers=parse_matchers('owner="team-A"')),
        route("testing", "team-a", 'env="testing"'),
        route("production", "team-a", 'env="production",owner=~".+"'),
        Route(id="team-b", parent_id="root", position=2, matchers=parse_matchers('owner=~"team-(B|C)"')),
        Route(id="by", parent_id="root", position=3, matchers=parse_matchers('group_by="role"'), continue_=True),
        route("by-testing", "by", 'env="testing"', continue_=True),
        route("by-wait", "by", 'wait="long"'),
        Route(id="last", parent_id="root", position=4, matchers=parse_matchers('group_by=~".+"')),
    ]
)


@pytest.mark.parametrize(
    ("labels", "routes"),
    [
        pytest.param({}, ["root"], id="nobody's is the root's"),
        pytest.param({"owner": "team-A"}, ["team-a"], id="no child matches"),
        pytest.param({"owner": "team-A", "env": "testing"}, ["testing"], id="the child, not its parent"),
        pytest.param({"owner": "team-A", "env": "production"}, ["production"], id="all its matchers match"),
        pytest.param({"owner": "team-A", "env": "unset"}, ["team-a"], id="a child that does not match"),
        pytest.param({"owner": "team-C"}, ["team-b"], id="a pattern"),
        pytest.param({"owner": "team-BC"}, ["root"], id="a pattern is anchored"),
        pytest.param({"env": "testing"}, ["root"], id="a child is not asked without its parent"),
        pytest.param({"owner": "team-A", "group_by": "role"}, ["team-a"], id="a match stops the siblings after it"),
        pytest.param({"group_by": "role"}, ["by", "last"], id="continue asks the siblings too"),
        pytest.param({"group_by": "other"}, ["last"], id="continue of one that does not match"),
        pytest.param(
            {"group_by": "role", "env": "testing", "wait": "long"},
            ["by-testing", "by-wait", "last"],
            id="continue below continue",
        ),
    ],
)
def test_an_alert_takes_the_deepest_routes_that_match_left_to_right(
    labels: Mapping[str, str], routes: list[str]
) -> None:
    assert [policy.route_id for policy in TREE.match(labels)] == routes


@pytest.mark.parametrize(
    ("positions", "first"),
    [
        pytest.param({"a": 2, "b": 1}, "b", id="by position"),
        pytest.param({"a": 1, "b": 1}, "a", id="by id when positions tie"),
        pytest.param({"a": 0, "b": -1}, "b", id="before the others"),
    ],
)
def test_siblings_are_asked_by_position_then_id(positions: Mapping[str, int], first: str) -> None:
    siblings = [Route(id=name, parent_id="root", position=position) for name, position in positions.items()]
    assert [policy.route_id for policy in build([*siblings, ROOT]).match({})] == [first]


def test_a_root_that_says_nothing_has_alertmanagers_defaults() -> None:
    policy = build([Route(id="root")]).root.policy
    assert (policy.receiver, policy.channels, policy.group_by) == ("", (), ())
    assert (policy.group_wait, policy.group_interval) == (timedelta(seconds=30), 5 * MINUTE)
    assert policy.repeat_interval == timedelta(hours=4)
    assert policy.notify_on_unmute is NotifyOnUnmute.NEEDED


def test_what_a_route_leaves_open_it_inherits() -> None:
    parent = Route(
        id="root",
        receiver="ops",
        channels=("mail",),
        group_by=("team",),
        group_wait=MINUTE,
        group_interval=2 * MINUTE,
        repeat_interval=3 * MINUTE,
        notify_on_unmute=NotifyOnUnmute.ALWAYS,
    )
    policy = build([parent, route("mid"), route("low", "mid")]).policies["low"]
    assert (policy.receiver, policy.channels, policy.group_by) == ("ops", ("mail",), ("team",))
    assert (policy.group_wait, policy.group_interval, policy.repeat_interval) == (MINUTE, 2 * MINUTE, 3 * MINUTE)
    assert policy.notify_on_unmute is NotifyOnUnmute.ALWAYS


def test_what_a_route_says_overrides_its_parent_even_when_it_says_none() -> None:
    parent = Route(id="root", channels=("mail",), group_by=("team",), group_wait=MINUTE)
    child = Route(id="c", parent_id="root", receiver="own", channels=(), group_by=(), group_wait=ZERO, version=5)
    policy = build([parent, child]).policies["c"]
    assert (policy.receiver, policy.channels, policy.group_by, policy.group_wait) == ("own", (), (), ZERO)
    assert policy.version == 5


def test_continue_and_matchers_are_not_inherited() -> None:
    tree = build([ROOT, route("a", matchers='x="1"', continue_=True), route("b", "a"), route("c", "a")])
    assert [policy.route_id for policy in tree.match({"x": "1"})] == ["b"]


def test_labels_are_laid_over_those_of_the_parent() -> None:
    parent = Route(id="root", labels=Labels({"team": "ops", "page": "yes"}))
    child = Route(id="c", parent_id="root", labels=Labels({"team": "db"}))
    assert build([parent, child]).policies["c"].labels == Labels({"team": "db", "page": "yes"})


def test_intervals_are_not_inherited() -> None:
    middle = Route(id="m", parent_id="root", mute_time_intervals=("night",), active_time_intervals=("day",))
    policies = build([ROOT, middle, route("low", "m")]).policies
    assert (policies["m"].mute_time_intervals, policies["m"].active_time_intervals) == (("night",), ("day",))
    assert (policies["low"].mute_time_intervals, policies["low"].active_time_intervals) == ((), ())


@pytest.mark.parametrize(
    ("root", "field"),
    [
        (Route(id="root", mute_time_intervals=("night",)), "mute_time_intervals"),
        (Route(id="root", active_time_intervals=("day",)), "active_time_intervals"),
    ],
)
def test_the_root_has_no_intervals_for_it_takes_what_nobody_else_does(root: Route, field: str) -> None:
    with pytest.raises(RouteError, match=f"no {field}; put them on a route below it") as refused:
        build([root])
    assert refused.value.field == field


@pytest.mark.parametrize(
    ("group_by", "group"),
    [
        pytest.param(("team", "host"), {"team": "db"}, id="those that exist"),
        pytest.param(("...",), {"team": "db", "job": "x"}, id="all"),
        pytest.param((), {}, id="none"),
    ],
)
def test_group_by_names_the_labels_of_the_group(group_by: tuple[str, ...], group: dict[str, str]) -> None:
    policy = Policy(route_id="a", receiver="ops", group_by=group_by)
    assert policy.group_labels(Labels({"team": "db", "job": "x"})) == Labels(group)


def test_a_rules_own_route_has_the_roots_timings_and_one_group_per_alertname() -> None:
    root = Policy(route_id="root", receiver="ops", channels=("mail",), repeat_interval=MINUTE, group_by=("team",))
    own = implicit("7", ("pager", "chat"), root)
    assert (own.route_id, own.receiver, own.channels) == ("rule:7", "pager,chat", ("pager", "chat"))
    assert (own.group_by, own.repeat_interval) == (("alertname",), MINUTE)


@pytest.mark.parametrize(
    ("routes", "field", "message"),
    [
        pytest.param([], "id", "needs one route with id 'root'", id="no routes"),
        pytest.param([route("a", "b"), route("b", "a")], "id", "needs one route with id 'root'", id="no root"),
        pytest.param([route("root", "a")], "parent_id", "root route has no parent, not 'a'", id="a root below another"),
        pytest.param([route("root", None, 'a="b"')], "matchers", "so it has no matchers", id="a root with matchers"),
        pytest.param([ROOT, route("a", None)], "parent_id", "route 'a' has no parent", id="two roots"),
        pytest.param([ROOT, route("a", "b")], "parent_id", "route 'a': its parent 'b' does not exist", id="an orphan"),
        pytest.param([ROOT, route("a"), route("a")], "id", "route 'a' is there twice", id="one id twice"),
        pytest.param([ROOT, route("a", "a")], "parent_id", "reaches the routes a: their parents go round", id="itself"),
        pytest.param(
            [ROOT, route("a", "b"), route("b", "a"), route("c", "a")],
            "parent_id",
            "reaches the routes a, b, c: their parents go round",
            id="a circle and what hangs on it",
        ),
        pytest.param(
            [Route(id="root", group_by=("...", "team"))], "group_by", "'...' means every label", id="all and one more"
        ),
        pytest.param(
            [Route(id="root", group_by=("team", "a", "team"))], "group_by", "'team' is twice in group_by", id="by twice"
        ),
        pytest.param(
            [Route(id="root", group_interval=ZERO)], "group_interval", "0:00:00 must be longer", id="no interval"
        ),
        pytest.param(
            [ROOT, Route(id="a", parent_id="root", repeat_interval=-MINUTE)],
            "repeat_interval",
            "route 'a': repeat_interval",
            id="a repeat in the past",
        ),
        pytest.param(
            [Route(id="root", group_wait=-MINUTE)], "group_wait", "must not be negative", id="a wait in the past"
        ),
    ],
)
def test_a_tree_that_cannot_be_used_is_refused_by_name(routes: list[Route], field: str, message: str) -> None:
    with pytest.raises(RouteError) as caught:
        build(routes)
    assert caught.value.field == field
    assert message in caught.value.message


def chain(length: int) -> list[Route]:
    return [ROOT, *(route(f"r{depth}", f"r{depth - 1}" if depth else "root") for depth in range(length))]


def test_a_tree_as_deep_as_allowed_works() -> None:
    assert [policy.route_id for policy in build(chain(DEEPEST)).match({})] == [f"r{DEEPEST - 1}"]


def test_a_tree_too_deep_to_walk_is_refused() -> None:
    with pytest.raises(RouteError, match=f"route 'r{DEEPEST}' is nested more than {DEEPEST} deep"):
        build(chain(5000))


PARENTS = st.lists(st.integers(0, 30), max_size=12).map(
    lambda parents: [min(parent, index) for index, parent in enumerate(parents)]
)
CHOICES = st.lists(
    st.tuples(st.sampled_from(["", 'a="1"', 'b="1"', 'a!="1"']), st.booleans()), min_size=12, max_size=12
)


@given(PARENTS, CHOICES, st.dictionaries(st.sampled_from("ab"), st.sampled_from("01")))
def test_every_alert_takes_routes_whose_ancestors_all_match(
    parents: list[int], choices: list[tuple[str, bool]], labels: dict[str, str]
) -> None:
    names = ["root", *(f"r{index}" for index in range(len(parents)))]
    routes = {"root": ROOT}
    for index, (parent, (matchers, continue_)) in enumerate(zip(parents, choices, strict=False)):
        routes[names[index + 1]] = route(names[index + 1], names[parent], matchers, continue_=continue_)
    taken = [policy.route_id for policy in build(reversed(routes.values())).match(labels)]
    assert taken
    assert len(set(taken)) == len(taken)
    for name in taken:
        above: str | None = name
        while above is not None:
            assert all(matcher.matches(labels) for matcher in routes[above].matchers)
            above = routes[above].parent_id
