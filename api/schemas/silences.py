"""Silences on the wire: matchers as a list or as text, an end or a duration, and what the silence covers now."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Annotated, ClassVar, Final

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from api.schemas.fields import Duration, Input, Instant, Output, Text
from api.schemas.rules import Key
from rules.errors import SilenceError
from rules.matchers import Matcher, Operator, parse_matchers
from rules.silences import Silence, SilenceState

NOTE: Final = (
    "A silence keeps notifications back from now on; it does not close an incident that is already open. "
    "That one is closed when its alerts resolve."
)


class MatcherField(Input):
    """One comparison of one label; a regex must match the whole value."""

    name: Text = Field(min_length=1)
    value: Text
    operator: Operator = Operator.EQUAL

    @model_validator(mode="after")
    def _is_a_matcher(self) -> MatcherField:
        self.matcher()
        return self

    def matcher(self) -> Matcher:
        """The matcher declared. Raises MatcherError."""
        return Matcher(self.name, self.operator, self.value)

    @classmethod
    def of(cls, matcher: Matcher) -> MatcherField:
        """The matcher as it is shown."""
        return cls.model_construct(name=matcher.name, value=matcher.value, operator=matcher.operator)


def _from_text(value: object) -> object:
    if not isinstance(value, str):
        return value
    return [{"name": m.name, "operator": m.operator, "value": m.value} for m in parse_matchers(value)]


Matchers = Annotated[
    list[MatcherField],
    BeforeValidator(_from_text),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "examples": ['{team="db", severity=~"warning|info"}']},
                {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["name", "value"],
                        "properties": {
                            "name": {"type": "string"},
                            "value": {"type": "string"},
                            "operator": {"enum": [operator.value for operator in Operator], "default": "="},
                        },
                    },
                },
            ]
        }
    ),
]


class SilenceIn(Input):
    """A silence as it is sent. It begins now unless `starts_at` says otherwise, and ends at `ends_at` or after `duration`."""

    read_only: ClassVar[frozenset[str]] = frozenset(
        {"origin", "version", "state", "matched_alerts", "note", "problems"}
    )
    id: Key | None = None
    matchers: Matchers
    starts_at: Instant | None = None
    ends_at: Instant | None = None
    duration: Duration | None = None
    comment: Text = ""
    created_by: Text = ""
    team: Text = ""

    def to_silence(self, silence_id: str, before: Silence | None, *, author: str, now: datetime) -> Silence:
        """The silence declared. Raises SilenceError when its end is not given once, or is past."""
        matchers = tuple(field.matcher() for field in self.matchers)
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
            team=self.team,
        )

    def _end(self, starts_at: datetime) -> datetime:
        if (self.ends_at is None) == (self.duration is None):
            raise SilenceError('give the end once: ends_at, or duration such as "2h"', field="ends_at")
        return starts_at + self.duration if self.duration is not None else self.ends_at or starts_at


class SilenceOut(Output):
    """A silence as it stands; `matched_alerts` counts the active alerts its matchers cover now, 0 once it has expired."""

    id: str
    matchers: list[MatcherField]
    starts_at: datetime
    ends_at: datetime
    comment: str
    created_by: str
    team: str
    origin: str
    version: int
    state: SilenceState
    matched_alerts: int
    note: str = NOTE


def document(silence: Silence) -> dict[str, object]:
    """The silence's own fields as JSON, what changes are told in."""
    return {
        "id": silence.id,
        "matchers": [str(matcher) for matcher in silence.matchers],
        "starts_at": silence.starts_at.isoformat(),
        "ends_at": silence.ends_at.isoformat(),
        "comment": silence.comment,
        "created_by": silence.created_by,
        "team": silence.team,
    }


def described(silence: Silence, *, matched: int, now: datetime) -> SilenceOut:
    """The silence as it stands at `now`."""
    return SilenceOut(
        id=silence.id,
        matchers=[MatcherField.of(matcher) for matcher in silence.matchers],
        starts_at=silence.starts_at,
        ends_at=silence.ends_at,
        comment=silence.comment,
        created_by=silence.created_by,
        team=silence.team,
        origin=silence.origin,
        version=silence.version,
        state=silence.state(now),
        matched_alerts=matched,
    )


def expired(silence: Silence, now: datetime) -> Silence:
    """The silence ended at `now`; one that is over already stays as it is.

    Both ends of a silence are inclusive, so it must end a moment before `now` to be over at `now`.
    """
    moment = timedelta(microseconds=1)
    if silence.state(now) is SilenceState.EXPIRED:
        return silence
    return replace(silence, starts_at=min(silence.starts_at, now - 2 * moment), ends_at=now - moment)
