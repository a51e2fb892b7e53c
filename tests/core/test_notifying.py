"""Whether a channel is told: Alertmanager's table, Tocsin's differences, and what holds over any timeline."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.notifying import Decision, Reason, Standing, Terms, Told, arrived_without, decide
from rules.routing import NotifyOnUnmute
from tests.core.alarms import MINUTE, NOON, SECOND

REPEAT = 15 * MINUTE
INTERVAL = 5 * MINUTE
TERMS = Terms(repeat_interval=REPEAT)
SILENT_ENDS = Terms(repeat_interval=REPEAT, send_resolved=False)
ALWAYS = Terms(repeat_interval=REPEAT, notify_on_unmute=NotifyOnUnmute.ALWAYS)
NEVER = Terms(repeat_interval=REPEAT, notify_on_unmute=NotifyOnUnmute.NEVER)
GONE = Terms(repeat_interval=REPEAT, reached=False)
GONE_SILENTLY = Terms(repeat_interval=REPEAT, reached=False, send_resolved=False)
NOTHING = Told()
NOBODY: frozenset[int] = frozenset()


def ids(digits: str) -> frozenset[int]:
    return frozenset(map(int, digits))


def told(firing: str = "", resolved: str = "", *, ago: timedelta | None = timedelta(0)) -> Told:
    return Told(firing=ids(firing), resolved=ids(resolved), at=None if ago is None else NOON - ago)


def standing(words: str, before: frozenset[int] = NOBODY, inhibited: frozenset[int] = NOBODY) -> Standing:
    """Alerts by number: `1` fires, `2m` fires muted, `2i` inhibited, `3r` has ended, `4rm` has ended muted.

    `before` were muted last time, `inhibited` those of them that were by other alerts alone.
    """
    marked = {int(word[0]): word[1:] for word in words.split()}

    def having(*marks: str) -> frozenset[int]:
        return frozenset(number for number, mark in marked.items() if mark in marks)

    return Standing(
        firing=having(""),
        muted=having("m", "i"),
        resolved=having("r", "rm"),
        resolved_muted=having("rm"),
        muted_before=before,
        inhibited_before=inhibited,
    )


@pytest.mark.parametrize(
    ("known", "now", "terms", "reason"),
    [
        pytest.param(NOTHING, "2 3 4", TERMS, Reason.FIRST_NOTIFICATION, id="never told, firing"),
        pytest.param(NOTHING, "2r 3r", TERMS, Reason.NOTHING_TO_TELL, id="over before it was told"),
        pytest.param(NOTHING, "", TERMS, Reason.NOTHING_TO_TELL, id="an empty group"),
        pytest.param(told("123"), "2 3 4", TERMS, Reason.NEW_ALERTS, id="others fire"),
        pytest.param(told("", "123"), "4 1r", TERMS, Reason.FIRST_NOTIFICATION, id="all told had ended before"),
        pytest.param(told("123", ago=None), "1 2 3", TERMS, Reason.REPEAT, id="told at no known time"),
        pytest.param(told("123", ago=14 * MINUTE), "1 2 3", TERMS, Reason.ALREADY_TOLD, id="before repeat_interval"),
        pytest.param(told("123", ago=REPEAT - SECOND), "1 2 3", TERMS, Reason.ALREADY_TOLD, id="just before it"),
        pytest.param(told("123", ago=REPEAT), "1 2 3", TERMS, Reason.REPEAT, id="at exactly repeat_interval"),
        pytest.param(told("123", ago=16 * MINUTE), "1 2 3", TERMS, Reason.REPEAT, id="after repeat_interval"),
        pytest.param(
            told("", "123", ago=16 * MINUTE), "3r 4r", TERMS, Reason.NOTHING_TO_TELL, id="ends are never repeated"
        ),
        pytest.param(told("12", "3"), "1 2r 3r", SILENT_ENDS, Reason.ALREADY_TOLD, id="an end nobody wants"),
        pytest.param(told("12", "3"), "1 2r 3r", TERMS, Reason.SOME_RESOLVED, id="one end of two"),
        pytest.param(told("1"), "1 2r", TERMS, Reason.SOME_RESOLVED, id="an end between two flushes"),
        pytest.param(told("1", "2"), "1 2r", TERMS, Reason.ALREADY_TOLD, id="an end it was told"),
        pytest.param(told("12"), "1r 2r", TERMS, Reason.ALL_RESOLVED, id="the end of all"),
        pytest.param(told("12"), "1r 2r", SILENT_ENDS, Reason.RESOLVED_UNSENT, id="the end of all nobody wants"),
        pytest.param(told("12", ago=REPEAT), "1 2r", TERMS, Reason.SOME_RESOLVED, id="an end goes before a repeat"),
        pytest.param(told("12", ago=REPEAT), "1 2r 3", TERMS, Reason.NEW_ALERTS, id="a new one goes before an end"),
        pytest.param(told("12", ago=REPEAT), "1 2r", SILENT_ENDS, Reason.REPEAT, id="a repeat without the end"),
    ],
)
def test_a_channel_is_told_by_alertmanagers_table(known: Told, now: str, terms: Terms, reason: Reason) -> None:
    assert decide(known, standing(now), terms, NOON).reason is reason


@dataclass(frozen=True)
class Flushed:
    """One flush of a timeline: what the channel was told before, how things stood, and what was decided."""

    before: Told
    standing: Standing
    decision: Decision
    number: int


def flushes(steps: Sequence[str], terms: Terms) -> Iterator[Flushed]:
    """The decisions of one flush per interval from NOON, each step's words as `standing` reads them."""
    known, muted, inhibited = NOTHING, NOBODY, NOBODY
    for number, words in enumerate(steps):
        now = standing(words, muted, inhibited)
        decision = decide(known, now, terms, NOON + number * INTERVAL)
        yield Flushed(before=known, standing=now, decision=decision, number=number)
        known, muted = decision.told, now.muted
        inhibited = frozenset(int(word[0]) for word in words.split() if word[1:] == "i")


