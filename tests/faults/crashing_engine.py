"""A whole engine, as `tocsin serve` runs it, that kills its own process at one point of a message's way.

Run as `python -m tests.faults.crashing_engine POINT`. What is killed runs no `finally` and no `__exit__`, as in a power cut.
"""

from __future__ import annotations

import os
import signal
import sys
from datetime import timedelta
from enum import StrEnum
from functools import partial
from typing import Final

from sqlalchemy import Connection, Engine, event

from api.app import create_app
from api.serving import run
from engine.core.outcome import Delivered, Outcome
from engine.delivery.addresses import Address
from engine.delivery.deliver import deliver
from engine.service import Doors, Service, build
from engine.settings import Settings, load
from engine.telemetry import configure_logging


class CrashPoint(StrEnum):
    """Where it ends: in the first migration; with a slot not committed; with a message not committed, committed but not
    sent, sent but not marked.
    """

    BEFORE_MIGRATED = "before_migrated"
    IN_INTAKE = "in_intake"
    BEFORE_COMMIT = "before_commit"
    BEFORE_SEND = "before_send"
    BEFORE_MARK = "before_mark"


COMMITS: Final = {CrashPoint.BEFORE_MIGRATED: "alembic_version", CrashPoint.BEFORE_COMMIT: "outbox"}
"""The points that are the commit of a transaction, and the table whose new row tells which one."""


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def deliver_until(point: CrashPoint, address: Address, body: bytes, recipient: str, deadline: timedelta) -> Outcome:
    """The real delivery, with an end before or behind it."""
    if point is CrashPoint.BEFORE_SEND:
        die()
    outcome = deliver(address, body, recipient, deadline)
    if point is CrashPoint.BEFORE_MARK and isinstance(outcome, Delivered):
        die()
    return outcome


def die_at_commit_of(engine: Engine, table: str) -> None:
    """End before the commit of the first transaction that has inserted into this table."""

    def watch(connection: Connection, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith(f"INSERT INTO {table} "):
            connection.info["dies"] = True

    def commit(connection: Connection) -> None:
        if connection.info.get("dies"):
            die()

    event.listen(engine, "after_cursor_execute", watch)
    event.listen(engine, "commit", commit)


def build_crashing(point: CrashPoint, settings: Settings) -> Service:
    service = build(settings, Doors(deliver=partial(deliver_until, point)))
    if point in COMMITS:
        die_at_commit_of(service.database.engine, COMMITS[point])
    return service


def main() -> int:
    settings = load(os.environ)
    configure_logging(settings.log_level, settings.log_format)
    return run(settings, partial(build_crashing, CrashPoint(sys.argv[1])), create_app)


if __name__ == "__main__":
    sys.exit(main())
