"""One flush of a group: each channel is decided for by itself, the ended leave, and the next flush is on the grid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.alert import Alert, State
from engine.core.flush import Flush, Group, Muter, Target, flush
from engine.core.muting import Mute, MuteKind
from engine.core.notifying import Reason, Terms, Told
from rules.labels import Labels
from rules.routing import Policy
from tests.core.alarms import HOUR, MINUTE, NOON, alert

INTERVAL = 5 * MINUTE
POLICY = Policy(route_id="root", receiver="ops", group_interval=INTERVAL)
TERMS = Terms(repeat_interval=HOUR)
GROUP = Group(id=1, route_id="root", labels=Labels(), dedup_key="k", flush_at=NOON)
MAIL = Target("mail", "ops@example.org")
PAGER = Target("pager")
QUIET = (Mute(kind=MuteKind.SILENCE, by="s1"),)
SILENCED = ((MuteKind.SILENCE, "s1"),)
INHIBITED = ((MuteKind.LEVEL, "r"), (MuteKind.INHIBITION, "i1"))


def flushed(
    *alerts: Alert,
    group: Group = GROUP,
    targets: Mapping[Target, Terms] | None = None,
    told: Mapping[Target, Told] | None = None,
    muted: Sequence[int] = (),
    moved: Sequence[int] = (),
    now: datetime = NOON,
) -> Flush:
    """A flush of GROUP on time, to the pager alone, unless said otherwise."""
    return flush(
        group,
        alerts,
        POLICY,
        targets={PAGER: TERMS} if targets is None else targets,
        told=told or {},
        mutes=dict.fromkeys(muted, QUIET),
        moved=moved,
        now=now,
    )


def firing(*numbers: int, at: datetime = NOON - INTERVAL) -> Told:
    return Told(firing=frozenset(numbers), at=at)


def test_every_channel_is_decided_for_by_what_it_was_told_itself() -> None:
    done = flushed(
        alert(1),
        alert(2),
        targets={PAGER: TERMS, MAIL: TERMS, Target("chat"): replace(TERMS, reached=False)},
        told={MAIL: firing(1, 2), Target("chat"): firing(1)},
    )
    assert {target.channel: decision.reason for target, decision in done.decisions.items()} == {
        "pager": Reason.FIRST_NOTIFICATION,
        "mail": Reason.ALREADY_TOLD,
        "chat": Reason.MOVED,
    }


def test_the_end_of_what_left_the_group_is_told_to_those_who_believe_that_it_fires_and_to_nobody_else() -> None:
    done = flushed(
        alert(1, State.INACTIVE),
        alert(2),
        targets={PAGER: TERMS, MAIL: TERMS},
        told={PAGER: firing(1, 2), MAIL: firing(2)},
        moved=[1],
    )
    pager, mail = (done.decisions[target] for target in (PAGER, MAIL))
    assert (pager.reason, set(pager.firing), set(pager.resolved)) == (Reason.SOME_RESOLVED, {2}, {1})
    assert (mail.reason, mail.told) == (Reason.ALREADY_TOLD, firing(2))


def test_recipients_of_one_channel_are_told_apart_and_sorted() -> None:
    assert sorted([PAGER, MAIL, Target("mail", "dev@example.org")]) == [Target("mail", "dev@example.org"), MAIL, PAGER]


@pytest.mark.parametrize(
    ("one", "muted", "reason"),
    [
        pytest.param(alert(1), [], Reason.ALREADY_TOLD, id="fires"),
        pytest.param(alert(1), [1], Reason.MUTED, id="fires muted"),
        pytest.param(alert(1, State.INACTIVE), [], Reason.ALL_RESOLVED, id="has ended"),
        pytest.param(alert(1, State.INACTIVE), [1], Reason.ALL_RESOLVED, id="has ended muted"),
        pytest.param(alert(1, State.PENDING), [], Reason.ALL_RESOLVED, id="is pending again, for its hold was raised"),
    ],
)
def test_an_alert_stands_as_its_state_and_its_mute_say(one: Alert, muted: list[int], reason: Reason) -> None:
    assert flushed(one, told={PAGER: firing(1)}, muted=muted).decisions[PAGER].reason is reason


@pytest.mark.parametrize(
    ("before", "reason"),
    [
        pytest.param({1: SILENCED}, Reason.UNMUTED, id="muted at the last flush"),
        pytest.param({2: SILENCED}, Reason.FIRST_NOTIFICATION, id="another one was"),
    ],
)
def test_a_group_remembers_whom_it_found_muted(before: dict[int, tuple[Muter, ...]], reason: Reason) -> None:
    assert flushed(alert(1), group=replace(GROUP, muted=before)).decisions[PAGER].reason is reason


@pytest.mark.parametrize(
    ("before", "reason"),
    [
        pytest.param({1: INHIBITED}, Reason.UNINHIBITED_UNSENT, id="by other alerts alone"),
        pytest.param({1: (*INHIBITED, *SILENCED)}, Reason.UNMUTED, id="by a silence too"),
        pytest.param({1: SILENCED}, Reason.UNMUTED, id="by a silence"),
    ],
)
def test_a_repeat_that_fell_due_meanwhile_depends_on_what_muted(
    before: dict[int, tuple[Muter, ...]], reason: Reason
) -> None:
    done = flushed(alert(1), group=replace(GROUP, muted=before), told={PAGER: firing(1, at=NOON - 2 * HOUR)})
    assert done.decisions[PAGER].reason is reason


def test_only_mutes_of_what_stays_are_kept_for_the_next_flush() -> None:
    done = flushed(alert(1), alert(2), alert(3, State.INACTIVE), muted=[1, 3, 9])
    assert done.mutes == {1: QUIET}


def test_an_alert_that_fires_again_after_it_ended_muted_does_not_come_out_of_a_mute() -> None:
    ended = flushed(alert(1, State.INACTIVE), muted=[1])
    again = flushed(alert(1), group=replace(GROUP, muted=remembered(ended)))
    assert again.decisions[PAGER].reason is Reason.FIRST_NOTIFICATION


@pytest.mark.parametrize(
    ("alerts", "muted", "leaving", "following"),
    [
        pytest.param([alert(1)], [], [], NOON + INTERVAL, id="what fires stays"),
        pytest.param([alert(1)], [1], [], NOON + INTERVAL, id="what fires muted stays"),
        pytest.param([alert(1), alert(2, State.INACTIVE)], [], [2], NOON + INTERVAL, id="what has ended leaves"),
        pytest.param([alert(2, State.INACTIVE)], [2], [2], None, id="the last one leaves an idle group"),
        pytest.param([alert(2, State.PENDING)], [], [2], None, id="what is pending again leaves"),
        pytest.param([], [], [], None, id="an empty group is idle"),
    ],
)
def test_what_has_ended_leaves_and_an_empty_group_is_idle(
    alerts: list[Alert], muted: list[int], leaving: list[int], following: datetime | None
) -> None:
    done = flushed(*alerts, muted=muted, told={PAGER: firing(1, 2)})
    assert done.leaving == frozenset(leaving)
    assert done.next_flush_at == following


def test_a_group_nobody_listens_to_is_flushed_all_the_same() -> None:
    done = flushed(alert(1), alert(2, State.INACTIVE), targets={})
    assert not done.decisions
    assert (done.leaving, done.next_flush_at) == (frozenset({2}), NOON + INTERVAL)


@pytest.mark.parametrize(
    ("late", "at"),
    [
        pytest.param(timedelta(0), NOON, id="on time"),
        pytest.param(4 * MINUTE, NOON, id="a little late"),
        pytest.param(2 * HOUR + MINUTE, NOON + 2 * HOUR, id="after an outage"),
    ],
)
def test_a_flush_stands_for_its_scheduled_time(late: timedelta, at: datetime) -> None:
    done = flushed(alert(1), now=NOON + late)
    assert done.at == done.decisions[PAGER].told.at == at
    assert done.next_flush_at == at + INTERVAL


def test_a_repeat_that_fell_due_in_an_outage_is_told_by_the_first_flush_after_it() -> None:
    done = flushed(alert(1), told={PAGER: firing(1)}, now=NOON + 2 * HOUR)
    assert done.decisions[PAGER].reason is Reason.REPEAT


def test_what_was_told_late_is_not_told_again_at_once() -> None:
    late = flushed(alert(1), now=NOON + 2 * HOUR)
    assert late.next_flush_at is not None
    told = {PAGER: late.decisions[PAGER].told}
    following = flushed(alert(1), group=replace(GROUP, flush_at=late.next_flush_at), told=told, now=late.next_flush_at)
    assert following.decisions[PAGER].reason is Reason.ALREADY_TOLD


STATES = st.sampled_from(State)
WORLDS = st.dictionaries(st.integers(1, 4), st.tuples(STATES, st.booleans()), max_size=4)
LATENESS = st.timedeltas(timedelta(0), 3 * HOUR)


@given(st.lists(st.tuples(WORLDS, LATENESS), max_size=10), st.booleans(), st.booleans())
def test_over_any_timeline_nobody_believes_in_what_has_left_and_flushes_keep_the_grid(
    steps: list[tuple[dict[int, tuple[State, bool]], timedelta]], send_resolved: bool, reached: bool
) -> None:
    told: dict[Target, Told] = {}
    group = GROUP
    terms = {PAGER: replace(TERMS, send_resolved=send_resolved), MAIL: replace(TERMS, reached=reached)}
    for world, lateness in steps:
        gone = believed(told) - world.keys()
        present = {**dict.fromkeys(gone, (State.INACTIVE, False)), **world}
        alerts = [alert(number, state) for number, (state, _) in present.items()]
        muted = [number for number, (_, is_muted) in present.items() if is_muted]
        now = group.flush_at + lateness
        done = flushed(*alerts, group=group, targets=terms, told=told, muted=muted, moved=sorted(gone), now=now)
        told = {target: decision.told for target, decision in done.decisions.items()}
        assert not (done.leaving | gone) & believed(told)
        assert (done.next_flush_at is None) is (done.leaving == world.keys())
        assert (done.at - NOON) % INTERVAL == timedelta(0)
        assert done.at <= now < done.at + INTERVAL
        group = replace(group, flush_at=done.next_flush_at or done.at + INTERVAL, muted=remembered(done))


def remembered(done: Flush) -> dict[int, tuple[Muter, ...]]:
    """The mutes of a flush as the next one finds them."""
    return {number: tuple((mute.kind, mute.by) for mute in every) for number, every in done.mutes.items()}


def believed(told: Mapping[Target, Told]) -> frozenset[int]:
    return frozenset().union(*(one.firing for one in told.values()))
