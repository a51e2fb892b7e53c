"""The auditor's rounds: what is new at the next look, and everything that stays within ten of them, or twenty."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engine.core.auditing import AT_LEAST, LOOKS, Progress, Stretch, next_look


def covered(stretches: tuple[Stretch, ...], number: int) -> bool:
    return any(one.after < number <= one.until for one in stretches)


@given(st.integers(1, 50_000), st.integers(1, 40_000), st.lists(st.integers(0, 3000), max_size=3 * LOOKS), st.data())
def test_every_row_that_stays_is_looked_at_in_two_rounds_and_a_new_one_at_once(
    first: int, count: int, growth: list[int], data: st.DataObject
) -> None:
    last = first + count - 1
    number = data.draw(st.integers(first, last))
    progress, unseen = Progress(), 0
    for more in [0, *growth]:
        before, last = last, last + more
        stretches, progress = next_look(progress, first, last)
        assert all(covered(stretches, new) for new in {before + 1, last} if before < new <= last)
        unseen = 0 if covered(stretches, number) else unseen + 1
        assert unseen < 2 * LOOKS


def test_a_look_at_a_steady_table_goes_through_a_tenth_of_it() -> None:
    progress, looked = Progress(), 0
    for _ in range(LOOKS):
        stretches, progress = next_look(progress, 1, 100_000)
        looked += sum(one.until - one.after for one in stretches)
    assert looked == 100_000


def test_a_small_table_is_gone_through_at_every_look() -> None:
    whole = (Stretch(6, 6 + AT_LEAST),)
    stretches, progress = next_look(Progress(), 7, 6 + AT_LEAST)
    assert stretches == whole
    assert next_look(progress, 7, 6 + AT_LEAST)[0] == whole


def test_an_empty_table_is_no_trouble() -> None:
    assert next_look(Progress(), 1, 0) == ((Stretch(0, 0),), Progress(seen=0))
