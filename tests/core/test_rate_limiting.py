"""When a limited channel takes the next message."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from engine.core.rate_limiting import next_send, within
from rules.channels import RateLimit

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
TWO = RateLimit(messages=2, per=timedelta(minutes=1))


def before(*seconds: float) -> list[datetime]:
    return [NOON - timedelta(seconds=one) for one in seconds]


@pytest.mark.parametrize(
    ("sent", "waits"),
    [
        pytest.param([], 0, id="none went"),
        pytest.param(before(10), 0, id="one went"),
        pytest.param(before(40, 10), 20, id="the older of two makes room"),
        pytest.param(before(60, 10), 0, id="one has just left the period"),
        pytest.param(before(50, 40, 10), 20, id="more went than may: the limit was lowered"),
        pytest.param([*before(10), NOON + timedelta(hours=1)], 0, id="one in the future, by a clock set back"),
    ],
)
def test_the_next_message_goes_when_there_is_room_in_the_period(sent: list[datetime], waits: float) -> None:
    assert next_send(sent, TWO, NOON) == NOON + timedelta(seconds=waits)


def test_what_left_the_period_counts_no_more() -> None:
    assert within([*before(10), *before(60, 61)], TWO, NOON) == tuple(before(10))
