"""Named ways to break what decides who hears what and when: each a line of the code and what it is made to say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Break:
    """What is broken, in which file, and the text that is there and that takes its place; the text stands there once."""

    name: str
    file: str
    before: str
    after: str


NOTIFYING: Final = "engine/core/notifying.py"
FLUSH: Final = "engine/core/flush.py"
GROUPING: Final = "engine/core/grouping.py"
MUTING: Final = "engine/core/muting.py"
CARRYING: Final = "engine/core/carrying.py"
SILENCES: Final = "rules/silences.py"

BREAKS: Final = (
    Break(
        "a repeat that was missed while inhibited is made up for",
        NOTIFYING,
        "return self._overdue and bool(heard) and heard <= self.standing.inhibited_before",
        "return False and bool(heard)",
    ),
    Break(
        "an end within a mute is told to nobody",
        NOTIFYING,
        "(self.standing.resolved - self.standing.resolved_muted) | (ended & self.told.firing)",
        "(self.standing.resolved - self.standing.resolved_muted) | (ended & frozenset())",
    ),
    Break(
        "what was told and is muted is no longer told",
        NOTIFYING,
        "return self.standing.firing | (self.told.firing & self.standing.muted)",
        "return self.standing.firing",
    ),
    Break("repeats never come", NOTIFYING, "return bool(self.told.firing) and not early", "return False and not early"),
    Break(
        "a repeat is an interval late",
        NOTIFYING,
        "self.now - self.told.at < self.terms.repeat_interval",
        "self.now - self.told.at <= self.terms.repeat_interval",
    ),
    Break("a new alert is no news", NOTIFYING, "    if case.new:\n", "    if case.new and not case.told.firing:\n"),
    Break(
        "notify_on_unmute always is as needed",
        NOTIFYING,
        "return self.released if self.terms",
        "return frozenset() if self.terms",
    ),
    Break(
        "notify_on_unmute never is as needed",
        NOTIFYING,
        "return self.untold - self.released if self._never",
        "return self.untold if self._never",
    ),
    Break(
        "send_resolved false tells ends in other news",
        NOTIFYING,
        "shown = case.resolved if case.terms.send_resolved else frozenset[int]()",
        "shown = case.resolved",
    ),
    Break(
        "an end of several is no news",
        NOTIFYING,
        "if not (self.terms.send_resolved and self.told.firing):",
        "if self.told.firing:",
    ),
    Break(
        "a channel the route no longer names hears no end",
        NOTIFYING,
        "resolved=told.firing)\n",
        "resolved=frozenset())\n",
    ),
    Break(
        "who was muted before is forgotten", FLUSH, "muted_before=frozenset(group.muted)", "muted_before=frozenset()"
    ),
    Break(
        "who was inhibited before counts as silenced",
        FLUSH,
        "if all(kind.by_alert for kind, _ in muters)",
        "if not muters",
    ),
    Break("the ended stay in the group", FLUSH, "leaving=standing.resolved,", "leaving=frozenset(),"),
    Break(
        "a group that is all muted is flushed no more", FLUSH, "if staying else None", "if standing.firing else None"
    ),
    Break("group_wait is not waited for", GROUPING, "return now + policy.group_wait\n", "return now\n"),
    Break(
        "old alerts wait for group_wait again", GROUPING, "return fired_at + policy.group_wait < now", "return False"
    ),
    Break(
        "a flush that is late shifts those after it",
        GROUPING,
        "return this_flush(scheduled, group_interval, now) + group_interval",
        "return now + group_interval",
    ),
    Break(
        "only the first of several routes is taken",
        "rules/routing.py",
        "return tuple(_match(self.root, labels))",
        "return tuple(_match(self.root, labels))[:1]",
    ),
    Break(
        "an interval no route is outside of",
        MUTING,
        "return [] if len(known) < len(names) or",
        "return [] if len(known) <= len(names) or",
    ),
    Break("a mute interval is never on", MUTING, "if contains(one, now)]\n", "if not one.name]\n"),
    Break(
        "silences mute nobody",
        MUTING,
        "for silence, mute in quiet if silence.covers(alert.labels)",
        "for silence, mute in quiet if not silence.id",
    ),
    Break(
        "alerts that are both source and target inhibit each other",
        "engine/core/inhibiting.py",
        "live = one_sided or ({} if is_source(rule, target) else two_sided)",
        "live = one_sided or two_sided",
    ),
    Break(
        "one source of several that ends lets the target go",
        "engine/core/inhibiting.py",
        "            del heap[values][number]\n            if not heap[values]:\n",
        "            heap[values].clear()\n            if not heap[values]:\n",
    ),
    Break(
        "an alert that fires again is put where the new group_by says, too",
        "engine/intake.py",
        "return placement if labels is None else replace(placement, labels=labels)",
        "return placement",
    ),
    Break(
        "who moves waits for the later repeat",
        "engine/core/moving.py",
        "at = None if told.at is None or at is None else min(told.at, at)",
        "at = told.at",
    ),
    Break(
        "who moves is told again",
        "engine/core/moving.py",
        "return Told(firing=told.firing | {alert_id}, resolved",
        "return Told(firing=told.firing, resolved",
    ),
    Break(
        "who speaks for an alert now tells it again",
        CARRYING,
        "return Turn.LEAVE if own.waits else Turn.TAKE_OVER",
        "return Turn.LEAVE if own.waits else Turn.TELL",
    ),
    Break(
        "a message on its way is not waited for",
        CARRYING,
        "    if any(one.waits for one in known):\n",
        "    if any(one.waits and own.waits for one in known):\n",
    ),
    Break(
        "what arrives makes a group forget what it took over",
        CARRYING,
        "return Turn.LEAVE if own.waits else Turn.TAKE_OVER",
        "return Turn.TAKE_OVER",
    ),
    Break(
        "an end is told again by the new group",
        CARRYING,
        "return Turn.LEAVE if over else Turn.TELL",
        "return Turn.TELL",
    ),
    Break(
        "a channel that wants no ends forgets at an edit",
        CARRYING,
        "return Fate.REMEMBER if arrived and not wants_ends else Fate.END",
        "return Fate.END",
    ),
    Break(
        "what is remembered need not have arrived",
        CARRYING,
        "return Fate.REMEMBER if arrived and not wants_ends else Fate.END",
        "return Fate.END if wants_ends else Fate.REMEMBER",
    ),
    Break(
        "the old group tells an end before the new one takes over",
        CARRYING,
        "        return Fate.KEEP\n",
        "        return Fate.END\n",
    ),
    Break(
        "what is kept is left out of the message that takes the place of the last",
        CARRYING,
        "firing = decision.firing | (aside & apart.kept)",
        "firing = decision.firing",
    ),
    Break(
        "an incident goes to a group with another key",
        "engine/carrying.py",
        "channel.kind is ChannelKind.PAGERDUTY",
        "channel.kind is ChannelKind.LOG",
    ),
    Break(
        "an edit that was not followed yet ends what goes on",
        "engine/carrying.py",
        "return any(point.target in self.reached(route_id) for route_id in self.routes(point.alert_id))",
        "return any(self.speaks(number, point) for number in self.memberships[point.alert_id])",
    ),
    Break(
        "a group rests while another has the word on one of its alerts",
        "engine/flushing.py",
        "is_shared=any(one.left or one.kept",
        "is_shared=any(one.kept",
    ),
    Break(
        "who had ended when its group went elsewhere stays in it when it fires again",
        "engine/store/moving.py",
        "        firing.exists(),\n",
        "",
    ),
    Break(
        "a group that keeps something for another is flushed no more",
        FLUSH,
        "or any(one.held for one in apart.values())",
        "",
    ),
    Break(
        "a restart ends what nobody could post",
        "engine/core/posting.py",
        "return max(expiry.ends_at, heard_since + asked) + lag",
        "return expiry.ends_at + lag",
    ),
    Break(
        "a silence over a group at rest is overlooked",
        "engine/resting.py",
        "if covered.isdisjoint(numbers):",
        "if numbers:",
    ),
    Break(
        "the end of what left a group is told to all of it",
        FLUSH,
        "resolved = ended - departed",
        "resolved = ended",
    ),
    Break(
        "force is not asked for where a silence leaves only some alerts out",
        SILENCES,
        "if not silence.force and all(_is_broad(one)",
        "if False and all(_is_broad(one)",
    ),
    Break(
        "force lets through what has no matcher that wants some text",
        SILENCES,
        "if all(map(_takes_what_is_absent, silence.matchers)):",
        "if not silence.force and all(map(_takes_what_is_absent, silence.matchers)):",
    ),
    Break(
        "force is asked for whatever a silence hides",
        SILENCES,
        "if silence.force or len(active) < MANY",
        "if len(active) < MANY",
    ),
)
