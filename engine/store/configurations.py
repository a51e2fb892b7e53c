"""The configurations that were accepted: one row each, numbered without a gap, and never changed.

Those that were replaced before anything there is history of are dropped (engine/store/retention.py).

A row holds routes, inhibit rules and time intervals in full, and channels by name and version, so no secret stands in it. It
is what stays in force, over restarts and on every replica, while the rows people edit make no tree.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, select

from engine.store import inhibit_rules, routes, time_intervals
from engine.store.tables import configurations
from engine.store.upsert import insert
from rules.configuration import Configuration, build


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The head of one row: its number, what tells its content from others, and the last change it knew of."""

    version: int
    digest: str
    change_id: int


def latest(connection: Connection) -> Accepted | None:
    """The configuration accepted last; `None` before the first."""
    row = connection.execute(_newest(configurations.c.id, configurations.c.digest, configurations.c.change_id)).first()
    return None if row is None else Accepted(version=row.id, digest=row.digest, change_id=row.change_id)


def read(connection: Connection, version: int) -> Configuration | None:
    """An accepted configuration; `None` when there is none of this number."""
    query = select(configurations.c.content).where(configurations.c.id == version)
    content = connection.execute(query).scalar_one_or_none()
    return None if content is None else from_content(content).numbered(version)


def at(connection: Connection, moment: datetime) -> Configuration | None:
    """The configuration that was in force then; `None` when none had been accepted yet."""
    query = _newest(configurations.c.id).where(configurations.c.at <= moment)
    version = connection.execute(query).scalar_one_or_none()
    return None if version is None else read(connection, version)


def publish(connection: Connection, configuration: Configuration, *, change_id: int, at: datetime) -> int | None:
    """Accept the configuration and answer its number: that of the latest row, when it says the same.

    `None`: somebody accepted one that knows of later changes, or was a moment quicker, so what is to be published must be
    looked at again.
    """
    known = latest(connection)
    digest = digest_of(configuration)
    if known is not None and known.digest == digest:
        return known.version
    if known is not None and known.change_id > change_id:
        return None
    row = {
        "id": 1 if known is None else known.version + 1,
        "at": at,
        "change_id": change_id,
        "digest": digest,
        "content": to_content(configuration),
    }
    made = insert(connection, configurations).on_conflict_do_nothing(index_elements=["id"])
    number: int | None = connection.execute(made.returning(configurations.c.id), [row]).scalar_one_or_none()
    return number


def digest_of(configuration: Configuration) -> str:
    """What tells one content from another."""
    said = json.dumps(to_content(configuration), sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(said.encode()).hexdigest()


def to_content(configuration: Configuration) -> dict[str, Any]:
    """The configuration as its row keeps it."""
    intervals = configuration.time_intervals
    return {
        "routes": [{**routes.to_row(one), "version": one.version} for one in configuration.tree.routes],
        "inhibit_rules": [{**inhibit_rules.to_row(one), "version": one.version} for one in configuration.inhibit_rules],
        "time_intervals": [
            {**time_intervals.to_row(intervals[name]), "version": intervals[name].version} for name in sorted(intervals)
        ],
        "channels": dict(sorted(configuration.channels.items())),
    }


def from_content(content: Mapping[str, Any]) -> Configuration:
    """The reverse of to_content."""
    found = [time_intervals.from_row(row) for row in content["time_intervals"]]
    return build(
        [routes.from_row(row) for row in content["routes"]],
        [inhibit_rules.from_row(row) for row in content["inhibit_rules"]],
        {interval.name: interval for interval in found},
        content["channels"],
    )


def _newest(*columns: Any) -> Select[*tuple[Any, ...]]:
    return select(*columns).order_by(configurations.c.id.desc()).limit(1)
