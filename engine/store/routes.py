"""Routes: rows of `routes` ⇄ Route. Whether they make a tree is decided where they are all known."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection

from engine.store import fields
from engine.store.definition_table import DefinitionTable
from engine.store.fields import Row
from engine.store.tables import routes
from rules.labels import Labels
from rules.routing import NotifyOnUnmute, Route


def from_row(row: Row) -> Route:
    """The route the row declares, NULL meaning inherited; RulesError, naming the column, when it is none."""
    return Route(
        id=fields.text(row, "id", None),
        parent_id=fields.optional_text(row, "parent_id"),
        position=fields.whole(row, "position", 0),
        receiver=fields.text(row, "receiver"),
        channels=fields.optional_strings(row, "channels"),
        matchers=fields.matchers(row, "matchers"),
        group_by=fields.optional_strings(row, "group_by"),
        group_wait=fields.optional_span(row, "group_wait_seconds"),
        group_interval=fields.optional_span(row, "group_interval_seconds"),
        repeat_interval=fields.optional_span(row, "repeat_interval_seconds"),
        continue_=fields.flag(row, "continue", default=False),
        notify_on_unmute=fields.optional_choice(row, "notify_on_unmute", NotifyOnUnmute),
        labels=Labels(fields.texts(row, "labels")),
        mute_time_intervals=fields.strings(row, "mute_time_intervals"),
        active_time_intervals=fields.strings(row, "active_time_intervals"),
        team=fields.text(row, "team"),
        origin=fields.text(row, "origin", "sql"),
        version=fields.whole(row, "version", 1),
    )


def to_row(route: Route) -> dict[str, object]:
    """The columns that declare the route; version and times are the database's own."""
    return {
        "id": route.id,
        "parent_id": route.parent_id,
        "position": route.position,
        "receiver": route.receiver,
        "channels": None if route.channels is None else list(route.channels),
        "matchers": [str(matcher) for matcher in route.matchers],
        "group_by": None if route.group_by is None else list(route.group_by),
        "group_wait_seconds": fields.seconds(route.group_wait),
        "group_interval_seconds": fields.seconds(route.group_interval),
        "repeat_interval_seconds": fields.seconds(route.repeat_interval),
        "continue": route.continue_,
        "notify_on_unmute": route.notify_on_unmute,
        "labels": dict(route.labels),
        "mute_time_intervals": list(route.mute_time_intervals),
        "active_time_intervals": list(route.active_time_intervals),
        "team": route.team,
        "origin": route.origin,
    }


TABLE: Final = DefinitionTable(table=routes, key="id", from_row=from_row, to_row=to_row)


def get(connection: Connection, key: str) -> Route | None:
    """The route with this id, or `None`; RulesError when its row cannot be read as one."""
    return TABLE.get(connection, key)


def page(connection: Connection, *, after: str | None = None, limit: int = 100) -> list[Route]:
    """The routes after this id, by id; shorter than `limit` only at the end. Rows that cannot be read are left out."""
    return TABLE.page(connection, after, limit)


def put(connection: Connection, route: Route) -> Route:
    """Store it under its id, as it stands afterwards, with the version the database gave it; no change, no new version."""
    return TABLE.put(connection, route)


def delete(connection: Connection, key: str) -> bool:
    """Whether there was a route with this id to delete."""
    return TABLE.delete(connection, key)
