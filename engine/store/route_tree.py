"""The routes as a whole: read together, and replaced together while no other writer can come between."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from sqlalchemy import Connection, delete, select, text

from engine.store.routes import TABLE
from engine.store.tables import routes
from rules import routing
from rules.routing import Route

_MOST: Final = 2**31 - 1
_HOLD: Final = text("LOCK TABLE routes IN SHARE ROW EXCLUSIVE MODE")


def every(connection: Connection) -> list[Route]:
    """All routes by id. Rows that cannot be read are left out."""
    return TABLE.page(connection, None, _MOST)


def hold(connection: Connection) -> None:
    """Keep other writers of routes out until this transaction ends; readers go on. On SQLite there is but one writer."""
    if connection.dialect.name == "postgresql":
        connection.execute(_HOLD)


def check(connection: Connection) -> None:
    """Raise RouteError when the routes, as this transaction leaves them, are no tree."""
    routing.build(every(connection))


def replace_all(connection: Connection, wanted: Sequence[Route]) -> None:
    """Make these the routes: parents are written before their children, and every other row goes, readable or not.

    The routes must make a tree.
    """
    for route in _parents_first(wanted):
        TABLE.put(connection, route)
    _remove_others(connection, {route.id for route in wanted})


def _parents_first(routes: Collection[Route]) -> list[Route]:
    level = [route for route in routes if route.parent_id is None]
    found: list[Route] = []
    while level:
        found += level
        parents = {route.id for route in level}
        level = [route for route in routes if route.parent_id in parents]
    return found


def _remove_others(connection: Connection, kept: Collection[str]) -> None:
    """In one statement, because the database looks at the references between the rows when it has ended."""
    going = [id_ for id_ in connection.execute(select(routes.c.id)).scalars() if id_ not in kept]
    if going:
        connection.execute(delete(routes).where(routes.c.id.in_(going)))
