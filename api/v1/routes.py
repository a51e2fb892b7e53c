"""Routes by REST: one by one or the whole tree at once, and always a tree; and which way an alert would take through it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from uuid import uuid4

from fastapi import APIRouter, Response

from api.problems import conflict
from api.schemas import routes as schema
from api.schemas.fields import DeclaredPage
from api.schemas.routes import LabelsIn, PolicyOut, RoutedOut, RouteIn, RouteOut, StepOut, TreeIn, TreeOut
from api.schemas.rules import Key
from api.v1 import edits, route_tree
from api.v1.calls import Cursor, Limit, Service, Write, Writing, declared
from api.v1.edits import DryRun, Edit
from api.v1.route_tree import ROUTES
from engine.store import route_tree as routes
from engine.store import routes as store
from engine.store.door import Connection
from rules import routing
from rules.labels import Labels
from rules.problems import Problem, check_routes
from rules.routing import ROOT, Route

router = APIRouter(prefix="/api/v1/routes", tags=["routes"])


@router.get("")
def list_routes(
    service: Service, response: Response, limit: Limit = 100, cursor: Cursor = None
) -> DeclaredPage[RouteOut]:
    """All routes by id. The ETag is that of the whole tree, for a `PUT` of it."""
    with service.database.read() as connection:
        problems = service.feed.refresh(connection).problems_of("routes")
        routes = store.page(connection, after=cursor, limit=limit + 1)
        response.headers["ETag"] = route_tree.etag(connection)
    return declared([schema.described(route) for route in routes], limit, [route.id for route in routes], problems)


@router.post("", status_code=201, responses={200: {"model": DryRun[RouteOut]}})
def create_route(body: RouteIn, write: Writing, response: Response) -> RouteOut | DryRun[RouteOut]:
    """Hang a route into the tree."""
    if write.dry_run:
        response.status_code = 200
    return _stored(write, _planned(write, body, body.id or uuid4().hex, must=False), response)


@router.put("")
def replace_tree(body: TreeIn, write: Writing, response: Response) -> TreeOut:
    """Make these be all the routes, in one step or not at all; a route that is not sent is removed.

    A route keeps its open groups as long as it keeps its id. One sent without an id gets that of the route which has the
    same parent, receiver and matchers, if there is one.
    """
    return route_tree.replaced(write, body, response)


@router.get("/{route_id}")
def read_route(route_id: str, service: Service, response: Response) -> RouteOut:
    """One route as it is declared; what it inherits is null."""
    with service.database.read() as connection:
        route = edits.found(ROUTES, connection, route_id)
    response.headers["ETag"] = edits.etag(route.version)
    return schema.described(route)


@router.put("/{route_id}", responses={201: {"model": RouteOut}})
def replace_route(route_id: Key, body: RouteIn, write: Writing, response: Response) -> RouteOut | DryRun[RouteOut]:
    """Make the route be this one, whether or not there was one; without `position` it keeps its place."""
    return _stored(write, _planned(write, body, route_id), response)


@router.delete("/{route_id}", response_model=DryRun[RouteOut], responses={204: {"description": "Deleted"}})
def delete_route(route_id: str, write: Writing) -> DryRun[RouteOut] | Response:
    """Remove a route that has none below it; its firing alerts move to the routes that now take them."""
    edit = edits.plan(write, ROUTES, route_id, _removal(route_id), must=True)
    edits.commit(write, edit)
    return edits.dry_run(edit, None) if write.dry_run else Response(status_code=204)


@router.post("/test")
def test_routes(body: LabelsIn, service: Service) -> RoutedOut:
    """Which routes an alert with these labels takes, in the tree now in force. A rule that names channels takes none."""
    with service.database.read() as connection:
        definitions = service.feed.refresh(connection)
    tree, problems = definitions.tree, list(definitions.problems_of("routes"))
    labels = Labels(body.labels)
    policies = [PolicyOut.of(policy, labels) for policy in tree.match(labels)]
    tried = [StepOut.of(step) for step in routing.trace(tree, labels)]
    return RoutedOut(policies=policies, tried=tried, configuration=tree.version, problems=problems)


def _planned(write: Write, body: RouteIn, route_id: str, *, must: bool | None = None) -> Edit[Route]:
    edits.check_key(body.id, route_id, "id")

    def make(connection: Connection, before: Route | None) -> tuple[Route, tuple[Problem, ...]]:
        others = [route for route in routes.every(connection) if route.id != route_id]
        position = _last(others, body.parent_id) if before is None else before.position
        route = body.to_route(route_id, before, position=position)
        return route, tuple(_problems(connection, route, others))

    return edits.plan(write, ROUTES, route_id, make, must=must)


def _last(routes: Iterable[Route], parent_id: str | None) -> int:
    """The position behind all that hang there."""
    return max((route.position + 1 for route in routes if route.parent_id == (parent_id or ROOT)), default=0)


def _problems(connection: Connection, route: Route, others: Sequence[Route]) -> Iterator[Problem]:
    """What is wrong with the route and with the tree it would leave; the problems of other routes name those."""
    for problem in check_routes((route, *others)):
        yield replace(problem, field=problem.field.rpartition(".")[2])
    yield from route_tree.unknown_names(connection, [route], "")


def _removal(route_id: str) -> Callable[[Connection, Route | None], tuple[None, tuple[Problem, ...]]]:
    """The refusal, if the route must stay."""

    def make(connection: Connection, _before: Route | None) -> tuple[None, tuple[Problem, ...]]:
        if route_id == ROOT:
            raise conflict("the root route takes every alert nobody else takes: it can be changed, not deleted")
        children = [route.id for route in routes.every(connection) if route.parent_id == route_id]
        edits.check_unused("route", route_id, [f"route {child}" for child in children])
        return None, ()

    return make


def _stored(write: Write, edit: Edit[Route], response: Response) -> RouteOut | DryRun[RouteOut]:
    stored = edits.commit(write, edit)
    assert stored is not None
    return edits.answer(write, edit, response, schema.described(stored), stored.version)
