"""Holding off the search for garbage, as it is seen from outside: whether Python looks for it."""

from __future__ import annotations

import gc

import pytest

from engine.garbage import Held


def test_nobody_looks_for_garbage_until_the_last_who_held_it_off_is_through() -> None:
    held = Held()
    with held.off():
        with held.off():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()


def test_a_failure_lets_go_of_it_too() -> None:
    held = Held()
    with pytest.raises(ZeroDivisionError), held.off():
        1 / 0  # noqa: B018 - it is to fail.
    assert gc.isenabled()
