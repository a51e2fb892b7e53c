"""The judge of the fault tests sees every kind of wrong: a history that is right is bent in one place, and it must say so."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.faults.inspection import Evidence, Expected, Message, Witnessed, judge
from tests.faults.receiver import Told

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
EXPECTED = (Expected(rule="m0", statuses=("firing", "resolved")), Expected(rule="m1", statuses=("firing",)))


def at(second: int) -> datetime:
    return NOON + timedelta(seconds=second)


def told(rule: str, status: str, *, key: str = "", body: str = "") -> Told:
    return Told(rule=rule, status=status, group_key=key or f"key of {rule}", body=(body or f"{rule} {status}").encode())


def sent(number: int, body: str, *, attempts: int = 1, noted: Sequence[str] = ("sent",)) -> Message:
    return Message(id=number, status="sent", attempts=attempts, body=body.encode(), noted=tuple(noted), decided=True)


def slot(unit: str, second: int, *, term: int = 1, before: int | None = None) -> Witnessed:
    earlier = None if before is None else at(before)
    return Witnessed(unit=unit, before=earlier, slot=at(second), term_before=term, term=term)


RIGHT = Evidence(
    told=[told("m0", "firing"), told("m1", "firing"), told("m0", "resolved")],
    slots=[slot("u", 1), slot("v", 1), slot("u", 2, before=1), slot("u", 3, before=2, term=2)],
    messages=[sent(1, "m0 firing"), sent(2, "m1 firing"), sent(3, "m0 resolved")],
    episodes={"1": 1, "2": 1},
    transitions=[("1", at(1), "firing"), ("2", at(1), "firing"), ("1", at(3), "inactive")],
)

Bend = Callable[[Evidence], Evidence]


def heard(*more: Told) -> Bend:
    return lambda right: replace(right, told=[*right.told, *more])


def unheard(place: int) -> Bend:
    return lambda right: replace(right, told=[one for number, one in enumerate(right.told) if number != place])


def witnessed(*more: Witnessed) -> Bend:
    return lambda right: replace(right, slots=[*right.slots, *more])


def with_message(number: int, **changed: object) -> Bend:
    def bent(right: Evidence) -> Evidence:
        return replace(
            right,
            messages=[replace(one, **changed) if one.id == number else one for one in right.messages],  # type: ignore[arg-type]
        )

    return bent


def test_a_right_history_is_found_right() -> None:
    found = judge(RIGHT, EXPECTED)
    assert (found.expected, found.lost, found.duplicated, found.unexplained, found.problems) == (3, 0, 0, 0, ())


def test_a_repeat_after_a_crash_between_send_and_mark_is_counted_and_explained() -> None:
    bent = with_message(2, attempts=2)(heard(told("m1", "firing"))(RIGHT))
    found = judge(bent, EXPECTED)
    assert (found.lost, found.duplicated, found.unexplained, found.problems) == (0, 1, 0, ())


@pytest.mark.parametrize(
    ("bend", "lost"),
    [
        pytest.param(unheard(1), 1, id="a trigger that was never told"),
        pytest.param(unheard(2), 1, id="an end that was never told"),
        pytest.param(unheard(0), 2, id="an end without its beginning tells of neither"),
    ],
)
def test_what_was_not_told_is_lost(bend: Bend, lost: int) -> None:
    found = judge(bend(RIGHT), EXPECTED)
    assert found.lost == lost
    assert found.problems


@pytest.mark.parametrize(
    "bend",
    [
        pytest.param(heard(told("m1", "firing")), id="the same again, with every attempt noted"),
        pytest.param(heard(told("m1", "firing", body="other words")), id="the same in other bytes"),
        pytest.param(
            lambda right: with_message(2, attempts=2)(heard(*[told("m1", "firing")] * 2)(right)),
            id="three times for one crash",
        ),
        pytest.param(
            lambda right: with_message(2, attempts=2, noted=("retry", "sent"))(heard(told("m1", "firing"))(right)),
            id="again although the first attempt was noted as failed",
        ),
    ],
)
def test_a_repeat_that_no_crash_explains_is_reported(bend: Bend) -> None:
    assert judge(bend(RIGHT), EXPECTED).unexplained == 1


@pytest.mark.parametrize(
    ("bend", "problem"),
    [
        pytest.param(
            heard(told("m0", "firing", key="another")), "m0: told under 2 keys", id="a retry under another key"
        ),
        pytest.param(heard(told("m1", "resolved")), "m1: told", id="an end that nobody asked for"),
        pytest.param(witnessed(slot("u", 3, before=2, term=2)), "slot twice", id="a slot committed by two"),
        pytest.param(witnessed(slot("u", 1, before=3, term=2)), "back", id="a slot before one that was committed"),
        pytest.param(witnessed(slot("u", 4, before=3, term=1)), "stale term", id="a commit under a term that was over"),
        pytest.param(with_message(1, decided=False), "no decision", id="a message nobody decided"),
        pytest.param(with_message(1, noted=()), "no attempt", id="a sent message without an attempt"),
        pytest.param(with_message(1, status="dead"), "given up", id="a message given up within minutes"),
        pytest.param(lambda right: replace(right, episodes={"1": 2, "2": 1}), "episodes", id="a firing without a note"),
        pytest.param(
            lambda right: replace(right, transitions=[*right.transitions, right.transitions[0]]),
            "transition twice",
            id="a transition noted twice",
        ),
    ],
)
def test_what_contradicts_the_promise_is_named(bend: Bend, problem: str) -> None:
    found = judge(bend(RIGHT), EXPECTED)
    assert any(one.startswith(problem) or problem in one for one in found.problems), found.problems
