"""Silences that end with their alerts: ended when none of those that were active when they began is still in that episode.

Which alerts these are is worked out from `alerts` once per process and silence: what has been active since before it began.
An alert that resolved and comes back has begun anew, so it is none of them: it is kept quiet, and does not keep the silence.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import structlog

from engine.core.alert import State
from engine.core.external import NONE, sent_out
from engine.store import alerts, silences
from engine.store.database import Database
from engine.store.definitions import Definitions
from engine.store.door import Connection, holding
from rules.labels import Labels
from rules.silences import Silence, expired

AUTHOR: Final = "tocsin"
"""Who the record of changes names for such an end."""
_BATCH: Final = 1000
_ACTIVE: Final = (State.PENDING, State.FIRING)

Key = tuple[str, int]
"""A silence's id and version."""


@dataclass(slots=True, kw_only=True)
class Silencing:
    """Ends silences, which cover alerts by the labels they have outside; one per process."""

    database: Database
    external: Labels = NONE
    _awaited: dict[Key, frozenset[int]] = field(default_factory=dict)

    def settle(self, definitions: Definitions) -> None:
        """End those whose alerts have all resolved; costs nothing where no silence waits."""
        waiting = [silence for silence in definitions.silences if silence.until_resolved]
        if not waiting:
            return
        with self.database.read() as connection:
            now = self.database.now(connection)
            begun = [silence for silence in waiting if silence.starts_at <= now <= silence.ends_at]
            self._awaited = {_key(silence): self._await(connection, silence) for silence in begun}
            over = [silence for silence in begun if not self._awaited[_key(silence)]]
        for silence in over:
            self._end(silence)

    def _await(self, connection: Connection, silence: Silence) -> frozenset[int]:
        """The alerts it still waits for."""
        known = self._awaited.get(_key(silence))
        if known is None:
            return frozenset(self._since_before(connection, silence))
        return frozenset(
            number
            for number, alert in alerts.by_id(connection, known).items()
            if alert.state in _ACTIVE and alert.active_at <= silence.starts_at
        )

    def _since_before(self, connection: Connection, silence: Silence) -> list[int]:
        """The covered alerts that have been active since before it began."""
        found: list[int] = []
        after = 0
        while batch := alerts.page(connection, states=_ACTIVE, after=after, limit=_BATCH):
            began = [alert for alert in batch if alert.active_at <= silence.starts_at]
            found += [
                one.id for one in began if one.id is not None and silence.covers(sent_out(one, self.external).labels)
            ]
            after = batch[-1].id or after
        return found

    def _end(self, silence: Silence) -> None:
        with self.database.write(author=AUTHOR) as connection:
            # Somebody may have edited it since: then it is looked at again as it stands now.
            if silences.get(holding(connection), silence.id) == silence:
                silences.put(connection, expired(silence, self.database.now(connection)))
        structlog.get_logger("tocsin.silences").info("silence ended with its alerts", silence=silence.id)


def _key(silence: Silence) -> Key:
    return silence.id, silence.version
