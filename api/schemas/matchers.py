"""Matchers on the wire: a list of comparisons, each an object or Alertmanager's text, or one such text for all."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from api.schemas.fields import Input, Text
from rules.matchers import Matcher, Operator, parse_matchers


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
    """The list, with each text in it, or the one text there is, as the matchers it means."""
    if isinstance(value, str):
        return [{"name": m.name, "operator": m.operator, "value": m.value} for m in parse_matchers(value)]
    if isinstance(value, list) and any(isinstance(one, str) for one in value):
        return [matcher for one in value for matcher in _listed(_from_text(one))]
    return value


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]


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
                        "anyOf": [
                            {
                                "type": "object",
                                "required": ["name", "value"],
                                "properties": {
                                    "name": {"type": "string"},
                                    "value": {"type": "string"},
                                    "operator": {"enum": [operator.value for operator in Operator], "default": "="},
                                },
                            },
                            {"type": "string", "examples": ['team="db"']},
                        ],
                    },
                },
            ]
        }
    ),
]
