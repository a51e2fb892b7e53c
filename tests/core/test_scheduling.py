"""Slots: fixed by the query, on a grid, the same on every machine."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.scheduling import PHASES, Schedule, is_due, schedule

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)

schedules = st.builds(
    Schedule,
    datasource=st.just("default"),
    interval=st.timedeltas(min_value=timedelta(milliseconds=100), max_value=timedelta(hours=1)),
    query_offset=st.just(timedelta(0)),
    phase=st.timedeltas(min_value=timedelta(0), max_value=timedelta(milliseconds=99)),
)
moments = st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


def of(skeleton: str, interval: timedelta = MINUTE) -> Schedule:
    return schedule(datasource="default", interval=interval, query_offset=timedelta(0), skeleton=skeleton)


@given(schedules, moments)
def test_a_slot_is_never_ahead_and_less_than_an_interval_behind(plan: Schedule, now: datetime) -> None:
    assert timedelta(0) <= now - plan.slot(now) < plan.interval


@given(schedules, moments)
def test_the_slot_of_a_slot_is_itself(plan: Schedule, now: datetime) -> None:
    assert plan.slot(plan.slot(now)) == plan.slot(now)


@given(schedules, moments)
def test_the_next_slot_is_one_interval_on(plan: Schedule, now: datetime) -> None:
    assert plan.next_slot(now) - plan.slot(now) == plan.interval
    assert plan.next_slot(now) > now


def test_the_same_skeleton_has_the_same_slots_everywhere() -> None:
    assert of("rate(m[5m])") == of("rate(m[5m])")
    assert of("rate(m[5m])").phase == timedelta(seconds=15)


@given(st.text())
def test_a_phase_is_one_of_sixteen_parts_of_the_interval(skeleton: str) -> None:
    part = MINUTE / PHASES
    assert of(skeleton).phase % part == timedelta(0)
    assert timedelta(0) <= of(skeleton).phase < MINUTE


def test_different_queries_are_spread_over_the_interval() -> None:
    assert len({of(f"metric_{number}").phase for number in range(200)}) == PHASES


@pytest.mark.parametrize(
    ("behind", "missed"),
    [
        pytest.param(None, 0, id="never evaluated"),
        pytest.param(timedelta(0), 0, id="the same slot"),
        pytest.param(MINUTE, 0, id="the slot before"),
        pytest.param(3 * MINUTE, 2, id="two slots nobody took"),
        pytest.param(-MINUTE, 0, id="the clock went back"),
    ],
)
def test_slots_between_the_last_and_this_one_are_missed(behind: timedelta | None, missed: int) -> None:
    last = None if behind is None else NOON - behind
    assert of("m").missed(last, NOON) == missed


def test_a_unit_is_named_by_what_makes_it_one() -> None:
    plan = Schedule.of_seconds(datasource="default", interval=60, query_offset=5, phase=7.5)
    assert plan.id == "default/60s+5s@7.5s"


@pytest.mark.parametrize(
    ("at", "due"),
    [
        pytest.param(None, True, id="never done"),
        pytest.param(-1, True, id="late"),
        pytest.param(0, True, id="now"),
        pytest.param(1, False, id="soon"),
        pytest.param(30, False, id="just done"),
        pytest.param(31, True, id="done before the clock went back"),
    ],
)
def test_what_is_done_every_so_often_is_due_again_also_when_the_clock_goes_back(at: int | None, due: bool) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    moment = None if at is None else now + timedelta(seconds=at)
    assert is_due(moment, now, timedelta(seconds=30)) is due
