"""Who tells an addressee of an alert that an edit has taken from one group to another."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from engine.core.carrying import Apart, Fate, Turn, Word, decide_apart, fate, turn
from engine.core.notifying import Reason, Standing, Terms, Told

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
BEFORE = NOON - timedelta(minutes=5)
TERMS = Terms(repeat_interval=timedelta(minutes=10))
GONE = replace(TERMS, reached=False)
GONE_SILENTLY = replace(GONE, send_resolved=False)
A = frozenset({1})
B = frozenset({2})
NOBODY = frozenset[int]()


def told(firing: frozenset[int] = A, resolved: frozenset[int] = NOBODY) -> Told:
    return Told(firing=firing, resolved=resolved, at=BEFORE)


NOTHING = Word()
ARRIVED = Word(decided=told(), delivered=told())
REPEATED = replace(ARRIVED, waits=True)
ON_ITS_WAY = Word(decided=told(), waits=True)
ENDING = Word(decided=told(NOBODY, A), delivered=told(), waits=True)
ENDED = Word(decided=told(NOBODY, A), delivered=told(NOBODY, A))
OTHER = Word(decided=told(B), delivered=told(B), waits=True)


@pytest.mark.parametrize(
    ("own", "others", "expected"),
    [
        pytest.param(NOTHING, [], Turn.TELL, id="nobody has told anything"),
        pytest.param(NOTHING, [OTHER], Turn.TELL, id="others told of others"),
        pytest.param(NOTHING, [ENDED], Turn.TELL, id="it was told as over"),
        pytest.param(NOTHING, [ARRIVED], Turn.TAKE_OVER, id="it was told"),
        pytest.param(NOTHING, [OTHER, ARRIVED, ENDED], Turn.TAKE_OVER, id="one of several told"),
        pytest.param(NOTHING, [ON_ITS_WAY], Turn.LEAVE, id="it is being told"),
        pytest.param(NOTHING, [REPEATED], Turn.LEAVE, id="it is being repeated"),
        pytest.param(NOTHING, [ARRIVED, ON_ITS_WAY], Turn.LEAVE, id="one told and one is telling"),
        pytest.param(NOTHING, [ENDING], Turn.LEAVE, id="its end is on the way, and would come after"),
        pytest.param(OTHER, [ARRIVED], Turn.LEAVE, id="what is on the way here would be noted as all that has arrived"),
        pytest.param(OTHER, [ENDED], Turn.TELL, id="nothing to take over"),
    ],
)
def test_who_tells_of_an_alert_that_fires(own: Word, others: list[Word], expected: Turn) -> None:
    assert turn(1, fires=True, own=own, others=others) is expected


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        pytest.param([], Turn.TELL, id="nobody has told anything"),
        pytest.param([OTHER], Turn.TELL, id="others told of others"),
        pytest.param([ARRIVED], Turn.LEAVE, id="another told its beginning"),
        pytest.param([ENDED], Turn.LEAVE, id="another told its end"),
    ],
)
def test_who_tells_of_an_alert_that_has_ended(others: list[Word], expected: Turn) -> None:
    assert turn(1, fires=False, own=NOTHING, others=others) is expected


@pytest.mark.parametrize(
    ("own", "heirs", "wants_ends", "expected"),
    [
        pytest.param(ARRIVED, None, True, Fate.END, id="nobody speaks for it any more"),
        pytest.param(ARRIVED, None, False, Fate.REMEMBER, id="nobody does, and no end is wanted"),
        pytest.param(ON_ITS_WAY, None, False, Fate.END, id="no end is wanted, but it may never arrive"),
        pytest.param(
            REPEATED, None, False, Fate.END, id="no end is wanted, and the next message takes the place of this"
        ),
        pytest.param(ARRIVED, [], True, Fate.KEEP, id="who will has not begun"),
        pytest.param(ARRIVED, [OTHER, ENDED], True, Fate.KEEP, id="who does has told of others"),
        pytest.param(ARRIVED, [ARRIVED], True, Fate.FORGET, id="who does has told of it"),
        pytest.param(REPEATED, [ARRIVED], True, Fate.KEEP, id="what is on the way would come back as told"),
    ],
)
def test_what_becomes_of_what_a_group_told_and_speaks_for_no_more(
    own: Word, heirs: list[Word] | None, wants_ends: bool, expected: Fate
) -> None:
    assert fate(1, own=own, heirs=heirs, wants_ends=wants_ends) is expected


@pytest.mark.parametrize(
    ("known", "standing", "terms", "apart", "reason"),
    [
        pytest.param(Told(), Standing(firing=A), TERMS, Apart(left=A), Reason.ALREADY_TOLD, id="what others tell of"),
        pytest.param(Told(), Standing(muted=A), TERMS, Apart(left=A), Reason.ALREADY_TOLD, id="the same, muted"),
        pytest.param(Told(), Standing(resolved=A), TERMS, Apart(left=A), Reason.ALREADY_TOLD, id="the same, over"),
        pytest.param(told(), Standing(moved=A), TERMS, Apart(kept=A), Reason.ALREADY_TOLD, id="kept"),
        pytest.param(
            told(), Standing(moved=A, muted=B), TERMS, Apart(kept=A), Reason.MUTED, id="kept beside what is muted"
        ),
        pytest.param(told(), Standing(moved=A), GONE, Apart(kept=A), Reason.NOTHING_TO_TELL, id="kept for others"),
        pytest.param(
            told(), Standing(firing=A), GONE, Apart(kept=A), Reason.NOTHING_TO_TELL, id="kept, and in the group"
        ),
        pytest.param(
            told(), Standing(firing=A), GONE_SILENTLY, Apart(remembered=A), Reason.NOTHING_TO_TELL, id="remembered"
        ),
        pytest.param(
            told(), Standing(moved=A), TERMS, Apart(remembered=A), Reason.NOTHING_TO_TELL, id="the same, moved"
        ),
    ],
)
def test_what_is_apart_is_no_reason_for_a_message_and_counts_as_told_as_before(
    known: Told, standing: Standing, terms: Terms, apart: Apart, reason: Reason
) -> None:
    decision = decide_apart(known, standing, terms, NOON + timedelta(hours=1), apart)
    assert (decision.reason, decision.told, decision.firing, decision.resolved) == (reason, known, NOBODY, NOBODY)


@pytest.mark.parametrize(
    ("known", "standing", "terms", "apart", "says"),
    [
        pytest.param(Told(), Standing(firing=A | B), TERMS, Apart(left=A), (B, NOBODY), id="others tell of one"),
        pytest.param(told(), Standing(firing=B, moved=A), TERMS, Apart(kept=A), (A | B, NOBODY), id="one is kept"),
        pytest.param(told(A | B), Standing(moved=A | B), GONE, Apart(kept=A), (A, B), id="one is kept for others"),
        pytest.param(
            told(), Standing(firing=B, moved=A), TERMS, Apart(remembered=A), (B, NOBODY), id="one is remembered"
        ),
    ],
)
def test_a_message_about_others_says_what_is_kept_and_nothing_else_that_is_apart(
    known: Told, standing: Standing, terms: Terms, apart: Apart, says: tuple[frozenset[int], frozenset[int]]
) -> None:
    decision = decide_apart(known, standing, terms, NOON, apart)
    assert (decision.firing, decision.resolved) == says
    assert decision.told == Told(firing=says[0] | apart.held, resolved=says[1], at=NOON)


def test_what_nobody_wants_the_end_of_is_forgotten_beside_what_is_remembered() -> None:
    decision = decide_apart(told(A | B), Standing(resolved=B), GONE_SILENTLY, NOON, Apart(remembered=A))
    assert (decision.reason, decision.told) == (Reason.RESOLVED_UNSENT, told(A, B))
