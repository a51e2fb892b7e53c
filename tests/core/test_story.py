"""The story of an alert, its verdict and what is next, from values alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.muting import Mute, MuteKind
from engine.core.story import story
from engine.core.story_events import sentences
from engine.core.storyline import Event, Facts, GroupFacts, Kind, RuleFacts, Subject, Verdict, Waiting
from rules import routing
from rules.labels import Labels
from rules.routing import Step as Tried
from rules.rule import Condition, Rule

NOON: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)
LABELS: Final = Labels({"alertname": "Busy", "host": "a"})
RULE: Final = Rule(id="r", name="Busy", version=3)
TAKEN: Final = Tried(route_id="root", depth=0, verdict=routing.Verdict.TAKEN, why="it matches")


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def event(seconds: float, kind: Kind, reason: str, **detail: Any) -> Event:
    return Event(at=after(seconds), kind=kind, reason=reason, subject=Subject(type="group", id="7"), detail=detail)


def moved(seconds: float, before: str | None, state: str, reason: str = "held", **more: Any) -> Event:
    detail = {"before": before, "after": state, "value": "12.0", "rule_id": "r", "rule_version": 3, **more}
    return event(seconds, Kind.TRANSITION, reason, **detail)


def placed(*channels: str) -> Event:
    return event(0, Kind.PLACEMENT, "routed", route_id="root", group_id=7, channels=list(channels))


def decided(seconds: float, reason: str, *, sends: bool = True, channel: str = "slack", **more: Any) -> Event:
    detail = {"channel": channel, "recipient": "", "sends": sends, "firing": [1], "resolved": [], **more}
    return replace(event(seconds, Kind.DECISION, reason, **detail), alert_ids=frozenset({1}))


def tried(seconds: float, outcome: str, *, channel: str = "slack", **more: Any) -> Event:
    detail = {"channel": channel, "recipient": "", "attempt": 1, "detail": "no", **more}
    return event(seconds, Kind.ATTEMPT, outcome, **detail)


def muted(seconds: float, kind: str, **detail: Any) -> Event:
    return event(seconds, Kind.MUTE, kind, **detail)


FIRES: Final = (moved(0, None, "firing"), placed("slack"))
TOLD: Final = (*FIRES, decided(5, "first notification"), tried(6, "sent"))


def facts(*events: Event, **more: Any) -> Facts:
    return Facts(**{"labels": LABELS, "number": 1, "events": events, "tried": (TAKEN,), **more})


def group(**more: Any) -> GroupFacts:
    spans = {
        "group_wait": timedelta(seconds=5),
        "group_interval": timedelta(seconds=30),
        "repeat_interval": timedelta(hours=1),
    }
    return GroupFacts(**{"id": 7, "route_id": "root", "labels": LABELS, "flush_at": after(120), **spans, **more})


def log(*events: Event) -> tuple[Event, ...]:
    return (*events, decided(5, "first notification", channel="log"), tried(6, "sent", channel="log"))


FAILED: Final = (*FIRES, decided(5, "first notification"))
PROBLEM: Final = {"slack": "no address"}
ENDED: Final = (*TOLD, moved(20, "firing", "inactive", "condition_ended"))
BROKEN: Final = RuleFacts(id="r", rule=None, problems=("bad expr",))


@pytest.mark.parametrize(
    ("known", "verdict", "said"),
    [
        pytest.param(facts(*TOLD), Verdict.TOLD, "last told: slack at 2026-03-01 12:00:06Z", id="told"),
        pytest.param(
            facts(*TOLD, decided(35, "already told", sends=False)),
            Verdict.ALREADY_TOLD,
            "nothing is new",
            id="already told",
        ),
        pytest.param(facts(*FIRES), Verdict.WAITING, "not been flushed yet", id="group waits"),
        pytest.param(facts(*FAILED), Verdict.WAITING, "is on its way", id="message waits"),
        pytest.param(
            facts(moved(0, None, "pending"), fires_at=after(300)),
            Verdict.PENDING,
            "until 2026-03-01 12:05:00Z",
            id="pending",
        ),
        pytest.param(facts(moved(0, None, "pending")), Verdict.PENDING, "its `for`.", id="pending for no known time"),
        pytest.param(facts(*ENDED), Verdict.RESOLVED, "(condition_ended); last told", id="resolved"),
        pytest.param(
            facts(moved(0, None, "pending"), moved(9, "pending", "inactive", "condition_ended")),
            Verdict.RESOLVED,
            "never fired",
            id="never held",
        ),
        pytest.param(
            facts(*FIRES, moved(9, "firing", "inactive", "rule_disabled")),
            Verdict.DISABLED,
            "nobody was told",
            id="disabled",
        ),
        pytest.param(
            facts(*FIRES, moved(9, "firing", "inactive", "series_missing")),
            Verdict.NO_DATA,
            "want of data",
            id="missing",
        ),
        pytest.param(facts(*ENDED, rules=(BROKEN,)), Verdict.QUARANTINED, "bad expr", id="set aside after it ended"),
        pytest.param(
            facts(*FIRES, muted(5, "silence", by="s", until=after(900).isoformat())),
            Verdict.SILENCED,
            "silence 's' until 2026-03-01 12:15:00Z; nobody was told",
            id="silenced",
        ),
        pytest.param(
            facts(*FIRES, muted(5, "inhibition", by="i", until=None, also=[{"kind": "silence", "by": "s"}])),
            Verdict.INHIBITED,
            "inhibition 'i', also silence 's'",
            id="inhibited",
        ),
        pytest.param(
            facts(*FIRES, muted(5, "mute_time_interval", by="n")), Verdict.INTERVAL, "'n'", id="mute interval"
        ),
        pytest.param(
            facts(*FIRES, muted(5, "active_time_interval", by="n")), Verdict.INTERVAL, "'n'", id="active interval"
        ),
        pytest.param(facts(*FIRES, muted(5, "level", by="r")), Verdict.LEVEL, "level 'r'", id="level"),
        pytest.param(
            facts(*TOLD, muted(7, "silence", by="s"), muted(8, "ended")), Verdict.TOLD, "last told", id="unmuted"
        ),
        pytest.param(
            facts(*FAILED, tried(6, "retry", failure="unreachable")),
            Verdict.CHANNEL_DOWN,
            "to be tried again",
            id="down",
        ),
        pytest.param(
            facts(*FAILED, tried(6, "dead", failure="refused")), Verdict.CHANNEL_DOWN, "given up", id="given up"
        ),
        pytest.param(
            facts(*FAILED, tried(6, "retry", failure="rate_limited")), Verdict.RATE_LIMITED, "rate_limited", id="429"
        ),
        pytest.param(
            facts(*FAILED, tried(6, "retry", failure="unconfigured")), Verdict.CHANNEL_UNCONFIGURED, "no", id="unset"
        ),
        pytest.param(
            facts(
                *FIRES,
                decided(5, "first notification", channel="log", problems=PROBLEM),
                tried(6, "sent", channel="log"),
            ),
            Verdict.CHANNEL_UNCONFIGURED,
            "only the log: slack (no address)",
            id="unconfigured",
        ),
        pytest.param(
            facts(*FAILED, tried(6, "sent"), decided(5, "first notification", problems=PROBLEM), tried(7, "sent")),
            Verdict.TOLD,
            "; not told: slack (no address)",
            id="told beside a problem",
        ),
        pytest.param(
            facts(*log(moved(0, None, "firing"), placed())), Verdict.UNROUTED, "names no channel", id="unrouted"
        ),
        pytest.param(
            facts(*log(moved(0, None, "firing"), placed("log"))), Verdict.TOLD, "log at", id="the log is meant"
        ),
        pytest.param(
            facts(*FIRES, decided(5, "first notification", recorded=True)),
            Verdict.RECORD_MODE,
            "slack would be",
            id="record",
        ),
        pytest.param(
            facts(rules=(BROKEN,)), Verdict.QUARANTINED, "nothing is evaluated in its place", id="quarantined"
        ),
        pytest.param(
            facts(rules=(RuleFacts(id="r", rule=replace(RULE, enabled=False)),)),
            Verdict.DISABLED,
            "is disabled",
            id="off",
        ),
        pytest.param(
            facts(rules=(RuleFacts(id="r", rule=RULE, health="never_had_data"),)),
            Verdict.NO_DATA,
            "never_had_data",
            id="no data",
        ),
        pytest.param(
            facts(rules=(RuleFacts(id="r", rule=RULE, health="err", error="timeout"),)),
            Verdict.EVALUATION_FAILING,
            "cannot be evaluated (health err): timeout",
            id="failing",
        ),
        pytest.param(
            facts(rules=(RuleFacts(id="r", rule=RULE, problems=("bad",)),)),
            Verdict.NEVER_SEEN,
            "version 3 stays in force",
            id="good version in force",
        ),
        pytest.param(
            facts(meant="Busy!"), Verdict.NEVER_SEEN, "no rule has this name (did you mean 'Busy!'?); it", id="misspelt"
        ),
        pytest.param(
            facts(tried=()), Verdict.NEVER_SEEN, "no rule has this name; it would take no route", id="no rule"
        ),
        pytest.param(
            facts(mutes=(Mute(kind=MuteKind.SILENCE, by="s"),)),
            Verdict.NEVER_SEEN,
            "kept quiet by silence 's'",
            id="would be",
        ),
    ],
)
def test_each_verdict_has_its_sentence(known: Facts, verdict: Verdict, said: str) -> None:
    found = story(known, after(60))
    assert (found.verdict, said in found.summary) == (verdict, True), found.summary
    assert found.summary.startswith('Busy{host="a"} ')
    assert found.summary.endswith(".")


PENDING: Final = (moved(0, None, "pending"),)
SOON: Final = RuleFacts(id="r", rule=RULE, evaluated_at=after(70))
RETRY: Final = (*FAILED, tried(6, "retry", failure="unreachable"))


@pytest.mark.parametrize(
    ("known", "at", "action"),
    [
        pytest.param(facts(*PENDING, fires_at=after(300)), 300, "it fires", id="pending"),
        pytest.param(facts(rules=(BROKEN,)), None, "until the rule's row is corrected", id="quarantined"),
        pytest.param(facts(*FIRES, moved(9, "firing", "inactive", "rule_disabled")), None, "is enabled", id="disabled"),
        pytest.param(facts(rules=(SOON,)), 70, "rule 'r' is evaluated", id="never seen"),
        pytest.param(
            facts(*RETRY, waiting=(Waiting(channel="slack", at=after(90)),)), 90, "to slack is tried", id="retried"
        ),
        pytest.param(facts(*RETRY, groups=(group(),)), 120, "group 7 is flushed", id="flushed again"),
        pytest.param(
            facts(*TOLD, groups=(group(told_at=after(5)),)), 3630, "group 7 repeats it", id="repeat on the grid"
        ),
        pytest.param(
            facts(*TOLD, groups=(group(told_at=after(-9999)),)), 120, "group 7 repeats it", id="repeat overdue"
        ),
        pytest.param(facts(*TOLD, groups=(group(),)), 120, "is flushed", id="rolled back"),
        pytest.param(
            facts(*FIRES, muted(5, "silence", by="s", until=after(900).isoformat())),
            900,
            "silence 's' ends",
            id="silenced",
        ),
        pytest.param(
            facts(*FIRES, muted(5, "silence", by="s", until=after(30).isoformat()), groups=(group(),)),
            120,
            "is flushed",
            id="a mute that is over",
        ),
        pytest.param(
            facts(*FIRES, muted(5, "level", by="r", until=None), groups=(group(),)),
            120,
            "is flushed",
            id="no known end",
        ),
        pytest.param(facts(*ENDED, groups=(group(),)), 120, "is flushed", id="its end is not told yet"),
        pytest.param(facts(*FIRES, tried(100, "sent")), 100, "slack took the message", id="what came next"),
    ],
)
def test_what_is_next_is_told_with_its_time(known: Facts, at: float | None, action: str) -> None:
    found = story(known, after(60)).next
    assert found is not None
    assert (found.at, action in found.action) == (None if at is None else after(at), True), found.action


@pytest.mark.parametrize(
    "known", [facts(*ENDED), facts(rules=(RuleFacts(id="r", rule=RULE),)), facts(*TOLD, groups=(group(flush_at=None),))]
)
def test_nothing_is_next_where_nothing_is_due(known: Facts) -> None:
    assert story(known, after(60)).next is None


def test_a_new_episode_forgets_who_was_told_in_the_last_one() -> None:
    again = moved(40, None, "firing")
    assert story(facts(*ENDED, again), after(60)).verdict is Verdict.WAITING


TIMERS: Final = (
    'group 7 {alertname="Busy", host="a"} of route \'root\' waits 5s at first, 30s between messages and repeats after 1h,'
    " is due at 2026-03-01 12:02:00Z"
)


def test_the_steps_say_what_happened_in_words() -> None:
    governed = moved(0, "pending", "firing", threshold="10.0", threshold_id="t")
    resolving = decided(30, "all alerts resolved", recipient="a@b.c", firing=[], resolved=[1])
    known = facts(
        governed,
        placed(),
        *TOLD[2:],
        muted(7, "ended"),
        resolving,
        rules=(
            RuleFacts(id="r", rule=RULE, health="ok", since=after(-9)),
            RuleFacts(id="x", rule=RULE, since=after(99)),
        ),
        groups=(group(),),
        mutes=(Mute(kind=MuteKind.SILENCE, by="s", until=after(900)), Mute(kind=MuteKind.LEVEL, by="r")),
    )
    assert [step.reason for step in story(known, after(60)).steps] == [
        "pending → firing (held): rule 'r' version 3 saw the value 12.0 against the threshold 10.0 of row 't'",
        "route 'root' took it into group 7, which names no channel",
        "slack is told of it: first notification",
        "slack took the message at attempt 1",
        "nothing mutes it any more",
        "slack (a@b.c) is told of its end: all alerts resolved",
        "rule 'r' version 3 is evaluated (health ok since 2026-03-01 11:59:51Z)",
        "route 'root' taken: it matches",
        TIMERS,
        "silence 's' covers it until 2026-03-01 12:15:00Z",
        "level 'r' covers it",
    ]


def test_a_mute_the_ledger_has_is_told_once() -> None:
    known = facts(*FIRES, muted(5, "silence", by="s"), mutes=(Mute(kind=MuteKind.SILENCE, by="s"),))
    assert [step.kind for step in story(known, after(60)).steps].count(Kind.MUTE) == 1


@settings(max_examples=60)
@given(at=st.integers(-1, 50))
def test_a_story_as_of_any_moment_holds_nothing_later_and_says_what_came_next(at: int) -> None:
    found = story(facts(*ENDED), after(at))
    later = [one.at for one in ENDED if one.at > after(at)]
    assert all(step.at <= after(at) for step in found.steps)
    assert (None if found.next is None else found.next.at) == (later[0] if later else None)


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("posted", "firing (posted): it was posted as firing"),
        ("resolved_by_sender", "firing (resolved_by_sender): it was posted as over"),
        ("expired", "firing (expired): nobody posted it again before its end"),
    ],
)
def test_a_posted_alert_has_no_rule_to_speak_of(reason: str, said: str) -> None:
    assert sentences([moved(0, None, "firing", reason)], 1) == [said]


def test_a_rule_says_what_it_asks_and_for_how_long() -> None:
    asking = replace(RULE, metric_name="errors", condition=Condition.ABOVE, threshold=10, hold=timedelta(minutes=5))
    known = facts(rules=(RuleFacts(id="r", rule=asking, health="ok", since=after(0)),))
    assert (
        story(known, after(60)).steps[0].reason
        == "rule 'r' version 3, `errors > 10` for 5m, is evaluated (health ok since 2026-03-01 12:00:00Z)"
    )
    then = facts(rules=(RuleFacts(id="r", rule=asking, health="", since=after(0)),))
    assert story(then, after(60)).steps[0].reason == "rule 'r' version 3, `errors > 10` for 5m, was in force"
    gone = facts(rules=(RuleFacts(id="r", rule=None, health="ok", since=after(0)),))
    assert story(gone, after(60)).steps[0].reason == "rule 'r' is evaluated (health ok since 2026-03-01 12:00:00Z)"
    plain = facts(rules=(RuleFacts(id="r", rule=replace(RULE, expr="up ==\n  0"), health="ok", since=after(0)),))
    assert (
        story(plain, after(60)).steps[0].reason
        == "rule 'r' version 3, `up == 0`, is evaluated (health ok since 2026-03-01 12:00:00Z)"
    )


def placement(reason: str, **detail: object) -> Event:
    return event(5, Kind.PLACEMENT, reason, group_id=7, route_id="late", configuration=4, **detail)


def test_a_move_says_from_where_to_where_and_by_which_configuration() -> None:
    moved_on = placement("moved", from_route="root", channels=["slack"])
    said = [step.reason for step in story(facts(*TOLD, moved_on, placement("left")), after(60)).steps]
    assert "moved from route 'root': by configuration 4 route 'late' has it, in group 7, which tells slack" in said
    assert "left group 7: by configuration 4 it takes route 'late' no more" in said


def test_a_mute_says_who_asked_for_it_and_which_alert_does_it() -> None:
    said = "zoe: a new disk; until what it began with has resolved"
    told = story(facts(*TOLD, muted(5, "silence", by="s", until=None, said=said)), after(60))
    assert "kept quiet by silence 's' (zoe: a new disk; until what it began with has resolved)" in told.summary
    inhibited = muted(5, "inhibition", by="i", until=None, source='Down{host="a"}')
    told = story(facts(*TOLD, inhibited, groups=(group(),)), after(60))
    assert "kept quiet by inhibition 'i', because Down{host=\"a\"} fires" in told.summary
    assert told.next is not None
    assert 'tells slack if Down{host="a"} no longer fires and nobody was told before' in told.next.action


def test_a_mute_that_no_flush_has_seen_says_who_asked_for_it() -> None:
    covering = Mute(kind=MuteKind.SILENCE, by="s", said="zoe", version=2)
    step = story(facts(*TOLD, mutes=(covering,)), after(60)).steps[-1]
    assert (step.reason, step.subject.version) == ("silence 's' (zoe) covers it", 2)


def test_a_message_that_waits_for_its_channels_limit_says_until_when() -> None:
    deferred = tried(6, "deferred", failure="rate_limited", until=after(60).isoformat())
    found = story(facts(*TOLD[:-1], deferred), after(10))
    assert found.verdict is Verdict.RATE_LIMITED
    assert "slack is rate limited until 2026-03-01 12:01:00Z: the message waits" in found.summary
