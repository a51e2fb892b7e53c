"""Why somebody was told of an alert, or was not: from what was written down to one story, a verdict and what comes next.

The story hangs on the ledger alone as far as it can, so that it can be told as of any moment: what happened later is only
asked for what came next. This module holds the values; `story_events.py` says what each event means, `story_standing.py` how
rules, routes, groups and mutes stand, `story_past.py` who heard of it, `story.py` judges and `story_next.py` looks ahead.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from engine.core.muting import Mute
from rules.labels import Labels
from rules.routing import NotifyOnUnmute, Policy
from rules.routing import Step as Tried
from rules.rule import Rule

GRACE: Final = timedelta(seconds=5)
"""How long what is due may take to happen before it is called late."""


class Verdict(StrEnum):
    """What it came to; closed, so that a program can read it."""

    TOLD = "told"
    ALREADY_TOLD = "already_told"
    """Told before; nothing new to tell until repeat_interval has passed."""
    WAITING = "waiting"
    """It fires, and its group's next flush or its message is still ahead."""
    PENDING = "pending"
    RESOLVED = "resolved"
    SILENCED = "silenced"
    INHIBITED = "inhibited"
    INTERVAL = "interval"
    LEVEL = "level"
    RATE_LIMITED = "rate_limited"
    CHANNEL_DOWN = "channel_down"
    CHANNEL_UNCONFIGURED = "channel_unconfigured"
    UNROUTED = "unrouted"
    RECORD_MODE = "record_mode"
    NO_DATA = "no_data"
    EVALUATION_FAILING = "evaluation_failing"
    QUARANTINED = "quarantined"
    DISABLED = "disabled"
    NEVER_SEEN = "never_seen"
    SEVERAL = "several"
    """Several alerts have the labels that were asked for."""


class Kind(StrEnum):
    """What a step tells; the first five are the ledger's kinds."""

    TRANSITION = "transition"
    PLACEMENT = "placement"
    MUTE = "mute"
    DECISION = "decision"
    ATTEMPT = "attempt"
    RULE = "rule"
    ROUTE = "route"
    GROUP = "group"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What a step is about; `version` is that of a definition, `None` where there is none."""

    type: str
    id: str
    version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One row of the ledger that is about the alert or its group; `alert_ids` as there."""

    at: datetime
    kind: Kind
    reason: str
    subject: Subject
    alert_ids: frozenset[int] = frozenset()
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleFacts:
    """One rule now: `rule` is the version in force (`None`: the row never could be), `problems` why its row is set aside.

    `health` is the word of its status (`""`: not known for that time), `since` when it became that; `evaluated_at` when it is
    asked next. `absent` is a rule that there was none of at the time the story is told of.
    """

    id: str
    rule: Rule | None
    health: str = "unknown"
    since: datetime | None = None
    error: str | None = None
    problems: tuple[str, ...] = ()
    evaluated_at: datetime | None = None
    absent: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupFacts:
    """A group that the alert is in now; `told_at` is the flush at which it last counted as told of as firing."""

    id: int
    route_id: str
    labels: Labels
    flush_at: datetime | None
    group_wait: timedelta
    group_interval: timedelta
    repeat_interval: timedelta
    told_at: datetime | None = None
    notify_on_unmute: NotifyOnUnmute = NotifyOnUnmute.NEEDED


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Why an alert goes on firing though its condition no longer holds: since when, by which word of its rule, until when.

    `until` is `None` where only an edit or a datum can end it.
    """

    since: datetime
    by: str
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A message that waits to be tried, and for when."""

    channel: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All there is to know: `number` is the alert's row (`None`: never stored), `events` oldest first, later ones too.

    `rules` are that of the alert, or those of its name; `mutes` what covers it now (`None`: not known for that time), and
    `muters` how the alerts are called that do; `fires_at` when it can fire, if it is pending; `tried` the way through the
    routing tree in force, `policies` what its routes say. Of several alerts that have these labels `similar` has names,
    and `unnamed` counts the others; `meant` is the name of a rule much like the one asked for, where no rule has that.
    """

    labels: Labels
    number: int | None = None
    events: tuple[Event, ...] = ()
    rules: tuple[RuleFacts, ...] = ()
    tried: tuple[Tried, ...] = ()
    policies: Mapping[str, Policy] = field(default_factory=dict)
    mutes: tuple[Mute, ...] | None = None
    muters: Mapping[int, str] = field(default_factory=dict)
    groups: tuple[GroupFacts, ...] = ()
    waiting: tuple[Waiting, ...] = ()
    fires_at: datetime | None = None
    kept: Kept | None = None
    similar: tuple[str, ...] = ()
    unnamed: int = 0
    meant: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing that happened or holds; `reason` is a sentence, `detail` its values."""

    at: datetime
    kind: Kind
    reason: str
    subject: Subject
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Next:
    """What happens next; `at` is `None` where only an edit or a datum can bring it about."""

    at: datetime | None
    action: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """The whole story, oldest step first."""

    verdict: Verdict
    summary: str
    steps: tuple[Step, ...]
    next: Next | None


def is_late(at: datetime, now: datetime) -> bool:
    """Whether what was due at `at` should have happened; what has only just come due is about to."""
    return now - at > GRACE


def clock(at: datetime) -> str:
    """The instant as sentences write it."""
    return f"{at:%Y-%m-%d %H:%M:%S}Z"


def target(detail: Mapping[str, Any]) -> str:
    """Whom a decision or an attempt is about."""
    recipient = detail.get("recipient")
    return f"{detail['channel']} ({recipient})" if recipient else str(detail["channel"])
