"""A vector is the samples it stands for, and looks only at those it is asked for."""

from __future__ import annotations

import math
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.alert import Sample
from engine.core.vector import Present, Vector
from rules.labels import Labels
from rules.rule import Condition

VALUES = [-1.0, -0.0, 0.0, 1.0, math.inf, -math.inf, math.nan]


def labels(index: int) -> Labels:
    return Labels({"i": str(index)})


def sample(index: int, value: float) -> Sample:
    return Sample(labels=labels(index), value=value)


def test_it_is_the_samples_it_stands_for() -> None:
    samples = [sample(index, value) for index, value in enumerate((1.0, 2.0, 3.0))]
    lazily = Vector.lazily(array("d", [1, 2, 3]), labels)
    assert lazily == samples == Vector.of(samples)
    assert list(lazily) == samples
    assert (lazily[-1], lazily[1:]) == (samples[2], tuple(samples[1:]))
    assert Vector.of(lazily) is lazily
    assert lazily != samples[:2]
    assert lazily != [*samples[:2], sample(9, 3)]
    assert lazily != "abc"
    assert repr(lazily) == f"Vector({samples!r})"
    with pytest.raises(IndexError):
        lazily[3]


@given(st.lists(st.sampled_from(VALUES)), st.sampled_from(Condition), st.sampled_from(VALUES))
def test_it_looks_only_at_what_is_past_the_bound(values: list[float], condition: Condition, bound: float) -> None:
    looked: list[int] = []

    def look(index: int) -> Labels:
        looked.append(index)
        return labels(index)

    compare = {">": float.__gt__, ">=": float.__ge__, "<": float.__lt__, "<=": float.__le__, "==": float.__eq__,
               "!=": float.__ne__}[condition.value]  # fmt: skip
    past = [index for index, value in enumerate(values) if compare(value, bound)]
    found = Vector.lazily(array("d", values), look).past(condition, bound)
    assert [one.labels for one in found] == [labels(index) for index in past]
    assert looked == past


@given(st.lists(st.integers(0, 20), unique=True), st.integers(0, 20))
def test_a_series_is_present_or_not(places: list[int], wanted: int) -> None:
    present = Present(Vector.of([sample(place, 1) for place in places]))
    assert (labels(wanted) in present) is (wanted in places)
    assert list(present) == [labels(place) for place in places]
    assert bool(present) is bool(places)


def test_series_whose_hashes_are_the_same_are_told_apart() -> None:
    class Clashing(Labels):
        def __hash__(self) -> int:
            return 1

    one, other, neither = (Clashing({"i": text}) for text in "abc")
    present = Present(Vector.of([Sample(labels=one, value=1), Sample(labels=other, value=1)]))
    assert one in present
    assert other in present
    assert neither not in present
