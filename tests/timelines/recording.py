"""A world whose webhooks are kept as what each channel has been told, and may fail when they are asked to."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Dialect

from engine.core.outcome import Outcome
from engine.delivery.addresses import Address, WebhookUrl
from engine.service import Service
from rules.labels import Labels
from tests.scenarios.world import World

TELLING: Final = frozenset({"posting", "dispatcher", "sender"})
"""The loops that bring a posted alert to who must hear of it. Of the others, the auditor would mend what is to be found."""
LONGEST: Final = 20
"""How often the loops may go on at one moment."""
IDLE: Final = timedelta(hours=1)
"""How far ahead the next thing is when none of the loops has one."""
RARELY: Final = {"TOCSIN_LEASE": "1h", "TOCSIN_EVALUATION_INTERVAL": "1h"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message that arrived; the alerts by their labels, each with its start or its end."""

    at: float
    channel: str
    group: str
    reason: str
    firing: Mapping[Labels, str]
    resolved: Mapping[Labels, str]


@dataclass
class RecordingWorld(World):
    """Times are seconds since the beginning; `planned` are failures to come, `failed_at` the last one of each channel."""

    messages: list[Message] = field(default_factory=list)
    planned: dict[str, list[Outcome]] = field(default_factory=dict)
    failed_at: dict[str, float] = field(default_factory=dict)
    _ticked_at: datetime | None = None
    """When everything was done that was to be done; `None` when something has been written since."""
    _next: datetime | None = None
    _attempts: int = 0
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def tick(self) -> datetime | None:
        return self._go_on()

    def _go_on(self) -> datetime | None:
        """Every loop that tells, until none of them has anything left to do at this moment."""
        if self._ticked_at == self.clock.moment:
            return self._next
        for _ in range(LONGEST):
            attempts = self._attempts
            moments = self._tick_all()
            self._next = min((one for one in moments if one is not None), default=self.clock.moment + IDLE)
            # What came of an attempt is written after the sender has said when it is needed next.
            if self._next > self.clock.moment and self._attempts == attempts:
                break
        self._ticked_at = self.clock.moment
        return self._next

    def _tick_all(self) -> list[datetime | None]:
        """Every loop that tells, once."""
        return _tick(self.service)

    def post(
        self, labels: Mapping[str, str], *, start: float | None = None, end: float | None = None, **said: str
    ) -> None:
        super().post(labels, start=start, end=end, **said)
        self._ticked_at = None

    def stop(self) -> None:
        """End the engine."""
        self.service.stop()

    def transaction(self) -> AbstractContextManager[Connection]:
        """One on its database, of which there is a new one after a restart."""
        self._ticked_at = None
        return self.service.database.write()

    def _engine(self, node: str) -> Service:
        service = super()._engine(node)
        self._ticked_at = None
        # A statement is compiled once for all databases of a kind, and not anew after each restart. What is compiled is known
        # by its dialect, so they share that as well: without it, all of it is kept for each engine there ever was.
        engine = service.database.engine
        engine.dialect = _DIALECTS.setdefault(engine.dialect.name, engine.dialect)
        engine.update_execution_options(compiled_cache=_COMPILED)
        return service

    def _deliver(self, address: Address, body: bytes, recipient: str, deadline: timedelta) -> Outcome:
        if not isinstance(address, WebhookUrl):
            return super()._deliver(address, body, recipient, deadline)
        with self._guard:
            self._attempts += 1
            channel = address.url.rpartition("/")[2]
            if self.planned.get(channel):
                self.failed_at[channel] = self.now
                return self.planned[channel].pop(0)
            self.messages.append(_message(self.now, channel, json.loads(body)))
            return super()._deliver(address, body, recipient, deadline)


@dataclass
class PairedWorld(RecordingWorld):
    """Two engines on one database, which tell at the same time: what is due, either may take."""

    _pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(2))

    def restart(self) -> None:
        self._other.stop()
        super().restart()

    def crash(self, successor: str = "here") -> None:
        self._other.database.close()
        super().crash(successor)

    def stop(self) -> None:
        self._pool.shutdown()
        self._other.stop()
        super().stop()

    def _start(self) -> Service:
        self._other = self._engine("there")
        return super()._start()

    def _tick_all(self) -> list[datetime | None]:
        return [moment for moments in self._pool.map(_tick, (self.service, self._other)) for moment in moments]


def _tick(service: Service) -> list[datetime | None]:
    return [loop.tick() for loop in service.loops if loop.name in TELLING]


_DIALECTS: Final[MutableMapping[str, Dialect]] = {}
_COMPILED: Final[MutableMapping[Any, Any]] = {}


def _message(at: float, channel: str, body: Mapping[str, Any]) -> Message:
    def by_labels(status: str, instant: str) -> dict[Labels, str]:
        return {Labels(one["labels"]): one[instant] for one in body["alerts"] if one["status"] == status}

    return Message(
        at=at,
        channel=channel,
        group=body["groupKey"],
        reason=body["notification_reason"],
        firing=by_labels("firing", "startsAt"),
        resolved=by_labels("resolved", "endsAt"),
    )
