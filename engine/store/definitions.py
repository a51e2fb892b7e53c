"""Everything people have declared, as one immutable value, and the feed that keeps it up to date.

The first refresh reads every table; later ones ask `definition_changes` what is new and read only those rows again.
Nothing bad in a row stops the rest: a rule that cannot be evaluated is quarantined at its last good version, a route is
replaced by its last good version, a tree that is none leaves the previous one in force, other rows are skipped.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from engine.store import changes, channels, datasources, routes, rules, silences
from engine.store.changes import Mark, Touched
from engine.store.fields import Row
from engine.store.parts import Part, Reader
from rules import routing
from rules.channels import LOG_CHANNEL, Channel
from rules.datasource import Datasource
from rules.errors import RouteError
from rules.problems import Problem, Severity, check_rule
from rules.routing import Route, Tree
from rules.rule import Rule
from rules.silences import Silence

EXPIRED_FOR: Final = timedelta(hours=1)
"""A silence that ended longer ago than this is of no use to a decision any more."""

LAST_RESORT: Final = Route(id=routing.ROOT, receiver=LOG_CHANNEL, channels=(LOG_CHANNEL,))
"""The root while a fresh start finds none it can use: what would be routed is at least written down."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Definitions:
    """What is in force. Parts that did not change are the same objects in the next value, so `is` tells what changed.

    `quarantined` names the rules whose row is refused and why; one that is in `rules` too is there at its last good version.
    `problems` are sentences naming the table and the key. `version` is the highest change followed; it never goes back, and
    stays where a transaction with lower change ids commits late.
    """

    rules: Mapping[str, Rule]
    quarantined: Mapping[str, tuple[Problem, ...]]
    channels: Mapping[str, Channel]
    tree: Tree
    silences: tuple[Silence, ...]
    datasources: Mapping[str, Datasource]
    problems: tuple[str, ...]
    version: int


def _switched_off(good: Rule, row: Row) -> Rule:
    """A row that says `enabled = false` switches its rule off, whatever else is wrong with it."""
    return good if row.get("enabled") in (True, None) else replace(good, enabled=False)


def _check_route(route: Route) -> tuple[Problem, ...]:
    """What is wrong with the route by itself, wherever it hangs."""
    hung = replace(route, parent_id=route.parent_id and routing.ROOT)
    try:
        routing.build([route] if route.id == routing.ROOT else [Route(id=routing.ROOT), hung])
    except RouteError as error:
        return (Problem(severity=Severity.ERROR, field=error.field or "", message=error.message),)
    return ()


_RULES: Final = Reader(table=rules.TABLE, check=check_rule, keep=_switched_off)
_CHANNELS: Final = Reader(table=channels.TABLE)
_ROUTES: Final = Reader(table=routes.TABLE, check=_check_route, keep=lambda good, _row: good)
_SILENCES: Final = Reader(table=silences.TABLE)
_DATASOURCES: Final = Reader(table=datasources.TABLE)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parts:
    rules: Part[Rule] = field(default_factory=Part)
    channels: Part[Channel] = field(default_factory=Part)
    routes: Part[Route] = field(default_factory=Part)
    silences: Part[Silence] = field(default_factory=Part)
    datasources: Part[Datasource] = field(default_factory=Part)

    def reread(self, connection: Connection, touched: Mapping[str, Touched]) -> _Parts:
        """These parts with the touched rows read again; tables of no interest here may be named too."""
        return _Parts(
            rules=_RULES.reread(connection, self.rules, touched.get("alert_rules")),
            channels=_CHANNELS.reread(connection, self.channels, touched.get("channels")),
            routes=_ROUTES.reread(connection, self.routes, touched.get("routes")),
            silences=_SILENCES.reread(connection, self.silences, touched.get("silences")),
            datasources=_DATASOURCES.reread(connection, self.datasources, touched.get("datasources")),
        )


