"""CPU seconds out of /proc, and what they come to in a cycle."""

from __future__ import annotations

import math
import os
import time
from datetime import timedelta

import pytest

from benchmarks.cpu import Cost, cost, measure, per_cycle, seconds_used, typical, usage

STAT = "4242 ({name}) S 1 4242 4242 0 -1 4194304 900 0 0 0 250 50 7 9 20 0 12 0 99 1000 200 18446744073709551615"


def costing(ruler: float, engine: float, queries: float = 0.0) -> Cost:
    return Cost(scrape=0.0, ruler=ruler, engine=engine, queries=queries)


@pytest.mark.parametrize("name", ["prometheus", "a b", "tricky) S 1 (", ""])
def test_user_and_system_time_are_read_whatever_the_program_is_called(name: str) -> None:
    assert seconds_used(STAT.format(name=name), 100) == 3.0


def test_time_burnt_by_this_process_is_seen() -> None:
    before, until = usage({"me": os.getpid()}), time.process_time() + 0.05
    while time.process_time() < until:
        pass
    assert usage({"me": os.getpid()})["me"] > before["me"]


def test_usage_between_two_readings_is_shared_among_the_cycles() -> None:
    assert per_cycle({"a": 10.0, "b": 1.0}, {"a": 16.0, "b": 1.0}, 3) == {"a": 2.0, "b": 0.0}


def test_scraping_is_taken_off_what_the_other_two_prometheus_used() -> None:
    found = cost({"scraping": 1.0, "ruling": 3.0, "queried": 5.0, "tocsin": 8.0})
    assert found == Cost(scrape=1.0, ruler=2.0, engine=8.0, queries=4.0)


def test_tocsin_answers_for_the_queries_it_causes() -> None:
    found = costing(ruler=2.0, engine=8.0, queries=4.0)
    assert (found.tocsin, found.ratio) == (12.0, 6.0)


@pytest.mark.parametrize("ruler", [0.0, -0.01])
def test_a_ruler_too_cheap_to_be_seen_gives_no_finite_ratio(ruler: float) -> None:
    assert math.isinf(costing(ruler=ruler, engine=1.0).ratio)


def test_one_repeat_that_was_disturbed_does_not_count() -> None:
    assert typical([costing(1.0, 5.0), costing(90.0, 4.0), costing(2.0, 60.0)]) == costing(2.0, 5.0)


def test_repeats_follow_each_other_without_a_gap() -> None:
    readings = iter(
        [{"scraping": 0.0, "ruling": at * 1.0, "queried": at * 2.0, "tocsin": at * 4.0} for at in (0, 2, 6)]
    )
    waited: list[timedelta] = []
    costs = measure(lambda: next(readings), waited.append, interval=timedelta(seconds=10), cycles=2, repeats=2)
    assert waited == [timedelta(seconds=20)] * 2
    assert costs == [costing(1.0, 4.0, 2.0), costing(2.0, 8.0, 4.0)]
