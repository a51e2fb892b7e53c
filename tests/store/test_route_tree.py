"""The routes as a whole: replaced together in any order, and kept a tree while several write."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from engine.store import route_tree, routes
from engine.store.database import Database
from rules.errors import RouteError
from rules.routing import ROOT, Route


def tree(database: Database, *wanted: Route) -> None:
    with database.write() as connection:
        route_tree.replace_all(connection, [Route(id=ROOT, channels=("log",)), *wanted])


def parents(database: Database) -> dict[str, str | None]:
    with database.read() as connection:
        return {route.id: route.parent_id for route in route_tree.every(connection)}


def test_the_whole_tree_is_replaced_whatever_order_it_comes_in(database: Database) -> None:
    tree(database, Route(id="c", parent_id="b"), Route(id="b", parent_id="a"), Route(id="a", parent_id=ROOT))
    assert parents(database) == {ROOT: None, "a": ROOT, "b": "a", "c": "b"}
    tree(database, Route(id="b", parent_id="c"), Route(id="c", parent_id=ROOT))
    assert parents(database) == {ROOT: None, "b": "c", "c": ROOT}


def test_what_stays_as_it_is_gets_no_new_version(sqlite: Database) -> None:
    tree(sqlite, Route(id="a", parent_id=ROOT))
    tree(sqlite, Route(id="a", parent_id=ROOT), Route(id="b", parent_id=ROOT))
    with sqlite.read() as connection:
        known = routes.get(connection, "a")
    assert known is not None
    assert known.version == 1


def test_what_is_no_tree_is_found_in_the_transaction_that_makes_it(sqlite: Database) -> None:
    tree(sqlite, Route(id="a", parent_id=ROOT), Route(id="b", parent_id="a"))
    with sqlite.write() as connection:
        routes.put(connection, Route(id="a", parent_id="b"))
        with pytest.raises(RouteError, match="circle"):
            route_tree.check(connection)
        connection.rollback()
    assert parents(sqlite) == {ROOT: None, "a": ROOT, "b": "a"}


def test_of_two_writers_who_would_make_a_circle_together_one_is_refused(database: Database) -> None:
    tree(database, Route(id="a", parent_id=ROOT), Route(id="b", parent_id=ROOT))
    barrier = Barrier(2)

    def move(route_id: str, parent_id: str) -> str:
        barrier.wait(30)
        try:
            with database.write() as connection:
                route_tree.hold(connection)
                routes.put(connection, Route(id=route_id, parent_id=parent_id))
                route_tree.check(connection)
        except RouteError:
            return "refused"
        return "made"

    with ThreadPoolExecutor(2) as pool:
        ends = [pool.submit(move, *pair) for pair in (("a", "b"), ("b", "a"))]
        assert sorted(end.result(60) for end in ends) == ["made", "refused"]
    assert sorted(parent or "" for parent in parents(database).values()) in (["", "a", ROOT], ["", "b", ROOT])
