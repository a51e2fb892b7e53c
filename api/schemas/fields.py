"""The kinds of field every noun is made of: durations as text, numbers that may be NaN, instants with a zone, storable text."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, ClassVar, Final, Generic, Self, TypeVar, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    PlainSerializer,
    ValidationError,
    WithJsonSchema,
    model_validator,
)

from rules import durations

T = TypeVar("T")

LONGEST_SPAN: Final = timedelta(seconds=3153600000)
"""A hundred years: what the database takes for a span."""


class InputError(Exception):
    """Input put together here (a merge patch) that its model refuses."""

    def __init__(self, model: type[Input], cause: ValidationError) -> None:
        super().__init__(str(model))
        self.model = model
        self.cause = cause


class Input(BaseModel):
    """A noun as it is sent. Unknown fields are refused; those only we set may be sent back as they were answered."""

    model_config = ConfigDict(extra="forbid", populate_by_name=False, arbitrary_types_allowed=True)
    read_only: ClassVar[frozenset[str]] = frozenset()

    @model_validator(mode="before")
    @classmethod
    def _without_read_only(cls, data: object) -> object:
        if not isinstance(data, dict):
            return data
        return {name: value for name, value in data.items() if name not in cls.read_only}

    @classmethod
    def patched(cls, current: Mapping[str, object], patch: Mapping[str, object]) -> Self:
        """The noun after an RFC 7396 merge patch: null takes a field back to its default. Raises InputError."""
        try:
            return cls.model_validate(merged(current, patch))
        except ValidationError as error:
            raise InputError(cls, error) from error


class Output(BaseModel):
    """A noun as it is answered."""

    model_config = ConfigDict(populate_by_name=True)


def example(shown: dict[str, JsonValue]) -> ConfigDict:
    """What gives a model an example in the schema: one that people could have sent or been answered."""
    return ConfigDict(json_schema_extra={"examples": [shown]})


def example_of(model: type[BaseModel]) -> dict[str, JsonValue]:
    """The example the model was given; an empty one when it has none."""
    extra = model.model_config.get("json_schema_extra")
    examples = extra.get("examples") if isinstance(extra, dict) else None
    return dict(examples[0]) if isinstance(examples, list) and isinstance(examples[0], dict) else {}


def about(model: type[BaseModel]) -> type[BaseModel]:
    """What a generic model is of: RuleOut of Page[RuleOut]."""
    (argument,) = model.__pydantic_generic_metadata__["args"]
    assert isinstance(argument, type)
    assert issubclass(argument, BaseModel)
    return argument


def _page_example(schema: dict[str, Any], model: type[BaseModel]) -> None:
    schema["examples"] = [{"items": [example_of(about(model))], "next_cursor": None}]


class Page(Output, Generic[T]):
    """One page of a list; `next_cursor` is what to send as `cursor` for the next, null on the last page."""

    model_config = ConfigDict(json_schema_extra=_page_example)
    items: list[T]
    next_cursor: str | None = None


class DeclaredPage(Page[T]):
    """One page of what people declare; `problems` are those of all its rows, also of what cannot be read and is on no page."""

    problems: list[str] = Field(default_factory=list)


def field_names(model: type[BaseModel]) -> Iterator[str]:
    """The fields as they are written in JSON, those of models below it included."""
    for name, field in model.model_fields.items():
        yield field.alias or name
        for part in get_args(field.annotation):
            if isinstance(part, type) and issubclass(part, BaseModel):
                yield from field_names(part)


def merged(current: Mapping[str, object], patch: Mapping[str, object]) -> dict[str, object]:
    """`patch` laid over `current` (RFC 7396): objects merge member by member, null removes, all else replaces."""
    result = {name: value for name, value in current.items() if name not in patch}
    for name, value in patch.items():
        below = current.get(name)
        if isinstance(value, Mapping) and isinstance(below, Mapping):
            result[name] = merged(below, value)
        elif value is not None:
            result[name] = value
    return result


def number_text(value: float) -> float | str:
    """The number as JSON can hold it: NaN and the infinities are texts, spelt as Prometheus spells them."""
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else f"{value:+}".replace("inf", "Inf")


def _storable(text: str) -> str:
    if "\x00" in text or any("\ud800" <= letter <= "\udfff" for letter in text):
        raise ValueError("holds a NUL or half of a surrogate pair, which no database stores as text; leave it out")
    return text


def _number(value: object) -> float:
    if isinstance(value, str) and value in ("NaN", "Inf", "+Inf", "-Inf"):
        return float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError('must be a number, or one of "NaN", "+Inf", "-Inf"')
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        # JSON has no such numbers: this was one too large, or a bare NaN or Infinity, which only some readers know.
        raise ValueError('is beyond what a 64-bit float can hold; if it is meant so, write "+Inf", "-Inf" or "NaN"')
    return number


def _span(value: object) -> timedelta:
    if isinstance(value, timedelta):  # An answer of ours; JSON has none.
        return value
    if not isinstance(value, str):
        raise ValueError('must be a duration as text, such as "30s", "5m" or "1h30m"')
    span = durations.parse(value)
    if span > LONGEST_SPAN:
        raise ValueError(f"{value[:40]} is longer than 100 years; use less")
    return span


def _instant(value: object) -> datetime:
    if not isinstance(value, str):
        raise ValueError('must be an RFC 3339 time as text, such as "2026-11-21T12:00:00Z"')
    try:
        moment = datetime.fromisoformat(value.upper())
    except ValueError as error:
        raise ValueError("is no RFC 3339 time; write it like 2026-11-21T12:00:00Z") from error
    if moment.tzinfo is None:
        raise ValueError("has no zone, so it does not say when; end it with Z or an offset such as +02:00")
    if not 1971 <= moment.year < 3000:
        raise ValueError(f"lies in the year {moment.year}; give a time between 1971 and 2999")
    return moment.astimezone(UTC)


_SPAN_SCHEMA: Final[dict[str, Any]] = {"type": "string", "format": "prometheus-duration", "examples": ["5m", "1h30m"]}
_NUMBER_SCHEMA: Final[dict[str, Any]] = {
    "anyOf": [{"type": "number"}, {"type": "string", "enum": ["NaN", "+Inf", "-Inf"]}]
}

Text = Annotated[str, AfterValidator(_storable)]
Duration = Annotated[
    timedelta,
    BeforeValidator(_span),
    PlainSerializer(durations.format, return_type=str, when_used="json"),
    WithJsonSchema(_SPAN_SCHEMA),
]
Number = Annotated[
    float,
    BeforeValidator(_number),
    PlainSerializer(number_text, when_used="json"),
    WithJsonSchema(_NUMBER_SCHEMA),
]
Measured = Annotated[float, PlainSerializer(number_text, when_used="json"), WithJsonSchema(_NUMBER_SCHEMA)]
"""A number of ours, which may be any float."""

Instant = Annotated[datetime, BeforeValidator(_instant), WithJsonSchema({"type": "string", "format": "date-time"})]
