"""What one process has in its hands: many messages of a quick channel, few of a slow one, and never all of one channel."""

from __future__ import annotations

from datetime import timedelta

from engine.core.flush import Target
from engine.core.messages import Message
from engine.core.pacing import AHEAD, AT_A_TIME
from engine.hands import Errand, Hands
from engine.store.outbox import Parcel
from tests.core.alarms import NOON

QUICK = timedelta(milliseconds=5)
SLOW = timedelta(seconds=2)


def errand(number: int, channel: str = "hook") -> Errand:
    parcel = Parcel(
        id=number,
        facts_id=1,
        group_id=number,
        target=Target(channel),
        reason="first notification",
        attempts=0,
        created_at=NOON,
        told={},
        rendered=None,
    )
    return Errand(parcel=parcel, made=Message(body=b""), channel=None, earlier=None, claimed_at=0.0)


def holding(hands: Hands, count: int, channel: str = "hook", took: timedelta | None = None) -> Hands:
    """With so many messages of the channel in hand, the delivery before which took so long."""
    hands.claim(channel, range(count + 1))
    hands.ended(errand(count, channel), took)
    return hands


def test_of_a_channel_nobody_knows_yet_few_are_taken() -> None:
    assert Hands(100).wanted(["a", "b"]) == {"a": AT_A_TIME, "b": AT_A_TIME}


def test_of_a_quick_channel_many_are_taken() -> None:
    assert holding(Hands(100), 0, took=QUICK).wanted(["hook"]) == {"hook": AHEAD}


def test_of_a_channel_that_became_slow_few_are_taken() -> None:
    assert holding(holding(Hands(100), 0, took=QUICK), 0, took=SLOW).wanted(["hook"]) == {"hook": AT_A_TIME}


def test_more_is_taken_when_half_of_it_is_done() -> None:
    assert holding(Hands(100), AHEAD // 2 + 1, took=QUICK).wanted(["hook"]) == {}
    assert holding(Hands(100), AHEAD // 2, took=QUICK).wanted(["hook"]) == {"hook": AHEAD // 2}


def test_all_channels_together_have_a_limit_and_those_with_the_least_come_first() -> None:
    hands = holding(Hands(8), 1, "busy", took=QUICK)
    assert hands.wanted(["busy", "a", "b"]) == {"a": AT_A_TIME, "b": 3}


def test_a_channel_has_its_own_threads_and_no_more_than_its_share() -> None:
    hands = Hands(100)
    assert hands.queue("a", [errand(1, "a")]) == 1
    assert hands.queue("a", [errand(number, "a") for number in range(2, 12)]) == AT_A_TIME - 1
    assert hands.queue("b", [errand(20, "b"), errand(21, "b")]) == 2
    assert [one.parcel.id for _ in range(11) if (one := hands.following("a")) is not None] == list(range(1, 12))
    assert [hands.following("a") for _ in range(AT_A_TIME)] == [None] * AT_A_TIME
    assert hands.queue("a", [errand(30, "a")]) == 1


def test_what_is_dropped_is_in_hand_no_longer() -> None:
    hands = Hands(100)
    hands.claim("a", [1, 2, 3])
    hands.drop("a", [2])
    assert hands.held() == {1, 3}


def test_a_counted_attempt_is_one_more() -> None:
    assert errand(1).begun().parcel.attempts == 1
