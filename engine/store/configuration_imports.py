"""All that an import of Alertmanager's file looks at and writes: channels, time intervals, routes and inhibit rules at once."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Final, assert_never

from sqlalchemy import Connection, Text, cast, select

from engine.core.importing_configuration import Change, Definition, Noun, Plan, Standing
from engine.store import channels, inhibit_rules, route_tree, rule_imports, time_intervals
from engine.store import routes as routes_store
from engine.store.tables import alert_rules
from rules.channels import Channel
from rules.configuration import ordered
from rules.inhibition import InhibitRule
from rules.routing import Route
from rules.time_intervals import TimeInterval

_ALL: Final = 2**31 - 1


def standing(connection: Connection) -> Standing:
    """All readable definitions, and the channels that rules name."""
    return Standing(
        channels=tuple(channels.page(connection, limit=_ALL)),
        time_intervals=tuple(time_intervals.page(connection, limit=_ALL)),
        routes=tuple(route_tree.every(connection)),
        inhibit_rules=ordered(inhibit_rules.page(connection, limit=_ALL)),
        named=frozenset(_named(connection)),
    )


def rules_with_channels(connection: Connection) -> tuple[str, ...]:
    """The names of some of the rules that name their channels themselves, at most ten."""
    named = cast(alert_rules.c.notification_channels, Text)
    some = select(alert_rules.c.name).where(named != "[]").order_by(alert_rules.c.id).limit(10)
    return tuple(connection.execute(some).scalars())


def hold(connection: Connection) -> None:
    """Keep other imports and other writers of routes out until this transaction ends."""
    rule_imports.take_turn(connection)
    route_tree.hold(connection)


def write(connection: Connection, plan: Plan) -> None:
    """Store what is new and changed, what is named before what names it, and remove what is gone, the other way round.

    Raises RouteError when the routes are no tree then.
    """
    order = list(Noun)
    for change in sorted((*plan.added, *plan.changed), key=lambda change: order.index(change.noun)):
        assert change.after is not None
        _put(connection, change.after)
    for change in sorted(_leaves_first(plan.removed), key=lambda change: -order.index(change.noun)):
        assert change.before is not None
        _delete(connection, change.before)
    route_tree.check(connection)


def _leaves_first(removed: Iterable[Change]) -> list[Change]:
    """Routes that hang below others before those."""
    parents = {c.before.id: c.before.parent_id for c in removed if isinstance(c.before, Route)}

    def depth(key: str | None) -> int:
        return 0 if key is None or key not in parents else 1 + depth(parents[key])

    return sorted(removed, key=lambda change: -depth(change.key))


def _put(connection: Connection, one: Definition) -> None:
    match one:
        case Channel():
            channels.put(connection, one)
        case TimeInterval():
            time_intervals.put(connection, one)
        case Route():
            routes_store.put(connection, one)
        case InhibitRule():
            inhibit_rules.put(connection, one)
        case _:
            assert_never(one)


def _delete(connection: Connection, one: Definition) -> None:
    match one:
        case Channel():
            channels.delete(connection, one.name)
        case TimeInterval():
            time_intervals.delete(connection, one.name)
        case Route():
            routes_store.delete(connection, one.id)
        case InhibitRule():
            inhibit_rules.delete(connection, one.id)
        case _:
            assert_never(one)


def _named(connection: Connection) -> Iterable[str]:
    """The channels that rules name; a row whose list cannot be read names none."""
    texts = select(cast(alert_rules.c.notification_channels, Text)).distinct()
    for text in connection.execute(texts).scalars():
        try:
            names = json.loads(text or "[]")
        except ValueError:
            continue
        yield from (name for name in names if isinstance(name, str)) if isinstance(names, list) else ()
