"""A failed delivery is tried again soon, then ever more rarely, until the notification is a day old or it can never succeed."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.outcome import Failed, FailureReason
from engine.core.retrying import FIRST_WAIT, GIVE_UP_AFTER, LONGEST_WAIT, next_attempt
from tests.core.alarms import HOUR, MINUTE, NOON, SECOND

ATTEMPTS = st.integers(1, 10_000)
MICROSECONDS = st.integers(0, 999_999)


def failed(*, retryable: bool = True, retry_after: timedelta | None = None) -> Failed:
    return Failed(reason=FailureReason.SERVER_ERROR, retryable=retryable, detail="503", retry_after=retry_after)


def wait(attempts: int, retry_after: timedelta | None = None, created_at: datetime = NOON) -> timedelta | None:
    """How long after `attempts` failed ones the next follows, at the notification's own time."""
    at = next_attempt(failed(retry_after=retry_after), attempts=attempts, created_at=created_at, now=created_at)
    return None if at is None else at - created_at


@pytest.mark.parametrize(
    ("attempts", "least"),
    [
        pytest.param(1, SECOND, id="a second after the first"),
        pytest.param(2, 2 * SECOND, id="twice that after the second"),
        pytest.param(5, 16 * SECOND, id="doubling"),
        pytest.param(9, 256 * SECOND, id="the last doubling"),
        pytest.param(10, 5 * MINUTE, id="five minutes at the most"),
        pytest.param(5000, 5 * MINUTE, id="five minutes for ever"),
    ],
)
def test_waits_double_from_a_second_to_five_minutes_and_a_tenth(attempts: int, least: timedelta) -> None:
    waited = wait(attempts)
    assert waited is not None
    assert least <= waited < least * 1.1


@pytest.mark.parametrize(
    ("retry_after", "expected"),
    [
        pytest.param(HOUR, HOUR, id="longer than ours"),
        pytest.param(timedelta(0), None, id="at once"),
        pytest.param(timedelta(microseconds=1), None, id="shorter than ours"),
    ],
)
def test_a_service_is_obeyed_when_it_asks_for_a_longer_wait(retry_after: timedelta, expected: timedelta | None) -> None:
    assert wait(3, retry_after) == (expected or wait(3))


def test_a_permanent_failure_is_given_up_at_once() -> None:
    permanent = failed(retryable=False, retry_after=MINUTE)
    assert next_attempt(permanent, attempts=1, created_at=NOON, now=NOON) is None


@pytest.mark.parametrize(
    ("retry_after", "given_up"),
    [
        pytest.param(GIVE_UP_AFTER - SECOND, False, id="just within a day"),
        pytest.param(GIVE_UP_AFTER, True, id="at a day"),
        pytest.param(timedelta.max, True, id="beyond the calendar"),
    ],
)
def test_a_notification_is_given_up_when_its_next_attempt_would_find_it_a_day_old(
    retry_after: timedelta, given_up: bool
) -> None:
    assert (wait(1, retry_after) is None) is given_up


@given(ATTEMPTS, MICROSECONDS)
def test_waits_never_shrink_but_by_the_tenth_that_spreads_them(attempts: int, microsecond: int) -> None:
    created_at = NOON.replace(microsecond=microsecond)
    this, following = wait(attempts, created_at=created_at), wait(attempts + 1, created_at=created_at)
    assert this is not None
    assert following is not None
    assert FIRST_WAIT <= this < LONGEST_WAIT * 1.1
    assert following > this or following >= LONGEST_WAIT


@given(MICROSECONDS, MICROSECONDS)
def test_notifications_that_failed_together_come_back_apart(one: int, other: int) -> None:
    waits = [wait(10, created_at=NOON.replace(microsecond=microsecond)) for microsecond in (one, other)]
    assert (waits[0] == waits[1]) is (one % 1000 == other % 1000)


@given(ATTEMPTS, st.timedeltas(timedelta(0), 2 * GIVE_UP_AFTER), st.none() | st.timedeltas(timedelta(0)))
def test_only_age_ends_the_attempts_at_what_can_still_succeed(
    attempts: int, age: timedelta, retry_after: timedelta | None
) -> None:
    now = NOON + age
    at = next_attempt(failed(retry_after=retry_after), attempts=attempts, created_at=NOON, now=now)
    asked = retry_after or timedelta(0)
    if at is None:
        assert age + max(LONGEST_WAIT * 1.1, asked) >= GIVE_UP_AFTER
    else:
        assert now + max(FIRST_WAIT, asked) <= at < NOON + GIVE_UP_AFTER
