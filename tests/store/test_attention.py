"""Whoever waits for a file is told when it can be read, and let go by whoever wants him to stop."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest

from engine.store.attention import Attention

LONG = timedelta(seconds=60)
NOTHING = timedelta(0)


@pytest.fixture
def attention() -> Iterator[Attention]:
    made = Attention()
    yield made
    made.close()


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


def test_what_can_be_read_is_waited_for(attention: Attention, pipe: tuple[int, int]) -> None:
    assert not attention.wait(pipe[0], NOTHING)
    threading.Timer(0.05, os.write, (pipe[1], b"x")).start()
    assert attention.wait(pipe[0], LONG)


def test_a_stop_ends_the_wait_under_way_and_those_after_it(attention: Attention, pipe: tuple[int, int]) -> None:
    threading.Timer(0.05, attention.rouse).start()
    assert not attention.wait(pipe[0], LONG)
    assert not attention.wait(pipe[0], LONG)
