"""A silence: who asked for quiet over which labels, from when to when, and why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import assert_never

from rules.errors import SilenceError
from rules.matchers import Matcher


class SilenceState(StrEnum):
    """Where a silence stands at a moment; the words are Alertmanager's."""

    PENDING = "pending"
    ACTIVE = "active"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """Quiet over every alert that all `matchers` match, from `starts_at` to `ends_at`, both ends inclusive."""

    id: str
    matchers: tuple[Matcher, ...]
    starts_at: datetime
    ends_at: datetime
    created_by: str = ""
    comment: str = ""
    team: str = ""
    origin: str = "sql"
    version: int = 1

    def state(self, now: datetime) -> SilenceState:
        """Pending before `starts_at`, expired after `ends_at`, active between, both ends included (A:silence/silence.go)."""
        if now < self.starts_at:
            return SilenceState.PENDING
        if now > self.ends_at:
            return SilenceState.EXPIRED
        return SilenceState.ACTIVE

    def covers(self, labels: Mapping[str, str]) -> bool:
        """Whether every matcher matches; time plays no part here."""
        return all(matcher.matches(labels) for matcher in self.matchers)


def check(silence: Silence) -> None:
    """Refuse what Alertmanager refuses: no matcher, only matchers that match an absent label, an end not after the start.

    Raises SilenceError naming the field and the fix.
    """
    if not silence.matchers:
        raise SilenceError("a silence needs at least one matcher", field="matchers")
    if all(matcher.matches({}) for matcher in silence.matchers):
        texts = ", ".join(str(matcher) for matcher in silence.matchers)
        message = (
            f"{texts} also matches alerts without that label, so it would silence nearly everything; "
            "add a matcher such as alertname=…"
        )
        raise SilenceError(message, field="matchers")
    if silence.ends_at <= silence.starts_at:
        message = f"ends_at {silence.ends_at.isoformat()} is not after starts_at {silence.starts_at.isoformat()}"
        raise SilenceError(message, field="ends_at")


def can_become(before: Silence, after: Silence, now: datetime) -> bool:
    """Whether a silence can be changed in place: nothing that it has done, or that was seen of it, is undone.

    The matchers stay. An active one keeps its start, to the second, and does not end before `now`; a pending one begins no
    earlier than `now`; one that is over stays over. Source: A:silence/silence.go canUpdate.
    """
    if before.matchers != after.matchers:
        return False
    match before.state(now):
        case SilenceState.ACTIVE:
            return _second(before.starts_at) == _second(after.starts_at) and after.ends_at >= now
        case SilenceState.PENDING:
            return after.starts_at >= now
        case SilenceState.EXPIRED:
            return False
        case state:
            assert_never(state)


def _second(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(microsecond=0)


def covering(silences: Iterable[Silence], labels: Mapping[str, str], now: datetime) -> tuple[Silence, ...]:
    """The silences active at `now` that cover these labels, in the order given."""
    return tuple(s for s in silences if s.state(now) is SilenceState.ACTIVE and s.covers(labels))
