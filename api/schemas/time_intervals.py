"""Time intervals on the wire, in Alertmanager's form."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, ClassVar, Final

from pydantic import AfterValidator, Field, WithJsonSchema

from api.schemas.fields import Input, Output, Text, example
from api.schemas.rules import Key
from rules.time_intervals import FIELDS, Period, TimeInterval, parse_period
from rules.time_intervals import document as period_document

_PERIOD: Final[dict[str, Any]] = {
    "times": [{"start_time": "09:00", "end_time": "17:00"}],
    "weekdays": ["monday:friday"],
    "location": "Europe/Berlin",
}
_EXAMPLE: Final[dict[str, Any]] = {"name": "working-hours", "time_intervals": [_PERIOD], "team": "sre"}


def _parsed(spec: object) -> Period:
    return parse_period(spec)


PeriodField = Annotated[
    Any,
    AfterValidator(_parsed),
    WithJsonSchema(
        {
            "type": "object",
            "properties": {name: {"type": "string" if name == "location" else "array"} for name in FIELDS},
            "additionalProperties": False,
            "examples": [_PERIOD],
        }
    ),
]


class TimeIntervalIn(Input):
    """A time interval as it is sent: it is on while any of its entries is, an entry while all of its fields are."""

    model_config = example(_EXAMPLE)
    read_only: ClassVar[frozenset[str]] = frozenset({"origin", "version", "problems"})
    name: Key | None = None
    time_intervals: list[PeriodField] = Field(max_length=1000)
    team: Text = ""

    def to_time_interval(self, name: str, before: TimeInterval | None) -> TimeInterval:
        """The time interval declared, under this name."""
        stands = before or TimeInterval(name=name, origin="api")
        return replace(stands, periods=tuple(self.time_intervals), team=self.team)


class TimeIntervalOut(Output):
    """A time interval as it stands."""

    model_config = example({**_EXAMPLE, "origin": "api", "version": 1})
    name: str
    time_intervals: list[dict[str, Any]]
    team: str
    origin: str
    version: int


def document(interval: TimeInterval) -> dict[str, object]:
    """The time interval's own fields as JSON, what changes are told in."""
    return {
        "name": interval.name,
        "time_intervals": [period_document(period) for period in interval.periods],
        "team": interval.team,
    }


def described(interval: TimeInterval) -> TimeIntervalOut:
    """The time interval as it stands."""
    return TimeIntervalOut(
        name=interval.name,
        time_intervals=[period_document(period) for period in interval.periods],
        team=interval.team,
        origin=interval.origin,
        version=interval.version,
    )
