"""Time intervals by REST: the recurring times at which a route speaks, or keeps quiet."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from fastapi import APIRouter, Response

from api.schemas import time_intervals as schema
from api.schemas.fields import DeclaredPage
from api.schemas.rules import Key
from api.schemas.time_intervals import TimeIntervalIn, TimeIntervalOut
from api.v1 import edits
from api.v1.calls import Cursor, Limit, Service, Write, Writing, declared
from api.v1.edits import DryRun, Edit, Noun
from engine.store import route_tree, silences
from engine.store import time_intervals as store
from engine.store.door import Connection
from rules.problems import Problem
from rules.time_intervals import TimeInterval, check

router = APIRouter(prefix="/api/v1/time_intervals", tags=["time_intervals"])

TIME_INTERVALS: Final[Noun[TimeInterval]] = Noun(
    word="time interval", get=store.get, put=store.put, delete=store.delete, document=schema.document
)


@router.get("")
def list_time_intervals(service: Service, limit: Limit = 100, cursor: Cursor = None) -> DeclaredPage[TimeIntervalOut]:
    """All time intervals by name."""
    with service.database.read() as connection:
        problems = service.feed.refresh(connection).problems_of("time_intervals")
        found = store.page(connection, after=cursor, limit=limit + 1)
    return declared(
        [schema.described(interval) for interval in found], limit, [interval.name for interval in found], problems
    )


@router.post("", status_code=201, responses={200: {"model": DryRun[TimeIntervalOut]}})
def create_time_interval(
    body: TimeIntervalIn, write: Writing, response: Response
) -> TimeIntervalOut | DryRun[TimeIntervalOut]:
    """Declare a time interval, for routes to name."""
    name = edits.chosen(body.name, "time interval", "working-hours")
    if write.dry_run:
        response.status_code = 200
    return _stored(write, _planned(write, body, name, must=False), response)


@router.get("/{name}")
def read_time_interval(name: str, service: Service, response: Response) -> TimeIntervalOut:
    """One time interval."""
    with service.database.read() as connection:
        interval = edits.found(TIME_INTERVALS, connection, name)
    response.headers["ETag"] = edits.etag(interval.version)
    return schema.described(interval)


@router.put("/{name}", responses={201: {"model": TimeIntervalOut}})
def replace_time_interval(
    name: Key, body: TimeIntervalIn, write: Writing, response: Response
) -> TimeIntervalOut | DryRun[TimeIntervalOut]:
    """Make the time interval be this one, whether or not there was one."""
    return _stored(write, _planned(write, body, name), response)


@router.delete("/{name}", response_model=DryRun[TimeIntervalOut], responses={204: {"description": "Deleted"}})
def delete_time_interval(name: str, write: Writing) -> DryRun[TimeIntervalOut] | Response:
    """Remove a time interval that no route, and no silence still to come, names any more."""
    edit = edits.plan(write, TIME_INTERVALS, name, lambda *_: (None, ()), must=True)
    with write.service.database.read() as connection:
        edits.check_unused("time interval", name, _users(connection, name, write.service.database.now(connection)))
    edits.commit(write, edit)
    return edits.dry_run(edit, None) if write.dry_run else Response(status_code=204)


def _planned(write: Write, body: TimeIntervalIn, name: str, *, must: bool | None = None) -> Edit[TimeInterval]:
    edits.check_key(body.name, name, "name")

    def make(_connection: Connection, before: TimeInterval | None) -> tuple[TimeInterval, tuple[Problem, ...]]:
        interval = body.to_time_interval(name, before)
        check(interval)
        return interval, ()

    return edits.plan(write, TIME_INTERVALS, name, make, must=must)


def _stored(write: Write, edit: Edit[TimeInterval], response: Response) -> TimeIntervalOut | DryRun[TimeIntervalOut]:
    stored = edits.commit(write, edit)
    assert stored is not None
    return edits.answer(write, edit, response, schema.described(stored), stored.version)


def _users(connection: Connection, name: str, now: datetime) -> list[str]:
    """The routes, and the silences that are not over, that name the interval."""
    routes = [
        f"route {route.id}"
        for route in route_tree.every(connection)
        if name in (*route.mute_time_intervals, *route.active_time_intervals)
    ]
    return routes + [f"silence {key}" for key in silences.naming(connection, name, now)]
