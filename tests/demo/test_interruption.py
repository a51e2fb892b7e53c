"""Signals are remembered until the story asks."""

from __future__ import annotations

import os
import signal

import pytest

from api.demo.interruption import Interrupted, Interruption, interruptible


@pytest.mark.parametrize(
    ("number", "status"),
    [
        pytest.param(signal.SIGINT, 130, id="ctrl-c"),
        pytest.param(signal.SIGTERM, 143, id="asked-to-end"),
        pytest.param(signal.SIGHUP, 129, id="terminal-closed"),
    ],
)
def test_a_signal_is_obeyed_at_the_next_check_and_not_before(number: signal.Signals, status: int) -> None:
    with interruptible() as interruption:
        os.kill(os.getpid(), number)
        with pytest.raises(Interrupted) as caught:
            interruption.check()
    assert caught.value.status == status


def test_without_a_signal_a_check_does_nothing() -> None:
    with interruptible() as interruption:
        interruption.check()


def test_of_two_signals_the_first_counts() -> None:
    interruption = Interruption()
    interruption.remember(signal.SIGTERM)
    interruption.remember(signal.SIGINT)
    with pytest.raises(Interrupted, match=str(int(signal.SIGTERM))):
        interruption.check()


def test_afterwards_signals_mean_what_they_meant_before() -> None:
    before = signal.getsignal(signal.SIGINT)
    with interruptible():
        assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before


def test_a_hang_up_that_is_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with interruptible() as interruption:
            os.kill(os.getpid(), signal.SIGHUP)
            interruption.check()
    finally:
        signal.signal(signal.SIGHUP, before)
