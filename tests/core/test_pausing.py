"""A loop looks around often only where somebody may make work for it without a word."""

from __future__ import annotations

from datetime import timedelta

import pytest

from engine.core.pausing import longest
from engine.core.roles import EVERY, Role

E, D, S, A = Role.EVALUATOR, Role.DISPATCHER, Role.SENDER, Role.API


@pytest.mark.parametrize(
    ("loop", "others", "hears", "seconds"),
    [
        ("evaluator", [], True, 10),
        ("evaluator", [], False, 1),
        ("evaluator", [{A}], True, 10),
        ("evaluator", [{A}, EVERY], True, 1),
        ("posting", [EVERY], True, 10),
        ("dispatcher", [EVERY], True, 10),
        ("dispatcher", [EVERY], False, 1),
        ("dispatcher", [{E, D}, {A}], True, 1),
        ("dispatcher", [{E}], True, 1),
        ("dispatcher", [{S}], True, 10),
        ("sender", [EVERY, {E}, {A}], True, 10),
        ("sender", [{D}], True, 1),
        ("rota", [], True, 1),
        ("listener", [], True, 1),
        ("janitor", [{E}], False, 5),
        ("auditor", [{E}], False, 15),
        ("watch", [{E}], False, 3),
    ],
)
def test_how_long_a_loop_may_sleep(loop: str, others: list[set[Role]], hears: bool, seconds: int) -> None:
    found = longest(loop, [frozenset(roles) for roles in others], hears=hears)
    assert found == timedelta(seconds=seconds)
