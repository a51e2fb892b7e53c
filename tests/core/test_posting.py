"""What a post makes of an alert, and when an alert ends by itself. Source of the merges: A:alert/alert_test.go TestAlertMerge."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.alert import State, TransitionReason
from engine.core.posting import (
    Expiry,
    Fault,
    Post,
    PostError,
    Span,
    believed,
    expired,
    expires_at,
    merged,
    receive,
    span,
)
from rules.labels import Labels

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
FIVE = timedelta(minutes=5)
LABELS = Labels({"alertname": "Down"})


def at(minutes: float) -> datetime:
    return NOW + timedelta(minutes=minutes)


def over(start: float, end: float, *, timeout: bool = False) -> Span:
    return Span(at(start), at(end), timeout)


@pytest.mark.parametrize(
    ("starts", "ends", "expected"),
    [
        pytest.param(None, None, over(0, 5, timeout=True), id="nothing said: from now on, for resolve_timeout"),
        pytest.param(-9, None, over(-9, 5, timeout=True), id="a start alone"),
        pytest.param(None, -1, over(-1, -1), id="an end alone is a start too"),
        pytest.param(-9, 9, over(-9, 9), id="both"),
    ],
)
def test_what_a_post_leaves_out_is_filled_in(starts: float | None, ends: float | None, expected: Span) -> None:
    begin, end = (None if one is None else at(one) for one in (starts, ends))
    assert span(begin, end, NOW, FIVE) == expected


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        pytest.param(over(-9, 3), over(-9, 9), over(-9, 9), id="same start, a later end: the new one stands"),
        pytest.param(over(-9, 9), over(-9, 3), over(-9, 9), id="firing: an explicit end that is later stays"),
        pytest.param(over(-9, 9, timeout=True), over(-9, 3), over(-9, 3), id="but not if it was only a timeout"),
        pytest.param(over(-9, 3, timeout=True), over(-2, 5, timeout=True), over(-9, 5, timeout=True), id="first start"),
        pytest.param(over(-9, 4), over(-9, 0), over(-9, 0), id="a resolve ends it"),
        pytest.param(over(-9, -1), over(-9, -2), over(-9, -1), id="both over: the later end"),
        pytest.param(over(-9, -2), over(-5, -1), over(-9, -1), id="both over, the new one ends later"),
        pytest.param(over(-9, -5), over(-2, 5), over(-2, 5), id="apart: the new one stands alone"),
        pytest.param(over(-5, 4), over(-9, 1), over(-9, 4), id="a new start before the old one"),
        pytest.param(over(-9, -2), over(-5, 5), over(-9, 5), id="it fires again within its old time"),
    ],
)
def test_an_old_and_a_new_span_that_overlap_are_one(old: Span, new: Span, expected: Span) -> None:
    assert merged(old, new, NOW) == expected


MINUTES = st.integers(-20, 20)
SPANS = st.builds(
    lambda start, length, timeout: over(start, start + length, timeout=timeout),
    MINUTES,
    st.integers(0, 20),
    st.booleans(),
)


@given(SPANS, SPANS)
def test_a_merge_never_starts_later_and_is_over_only_when_the_new_one_is(old: Span, new: Span) -> None:
    found = merged(old, new, NOW)
    assert found.starts_at <= new.starts_at
    assert found.is_over(NOW) == new.is_over(NOW)
    assert found.starts_at in (old.starts_at, new.starts_at)


def test_an_alert_whose_end_has_not_been_judged_yet_goes_on_when_it_is_posted_again() -> None:
    assert believed(over(-9, 5), NOW) == over(-9, 5)
    assert merged(believed(over(-9, -1), NOW), over(0, 5, timeout=True), NOW) == over(-9, 5, timeout=True)


def post(starts: float | None = None, ends: float | None = None, **annotations: str) -> Post:
    return Post(
        labels=LABELS,
        annotations=annotations,
        starts_at=None if starts is None else at(starts),
        ends_at=None if ends is None else at(ends),
    )


def test_an_alert_fires_is_said_otherwise_and_resolves() -> None:
    first = receive(post(summary="down"), None, None, NOW, FIVE)
    assert first.change is not None
    assert (first.change.before, first.change.reason) == (None, TransitionReason.POSTED)
    expiry = Expiry(ends_at=first.span.ends_at, timeout=True, updated_at=NOW)
    again = receive(post(summary="down"), first.alert, expiry, at(1), FIVE)
    assert (again.change, again.restated, again.span) == (None, False, over(0, 6, timeout=True))
    other = receive(post(summary="still down"), first.alert, expiry, at(1), FIVE)
    assert (other.change, other.restated) == (None, True)
    end = receive(post(0, 2), first.alert, expiry, at(2), FIVE)
    assert end.change is not None
    assert (end.change.reason, end.alert.state) == (TransitionReason.RESOLVED_BY_SENDER, State.INACTIVE)
    assert end.alert.resolved_at == at(2)
    late = receive(post(0, 2), end.alert, None, at(3), FIVE)
    assert (late.change, late.restated) == (None, False)
    back = receive(post(10), end.alert, None, at(10), FIVE)
    assert back.change is not None
    assert (back.change.before, back.alert.fired_at) == (State.INACTIVE, at(10))


def test_an_alert_that_was_over_when_it_was_first_posted_never_fired() -> None:
    found = receive(post(-9, -2), None, None, NOW, FIVE)
    assert found.change is not None
    assert (found.change.before, found.alert.state) == (None, State.INACTIVE)


def test_an_alert_that_nobody_posts_again_was_over_when_it_said() -> None:
    alert = receive(post(-9, 3), None, None, NOW, FIVE).alert
    change = expired(alert, at(3))
    assert (change.before, change.alert.resolved_at, change.reason) == (State.FIRING, at(3), TransitionReason.EXPIRED)


@pytest.mark.parametrize(
    ("ends", "updated", "heard_since", "expected"),
    [
        pytest.param(3, 0, -60, 3, id="heard all the time: at its end"),
        pytest.param(3, 0, 0, 3, id="heard since the very post"),
        pytest.param(3, 0, 2, 5, id="deaf in between: as long again as the post asked for"),
        pytest.param(600, 0, 2, 600, id="the end is far away anyhow"),
        pytest.param(30, 0, 28, 33, id="at most resolve_timeout"),
    ],
)
def test_an_alert_ends_by_itself_once_it_could_have_been_posted_again(
    ends: float, updated: float, heard_since: float, expected: float
) -> None:
    expiry = Expiry(ends_at=at(ends), timeout=False, updated_at=at(updated))
    lag = timedelta(seconds=15)
    assert expires_at(expiry, heard_since=at(heard_since), resolve_timeout=FIVE, lag=lag) == at(expected) + lag


def test_a_mistake_in_a_post_is_one_of_what_it_says_unless_it_is_one_of_its_shape() -> None:
    assert PostError("at least one label pair required").fault is Fault.ALERT
    assert PostError("labels must be an object", Fault.SHAPE).fault is Fault.SHAPE
