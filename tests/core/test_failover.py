"""Who is asked first when a datasource has several servers: who was away comes back only when it has been well for a while."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from engine.core import failover
from engine.core.failover import STEADY_FOR, Server, Standing

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)
EVENTS = st.lists(st.tuples(st.booleans(), st.integers(0, 400)), max_size=30)
"""Whether a server answered, and seconds since the event before."""


def told(*events: tuple[bool, int]) -> Server:
    server, now = Server(), NOON
    for well, seconds in events:
        now += timedelta(seconds=seconds)
        server = failover.answered(server, now) if well else failover.failed(server, "refused", now)
    return server


def test_a_server_that_fails_once_is_away_from_then_on() -> None:
    assert told((True, 0), (False, 5), (False, 5)) == Server(
        standing=Standing.AWAY, since=NOON + timedelta(seconds=5), error="refused"
    )


def test_a_server_that_answers_again_is_not_preferred_at_once() -> None:
    assert told((False, 0), (True, 60)).standing is Standing.RETURNING
    assert told((False, 0), (True, 60), (True, 299)).standing is Standing.RETURNING


def test_after_five_minutes_of_answers_it_is_preferred_again() -> None:
    assert told((False, 0), (True, 60), (True, 300)) == Server(standing=Standing.UP, since=NOON + timedelta(minutes=6))


def test_a_failure_meanwhile_begins_the_wait_anew() -> None:
    assert (
        told((False, 0), (True, 60), (True, 200), (False, 50), (True, 50), (True, 200)).standing is Standing.RETURNING
    )


def test_servers_are_asked_by_their_standing_and_then_as_declared() -> None:
    up, returning, away = (Server(standing=standing) for standing in Standing)
    assert failover.order([away, returning, up, up, returning]) == (2, 3, 1, 4, 0)
    assert failover.order([]) == ()


@given(EVENTS)
def test_a_server_is_up_exactly_when_it_never_failed_or_has_been_well_for_long_enough(
    events: list[tuple[bool, int]],
) -> None:
    at = NOON
    last_failure, well_since = None, None
    up = True
    for well, seconds in events:
        at += timedelta(seconds=seconds)
        if not well:
            last_failure, well_since, up = at, None, False
        elif last_failure is not None:
            well_since = well_since or at
            up = up or (at - well_since >= STEADY_FOR and well_since != at)
    assert (told(*events).standing is Standing.UP) is up
