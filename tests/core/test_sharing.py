"""Sharing evaluation units: the dead's work is taken over, the living keep theirs, and nobody has much more than another."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.sharing import moves

A, B, C = "a/1", "b/1", "c/1"
NOBODY = None


@pytest.mark.parametrize(
    ("held", "weights", "alive", "giver", "busy", "expected"),
    [
        pytest.param({"u": NOBODY}, {}, (), A, (), {}, id="with nobody alive nothing moves"),
        pytest.param({"u": NOBODY, "v": NOBODY}, {}, (A,), A, (), {"u": A, "v": A}, id="the only one takes all"),
        pytest.param({"u": A, "v": B}, {}, (A, B), A, (), {}, id="what is even stays"),
        pytest.param({"u": A, "v": "b/0"}, {}, (A, B), A, (), {"v": B}, id="a former life's unit is free"),
        pytest.param({"u": A, "v": A}, {}, (A, B), A, (), {"u": B}, id="a newcomer is given its share"),
        pytest.param({"u": A, "v": A}, {}, (A, B), B, (), {}, id="nobody takes from the living"),
        pytest.param({"u": A, "v": A}, {}, (A, B), A, ("u",), {"v": B}, id="a unit under way is not given"),
        pytest.param({"u": A}, {}, (A, B), A, (), {}, id="one unit does not travel for ever"),
        pytest.param({"u": A, "v": A}, {"u": 9, "v": 1}, (A, B), A, (), {"v": B}, id="the small one moves"),
        pytest.param(
            {"u": A, "v": A, "w": A}, {"u": 5, "v": 4, "w": 1}, (A, B), A, (), {"u": B}, id="what evens out best moves"
        ),
        pytest.param(
            {"u": "z/1"}, {}, (A,), "z/1", (), {"u": A}, id="who counts as dead gives nothing but is taken over"
        ),
        pytest.param(
            {"u": NOBODY, "v": NOBODY, "w": A}, {"u": 1, "v": 3}, (A, B), A, (), {"v": B, "u": A}, id="heaviest first"
        ),
    ],
)
def test_units_go_where_they_should(  # noqa: PLR0917 - a table's columns
    held: dict[str, str | None],
    weights: dict[str, int],
    alive: tuple[str, ...],
    giver: str,
    busy: tuple[str, ...],
    expected: dict[str, str],
) -> None:
    assert moves(held, weights, alive, giver=giver, busy=busy) == expected


UNITS = st.dictionaries(st.integers(0, 30).map(str), st.sampled_from([NOBODY, A, B, C, "dead/1"]), max_size=20)
WEIGHTS = st.dictionaries(st.integers(0, 30).map(str), st.integers(1, 9))


@given(held=UNITS, weights=WEIGHTS, alive=st.sets(st.sampled_from([A, B, C]), min_size=1), data=st.data())
def test_whoever_comes_first_the_work_ends_up_even_and_at_rest(
    held: dict[str, str | None], weights: dict[str, int], alive: set[str], data: st.DataObject
) -> None:
    for _ in range(60):
        turn = data.draw(st.permutations(sorted(alive)))
        moved = [moves(held, weights, alive, giver=giver) for giver in turn[:1]]
        for one in moved:
            assert all(held[unit] is None or held[unit] not in alive or held[unit] == turn[0] for unit in one)
            held = {**held, **one}
        if not any(moves(held, weights, alive, giver=giver) for giver in alive):
            break
    load = Counter(dict.fromkeys(alive, 0))
    for unit, holder in held.items():
        assert holder in alive
        load[holder] += weights.get(unit, 1)
    heaviest = max([weights.get(unit, 1) for unit in held], default=0)
    assert max(load.values()) - min(load.values()) <= heaviest
