"""What the auditor looks for: whatever fires or was decided and has no next step would be silent for ever."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, assert_never

LATE_AFTER: Final = timedelta(minutes=2)
"""By how much a flush or an evaluation may be late; a deployment or a failover is no flaw."""
STUCK_AFTER: Final = timedelta(minutes=10)
"""By how much a message at the head of its queue may be late; a channel that is slow works through its queue."""
WAIT_AT_MOST: Final = timedelta(hours=1)
"""The longest anything waits by its own will: what a service may ask for with Retry-After."""


LOOKS: Final = 10
"""In how many looks the auditor goes through a table from end to end."""
AT_LEAST: Final = 1000
"""Row numbers gone through in one look; a table with fewer is gone through at every look."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Row numbers above `after`, up to and including `until`."""

    after: int
    until: int


@dataclass(frozen=True, slots=True)
class Progress:
    """A round through a table: up to `done` it is gone through, up to `end` it goes, `width` numbers a look.

    What is above `seen` was not there at the last look.
    """

    done: int = 0
    end: int = 0
    width: int = AT_LEAST
    seen: int | None = None


def next_look(progress: Progress, first: int, last: int) -> tuple[tuple[Stretch, ...], Progress]:
    """What to go through now of a table whose row numbers go from `first` to `last`, and the progress after it.

    Always what is new since the last look, and beside it a tenth of what there was when the round began: whatever stays is
    looked at once in LOOKS looks, or in twice as many where it came after the round had begun.
    """
    if last - first < AT_LEAST:
        return (Stretch(first - 1, last),), Progress(seen=last)
    if progress.done >= progress.end:
        progress = replace(progress, done=0, end=last, width=max(AT_LEAST, -(-(last - first + 1) // LOOKS)))
    after = max(progress.done, first - 1)
    until = min(after + progress.width, max(progress.end, after))
    found = [Stretch(after, until)]
    if progress.seen is not None and progress.seen < last:
        found.append(Stretch(progress.seen, last))
    return tuple(found), replace(progress, done=until, seen=last)


class Flaw(StrEnum):
    """What is wrong, as the metric's label."""

    UNPLACED = "unplaced"
    UNSCHEDULED = "unscheduled"
    FAR_AHEAD = "far_ahead"
    UNTOLD = "untold"
    FLUSH_LATE = "flush_late"
    MESSAGE_STUCK = "message_stuck"
    EVALUATION_LATE = "evaluation_late"

    @property
    def is_repairable(self) -> bool:
        """Whether the auditor mends it; what is only late has a next step, and somebody who should have taken it."""
        return self in {Flaw.UNPLACED, Flaw.UNSCHEDULED, Flaw.FAR_AHEAD, Flaw.UNTOLD}

    @property
    def meaning(self) -> str:
        """What it says to people."""
        match self:
            case Flaw.UNPLACED:
                return "fires and is in no group, so nobody would ever be told"
            case Flaw.UNSCHEDULED:
                return "has members and no next flush"
            case Flaw.FAR_AHEAD:
                return "waits for longer than it may, as after a clock that was set back"
            case Flaw.UNTOLD:
                return "counts as told, was not delivered, and no message waits"
            case Flaw.FLUSH_LATE:
                return "was not flushed when it should have been; does any process have the role dispatcher?"
            case Flaw.MESSAGE_STUCK:
                return "was not sent when it should have been; does any process have the role sender?"
            case Flaw.EVALUATION_LATE:
                return "was not evaluated when it should have been; does any process have the role evaluator?"
            case _:
                assert_never(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One flaw of one thing: `subject` is the row number of an alert, group or message, or a unit's id.

    `channel` and `recipient` name the addressee that was not told.
    """

    flaw: Flaw
    subject: str
    channel: str = ""
    recipient: str = ""

    @property
    def text(self) -> str:
        """The finding in one line."""
        where = f" {self.channel!r}" if self.channel else ""
        return f"{noun(self.flaw)} {self.subject}{where} {self.flaw.meaning}"


def noun(flaw: Flaw) -> str:
    """What kind of thing has this flaw."""
    match flaw:
        case Flaw.UNPLACED:
            return "alert"
        case Flaw.UNSCHEDULED | Flaw.FAR_AHEAD | Flaw.UNTOLD | Flaw.FLUSH_LATE:
            return "group"
        case Flaw.MESSAGE_STUCK:
            return "message"
        case Flaw.EVALUATION_LATE:
            return "evaluation unit"
        case _:
            assert_never(flaw)


def is_far_ahead(flush_at: datetime, now: datetime, *, interval: timedelta, margin: timedelta) -> bool:
    """Whether a flush lies later than a group of this `interval` can have been scheduled."""
    return flush_at - now > interval + margin
