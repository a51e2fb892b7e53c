"""The whole tree of routes by REST: worked out as one edit per route, and stored all together or not at all."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final
from uuid import uuid4

from fastapi import Response

from api.problems import ApiProblem, FieldError, conflict, refused
from api.schemas import routes as schema
from api.schemas.routes import RouteChange, RouteIn, TreeIn, TreeOut
from api.v1 import edits
from api.v1.calls import Write
from api.v1.edits import Edit, Noun
from engine.store import channels, route_tree, time_intervals
from engine.store import routes as store
from engine.store.door import Connection
from rules.channels import LOG_CHANNEL
from rules.matchers import Matcher
from rules.problems import Problem, check_routes
from rules.routing import ROOT, Route

ROUTES: Final[Noun[Route]] = Noun(
    word="route",
    get=store.get,
    put=store.put,
    delete=store.delete,
    document=schema.document,
    begin=route_tree.hold,
    check=route_tree.check,
)
_ALL: Final = 2**31 - 1


def etag(connection: Connection) -> str:
    """The ETag of the whole tree."""
    return _tag(route_tree.every(connection))


def replaced(write: Write, body: TreeIn, response: Response) -> TreeOut:
    """The tree replaced by these routes, or for a dry run what would change."""
    before, after = _planned(write, body)
    if write.dry_run:
        return _answer(write, before, after, after)
    stored = _commit(write, before, after)
    response.headers["ETag"] = _tag(stored)
    return _answer(write, before, after, stored)


def _planned(write: Write, body: TreeIn) -> tuple[list[Route], list[Route]]:
    """The routes as they stand and as they shall stand, once nothing speaks against the change."""
    with write.service.database.read() as connection:
        before = route_tree.every(connection)
        after = _declared(body.items, before)
        problems = [*_placed(check_routes(after)), *unknown_names(connection, after, "items.{place}.")]
    _check_match(write, before)
    for edit in _edits(before, after):
        edits.check_owner(edit)
    if problems:
        raise refused(_told(problem, after) for problem in problems)
    return before, after


def _answer(write: Write, before: Iterable[Route], after: Iterable[Route], stored: Iterable[Route]) -> TreeOut:
    changes = [_change(edit) for edit in _edits(before, after)]
    return TreeOut(dry_run=write.dry_run, changes=changes, items=[schema.described(route) for route in stored])


def unknown_names(connection: Connection, routes: Sequence[Route], prefix: str) -> Iterator[Problem]:
    """The channels and time intervals these routes name and nobody has declared; `{place}` in `prefix` is the route's."""
    known_channels = {channel.name for channel in channels.page(connection, limit=_ALL)} | {LOG_CHANNEL}
    known_intervals = {interval.name for interval in time_intervals.page(connection, limit=_ALL)}
    for place, route in enumerate(routes):
        at = prefix.format(place=place)
        yield from edits.unknown(f"{at}channels", route.channels or (), known_channels, "channel")
        for field, names in (
            ("mute_time_intervals", route.mute_time_intervals),
            ("active_time_intervals", route.active_time_intervals),
        ):
            yield from edits.unknown(f"{at}{field}", names, known_intervals, "time interval")


def _declared(items: Sequence[RouteIn], before: Iterable[Route]) -> list[Route]:
    """The routes that were sent, each with its id; without a position a route stands where it stands in the list."""
    standing = {route.id: route for route in before}
    ids = _identified(items, standing)
    return [
        item.to_route(route_id, standing.get(route_id), position=place)
        for place, (item, route_id) in enumerate(zip(items, ids, strict=True))
    ]


def _identified(items: Sequence[RouteIn], standing: Mapping[str, Route]) -> list[str]:
    """The id of each route that was sent: its own, that of the route it is by its looks, or a new one."""
    named = {item.id for item in items}
    free: dict[tuple[object, ...], list[str]] = defaultdict(list)
    for route in sorted(standing.values(), key=lambda route: (route.position, route.id)):
        if route.id not in named:
            free[_looks(route.parent_id, route.receiver, route.matchers)].append(route.id)
    return [item.id or _taken(free[_sent_looks(item)]) for item in items]


def _taken(alike: list[str]) -> str:
    """The first of the routes that look the same, which is then no longer to be had; a new id when there is none."""
    return alike.pop(0) if alike else uuid4().hex


def _sent_looks(item: RouteIn) -> tuple[object, ...]:
    return _looks(item.parent_id or ROOT, item.receiver, [field.matcher() for field in item.matchers])


def _looks(parent_id: str | None, receiver: str, matchers: Iterable[Matcher]) -> tuple[object, ...]:
    return parent_id, receiver, tuple(sorted(str(matcher) for matcher in matchers))


def _edits(before: Iterable[Route], after: Iterable[Route]) -> Iterator[Edit[Route]]:
    """A change for each route that does not stay as it is."""
    standing, wanted = {route.id: route for route in before}, {route.id: route for route in after}
    for key in dict.fromkeys([*wanted, *standing]):
        if wanted.get(key) != standing.get(key):
            yield Edit(noun=ROUTES, key=key, before=standing.get(key), after=wanted.get(key))


def _change(edit: Edit[Route]) -> RouteChange:
    return RouteChange(id=edit.key, operation=edit.operation.value, changes=edits.changes(edit))


def _placed(problems: Iterable[Problem]) -> Iterator[Problem]:
    """The problems with their fields as the whole body has them."""
    for problem in problems:
        place = f"items.{problem.field}" if problem.field[:1].isdigit() else "items"
        yield Problem(severity=problem.severity, field=place, message=problem.message)


def _told(problem: Problem, routes: Sequence[Route]) -> FieldError:
    """The problem with the value it is about, where it is one field's."""
    _, _, inner = problem.field.partition(".")
    place, _, name = inner.partition(".")
    if not name:
        return FieldError(field=problem.field, message=problem.message)
    value = schema.document(routes[int(place)]).get(name)
    return FieldError(field=problem.field, message=problem.message, value=value)


def _commit(write: Write, before: Sequence[Route], after: Sequence[Route]) -> list[Route]:
    with write.service.database.write(author=write.author) as connection:
        route_tree.hold(connection)
        current = route_tree.every(connection)
        if _tag(current) != _tag(before):
            raise _changed(current)
        route_tree.replace_all(connection, after)
        route_tree.check(connection)
        stored = {route.id: route for route in route_tree.every(connection)}
    return [stored[route.id] for route in after]


def _check_match(write: Write, before: Sequence[Route]) -> None:
    if write.if_match is None or write.if_match.strip() == "*":
        return
    if _tag(before) not in {tag.strip().removeprefix("W/") for tag in write.if_match.split(",")}:
        raise _changed(before, FieldError(field="If-Match", message="is out of date", value=write.if_match))


def _changed(current: Iterable[Route], *errors: FieldError) -> ApiProblem:
    detail = "the routes are no longer what this change builds on: read them again, and make your change to that"
    return conflict(detail, *errors, name="changed", current_etag=_tag(current))


def _tag(routes: Iterable[Route]) -> str:
    # Not the versions alone: a route that is deleted and made anew is at 1 again, and may say something else.
    said = sorted(json.dumps([route.id, route.version, store.to_row(route)]) for route in routes)
    return f'"tree-{hashlib.sha256(chr(1).join(said).encode()).hexdigest()[:16]}"'
