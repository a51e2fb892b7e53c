"""What counts as the same message, what as a difference, and which section of the page explains it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.comparing import Comparison, Evidence, Heard, Muted, Timing, Why, compare, judged
from rules.labels import Labels
from tests.architecture.sources import ROOT

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
GROUP = Labels({"alertname": "Down"})
WITHIN = timedelta(minutes=1)
TIMING = Timing(group_interval=timedelta(minutes=5), repeat_interval=timedelta(hours=1))


def at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def alerts(names: str) -> frozenset[Labels]:
    return frozenset(Labels({"alertname": "Down", "instance": name}) for name in names)


def heard(minutes: float, firing: str = "", resolved: str = "", reason: str = "", receiver: str = "ops") -> Heard:
    return Heard(
        at=at(minutes),
        receiver=receiver,
        group=GROUP,
        firing=alerts(firing),
        resolved=alerts(resolved),
        reason=reason,
    )


def muted(minutes: float, names: str, *, by_alert: bool = False) -> Muted:
    return Muted(at=at(minutes), receiver="ops", group=GROUP, alerts=alerts(names), by_alert=by_alert)


def compared(ours: Sequence[Heard], theirs: Sequence[Heard], *mutes: Muted) -> Comparison:
    return compare(ours, theirs, Evidence(within=WITHIN, mutes=mutes, timings={"ops": TIMING}))


def test_the_same_at_about_the_same_time_is_the_same() -> None:
    found = compared([heard(0, "a"), heard(5, "", "a")], [heard(0.9, "a"), heard(4.2, "", "a")])
    assert found == Comparison(same=2)


def test_one_side_may_tell_in_two_messages_what_the_other_tells_in_one() -> None:
    found = compared([heard(0, "ab")], [heard(0, "a"), heard(0.5, "ab")])
    assert found == Comparison(same=1, portioned=1)
    found = compared([heard(0, "ab", "c")], [heard(-0.5, "a", "c"), heard(0.5, "b", "c")])
    assert found == Comparison(portioned=3)


def test_a_message_for_another_receiver_or_group_is_another() -> None:
    found = compared([heard(0, "a")], [heard(0, "a", receiver="dev"), replace(heard(0, "a"), group=Labels())])
    assert [one.why for one in found.differences] == [None] * 3


EXPLAINED = [
    pytest.param(
        [heard(0, "a"), heard(10, "", "a")],
        [heard(0, "a")],
        [muted(5, "a")],
        [Why.RESOLVED_MUTED],
        id="end while muted",
    ),
    pytest.param(
        [heard(0, "ab"), heard(10, "b", "a"), heard(20, "", "b")],
        [heard(0, "ab"), heard(10, "", "a")],
        [muted(5, "b")],
        [Why.STAYS_TOLD, Why.RESOLVED_MUTED],
        id="a muted one stays told",
    ),
    pytest.param(
        [heard(0, "ab")],
        [heard(0, "ab"), heard(10, "", "a")],
        [muted(5, "b")],
        [Why.STAYS_TOLD],
        id="all resolved there, while a muted one fires",
    ),
    pytest.param([heard(0, "a"), heard(60, "a", reason="unmuted")], [heard(0, "a")], [], [Why.UNMUTED], id="unmuted"),
    pytest.param(
        [heard(0, "a")],
        [heard(0, "a"), heard(120, "a")],
        [muted(5, "a", by_alert=True)],
        [Why.UNINHIBITED],
        id="a repeat that was missed while inhibited",
    ),
    pytest.param(
        [heard(0, "a"), heard(60, "a")],
        [heard(0, "a"), heard(65, "a")],
        [],
        [Why.REPEAT],
        id="a repeat comes later there",
    ),
    pytest.param(
        [heard(0, "a"), heard(5, "", "a"), heard(6, "a")],
        [heard(0, "a"), heard(5, "", "a"), heard(10, "a")],
        [],
        [Why.ANEW],
        id="a group begins anew",
    ),
    pytest.param([heard(0, "a")], [heard(0, "a"), heard(20, "a")], [], [Why.RESTART], id="told again after a restart"),
    pytest.param(
        [heard(0, "a"), heard(9, "b")],
        [heard(20, "ab")],
        [],
        [None, None, Why.RESTART],
        id="told anew by a new receiver",
    ),
    pytest.param([heard(0, "a")], [heard(0, "a"), heard(90, "a")], [], [None], id="a repeat that we did not tell"),
    pytest.param([heard(0, "a"), heard(90, "a")], [heard(0, "a")], [], [None], id="a repeat that only we told"),
    pytest.param([heard(0, "a")], [], [], [None], id="a first notification here alone"),
    pytest.param([], [heard(0, "a")], [], [None], id="a first notification there alone"),
    pytest.param([heard(0, "a")], [heard(0, "b")], [], [None], id="other alerts at the same time"),
    pytest.param([heard(0, "a"), heard(3, "a")], [heard(0, "a"), heard(7, "b")], [], [None, None], id="nothing alike"),
]


@pytest.mark.parametrize(("ours", "theirs", "mutes", "why"), EXPLAINED)
def test_a_difference_is_told_with_the_section_that_explains_it(
    ours: list[Heard], theirs: list[Heard], mutes: list[Muted], why: list[Why | None]
) -> None:
    found = compared(ours, theirs, *mutes)
    assert [one.why for one in found.differences] == why
    assert len(found.unexplained) == why.count(None)


def test_two_messages_at_one_time_are_one_difference() -> None:
    (one,) = compared([heard(0, "a")], [heard(0, "b")]).differences
    assert (one.ours, one.theirs) == (heard(0, "a"), heard(0, "b"))


def test_what_is_near_the_ends_is_not_judged() -> None:
    found = compared([heard(0, "a"), heard(30, "b"), heard(60, "c")], [])
    kept = judged(found, at(10), at(50))
    assert [one.ours for one in kept.differences] == [heard(30, "b")]


def test_every_reason_is_a_section_of_the_page() -> None:
    page = (ROOT / "docs/differences.md").read_text(encoding="utf-8")
    sections = re.findall(r"^## (.+)$", page, flags=re.MULTILINE)
    assert [why for why in Why if why.value not in sections] == []


messages = st.lists(
    st.builds(heard, st.integers(0, 200), st.sampled_from(["", "a", "b", "ab"]), st.sampled_from(["", "c"])), max_size=8
)


@given(messages)
def test_what_was_told_differs_from_itself_in_nothing(told: list[Heard]) -> None:
    assert compared(told, told) == Comparison(same=len(told))


@given(messages, messages)
def test_every_message_is_the_same_or_told_in_other_portions_or_differs(ours: list[Heard], theirs: list[Heard]) -> None:
    found = compared(ours, theirs)
    sides = [one for each in found.differences for one in (each.ours, each.theirs) if one is not None]
    assert 2 * found.same + found.portioned + len(sides) == len(ours) + len(theirs)
    assert {one.at for one in sides} <= {one.at for one in (*ours, *theirs)}


@given(messages, st.integers(-59, 59))
def test_a_shift_below_the_tolerance_makes_no_difference(told: list[Heard], seconds: int) -> None:
    # Each its own group, so that the order in a group cannot change which message answers which.
    apart = [replace(one, group=Labels({"number": str(number)})) for number, one in enumerate(told)]
    shifted = [replace(one, at=one.at + timedelta(seconds=seconds)) for one in apart]
    assert compared(apart, shifted) == Comparison(same=len(told))
