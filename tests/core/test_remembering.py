"""What is remembered, what is forgotten, and that neither is ever noticed but by the work it takes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engine.core.remembering import Remembered


def test_a_value_is_worked_out_once_while_it_is_asked_for() -> None:
    made: list[str] = []

    def make(key: str) -> str:
        made.append(key)
        return key.upper()

    remembered = Remembered(make, room=2)
    assert [remembered[key] for key in "abacad"] == list("ABACAD")
    assert made == ["a", "b", "c", "d"]
    assert remembered["b"] == "B"
    assert made == ["a", "b", "c", "d", "b"]


@given(st.lists(st.integers(0, 9), max_size=60), st.integers(1, 4))
def test_it_gives_what_would_be_made_and_keeps_within_its_room(keys: list[int], room: int) -> None:
    remembered = Remembered(str, room=room)
    for place, key in enumerate(keys):
        assert remembered[key] == str(key)
        assert len(remembered) <= 2 * room
        last = list(dict.fromkeys(reversed(keys[: place + 1])))[:room]
        assert all(one in remembered for one in last)
