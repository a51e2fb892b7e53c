"""Inhibition: which firing alerts keep which others quiet. Source: A:inhibit/inhibit.go, less its defect of 0.30 to 0.34.

Only a firing alert inhibits, but it does so even while it is itself silenced or inhibited: rules do not chain, so their order
does not matter. Every live source counts; Alertmanager forgot all but one of those with equal labels.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from rules.errors import InhibitError
from rules.labels import METRIC_NAME
from rules.matchers import Matcher


@dataclass(frozen=True, slots=True, kw_only=True)
class InhibitRule:
    """A firing alert that all `source_matchers` match keeps quiet every alert that all `target_matchers` match and that has
    the same values in the labels `equal`; a label both lack is equal. `name` is for people and may be empty.
    """

    id: str
    source_matchers: tuple[Matcher, ...]
    target_matchers: tuple[Matcher, ...]
    equal: tuple[str, ...] = ()
    name: str = ""
    team: str = ""
    origin: str = "sql"
    version: int = 1


def check(rule: InhibitRule) -> None:
    """Refuse a rule with an empty side, which would let everything inhibit or be inhibited, and labels no alert can share.

    Raises InhibitError naming the field and the fix.
    """
    for field, matchers in (("source_matchers", rule.source_matchers), ("target_matchers", rule.target_matchers)):
        if not matchers:
            message = f"{field} is empty, so it takes every alert; name some, such as severity=critical"
            raise InhibitError(message, field=field)
    for name in rule.equal:
        if not name or name == METRIC_NAME:
            message = f"equal names {name!r}, a label no alert has; take it out, or name one such as cluster"
            raise InhibitError(message, field="equal")
        if rule.equal.count(name) > 1:
            raise InhibitError(f"equal names label {name!r} twice; take one out", field="equal")


def is_source(rule: InhibitRule, labels: Mapping[str, str]) -> bool:
    """Whether an alert with these labels, while it fires, inhibits by this rule."""
    return _match(rule.source_matchers, labels)


def is_target(rule: InhibitRule, labels: Mapping[str, str]) -> bool:
    """Whether an alert with these labels can be inhibited by this rule."""
    return _match(rule.target_matchers, labels)


def equal_values(rule: InhibitRule, labels: Mapping[str, str]) -> tuple[str, ...]:
    """What source and target must have in common: the values of the labels `equal`, an absent one as empty."""
    return tuple(labels.get(name, "") for name in rule.equal)


def inhibits(rule: InhibitRule, source: Mapping[str, str], target: Mapping[str, str]) -> bool:
    """Whether a firing alert with the labels `source` inhibits one with the labels `target`.

    Among alerts that both sides match none inhibits another, or they would all keep each other, and themselves, quiet.
    """
    return (
        is_source(rule, source)
        and is_target(rule, target)
        and equal_values(rule, source) == equal_values(rule, target)
        and not (is_source(rule, target) and is_target(rule, source))
    )


def _match(matchers: Iterable[Matcher], labels: Mapping[str, str]) -> bool:
    return all(matcher.matches(labels) for matcher in matchers)
