"""An engine as `tocsin serve` runs it that dies when a file tells it where, and whose clock goes wrong by a file's word.

Run as `python -m tests.faults.faulty_engine FOLDER`. While FOLDER/point names a point, the next passage through it is the
process's end, once; FOLDER/clock holds by how many seconds its host's clock is off.
"""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Engine, event

from api.app import create_app
from api.serving import run
from engine.clock import SystemClock
from engine.core.outcome import Delivered, Outcome
from engine.delivery.addresses import Address
from engine.delivery.deliver import deliver
from engine.service import Doors, Service, build
from engine.settings import Settings, load
from engine.telemetry import configure_logging
from tests.faults.crashing_engine import CrashPoint, die

WRITES: Final = {
    CrashPoint.IN_INTAKE: "UPDATE evaluation_units",
    CrashPoint.BEFORE_COMMIT: "INSERT INTO outbox ",
}
"""The points that are the commit of a transaction, and the statement that tells which one."""


class Wrong(SystemClock):
    """A host's clock that is off."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "clock"

    def now(self) -> datetime:
        try:
            off = float(self._file.read_text())
        except (OSError, ValueError):  # Not there, or being written.
            off = 0.0
        return datetime.now(UTC) + timedelta(seconds=off)


def die_at(folder: Path, point: CrashPoint) -> None:
    """The end, if the file says so; it is taken away first, so that the next process lives."""
    told = folder / "point"
    try:
        if told.read_text() != point.value:
            return
        told.unlink()
    except OSError:
        return
    die()


def delivering(folder: Path, address: Address, body: bytes, recipient: str, deadline: timedelta) -> Outcome:
    """The real delivery, with two places to die at."""
    die_at(folder, CrashPoint.BEFORE_SEND)
    outcome = deliver(address, body, recipient, deadline)
    if isinstance(outcome, Delivered):
        die_at(folder, CrashPoint.BEFORE_MARK)
    return outcome


def die_at_commits(engine: Engine, folder: Path) -> None:
    def watch(connection: Connection, _cursor: object, statement: str, *_: object) -> None:
        for point, beginning in WRITES.items():
            if statement.startswith(beginning):
                connection.info[point] = True

    def commit(connection: Connection) -> None:
        for point in WRITES:
            if connection.info.pop(point, False):
                die_at(folder, point)

    event.listen(engine, "after_cursor_execute", watch)
    event.listen(engine, "commit", commit)


def build_faulty(folder: Path, settings: Settings) -> Service:
    service = build(settings, Doors(clock=Wrong(folder), deliver=partial(delivering, folder)))
    die_at_commits(service.database.engine, folder)
    return service


def main() -> int:
    settings = load({name: text for name, text in os.environ.items() if not name.startswith("FAULTS_")})
    configure_logging(settings.log_level, settings.log_format)
    return run(settings, partial(build_faulty, Path(sys.argv[1])), create_app)


if __name__ == "__main__":
    sys.exit(main())
