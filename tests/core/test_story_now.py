"""A story is about this alert and not about the others of its group, and about now and not about the last flush."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import pytest

from engine.core.muting import Mute, MuteKind
from engine.core.story import story
from engine.core.story_events import sentences
from engine.core.storyline import Event, Facts, RuleFacts, Verdict
from rules.routing import NotifyOnUnmute
from tests.core.test_story import (
    ENDED,
    FAILED,
    FIRES,
    PROBLEM,
    RULE,
    TOLD,
    after,
    decided,
    facts,
    group,
    log,
    moved,
    muted,
    placed,
    tried,
)

OTHERS: Final = decided(5, "first notification", firing=[2])
COVERED: Final = (Mute(kind=MuteKind.SILENCE, by="s", until=after(900), said="zoe"),)
MUTED: Final = muted(5, "silence", by="s", until=after(900).isoformat())
RECORDED: Final = decided(5, "first notification", recorded=True)
ENDING: Final = decided(30, "all alerts resolved", firing=[], resolved=[1])
OVER: Final = moved(20, "firing", "inactive", "condition_ended")


@pytest.mark.parametrize(
    ("known", "verdict", "said"),
    [
        pytest.param(facts(*FIRES, OTHERS, tried(6, "sent")), Verdict.WAITING, "not been flushed yet", id="others"),
        pytest.param(
            facts(*TOLD, mutes=COVERED),
            Verdict.SILENCED,
            "is kept quiet by silence 's' (zoe) until 2026-03-01 12:15:00Z, from its group's next flush on; last told",
            id="silenced since the last flush",
        ),
        pytest.param(
            facts(*FIRES, muted(5, "silence", by="s", until=after(30).isoformat()), mutes=COVERED),
            Verdict.SILENCED,
            "silence 's' until 2026-03-01 12:15:00Z; nobody",
            id="a silence that was prolonged",
        ),
        pytest.param(
            facts(*FIRES, MUTED, mutes=()),
            Verdict.WAITING,
            "not been flushed since; it was kept quiet by silence 's' until 2026-03-01 12:15:00Z, which is over",
            id="unmuted since the last flush",
        ),
        pytest.param(
            facts(*TOLD, decided(35, "repeat interval elapsed")),
            Verdict.WAITING,
            "the message to slack is on its way; last told: slack at 2026-03-01 12:00:06Z",
            id="repeated",
        ),
        pytest.param(
            facts(*TOLD, decided(30, "moved", firing=[], resolved=[1]), groups=(group(),)),
            Verdict.WAITING,
            "not been flushed yet",
            id="moved away",
        ),
        pytest.param(
            facts(*FIRES, OVER, MUTED), Verdict.RESOLVED, "nobody was told: it was kept quiet by silence", id="unheard"
        ),
        pytest.param(
            facts(*FIRES, RECORDED, OVER),
            Verdict.RESOLVED,
            "only recorded: slack would have been told, but TOCSIN_DELIVERY is record",
            id="recorded and over",
        ),
        pytest.param(
            facts(*ENDED, ENDING, tried(31, "sent")),
            Verdict.RESOLVED,
            "its end was told to slack at 2026-03-01 12:00:31Z",
            id="its end was told",
        ),
        pytest.param(
            facts(*ENDED, ENDING, tried(31, "retry", failure="unreachable")),
            Verdict.RESOLVED,
            "slack did not take the message at attempt 1 (unreachable: no), to be tried again",
            id="its end does not arrive",
        ),
        pytest.param(
            facts(*ENDED, ENDING), Verdict.RESOLVED, "the message of its end to slack is on its way", id="end sent"
        ),
        pytest.param(
            facts(*FIRES, RECORDED, OVER, replace(ENDING, detail={**ENDING.detail, "recorded": True})),
            Verdict.RESOLVED,
            "only recorded",
            id="its end was recorded",
        ),
        pytest.param(
            facts(*ENDED, groups=(group(),)), Verdict.RESOLVED, "its end is not told yet", id="its end is ahead"
        ),
        pytest.param(
            facts(moved(0, None, "pending"), rules=(RuleFacts(id="r", rule=RULE, health="err", error="timeout"),)),
            Verdict.PENDING,
            "cannot be evaluated (health err): timeout",
            id="pending while its rule fails",
        ),
        pytest.param(
            facts(similar=('Busy{host="b"} (00)',)),
            Verdict.NEVER_SEEN,
            'with these labels and others there is Busy{host="b"} (00)',
            id="similar",
        ),
        pytest.param(
            facts(
                *log(
                    moved(0, None, "firing"), placed(), replace(placed(), detail={**placed().detail, "route_id": "db"})
                )
            ),
            Verdict.UNROUTED,
            "but routes 'root', 'db' name no channel, so only the log was told; name a channel",
            id="two routes and no channel",
        ),
    ],
)
def test_a_verdict_is_about_this_alert_and_as_of_now(known: Facts, verdict: Verdict, said: str) -> None:
    found = story(known, after(60))
    assert (found.verdict, said in found.summary) == (verdict, True), found.summary


@pytest.mark.parametrize(
    ("known", "action"),
    [
        pytest.param(facts(*FIRES, groups=(group(),)), "tells slack, unless something keeps it quiet then", id="first"),
        pytest.param(facts(*ENDED, groups=(group(),)), "tells its end to slack, if they want ends", id="its end"),
        pytest.param(facts(*FIRES, OVER, groups=(group(),)), "lets it go: nobody knows of it", id="unheard"),
        pytest.param(
            facts(*log(moved(0, None, "firing"), placed()), groups=(group(),)), "tells whatever channel", id="unrouted"
        ),
        pytest.param(
            facts(
                *FIRES,
                decided(5, "first notification", channel="log", problems=PROBLEM),
                tried(6, "sent", channel="log"),
                groups=(group(),),
            ),
            "tells slack, if it can be told by then",
            id="unconfigured",
        ),
        pytest.param(facts(*FIRES, RECORDED, groups=(group(),)), "nothing is sent while", id="recorded"),
        pytest.param(facts(*FIRES, MUTED), "ends, and its group's next flush tells it, if it still fires", id="untold"),
        pytest.param(facts(*TOLD, MUTED), "tells it again if a repeat fell due meanwhile", id="told before"),
        pytest.param(
            facts(*TOLD, MUTED, groups=(group(notify_on_unmute=NotifyOnUnmute.ALWAYS),)),
            "tells it, if it still fires",
            id="always told after a mute",
        ),
        pytest.param(
            facts(*FIRES, MUTED, groups=(group(notify_on_unmute=NotifyOnUnmute.NEVER),)),
            "only if other news or a repeat is due",
            id="never told after a mute",
        ),
        pytest.param(
            facts(*FIRES, muted(5, "mute_time_interval", by="always"), groups=(group(),)),
            "is flushed, and tells it, if it still fires and mute_time_interval 'always' no longer keeps it quiet",
            id="no end known",
        ),
        pytest.param(
            facts(*FIRES, groups=(group(flush_at=after(30)),)), "keeps it quiet then; this is overdue", id="late"
        ),
    ],
)
def test_what_is_next_says_what_it_hangs_on(known: Facts, action: str) -> None:
    found = story(known, after(60)).next
    assert found is not None
    assert action in found.action


@pytest.mark.parametrize(
    ("events", "said"),
    [
        pytest.param((*FIRES, OTHERS), "slack is told of others in its group, not of it: first notification", id="o"),
        pytest.param(
            (*FIRES, replace(decided(5, "already told", sends=False), alert_ids=frozenset({2}))),
            "slack is not told again: nothing is new of the others in its group",
            id="nothing new of others",
        ),
        pytest.param((*FIRES, decided(5, "muted", sends=False)), "slack is not told: muted", id="muted"),
        pytest.param(
            (*FAILED, decided(35, "already told", sends=False)),
            "nothing is new since the message of 2026-03-01 12:00:05Z, which has not arrived yet",
            id="not arrived",
        ),
        pytest.param(
            (*TOLD, decided(35, "already told", sends=False)),
            "nothing is new since the message of 2026-03-01 12:00:05Z",
            id="arrived",
        ),
        pytest.param(
            (*FIRES, decided(35, "already told", sends=False)), "since the last message for it", id="forgotten"
        ),
        pytest.param(
            (*FIRES, RECORDED, decided(35, "already told", sends=False)),
            "nothing is new since what was recorded at 2026-03-01 12:00:05Z",
            id="recorded before",
        ),
        pytest.param(
            (*FIRES, RECORDED),
            "slack would be told of it: first notification; TOCSIN_DELIVERY is record, so nothing is sent",
            id="recorded",
        ),
        pytest.param(
            (*TOLD, decided(30, "moved", firing=[], resolved=[1])),
            "slack is told of its end: moved, since no route of the alert leads there any more",
            id="moved",
        ),
        pytest.param(
            (*FIRES, decided(5, "first notification", channel="log", problems=PROBLEM)),
            "log is told of it: first notification (in place of slack: no address)",
            id="in place of another",
        ),
        pytest.param(
            (placed(), decided(5, "first notification", channel="log")),
            "log is told of it: first notification (since no channel is named)",
            id="no channel",
        ),
        pytest.param(
            (placed("log"), decided(5, "first notification", channel="log")),
            "log is told of it: first notification",
            id="the log is meant",
        ),
        pytest.param(
            (*FIRES, OVER, muted(21, "ended")), "it is over, so there is nothing left to keep quiet", id="over"
        ),
        pytest.param(
            (moved(0, None, "firing"),),
            "firing (at once, the rule has no `for`): rule 'r' version 3 saw the value 12.0",
            id="at once",
        ),
    ],
)
def test_a_row_says_what_it_means_for_this_alert(events: tuple[Event, ...], said: str) -> None:
    last = sentences(events, 1)[-1]
    assert last.endswith(said), last
