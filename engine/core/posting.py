"""Alerts that others post: what a post says, what it makes of the alert as it stands, and when an alert ends by itself.

Source: A:api/v2/api.go postAlertsHandler, A:provider/mem/mem.go Put, A:alert/alert.go Merge. A post is always the younger of the
two, for posts are taken in one after the other.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from engine.core.alert import Alert, Change, State, TransitionReason
from rules.labels import Labels

EXTERNAL: Final = "external"
"""The source of every posted alert."""


_MOMENT: Final = timedelta(microseconds=1)


class Fault(StrEnum):
    """What kind of mistake a post has; Alertmanager answers each in another way."""

    SHAPE = "shape"
    """A value of the wrong type, or a time that is none."""
    MISSING = "missing"
    """Something that must be there is not."""
    FORMAT = "format"
    """A text that has not the form it must have."""
    ALERT = "alert"
    """Well formed, and no alert."""


class PostError(ValueError):
    """What was posted is no alert; the text says why."""

    def __init__(self, message: str, fault: Fault = Fault.ALERT) -> None:
        super().__init__(message)
        self.fault = fault


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """One alert as it was posted; an instant that was left out is `None`. `labels` hold at least one."""

    labels: Labels
    annotations: Mapping[str, str] = field(default_factory=dict)
    generator_url: str = ""
    starts_at: datetime | None = None
    ends_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Span:
    """From when to when an alert is: over at `ends_at`, which with `timeout` is only how long we believe the last post."""

    starts_at: datetime
    ends_at: datetime
    timeout: bool = False

    def is_over(self, now: datetime) -> bool:
        """Whether it has ended at `now`; the end is no longer part of it."""
        return self.ends_at <= now


@dataclass(frozen=True, slots=True, kw_only=True)
class Expiry:
    """Until when a firing alert is believed, and when it was last posted."""

    ends_at: datetime
    timeout: bool
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """What a post made of an alert: how it stands now, until when, and its transition if it made one.

    `restated` says that it is in the state it was in, and something else is said of it: its annotations, origin, start or end.
    """

    alert: Alert
    span: Span
    change: Change | None = None
    restated: bool = False


def span(starts_at: datetime | None, ends_at: datetime | None, now: datetime, resolve_timeout: timedelta) -> Span:
    """From when to when a post says its alert is: from now on unless it says otherwise, for `resolve_timeout`."""
    if ends_at is None:
        return Span(starts_at or now, now + resolve_timeout, timeout=True)
    return Span(starts_at or ends_at, ends_at)


def merged(old: Span, new: Span, now: datetime) -> Span:
    """The span of an alert that was `old` when `new` is posted: one span where they overlap, else the new one."""
    overlap = old.starts_at < new.ends_at < old.ends_at or old.starts_at < new.starts_at < old.ends_at
    if not overlap:
        return new
    keeps_end = old.is_over(now) if new.is_over(now) else not old.timeout
    kept = keeps_end and old.ends_at > new.ends_at
    return Span(min(old.starts_at, new.starts_at), old.ends_at if kept else new.ends_at, timeout=new.timeout)


def believed(old: Span, now: datetime) -> Span:
    """The span of an alert that still counts as firing: it lasts until now at least, however late its end is judged."""
    return old if not old.is_over(now) else Span(old.starts_at, now + _MOMENT, timeout=True)


def receive(
    post: Post, before: Alert | None, expiry: Expiry | None, now: datetime, resolve_timeout: timedelta
) -> Received:
    """What `post` makes of the alert with its labels; `before` is `None` when there was none, `expiry` when it had ended."""
    fresh = span(post.starts_at, post.ends_at, now, resolve_timeout)
    stands = fresh if before is None else merged(_span_of(before, expiry, now), fresh, now)
    over = stands.is_over(now)
    alert = _alert(post, before, stands, State.INACTIVE if over else State.FIRING)
    state = None if before is None else before.state
    if state is alert.state:
        return Received(alert=alert, span=stands, restated=before is not None and _says(alert) != _says(before))
    reason = TransitionReason.RESOLVED_BY_SENDER if over else TransitionReason.POSTED
    return Received(alert=alert, span=stands, change=Change(before=state, alert=alert, reason=reason))


def _alert(post: Post, before: Alert | None, stands: Span, state: State) -> Alert:
    return Alert(
        id=None if before is None else before.id,
        source=EXTERNAL,
        labels=post.labels,
        sample_labels=post.labels,
        state=state,
        value=math.nan,
        active_at=stands.starts_at,
        fired_at=stands.starts_at,
        resolved_at=stands.ends_at if state is State.INACTIVE else None,
        episode=1 if before is None else before.episode,
        annotations=post.annotations,
        generator_url=post.generator_url,
    )


def expired(alert: Alert, ends_at: datetime) -> Change:
    """The end of an alert that nobody posted again: it was over when it was said to be, however late that is noticed."""
    ended = replace(alert, state=State.INACTIVE, resolved_at=ends_at)
    return Change(before=alert.state, alert=ended, reason=TransitionReason.EXPIRED)


def expires_at(expiry: Expiry, *, heard_since: datetime, resolve_timeout: timedelta, lag: timedelta) -> datetime:
    """When the alert counts as over: `lag` after its end, for a post may be that long on its way into the database.

    Who was not heard before `heard_since` could not post again, and gets as long again as the last post asked for, at most
    `resolve_timeout`.
    """
    if expiry.updated_at >= heard_since:
        return expiry.ends_at + lag
    asked = min(expiry.ends_at - expiry.updated_at, resolve_timeout)
    return max(expiry.ends_at, heard_since + asked) + lag


def _span_of(alert: Alert, expiry: Expiry | None, now: datetime) -> Span:
    if expiry is None:
        return Span(alert.active_at, alert.resolved_at or alert.active_at)
    return believed(Span(alert.active_at, expiry.ends_at, expiry.timeout), now)


def _says(alert: Alert) -> tuple[object, ...]:
    return dict(alert.annotations), alert.generator_url, alert.fired_at, alert.resolved_at
