"""Inhibit rules on the wire."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar, Final

from pydantic import Field

from api.schemas.fields import Input, Output, Text, example
from api.schemas.matchers import MatcherField, Matchers
from api.schemas.rules import Key
from rules.inhibition import InhibitRule

_EXAMPLE: Final[dict[str, Any]] = {
    "id": "critical-over-warning",
    "name": "critical over warning",
    "source_matchers": [{"name": "severity", "value": "critical", "operator": "="}],
    "target_matchers": [{"name": "severity", "value": "warning", "operator": "="}],
    "equal": ["alertname", "instance"],
    "team": "sre",
}


class InhibitRuleIn(Input):
    """An inhibit rule as it is sent; `id` may be chosen at POST, else one is made."""

    model_config = example(_EXAMPLE)
    read_only: ClassVar[frozenset[str]] = frozenset({"origin", "version", "problems"})
    id: Key | None = None
    name: Text = ""
    source_matchers: Matchers
    target_matchers: Matchers
    equal: list[Text] = Field(default_factory=list)
    team: Text = ""

    def to_inhibit_rule(self, rule_id: str, before: InhibitRule | None) -> InhibitRule:
        """The inhibit rule declared, under this id."""
        sides: dict[str, Any] = {
            "source_matchers": tuple(field.matcher() for field in self.source_matchers),
            "target_matchers": tuple(field.matcher() for field in self.target_matchers),
        }
        stands = before or InhibitRule(id=rule_id, origin="api", **sides)
        return replace(stands, name=self.name, equal=tuple(self.equal), team=self.team, **sides)


class InhibitRuleOut(Output):
    """An inhibit rule as it stands: while an alert of the source fires, those of the target that are equal to it are quiet."""

    model_config = example({**_EXAMPLE, "origin": "api", "version": 1})
    id: str
    name: str
    source_matchers: list[MatcherField]
    target_matchers: list[MatcherField]
    equal: list[str]
    team: str
    origin: str
    version: int


def document(rule: InhibitRule) -> dict[str, object]:
    """The inhibit rule's own fields as JSON, what changes are told in."""
    return {
        "id": rule.id,
        "name": rule.name,
        "source_matchers": [str(matcher) for matcher in rule.source_matchers],
        "target_matchers": [str(matcher) for matcher in rule.target_matchers],
        "equal": list(rule.equal),
        "team": rule.team,
    }


def described(rule: InhibitRule) -> InhibitRuleOut:
    """The inhibit rule as it stands."""
    return InhibitRuleOut(
        id=rule.id,
        name=rule.name,
        source_matchers=[MatcherField.of(matcher) for matcher in rule.source_matchers],
        target_matchers=[MatcherField.of(matcher) for matcher in rule.target_matchers],
        equal=list(rule.equal),
        team=rule.team,
        origin=rule.origin,
        version=rule.version,
    )
