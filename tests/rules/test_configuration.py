"""A configuration: routes, inhibit rules and intervals as one value."""

from __future__ import annotations

import pytest

from rules.configuration import build
from rules.errors import RouteError
from rules.inhibition import InhibitRule
from rules.matchers import parse_matchers
from rules.routing import Route

ROOT = Route(id="root", channels=("slack",))


def inhibit(key: str) -> InhibitRule:
    return InhibitRule(id=key, source_matchers=parse_matchers("a=b"), target_matchers=parse_matchers("c=d"))


def test_its_inhibit_rules_stand_in_the_order_of_their_ids() -> None:
    assert [rule.id for rule in build([ROOT], [inhibit("b"), inhibit("a")]).inhibit_rules] == ["a", "b"]


def test_its_number_is_also_that_of_its_tree() -> None:
    made = build([ROOT, Route(id="a", parent_id="root")])
    assert (made.version, made.tree.version) == (0, 0)
    accepted = made.numbered(7)
    assert (accepted.version, accepted.tree.version) == (7, 7)
    assert accepted.numbered(7) is accepted


def test_routes_that_make_no_tree_make_no_configuration() -> None:
    with pytest.raises(RouteError, match="needs one route with id 'root'"):
        build([])


def test_a_tree_lists_its_routes_each_before_those_below_it() -> None:
    routes = [
        Route(id="b", parent_id="a"),
        Route(id="a", parent_id="root", position=1),
        ROOT,
        Route(id="c", parent_id="root"),
    ]
    assert [route.id for route in build(routes).tree.routes] == ["root", "c", "a", "b"]
