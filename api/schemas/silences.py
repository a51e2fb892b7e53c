"""Silences on the wire: matchers as a list or as text, an end or a duration, and what the silence covers now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, ClassVar, Final

from pydantic import Field, StrictBool

from api.schemas.alerts import EXAMPLE as ALERT_EXAMPLE
from api.schemas.alerts import AlertOut
from api.schemas.fields import Duration, Input, Instant, Output, Text, example
from api.schemas.matchers import MatcherField, Matchers
from api.schemas.rules import ALERTS_SHOWN, Key
from engine.core.alert import Alert
from rules.errors import SilenceError
from rules.matchers import Matcher
from rules.silences import LONGEST_WAIT, Silence, SilenceState
from rules.time_intervals import TimeInterval

NOTE: Final = (
    "A silence keeps notifications back from now on; it does not close an incident that is already open. "
    "That one is closed when its alerts resolve."
)


_EXAMPLE: Final[dict[str, Any]] = {
    "id": "0d6d1b2f",
    "matchers": [{"name": "instance", "value": "db-1", "operator": "="}],
    "starts_at": "2026-11-21T12:00:00Z",
    "ends_at": "2026-11-21T14:00:00Z",
    "comment": "disk is being replaced",
    "created_by": "ana",
    "time_intervals": [],
    "until_resolved": False,
    "force": False,
    "team": "sre",
}


class SilenceIn(Input):
    """A silence as it is sent. It begins now unless `starts_at` says otherwise, and ends at `ends_at` or after `duration`.

    With `time_intervals` it holds only while one of them is on. With `until_resolved` it ends with the alerts it covers when it
    begins, after 30 days at the latest where no end is given. `force` is for matchers that cover nearly everything.
    """

    model_config = example(
        {"matchers": '{instance="db-1"}', "duration": "2h", "comment": "disk is being replaced", "team": "sre"}
    )
    read_only: ClassVar[frozenset[str]] = frozenset(
        {"origin", "version", "state", "matched_alerts", "note", "problems", "replaces"}
    )
    id: Key | None = None
    matchers: Matchers
    starts_at: Instant | None = None
    ends_at: Instant | None = None
    duration: Duration | None = None
    comment: Text = ""
    created_by: Text = ""
    time_intervals: list[Text] = Field(default_factory=list)
    until_resolved: StrictBool = False
    force: StrictBool = False
    team: Text = ""

    def to_silence(self, silence_id: str, before: Silence | None, *, author: str, now: datetime) -> Silence:
        """The silence declared. Raises SilenceError when its end is not given once, or is past."""
        matchers = self.parsed()
        fresh = Silence(id=silence_id, matchers=matchers, starts_at=now, ends_at=now, created_by=author, origin="api")
        stands = before or fresh
        starts_at = self.starts_at or stands.starts_at
        ends_at = self._end(starts_at)
        if ends_at <= now:
            message = f"ends_at {ends_at.isoformat()} is past; give a later one, or DELETE the silence to end it now"
            raise SilenceError(message, field="ends_at")
        return replace(
            stands,
            matchers=matchers,
            starts_at=starts_at,
            ends_at=ends_at,
            comment=self.comment,
            created_by=self.created_by or stands.created_by,
            time_intervals=tuple(self.time_intervals),
            until_resolved=self.until_resolved,
            force=self.force,
            team=self.team,
        )

    def parsed(self) -> tuple[Matcher, ...]:
        """The matchers declared."""
        return tuple(field.matcher() for field in self.matchers)

    def _end(self, starts_at: datetime) -> datetime:
        if self.until_resolved and self.ends_at is None and self.duration is None:
            return starts_at + LONGEST_WAIT
        if (self.ends_at is None) == (self.duration is None):
            raise SilenceError('give the end once: ends_at, or duration such as "2h"', field="ends_at")
        return starts_at + self.duration if self.duration is not None else self.ends_at or starts_at


class SilenceOut(Output):
    """A silence as it stands; `matched_alerts` counts the active alerts its matchers cover now, 0 once it has expired.

    `replaces` is the id of the silence it was an edit of, where the edit made a new one.
    """

    model_config = example(
        {
            **_EXAMPLE,
            "origin": "api",
            "version": 1,
            "state": "active",
            "matched_alerts": 1,
            "replaces": None,
            "note": NOTE,
        }
    )
    id: str
    matchers: list[MatcherField]
    starts_at: datetime
    ends_at: datetime
    comment: str
    created_by: str
    time_intervals: list[str]
    until_resolved: bool
    force: bool
    team: str
    origin: str
    version: int
    state: SilenceState
    matched_alerts: int
    replaces: str | None = None
    note: str = NOTE


class PreviewOut(Output):
    """What a silence would cover now: how many of all active alerts, the first hundred of them, and whether that is a lot."""

    model_config = example({"matched_alerts": 1, "active_alerts": 12, "alerts": [ALERT_EXAMPLE], "warning": None})
    matched_alerts: int
    active_alerts: int
    alerts: list[AlertOut]
    warning: str | None = None

    @classmethod
    def of(cls, covered: Sequence[Alert], *, active: int) -> PreviewOut:
        """The alerts covered, out of so many active ones, with a warning when they are more than half."""
        warning = None
        if 2 * len(covered) > active:
            warning = (
                f"this covers {len(covered)} of {active} active alerts, more than half of all: "
                "add a matcher, such as alertname, unless everything is meant"
            )
        alerts = [AlertOut.of(alert) for alert in covered[:ALERTS_SHOWN]]
        return cls(matched_alerts=len(covered), active_alerts=active, alerts=alerts, warning=warning)


def document(silence: Silence) -> dict[str, object]:
    """The silence's own fields as JSON, what changes are told in."""
    return {
        "id": silence.id,
        "matchers": [str(matcher) for matcher in silence.matchers],
        "starts_at": silence.starts_at.isoformat(),
        "ends_at": silence.ends_at.isoformat(),
        "comment": silence.comment,
        "created_by": silence.created_by,
        "time_intervals": list(silence.time_intervals),
        "until_resolved": silence.until_resolved,
        "force": silence.force,
        "team": silence.team,
    }


def described(
    silence: Silence, *, matched: int, now: datetime, intervals: Mapping[str, TimeInterval], replaces: str | None = None
) -> SilenceOut:
    """The silence as it stands at `now`."""
    return SilenceOut(
        id=silence.id,
        matchers=[MatcherField.of(matcher) for matcher in silence.matchers],
        starts_at=silence.starts_at,
        ends_at=silence.ends_at,
        comment=silence.comment,
        created_by=silence.created_by,
        time_intervals=list(silence.time_intervals),
        until_resolved=silence.until_resolved,
        force=silence.force,
        team=silence.team,
        origin=silence.origin,
        version=silence.version,
        state=silence.state(now, intervals),
        matched_alerts=matched,
        replaces=replaces,
    )