STORIES = [
    pytest.param(
        TERMS, "1|1|1|1|1", "first notification|already told|already told|repeat interval elapsed|already told",
        id="repeats at exactly repeat_interval",
    ),
    pytest.param(TERMS, "1|1r|1", "first notification|all alerts resolved|first notification", id="fires again"),
    pytest.param(
        SILENT_ENDS,
        "1|1r|1",
        "first notification|resolved, but send_resolved is off|first notification",
        id="fires again after an end nobody wanted",
    ),
    pytest.param(
        SILENT_ENDS,
        "1 2|1 2r|1 2",
        "first notification|already told|new alerts added",
        id="one of two fires again after an end nobody wanted",
    ),
    pytest.param(TERMS, "1m|1m|1rm", "muted|muted|nothing to tell", id="over before it was heard"),
    pytest.param(TERMS, "1m|1r", "muted|nothing to tell", id="over with its mute before it was heard"),
    pytest.param(TERMS, "1m|1|1", "muted|unmuted|already told", id="first told when the mute ends"),
    pytest.param(TERMS, "1|1m|1rm", "first notification|muted|all alerts resolved", id="ends muted after it was told"),
    pytest.param(
        TERMS, "1 2|1r 2m|2m", "first notification|some alerts resolved|muted", id="a muted one told keeps a group alive"
    ),
    pytest.param(TERMS, "1|1r 2m|2", "first notification|all alerts resolved|unmuted", id="an untold muted one does not"),
    pytest.param(
        TERMS,
        "1|1 2rm|1m 3rm|1 4r",
        "first notification|already told|muted|some alerts resolved",
        id="an end never heard of is hidden by its mute",
    ),
    pytest.param(TERMS, "1|1m 2r|1m", "first notification|muted|muted", id="an untold end waits while all is muted"),
    pytest.param(TERMS, "1|1m 2", "first notification|new alerts added", id="a new one beside a muted one"),
    pytest.param(TERMS, "1m|1 2", "muted|first notification", id="a new one beside an unmuted one"),
    pytest.param(TERMS, "1|2m 1|1 2", "first notification|already told|unmuted", id="unmuted beside one told"),
    pytest.param(
        TERMS,
        "1|1m|1|1",
        "first notification|muted|already told|repeat interval elapsed",
        id="told before its mute, no repeat due",
    ),
    pytest.param(
        TERMS, "1|1m|1m|1m|1", "first notification|muted|muted|muted|unmuted", id="told before its mute, a repeat fell due"
    ),
    pytest.param(ALWAYS, "1|1m|1|1", "first notification|muted|unmuted|already told", id="always told when a mute ends"),
    pytest.param(TERMS, "1|1m 2m|1 2", "first notification|muted|unmuted", id="one told and one untold come out of a mute"),
    pytest.param(ALWAYS, "1m|1r 2m", "muted|muted", id="always, but it ended with its mute"),
    pytest.param(
        NEVER,
        "1m|1|1|1|1",
        "muted|unmuted, but notify_on_unmute is never|already told|already told|repeat interval elapsed",
        id="never told when a mute ends, but by the repeat after",
    ),
    pytest.param(
        NEVER,
        "1r|2m|2|2r",
        "nothing to tell|muted|unmuted, but notify_on_unmute is never|all alerts resolved",
        id="never told when a mute ends, but of its end",
    ),
    pytest.param(
        NEVER,
        "1|1 2m|1 2|1 2",
        "first notification|already told|unmuted, but notify_on_unmute is never|repeat interval elapsed",
        id="never told when a mute ends, others' repeat tells",
    ),
    pytest.param(
        NEVER, "1m|1 2r", "muted|unmuted, but notify_on_unmute is never", id="never told when a mute ends, nor of others' ends"
    ),
    pytest.param(NEVER, "1m|1 2", "muted|first notification", id="never told when a mute ends, but beside a new one"),
    pytest.param(
        NEVER,
        "1 2|1 2r|1 2m|1 2|1 2r",
        "first notification|some alerts resolved|already told|unmuted, but notify_on_unmute is never|some alerts resolved",
        id="never told when a mute ends, but of its second end",
    ),
    pytest.param(
        NEVER,
        "1|1m|1m|1m|1",
        "first notification|muted|muted|muted|repeat interval elapsed",
        id="never changes nothing about a repeat that falls due",
    ),
    pytest.param(TERMS, "1i|1|1", "muted|unmuted|already told", id="never told before it was inhibited"),
    pytest.param(TERMS, "1|1i|1", "first notification|muted|already told", id="told before it was inhibited"),
    pytest.param(
        TERMS,
        "1|1i|1i|1i|1|1|1|1|1",
        "first notification|muted|muted|muted|no longer inhibited, but told before|already told|already told"
        "|repeat interval elapsed|already told",
        id="told before it was inhibited, and repeats begin anew",
    ),
    pytest.param(
        TERMS,
        "1|1i|1rm|1i|1",
        "first notification|muted|all alerts resolved|muted|unmuted",
        id="told, but of an episode that has ended",
    ),
    pytest.param(
        TERMS,
        "1 2|1i 2m|1i 2m|1i 2m|1 2|1 2",
        "first notification|muted|muted|muted|unmuted|already told",
        id="inhibited beside a silenced one, whose repeat fell due",
    ),
    pytest.param(
        TERMS,
        "1 2|1i 2|1i 2|1 2|1 2",
        "first notification|already told|already told|repeat interval elapsed|already told",
        id="inhibited beside a free one, whose repeat falls due",
    ),
    pytest.param(TERMS, "1|1i 2i|1i 2i|1i 2i|1 2", "first notification|muted|muted|muted|unmuted", id="one of two was told"),
    pytest.param(
        ALWAYS,
        "1|1i|1|1",
        "first notification|muted|already told|repeat interval elapsed",
        id="always is not for inhibition",
    ),
    pytest.param(NEVER, "1i|1|1", "muted|unmuted|already told", id="never is not for inhibition"),
    pytest.param(
        NEVER,
        "1|1i 2m|1i 2m|1i 2m|1 2|1 2|1 2|1 2",
        "first notification|muted|muted|muted|unmuted, but notify_on_unmute is never|already told|already told"
        "|repeat interval elapsed",
        id="never told when a silence ends, nor by the repeat an inhibition put off",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("terms", "steps", "reasons"), STORIES)
def test_a_channel_hears_the_story_of_its_group(terms: Terms, steps: str, reasons: str) -> None:
    assert [one.decision.reason.value for one in flushes(steps.split("|"), terms)] == reasons.split("|")


@pytest.mark.parametrize(
    ("known", "now", "terms", "firing", "resolved"),
    [
        pytest.param(NOTHING, "1 2 3r", TERMS, "12", "3", id="the ends come along"),
        pytest.param(NOTHING, "1 2 3r", SILENT_ENDS, "12", "", id="but to those who want them"),
        pytest.param(NOTHING, "1 2m 3rm", TERMS, "1", "", id="what is muted is not shown"),
        pytest.param(told("12"), "1r 2m", TERMS, "2", "1", id="a muted one it was told of still fires"),
        pytest.param(told("1"), "1rm", TERMS, "", "1", id="a muted end of what it was told"),
        pytest.param(told("1"), "1", TERMS, "", "", id="no message holds nothing"),
    ],
)
def test_a_message_holds_what_its_channel_may_know(
    known: Told, now: str, terms: Terms, firing: str, resolved: str
) -> None:
    decision = decide(known, standing(now), terms, NOON)
    assert (decision.firing, decision.resolved) == (ids(firing), ids(resolved))


@pytest.mark.parametrize(
    ("known", "now", "terms", "reason", "resolved"),
    [
        pytest.param(told("12"), "1 2m", GONE, Reason.MOVED, "12", id="what it was told fires elsewhere"),
        pytest.param(told("12"), "1m 2r", GONE, Reason.MOVED, "12", id="some of it does, muted"),
        pytest.param(told("12"), "1r 2r", GONE, Reason.ALL_RESOLVED, "12", id="all of it has ended"),
        pytest.param(told("12"), "1 2", GONE_SILENTLY, Reason.RESOLVED_UNSENT, "", id="it wants to hear of no end"),
        pytest.param(told("", "1"), "1 2", GONE, Reason.NOTHING_TO_TELL, "", id="it believes nothing to fire"),
    ],
)
def test_a_channel_no_longer_reached_hears_one_end_and_nothing_after(
    known: Told, now: str, terms: Terms, reason: Reason, resolved: str
) -> None:
    decision = decide(known, standing(now), terms, NOON)
    assert (decision.reason, decision.firing, decision.resolved) == (reason, NOBODY, ids(resolved))
    assert decision.told.firing == NOBODY
    assert decide(decision.told, standing(now), terms, NOON + INTERVAL).reason is Reason.NOTHING_TO_TELL


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_says_whether_a_message_goes_out(reason: Reason) -> None:
    quiet = {"already told", "nothing to tell", "muted"}
    assert reason.sends is not (reason.value in quiet or "but" in reason.value.split())


def test_a_late_end_that_nobody_wants_still_counts_from_its_flush() -> None:
    decision = decide(told("1", ago=REPEAT), standing("1r 2r"), SILENT_ENDS, NOON)
    assert decision.told == Told(resolved=ids("12"), at=NOON)


# Over timelines: three alerts that come and go, free or muted. One that stops firing has ended at the next flush and leaves.
WORLDS = st.lists(
    st.fixed_dictionaries(
        {number: st.sampled_from(["off", "off muted", "on", "on", "muted", "inhibited"]) for number in (1, 2, 3)}
    ),
    min_size=1,
    max_size=16,
)


def steps(worlds: Sequence[dict[int, str]]) -> list[str]:
    """The words of `standing` for each world; what fired at the flush before and is off now has ended."""
    found, members = [], NOBODY
    for world in worlds:
        words = {number: {"on": "", "muted": "m", "inhibited": "i"}.get(state) for number, state in world.items()}
        ended = {number: "rm" if world[number] == "off muted" else "r" for number in members if words[number] is None}
        firing = {number: mark for number, mark in words.items() if mark is not None}
        found.append(" ".join(f"{number}{mark}" for number, mark in sorted({**firing, **ended}.items())))
        members = frozenset(firing)
    return found


@given(WORLDS, st.sampled_from([TERMS, SILENT_ENDS, ALWAYS, NEVER]))
def test_whatever_fires_free_of_mutes_counts_as_told_after_every_flush(
    worlds: list[dict[int, str]], terms: Terms
) -> None:
    for one in flushes(steps(worlds), terms):
        assert one.standing.firing <= one.decision.told.firing
        assert one.decision.told.firing <= one.standing.firing | one.standing.muted


@given(WORLDS, st.sampled_from([TERMS, ALWAYS]))
def test_a_channel_believes_what_it_was_told_and_hears_every_end_of_it_once(
    worlds: list[dict[int, str]], terms: Terms
) -> None:
    believes: set[int] = set()
    for one in flushes(steps(worlds), terms):
        believed_ended = believes & one.standing.resolved
        assert believed_ended <= one.decision.resolved <= one.standing.resolved
        if one.decision.reason.sends:
            believes = set(one.decision.firing)
        assert believes == one.decision.told.firing


@given(WORLDS)
def test_nothing_is_told_twice_within_repeat_interval_unless_something_changed(worlds: list[dict[int, str]]) -> None:
    last: Flushed | None = None
    for one in flushes(steps(worlds), TERMS):
        if not one.decision.reason.sends:
            continue
        if last is not None and one.decision.firing == last.decision.firing and not one.decision.resolved:
            assert (one.number - last.number) * INTERVAL >= REPEAT
        last = one


@given(WORLDS, st.sampled_from([TERMS, ALWAYS, NEVER, SILENT_ENDS]))
def test_what_goes_on_firing_is_repeated_at_the_first_flush_at_or_after_repeat_interval(
    worlds: list[dict[int, str]], terms: Terms
) -> None:
    for one in flushes(steps(worlds), terms):
        if one.standing.firing:
            assert one.decision.told.at is not None
            assert NOON + one.number * INTERVAL - one.decision.told.at < REPEAT


@given(WORLDS, st.sampled_from([TERMS, ALWAYS, NEVER]))
def test_all_resolved_is_said_only_when_nothing_told_still_fires(worlds: list[dict[int, str]], terms: Terms) -> None:
    for one in flushes(steps(worlds), terms):
        if one.decision.reason is Reason.ALL_RESOLVED:
            assert one.before.firing <= one.standing.resolved
        if one.decision.reason.sends and not one.decision.firing:
            assert one.decision.reason is Reason.ALL_RESOLVED


@given(WORLDS, st.sampled_from([TERMS, ALWAYS, NEVER, SILENT_ENDS]))
def test_a_message_goes_out_exactly_when_there_is_something_in_it(worlds: list[dict[int, str]], terms: Terms) -> None:
    for one in flushes(steps(worlds), terms):
        assert one.decision.reason.sends is bool(one.decision.firing | one.decision.resolved)


@given(WORLDS, st.sampled_from([TERMS, ALWAYS, NEVER, SILENT_ENDS]))
def test_what_a_dead_message_should_have_told_is_told_by_the_next_flush(
    worlds: list[dict[int, str]], terms: Terms
) -> None:
    for died in flushes(steps(worlds), terms):
        untold = died.standing.firing - died.before.firing
        ended = died.before.firing & died.standing.resolved if terms.send_resolved else NOBODY
        if not died.decision.reason.sends or not (untold or ended):
            continue
        # What has ended has left the group, but what the channel believes to fire is looked at all the same.
        following = replace(
            died.standing,
            resolved=died.standing.resolved & died.before.firing,
            resolved_muted=died.standing.resolved_muted & died.before.firing,
            muted_before=died.standing.muted,
        )
        again = decide(died.before, following, terms, NOON + (died.number + 1) * INTERVAL)
        assert again.reason.sends
        assert again.firing == died.decision.firing
        assert ended <= again.resolved


@pytest.mark.parametrize(
    ("told", "reason", "arrived"),
    [
        pytest.param({1, 3}, Reason.UNMUTED_UNSENT, {1, 3}, id="what no mute's end was to tell counts as delivered"),
        pytest.param({1}, Reason.ALREADY_TOLD, {1}, id="what never arrived does not"),
        pytest.param(set(), Reason.RESOLVED_UNSENT, set(), id="an end that is never told is forgotten"),
        pytest.param({1, 2, 3}, Reason.NEW_ALERTS, {1}, id="a message is what makes it so"),
    ],
)
def test_what_counts_as_delivered_though_no_message_says_it(told: set[int], reason: Reason, arrived: set[int]) -> None:
    decided, delivered = Told(firing=frozenset(told & {1, 2}) | {1}), Told(firing=frozenset({1}))
    decision = Decision(reason=reason, told=Told(firing=frozenset(told)))
    assert arrived_without(decided, delivered, decision) == Told(firing=frozenset(arrived))
