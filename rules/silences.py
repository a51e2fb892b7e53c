"""A silence: who asked for quiet over which labels, from when to when, and why.

It holds between its two ends; one that names time intervals only within them (every night of a month, say), and one that is
`until_resolved` ends with the alerts that it covered when it began.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from rules.errors import SilenceError
from rules.labels import ALERTNAME
from rules.matchers import Matcher, Operator
from rules.time_intervals import TimeInterval, contains, next_change

LONGEST_WAIT: Final = timedelta(days=30)
"""How long a silence that ends with its alerts lasts at most, where nobody says."""
MANY: Final = 20
"""From how many active alerts on a silence is held against all there are."""
NEARLY_ALL: Final = 0.9
_UNLIKE: Final = ("a", "0", "db-1.example.org:9100", "Ünlike value")
"""Values with nothing in common: what matches all of them tells nothing apart."""
_MOMENT: Final = timedelta(microseconds=1)


class SilenceState(StrEnum):
    """Where a silence stands at a moment; the words are Alertmanager's. One between two of its time intervals is pending."""

    PENDING = "pending"
    ACTIVE = "active"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """Quiet over every alert that all `matchers` match, from `starts_at` to `ends_at`, both ends inclusive.

    With `time_intervals` it holds only while one of them, by its name, is on; a name nobody defined is never on. With
    `until_resolved` it ends earlier, when all alerts it covered at `starts_at` have resolved. `force` says that matchers
    which cover nearly everything are meant.
    """

    id: str
    matchers: tuple[Matcher, ...]
    starts_at: datetime
    ends_at: datetime
    created_by: str = ""
    comment: str = ""
    time_intervals: tuple[str, ...] = ()
    until_resolved: bool = False
    force: bool = False
    team: str = ""
    origin: str = "sql"
    version: int = 1

    def state(self, now: datetime, intervals: Mapping[str, TimeInterval] = MappingProxyType({})) -> SilenceState:
        """Pending before `starts_at`, expired after `ends_at`, active between, both ends included (A:silence/silence.go).

        `intervals` are those its own names are looked up in.
        """
        if now < self.starts_at:
            return SilenceState.PENDING
        if now > self.ends_at:
            return SilenceState.EXPIRED
        if self.time_intervals and not self._on(now, intervals):
            return SilenceState.PENDING
        return SilenceState.ACTIVE

    def until(self, now: datetime, intervals: Mapping[str, TimeInterval] = MappingProxyType({})) -> datetime:
        """When one that is active at `now` stops to hold: at its end, or with the last of its intervals that are on."""
        ends = [next_change(one, now) for one in self._on(now, intervals)]
        known = [end for end in ends if end is not None]
        return min(self.ends_at, max(known)) if known and len(known) == len(ends) else self.ends_at

    def _on(self, now: datetime, intervals: Mapping[str, TimeInterval]) -> list[TimeInterval]:
        known = [intervals[name] for name in self.time_intervals if name in intervals]
        return [one for one in known if contains(one, now)]

    def covers(self, labels: Mapping[str, str]) -> bool:
        """Whether every matcher matches; time plays no part here."""
        return all(matcher.matches(labels) for matcher in self.matchers)


def check(silence: Silence) -> None:
    """Refuse what Alertmanager refuses: no matcher, none that wants some text, an end not after the start.

    To it a matcher that leaves something out (`team!="db"`) does want some text; here it does with `force` only.

    Raises SilenceError naming the field and the fix.
    """
    _check_matchers(silence)
    if silence.ends_at <= silence.starts_at:
        message = f"ends_at {silence.ends_at.isoformat()} is not after starts_at {silence.starts_at.isoformat()}"
        raise SilenceError(message, field="ends_at")


def _check_matchers(silence: Silence) -> None:
    if not silence.matchers:
        raise SilenceError("a silence needs at least one matcher", field="matchers")
    texts = ", ".join(map(str, silence.matchers))
    if all(map(_takes_what_is_absent, silence.matchers)):
        message = (
            f"{texts} also matches alerts without that label, so it would silence nearly everything; "
            "add a matcher such as alertname=…"
        )
        raise SilenceError(message, field="matchers")
    if not silence.force and all(_is_broad(one) or _takes_what_is_absent(one) for one in silence.matchers):
        message = (
            f"{texts} only leaves some alerts out, so it would silence nearly everything; "
            "add a matcher such as alertname=…, or set force when that is meant"
        )
        raise SilenceError(message, field="matchers")


def check_reach(silence: Silence, active: Collection[Mapping[str, str]]) -> None:
    """Refuse one that would hide nearly all of many active alerts, of several names, unless it says `force`.

    Raises SilenceError. One name that fires everywhere may be silenced: that is what a silence is for.
    """
    covered = [labels for labels in active if silence.covers(labels)]
    names = {labels.get(ALERTNAME) for labels in covered}
    if silence.force or len(active) < MANY or len(names) < 2 or len(covered) < NEARLY_ALL * len(active):
        return
    message = (
        f"it would silence {len(covered)} of {len(active)} active alerts, of {len(names)} names; "
        "add a matcher such as alertname=…, or set force when that is meant"
    )
    raise SilenceError(message, field="matchers")


def can_become(before: Silence, after: Silence, now: datetime) -> bool:
    """Whether a silence can be changed in place: nothing that it has done, or that was seen of it, is undone.

    What is hidden stays. An active one keeps its start, to the second, and does not end before `now`; a pending one begins no
    earlier than `now`; one that is over stays over, and the edit is a silence of its own. Source: A:silence/silence.go canUpdate.
    """
    if set(before.matchers) != set(after.matchers) or before.time_intervals != after.time_intervals:
        return False
    if now > before.ends_at:
        return False
    if now < before.starts_at:
        return after.starts_at >= now
    return int(before.starts_at.timestamp()) == int(after.starts_at.timestamp()) and after.ends_at >= now


def expired(silence: Silence, now: datetime) -> Silence:
    """The silence ended at `now`; one that is over already stays as it is.

    Both ends of a silence are inclusive, so it must end a moment before `now` to be over at `now`.
    """
    if now > silence.ends_at:
        return silence
    return replace(silence, starts_at=min(silence.starts_at, now - 2 * _MOMENT), ends_at=now - _MOMENT)


def holding(
    silences: Iterable[Silence], now: datetime, intervals: Mapping[str, TimeInterval] = MappingProxyType({})
) -> tuple[Silence, ...]:
    """The silences active at `now`, in the order given."""
    return tuple(silence for silence in silences if silence.state(now, intervals) is SilenceState.ACTIVE)


def covering(silences: Iterable[Silence], labels: Mapping[str, str]) -> tuple[Silence, ...]:
    """Those of the silences that cover these labels, in the order given; time plays no part here."""
    return tuple(silence for silence in silences if silence.covers(labels))


def _takes_what_is_absent(matcher: Matcher) -> bool:
    """Whether it names what it takes, and takes the empty text too. Source: A:silence/silence.go matchesEmpty."""
    return matcher.operator in (Operator.EQUAL, Operator.REGEX) and matcher.matches({})


def _is_broad(matcher: Matcher) -> bool:
    """Whether it only says what is left out, or matches whatever there is."""
    if matcher.operator in (Operator.NOT_EQUAL, Operator.NOT_REGEX):
        return True
    return all(matcher.matches({matcher.name: value}) for value in _UNLIKE)
