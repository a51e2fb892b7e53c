"""A configuration is accepted before anybody is told by it: its row stands before, or beside, the first decision it makes.

So what is in force survives a bad edit that follows a moment later, whichever process saw the good one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import structlog

from engine.store import configurations, ledger
from engine.store.database import Database
from engine.store.definitions import DefinitionFeed, Definitions
from engine.store.door import Connection
from engine.store.ledger import Entry, Kind, Subject

TRIES: Final = 3
"""How often definitions are looked at again while others accept theirs; then it is left to the next tick."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Publishing:
    """Accepts what people declared, on behalf of `feed`."""

    database: Database
    feed: DefinitionFeed

    def publish(self) -> Definitions:
        """Accept what is declared now, unless it is accepted or no configuration; answers what is in force."""
        with self.database.read() as connection:
            definitions = self.feed.refresh(connection)
        if _is_accepted(definitions):
            return definitions
        with self.database.write() as connection:
            return self.accepted(connection) or definitions

    def accepted(self, connection: Connection) -> Definitions | None:
        """What is in force in this write transaction, its configuration accepted; `None` while others are quicker each time."""
        for _ in range(TRIES):
            definitions = self.feed.refresh(connection)
            if _is_accepted(definitions):
                return definitions
            number = self._publish(connection, definitions)
            if number is not None:
                return replace(definitions, configuration=definitions.configuration.numbered(number))
        return None

    def _publish(self, connection: Connection, definitions: Definitions) -> int | None:
        now = self.database.now(connection)
        before = configurations.latest(connection)
        number = configurations.publish(connection, definitions.configuration, change_id=definitions.version, at=now)
        if number is not None and (before is None or number > before.version):
            structlog.get_logger("tocsin.configuration").info("configuration accepted", version=number)
            entry = Entry(
                at=now,
                kind=Kind.CONFIGURATION,
                reason="accepted",
                subject_type=Subject.DEFINITION,
                subject_id="configuration",
                detail={"version": number, "change_id": definitions.version},
            )
            ledger.write(connection, [entry])
        return number


def _is_accepted(definitions: Definitions) -> bool:
    """Whether there is nothing to accept: it has its number, or what is in force is not what people declared."""
    return bool(definitions.configuration.version) or not definitions.declared
