"""A route keeps its id as long as it can be known again, wherever the file puts it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from hypothesis import given
from hypothesis import strategies as st

from engine.core.importing_routes import placed
from rules import routing
from rules.matchers import parse_matchers
from rules.routing import NotifyOnUnmute, Route

ORIGIN = "import:alertmanager:a"


@dataclass(frozen=True)
class Branch:
    route: Route
    below: Sequence[Branch] = ()


def branch(matchers: str, *below: Branch, receiver: str = "r", continue_: bool = False) -> Branch:
    return Branch(Route(id="", receiver=receiver, matchers=parse_matchers(matchers), continue_=continue_), below)


def root(*below: Branch) -> Branch:
    return Branch(Route(id="root", receiver="r"), below)


def ids(routes: Sequence[Route]) -> dict[str, str]:
    return {" ".join(map(str, route.matchers)): route.id for route in routes}


def stands(*below: Branch) -> tuple[Route, ...]:
    return placed(root(*below), [], origin=ORIGIN)[0]


def test_a_tree_is_put_together_as_the_file_has_it() -> None:
    routes, gone = placed(root(branch("a=1", branch("b=1")), branch("c=1")), [], origin=ORIGIN)
    top, a, b, c = routes
    assert (gone, top.id, top.parent_id, a.parent_id, b.parent_id, c.parent_id) == (
        (),
        "root",
        None,
        "root",
        a.id,
        "root",
    )
    assert (a.position, c.position, {route.origin for route in routes}) == (0, 1, {ORIGIN})
    assert routing.build(routes).root.children[0].children[0].route == b


def test_the_same_file_gives_the_same_ids_and_nothing_else() -> None:
    before = stands(branch("a=1", branch("b=1")), branch("c=1"), branch("c=1"))
    assert placed(root(branch("a=1", branch("b=1")), branch("c=1"), branch("c=1")), before, origin=ORIGIN) == (
        before,
        (),
    )


def test_an_id_that_is_somebody_elses_is_not_given_again() -> None:
    (_, first) = stands(branch("a=1"))
    (_, second) = placed(root(branch("a=1")), [], origin=ORIGIN, taken={first.id})[0]
    assert second.id != first.id


def test_a_route_keeps_its_id_when_others_come_go_and_change_places() -> None:
    before = ids(stands(branch("a=1"), branch("b=1"), branch("c=1")))
    routes, gone = placed(
        root(branch("c=1"), branch("new=1", receiver="other"), branch("a=1")),
        stands(branch("a=1"), branch("b=1"), branch("c=1")),
        origin=ORIGIN,
    )
    after = ids(routes)
    assert (after['c="1"'], after['a="1"']) == (before['c="1"'], before['a="1"'])
    assert after['new="1"'] not in before.values()
    assert [route.id for route in gone] == [before['b="1"']]


def test_an_edited_route_keeps_its_id_by_its_matchers_or_by_its_place() -> None:
    before = stands(branch("a=1"), branch("b=1", branch("d=1")))
    routes, gone = placed(
        root(branch("a=1", receiver="other"), branch("b=~'1|2'", branch("d=1", continue_=True))), before, origin=ORIGIN
    )
    assert ([route.id for route in routes], gone) == ([route.id for route in before], ())


def test_a_route_that_moved_keeps_its_id_and_those_below_it_theirs() -> None:
    before = stands(branch("a=1", branch("b=1", branch("c=1"))), branch("d=1"))
    routes, gone = placed(root(branch("d=1", branch("b=1", branch("c=1"))), branch("e=1")), before, origin=ORIGIN)
    after = ids(routes)
    assert (after['b="1"'], after['c="1"'], after['d="1"']) == tuple(
        ids(before)[key] for key in ('b="1"', 'c="1"', 'd="1"')
    )
    assert [route.id for route in gone] == [ids(before)['a="1"']]
    routing.build(routes)


def test_what_a_file_cannot_say_stays() -> None:
    before = tuple(
        replace(one, notify_on_unmute=NotifyOnUnmute.ALWAYS, team="t", version=4) for one in stands(branch("a=1"))
    )
    after, _ = placed(root(branch("a=1", receiver="x")), before, origin=ORIGIN)
    assert [(one.notify_on_unmute, one.team, one.version) for one in after] == [(NotifyOnUnmute.ALWAYS, "t", 4)] * 2


trees = st.recursive(
    st.builds(branch, st.sampled_from(["a=1", "b=1", "c=1"]), receiver=st.sampled_from(["r", "s"])),
    lambda below: st.builds(
        lambda some, text: branch(text, *some), st.lists(below, max_size=3), st.sampled_from(["a=1", "b=1"])
    ),
    max_leaves=8,
)


@given(st.lists(trees, max_size=4), st.lists(trees, max_size=4))
def test_whatever_becomes_of_a_tree_it_is_one_and_each_standing_route_is_in_it_once_or_gone(
    old: list[Branch], new: list[Branch]
) -> None:
    before = stands(*old)
    after, gone = placed(root(*new), before, origin=ORIGIN)
    assert [node.route for node in _nodes(routing.build(after).root)] == list(after)
    kept = {route.id for route in after} & {route.id for route in before}
    assert len({route.id for route in after}) == len(after)
    assert kept.isdisjoint(route.id for route in gone)
    assert kept | {route.id for route in gone} == {route.id for route in before}
    assert placed(root(*new), after, origin=ORIGIN) == (after, ())


def _nodes(node: routing.Node) -> list[routing.Node]:
    return [node, *(one for child in node.children for one in _nodes(child))]
