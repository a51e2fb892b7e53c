"""What alerts may stand on; that it holds is shown where answers are judged (tests/engine/test_standing.py)."""

from __future__ import annotations

from array import array
from dataclasses import replace
from datetime import timedelta

import pytest

from engine.core.alert import Alert, State
from engine.core.standing import Basis, Standing, stance
from engine.core.vector import Vector
from rules.labels import Labels
from rules.rule import Condition, Rule
from tests.core.alarms import MINUTE, NOON

RULE = Rule(id="r", name="Busy", expr="m > 1", hold=5 * MINUTE)
HOSTS = ("a", "b")
NONE = timedelta(0)


def vector(*values: float, series: bytes | None = b"ab") -> Vector:
    labels = [Labels({"host": host}) for host in HOSTS]
    return Vector.lazily(array("d", values), labels.__getitem__, None if series is None else lambda: series)


def basis(samples: Vector, **other: object) -> Basis:
    known = Basis(rule=RULE, refinement=None, samples=samples, past=None, has_data=True, slot=NOON)
    return replace(known, **other)  # type: ignore[arg-type]


def alerts(*states: State, since: timedelta = 5 * MINUTE) -> dict[Labels, Alert]:
    found = {}
    for number, (host, state) in enumerate(zip(HOSTS, states, strict=False)):
        labels = Labels({"host": host})
        found[labels] = Alert(
            source="r",
            labels=labels,
            sample_labels=labels,
            state=state,
            value=2.0,
            active_at=NOON - since,
            id=number + 1,
        )
    return found


FIRING = alerts(State.FIRING, State.FIRING)


def test_values_move_and_alerts_are_made_of_them_when_somebody_looks() -> None:
    before = basis(vector(2, 2))
    taken = stance(before, FIRING)
    assert taken is not None
    standing = Standing.of(taken, FIRING)
    assert standing.made is FIRING
    moved = standing.moved(basis(vector(3, 4), slot=NOON + MINUTE), NONE)
    assert moved is not None
    assert (list(moved), len(moved), list(moved.numbers)) == (list(FIRING), 2, [1, 2])
    assert [alert.value for alert in moved.values()] == [3.0, 4.0]
    assert moved[Labels({"host": "b"})] == FIRING[Labels({"host": "b"})].at(4.0)


@pytest.mark.parametrize(
    "later",
    [
        pytest.param(basis(vector(3, 4), rule=replace(RULE)), id="an edit"),
        pytest.param(basis(vector(3, 4), refinement="rows"), id="another refinement"),
        pytest.param(basis(vector(3, 4), has_data=None), id="nobody knows of data"),
        pytest.param(basis(vector(3, 4), slot=NOON - MINUTE), id="the clock was set back"),
        pytest.param(basis(vector(3, 4, series=b"ba")), id="other series"),
        pytest.param(basis(vector(3, 4, series=None)), id="series that nobody can tell apart"),
        pytest.param(replace(basis(vector()), samples=()), id="no vector"),
    ],
)
def test_nothing_stands_on_another_ground(later: Basis) -> None:
    taken = stance(basis(vector(2, 2)), FIRING)
    assert taken is not None
    assert taken.values(later) is None


def test_nothing_stands_over_a_gap() -> None:
    taken = stance(basis(vector(2, 2)), FIRING)
    assert taken is not None
    assert Standing.of(taken, FIRING).moved(basis(vector(2, 2)), MINUTE) is None


def test_who_is_pending_stands_until_it_fires() -> None:
    taken = stance(basis(vector(2, 2)), alerts(State.PENDING, State.FIRING, since=5 * MINUTE))
    assert taken is not None
    assert taken.until == NOON
    assert taken.values(basis(vector(2, 2))) is None


def test_of_a_left_side_the_same_have_to_be_active() -> None:
    asked = basis(vector(2, 0), past=(Condition.ABOVE, 1.0))
    taken = stance(asked, alerts(State.FIRING))
    assert taken is not None
    assert taken.values(replace(asked, samples=vector(3, 1))) == array("d", [3])
    assert taken.values(replace(asked, samples=vector(3, 3))) is None


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        pytest.param(basis(vector(2, 2)), {}, id="no alerts"),
        pytest.param(replace(basis(vector()), samples=()), FIRING, id="no vector"),
        pytest.param(basis(vector(*[2] * 33)), FIRING, id="too many series"),
        pytest.param(basis(vector(2)), FIRING, id="an alert that is kept"),
        pytest.param(basis(vector(2, 2, series=None)), FIRING, id="series that nobody can tell apart"),
        pytest.param(basis(vector(2, 2), slot=NOON - MINUTE), FIRING, id="fired before the clock was set back"),
    ],
)
def test_there_is_nothing_to_stand_on(asked: Basis, found: dict[Labels, Alert]) -> None:
    assert stance(asked, found) is None
