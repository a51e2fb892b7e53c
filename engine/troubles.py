"""What the engine has to tell of itself, read from the database: what each process has noted there, and what is overdue.

Only what every process sees alike is read, so that it does not matter which one looks.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Final

from engine.core import engine_alerts
from engine.core.engine_alerts import Trouble
from engine.judging import is_limited
from engine.store import audit, channel_state, nodes, rule_status
from engine.store.definitions import Definitions
from engine.store.door import Connection

TOLD_APIECE: Final = 20
"""How many failing rules are told of one by one; of more, how many they are."""
LOST_FOR: Final = timedelta(hours=1)
"""How long a lost process is missed: one that is gone for good is no news for ever."""
STALE: Final = timedelta(minutes=10)
"""A failure of a channel that has not been tried again for so long says nothing of now."""


def standing(connection: Connection, definitions: Definitions, now: datetime, down: Collection[str]) -> list[Trouble]:
    """Every trouble there is at `now`; of rules whose datasource is `down` only what is not its fault."""
    return [
        *_over_limit(connection, definitions),
        *_failing(connection, definitions, down),
        *([engine_alerts.quarantined(len(definitions.quarantined))] if definitions.quarantined else []),
        *_undelivered(connection, definitions, now),
        *_late(connection, now),
        *_lost(connection, now),
    ]


def _over_limit(connection: Connection, definitions: Definitions) -> list[Trouble]:
    """The rules that are at their limit now, as their status has it."""
    limited = {name: rule for name, rule in definitions.rules.items() if rule.enabled and rule.limit > 0}
    statuses = rule_status.all_of(connection, limited)
    return [engine_alerts.over_limit(limited[name]) for name, status in statuses.items() if is_limited(status)]


def _failing(connection: Connection, definitions: Definitions, down: Collection[str]) -> list[Trouble]:
    found = []
    for rule_id, error in rule_status.failing(connection):
        rule = definitions.rules.get(rule_id)
        if rule is not None and rule.enabled and rule.datasource not in down:
            found.append(engine_alerts.rule_failing(rule_id, rule.name, error))
    more = len(found) - TOLD_APIECE
    return found if more <= 0 else [*found[:TOLD_APIECE], engine_alerts.rules_failing(more)]


def _undelivered(connection: Connection, definitions: Definitions, now: datetime) -> list[Trouble]:
    states = channel_state.all_states(connection).values()
    return [
        engine_alerts.delivery_failing(one.channel, one.last_error or "")
        for one in states
        if one.state == "failing"
        and one.channel in definitions.channels
        and one.last_error_at is not None
        and now - one.last_error_at < STALE
    ]


def _late(connection: Connection, now: datetime) -> list[Trouble]:
    late = len(audit.late_units(connection, now))
    return [engine_alerts.evaluation_late(late)] if late else []


def _lost(connection: Connection, now: datetime) -> list[Trouble]:
    return [
        engine_alerts.replica_lost(node.id)
        for node in nodes.every(connection)
        if node.is_lost(now) and now - node.lease_until < LOST_FOR
    ]
