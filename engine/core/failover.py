"""Which server of a datasource is asked first: one that failed stands back, and comes back when it has been well for a while.

Two Prometheus servers that scrape the same targets are the usual case. Who comes back after an outage has a gap in its data,
and at first has scraped nothing yet: its empty answers would end alerts that still fire. So it is preferred again only after
it has been well for Prometheus' look-back of five minutes, and until then it is asked when nobody else answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

STEADY_FOR: Final = timedelta(minutes=5)
"""How long a server that was away has to be well to be preferred again: what Prometheus looks back for a sample."""


class Standing(StrEnum):
    """How a server is thought of, best first."""

    UP = "up"
    RETURNING = "returning"
    AWAY = "away"


_RANK: Final = {standing: rank for rank, standing in enumerate(Standing)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """What is known of one server: its standing, since when (`None`: from the start), and its last failure while away."""

    standing: Standing = Standing.UP
    since: datetime | None = None
    error: str = ""


def answered(server: Server, now: datetime) -> Server:
    """The server after it has answered."""
    match server.standing:
        case Standing.AWAY:
            return Server(standing=Standing.RETURNING, since=now)
        case Standing.RETURNING if server.since is None or now - server.since >= STEADY_FOR:
            return Server(standing=Standing.UP, since=now)
        case _:
            return server


def failed(server: Server, error: str, now: datetime) -> Server:
    """The server after it could not be asked."""
    since = server.since if server.standing is Standing.AWAY else now
    return Server(standing=Standing.AWAY, since=since, error=error)


def order(servers: Sequence[Server]) -> tuple[int, ...]:
    """The places of the servers in the order in which they are asked: by standing, and then as they were declared."""
    return tuple(sorted(range(len(servers)), key=lambda place: _RANK[servers[place].standing]))