_EVERYTHING: Final = dict.fromkeys(
    ("alert_rules", "channels", "routes", "silences", "datasources"), Touched(whole=True)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Planted:
    """The tree in force and, when it is not the one declared, why."""

    tree: Tree
    problem: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    mark: Mark
    parts: _Parts
    planted: _Planted
    definitions: Definitions


class DefinitionFeed:
    """Follows the definition tables; one per process, shared by its threads.

    With `now` (as Database.now) silences that ended more than an hour ago are left out whenever silences are read; without
    it all are kept, which is as right, since Silence.state decides, but slower where years of them are stored.
    """

    def __init__(self, now: Callable[[Connection], datetime] | None = None) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._known: _Known | None = None

    def refresh(self, connection: Connection) -> Definitions:
        """What is in force now; the very same value when nothing changed, at the price of one indexed query.

        The connection's transaction must not have changed definitions itself. A failure leaves all as it was.
        """
        with self._lock:
            self._known = self._load(connection) if self._known is None else self._follow(connection, self._known)
            return self._known.definitions

    def _load(self, connection: Connection) -> _Known:
        mark = changes.start(connection)
        parts = _Parts().reread(connection, _EVERYTHING)
        return _known(mark, parts, _plant(parts.routes, None), self._current(connection, parts.silences))

    def _follow(self, connection: Connection, known: _Known) -> _Known:
        found, mark = changes.since(connection, known.mark)
        if not found:
            return replace(known, mark=mark)
        before, parts = known.parts, known.parts.reread(connection, changes.touched(found))
        planted, silent = known.planted, known.definitions.silences
        if parts.routes is not before.routes:
            planted = _plant(parts.routes, planted.tree)
        if parts.silences is not before.silences:
            silent = self._current(connection, parts.silences)
        return _known(mark, parts, planted, silent)

    def _current(self, connection: Connection, part: Part[Silence]) -> tuple[Silence, ...]:
        ordered = sorted(part.values.values(), key=lambda silence: silence.id)
        if self._now is None:
            return tuple(ordered)
        oldest = self._now(connection) - EXPIRED_FOR
        return tuple(silence for silence in ordered if silence.ends_at >= oldest)


def _plant(part: Part[Route], previous: Tree | None) -> _Planted:
    """The tree of these routes, else the previous one; at a fresh start as much of it as hangs on a usable root."""
    routes = part.values
    try:
        return _Planted(tree=routing.build(routes.values()))
    except RouteError as error:
        reason = error.message
    if previous is not None:
        return _Planted(tree=previous, problem=f"routes: {reason}; the previous tree stays in force")
    tree = routing.build(_hanging(routes))
    return _Planted(tree=tree, problem=f"routes: {reason}; only what hangs on the root is in force")


def _hanging(routes: Mapping[str, Route]) -> list[Route]:
    """The root and every route that reaches it by its parents, as deep as a tree may be."""
    level = [routes.get(routing.ROOT, LAST_RESORT)]
    found = level
    for _ in range(routing.DEEPEST):
        parents = {route.id for route in level}
        level = [route for route in routes.values() if route.parent_id in parents]
        found = found + level
    return found


def _known(mark: Mark, parts: _Parts, planted: _Planted, silent: tuple[Silence, ...]) -> _Known:
    definitions = Definitions(
        rules=parts.rules.values,
        quarantined=parts.rules.refused,
        channels=parts.channels.values,
        tree=planted.tree,
        silences=silent,
        datasources=parts.datasources.values,
        problems=(*_problems(parts), *([planted.problem] if planted.problem else [])),
        version=mark.id,
    )
    return _Known(mark=mark, parts=parts, planted=planted, definitions=definitions)


def _problems(parts: _Parts) -> Iterator[str]:
    refused = {
        "channels": parts.channels.refused,
        "routes": parts.routes.refused,
        "silences": parts.silences.refused,
        "datasources": parts.datasources.refused,
    }
    for table, rows in refused.items():
        for key in sorted(rows):
            yield from (f"{table} {key!r}: {problem.message}" for problem in rows[key])
