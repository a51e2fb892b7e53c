"""A story is about this alert and not about the others of its group, and about now and not about the last flush."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import pytest

from engine.core.muting import Mute, MuteKind
from engine.core.story import story
from engine.core.story_events import sentences
from engine.core.storyline import Event, Facts, Kept, RuleFacts, Verdict, Waiting
from rules.routing import NotifyOnUnmute, Policy
from tests.core.test_story import (
    ENDED,
    FAILED,
    FIRES,
    PROBLEM,
    RULE,
    TAKEN,
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
INHIBITED: Final = Mute(kind=MuteKind.INHIBITION, by="i", source=9)
POLICIES: Final = {
    "root": Policy(route_id="root", receiver="", channels=("slack",)),
    "db": Policy(route_id="db", receiver=""),
}
PENDING: Final = moved(0, None, "pending")
MUTED: Final = muted(5, "silence", by="s", until=after(900).isoformat())
RECORDED: Final = decided(5, "first notification", recorded=True)
ENDING: Final = decided(30, "all alerts resolved", firing=[], resolved=[1])
SECOND: Final = replace(placed("slack"), detail={**placed("slack").detail, "route_id": "db", "group_id": 8})
LEFT: Final = replace(SECOND, reason="left", detail={"route_id": "db", "group_id": 8, "configuration": 2})
MOVED: Final = replace(
    placed("slack"),
    reason="moved",
    detail={"route_id": "new", "group_id": 9, "from_route": "db", "configuration": 2, "channels": ["slack"]},
)
UNNAMED: Final = (moved(0, None, "firing"), placed())
DISMISSED: Final = decided(40, "moved", channel="log", firing=[], resolved=[1])
TO_SLACK: Final = (DISMISSED, decided(40, "first notification"), tried(41, "sent"))
AGAIN: Final = decided(70, "already told", sends=False)
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
            facts(*log(*UNNAMED), *TO_SLACK, AGAIN),
            Verdict.ALREADY_TOLD,
            "fires since 2026-03-01 12:00:00Z; last told: slack at 2026-03-01 12:00:41Z; nothing is new",
            id="a channel was named meanwhile",
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
            facts(similar=('Busy{host="b"} (00, firing)', 'Busy{host="c"} (01, pending)')),
            Verdict.SEVERAL,
            'names 2 alerts: Busy{host="b"} (00, firing), Busy{host="c"} (01, pending); ask for one of them.',
            id="several",
        ),
        pytest.param(
            facts(similar=("Busy (00, firing)",), unnamed=7),
            Verdict.SEVERAL,
            "names 8 alerts: Busy (00, firing) and 7 more; ask",
            id="more than can be named",
        ),
        pytest.param(
            facts(tried=(TAKEN, replace(TAKEN, route_id="db")), policies=POLICIES),
            Verdict.NEVER_SEEN,
            "it would take route 'root', which tells slack, and route 'db', which names no channel",
            id="never seen, with whom it would tell",
        ),
        pytest.param(
            facts(mutes=COVERED),
            Verdict.NEVER_SEEN,
            "it would take route 'root', and be kept quiet by silence 's'",
            id="never seen, and would be quiet",
        ),
        pytest.param(
            facts(*FIRES, mutes=(INHIBITED,), muters={9: "Down"}),
            Verdict.INHIBITED,
            "is kept quiet by inhibition 'i', because Down fires, from its group's next flush on",
            id="inhibited since the last flush",
        ),
        pytest.param(
            facts(*FIRES, muted(5, "inhibition", by="i", source="Old"), mutes=(INHIBITED,), muters={9: "Down"}),
            Verdict.INHIBITED,
            "is kept quiet by inhibition 'i', because Down fires; nobody",
            id="inhibited by another than at the last flush",
        ),
        pytest.param(
            facts(*TOLD, kept=Kept(since=after(30), by="keep_firing_for", until=after(90))),
            Verdict.TOLD,
            "fires since 2026-03-01 12:00:00Z, since 2026-03-01 12:00:30Z only because of its rule's keep_firing_for"
            " (until 2026-03-01 12:01:30Z); last told",
            id="kept firing",
        ),
        pytest.param(
            facts(*TOLD, kept=Kept(since=after(30), by="no_data keep")),
            Verdict.TOLD,
            "since 2026-03-01 12:00:30Z only because of its rule's no_data keep; last told",
            id="kept without data",
        ),
        pytest.param(
            facts(*FAILED, tried(6, "retry", failure="unreachable"), OVER, ENDING),
            Verdict.RESOLVED,
            "(condition_ended); slack did not take the message at attempt 1 (unreachable: no), to be tried again",
            id="its end waits behind what was not taken",
        ),
        pytest.param(
            facts(*FAILED, tried(6, "retry", failure="unreachable"), OVER, ENDING, tried(31, "sent")),
            Verdict.RESOLVED,
            "; the message of its end to slack is on its way",
            id="what its end waits for was taken",
        ),
        pytest.param(
            facts(*FAILED, tried(6, "retry", failure="unreachable"), OVER, ENDING, tried(31, "dead")),
            Verdict.RESOLVED,
            "the message of its end to slack is on its way",
            id="what its end waits for was given up",
        ),
        pytest.param(
            facts(*FAILED, tried(6, "retry", failure="unreachable"), decided(35, "new alerts added")),
            Verdict.CHANNEL_DOWN,
            "slack did not take the message at attempt 1",
            id="newer news waits behind what was not taken",
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
    found = story(known, after(75))
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
        pytest.param(
            facts(*FIRES, MUTED), "ends, and its group's next flush tells slack, if it still fires", id="untold"
        ),
        pytest.param(facts(*TOLD, MUTED), "tells slack again if a repeat fell due meanwhile", id="told before"),
        pytest.param(
            facts(*TOLD, MUTED, groups=(group(notify_on_unmute=NotifyOnUnmute.ALWAYS),)),
            "tells slack, if it still fires",
            id="always told after a mute",
        ),
        pytest.param(
            facts(*FIRES, MUTED, groups=(group(notify_on_unmute=NotifyOnUnmute.NEVER),)),
            "only if other news or a repeat is due",
            id="never told after a mute",
        ),
        pytest.param(
            facts(*FIRES, muted(5, "mute_time_interval", by="always"), groups=(group(),)),
            "is flushed, and tells slack, if it still fires and mute_time_interval 'always' no longer keeps it quiet",
            id="no end known",
        ),
        pytest.param(
            facts(PENDING, policies=POLICIES, fires_at=after(300)),
            "it fires, if the condition still holds then, and takes route 'root', which tells slack",
            id="pending",
        ),
        pytest.param(
            facts(PENDING, fires_at=after(300), mutes=COVERED),
            "takes route 'root', but silence 's' (zoe) covers it until 2026-03-01 12:15:00Z",
            id="pending and silenced for longer",
        ),
        pytest.param(facts(PENDING, fires_at=after(900), mutes=COVERED), "takes route 'root'", id="until it fires"),
        pytest.param(
            facts(*TOLD, groups=(group(told_at=after(5)),)), "group 7 repeats it to slack, if it still", id="repeated"
        ),
        pytest.param(
            facts(*TOLD, MUTED, groups=(group(notify_on_unmute=NotifyOnUnmute.NEVER),)), "tells slack only", id="never"
        ),
        pytest.param(
            facts(
                *ENDED,
                ENDING,
                tried(31, "retry", failure="unreachable"),
                waiting=(Waiting(channel="other", at=after(70)), Waiting(channel="slack", at=after(80))),
            ),
            "the message to slack is tried",
            id="its end is tried again, when its group has let it go",
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
            (*FIRES, SECOND, decided(5, "muted", sends=False, group_id=8)),
            "slack is not told: muted (route 'db')",
            id="muted on one of two routes",
        ),
        pytest.param(
            (*FIRES, SECOND, muted(5, "mute_time_interval", by="night", group_id=7)),
            "kept quiet by mute_time_interval 'night' (route 'root')",
            id="muted by an interval of one of two routes",
        ),
        pytest.param(
            (*FIRES, SECOND, tried(5, "sent", group_id=8)), "at attempt 1 (route 'db')", id="tried by one of two routes"
        ),
        pytest.param(
            (*FIRES, SECOND, LEFT, decided(5, "muted", sends=False, group_id=7)), "not told: muted", id="left one"
        ),
        pytest.param(
            (*FIRES, SECOND, MOVED, decided(5, "muted", sends=False, group_id=9)), "muted (route 'new')", id="moved on"
        ),
        pytest.param(
            (*FIRES, SECOND, OVER, *FIRES, decided(5, "muted", sends=False, group_id=7)),
            "not told: muted",
            id="another episode",
        ),
        pytest.param(
            (*FIRES, decided(5, "first notification", channel="usual", problems=PROBLEM)),
            "usual is told of it: first notification (in place of slack: no address)",
            id="the usual channel in place of another",
        ),
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
            (*log(*UNNAMED), DISMISSED),
            "log is told of its end: moved, since no route of the alert leads there any more",
            id="no channel is named any more",
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


@pytest.mark.parametrize(("due", "late"), [(60, False), (55, False), (54.9, True)])
def test_what_has_only_just_come_due_is_not_late(due: float, late: bool) -> None:
    found = story(facts(*FIRES, groups=(group(flush_at=after(due)),)), after(60))
    assert found.next is not None
    assert ("this is overdue" in found.next.action, "which is late" in found.steps[-1].reason) == (late, late)
