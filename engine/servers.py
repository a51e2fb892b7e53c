"""The servers of one datasource and how they are doing; threads share it.

`core.failover` decides whom to ask first. A server that is away is not asked by rules as long as another one answers, so
that no query waits for it; the janitor's probe asks it in the background and finds out when it is back.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, TypeVar

import structlog

from engine.clock import Clock
from engine.core import failover
from engine.core.failover import Server, Standing
from engine.query_answer import QueryError, QueryErrorKind

Asked = TypeVar("Asked", bound="Checked")
Failures = Callable[[QueryError], None]

_OF_THE_QUERY = frozenset({QueryErrorKind.BAD_DATA, QueryErrorKind.EXECUTION, QueryErrorKind.TOO_LARGE})
"""Failures that another server with the same data would only repeat."""


class Checked(Protocol):
    """What can be asked whether it answers; raises QueryError."""

    def check(self) -> None: ...


class Servers:
    """The clients of one datasource in the order of its `urls`, with how each was doing when it was last asked."""

    def __init__(self, name: str, count: int, clock: Clock) -> None:
        self._name = name
        self._clock = clock
        self._guard = threading.Lock()
        self._known = [Server() for _ in range(count)]

    @property
    def known(self) -> tuple[Server, ...]:
        """How each server is doing, in the order of the `urls`."""
        with self._guard:
            return tuple(self._known)

    def in_turn(self, clients: Sequence[Asked]) -> Iterator[tuple[int, Asked]]:
        """The clients in the order in which to ask them now, each with its place."""
        return ((place, clients[place]) for place in failover.order(self.known))

    def answered(self, place: int) -> None:
        """Hear that a server has answered."""
        with self._guard:
            before = self._known[place]
            if before.standing is Standing.UP:
                return
            after = self._known[place] = failover.answered(before, self._clock.now())
        self._tell(place, before, after)

    def failed(self, place: int, failure: QueryError) -> bool:
        """Hear that a server has failed; whether another one should be asked."""
        if failure.kind in _OF_THE_QUERY:
            return False
        if failure.stated and failure.kind in (QueryErrorKind.TIMEOUT, QueryErrorKind.CANCELED):
            return True  # It gave up this one query, which may be a heavy one, and is well otherwise.
        with self._guard:
            before = self._known[place]
            after = self._known[place] = failover.failed(before, str(failure), self._clock.now())
        self._tell(place, before, after)
        return True

    def _tell(self, place: int, before: Server, after: Server) -> None:
        """Log what changed, where there is another server; with a single one, the datasource itself is told of."""
        if before.standing is after.standing or len(self._known) == 1:
            return
        log = structlog.get_logger("tocsin.servers").bind(datasource=self._name, url=place + 1, of=len(self._known))
        match after.standing:
            case Standing.AWAY:
                log.warning("server does not answer, the others are asked first", error=after.error)
            case Standing.RETURNING:
                log.info("server answers again, it is preferred when it has done so for 5m")
            case Standing.UP:
                log.info("server is preferred again")


def together(failures: Sequence[QueryError], nobody: str) -> QueryError:
    """One error out of those of all servers that were asked, each once; `nobody` is said where there was none."""
    if not failures:
        return QueryError(QueryErrorKind.UNAVAILABLE, nobody)
    messages = list(dict.fromkeys(failure.message for failure in failures))
    return QueryError(failures[0].kind, "; ".join(messages))
