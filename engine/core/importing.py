"""What an import of rules does: which rules are new, changed or gone, under which ids, and whether that may be so.

A rule is known again by what it is called, not by its file: its group, its name and its static labels. As its id stays, so do
its alerts, its threshold rows and what YAML cannot say of it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from rules.labels import SEVERITY
from rules.rule import Rule

TENTH: Final = 10
"""An import that removes more than one rule in so many is taken for a mistake."""
NAMED: Final = 5
"""Rules that a reason names at most."""

Identity = tuple[object, ...]


class Why(StrEnum):
    """Why an import is refused unless it is forced."""

    FIRING = "firing"
    MANY = "many"
    OWNED = "owned"
    ORPHANED = "orphaned"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One reason against removing rules; it prints as a sentence."""

    why: Why
    message: str

    def __str__(self) -> str:
        return self.message


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A rule as it stands and as it shall stand."""

    before: Rule
    after: Rule


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What an import makes different. `removed` are the import's rules that are in its files no more."""

    added: tuple[Rule, ...] = ()
    changed: tuple[Change, ...] = ()
    removed: tuple[Rule, ...] = ()
    unchanged: int = 0

    @property
    def is_empty(self) -> bool:
        return not (self.added or self.changed or self.removed)


def plan(declared: Iterable[Rule], standing: Iterable[Rule], *, origin: str, taken: Collection[str] = ()) -> Plan:
    """The way from the rules that stand for this origin to those declared.

    Rules are paired by group, name and labels (the very same first); those left over by group and name, then by name and
    labels (a rule that moved to another group); equals in their order. `taken` are ids that no new rule may be given.
    """
    wanted, known = list(declared), sorted(standing, key=lambda rule: rule.id)
    pairs: dict[int, Rule] = {}
    for identity in (_content, _identity, _group_and_name, _name_and_labels):
        known = _pair(wanted, known, identity, pairs)
    used = {*taken, *(rule.id for rule in known), *(rule.id for rule in pairs.values())}
    added, changed = [], []
    for at, rule in enumerate(wanted):
        before = pairs.get(at)
        if before is None:
            added.append(replace(rule, id=_free_id(rule, origin, used), origin=origin))
        elif (after := declared_over(before, rule)) != before:
            changed.append(Change(before=before, after=after))
    unchanged = len(pairs) - len(changed)
    return Plan(added=tuple(added), changed=tuple(changed), removed=tuple(known), unchanged=unchanged)


def declared_over(before: Rule, declared: Rule) -> Rule:
    """The standing rule with all that a rule file can say of it; what it cannot say stays."""
    return replace(
        before,
        name=declared.name,
        group=declared.group,
        expr=declared.expr,
        metric_name=None,
        condition=None,
        threshold=None,
        hold=declared.hold,
        keep_firing_for=declared.keep_firing_for,
        interval=declared.interval,
        query_offset=declared.query_offset,
        severity=declared.severity,
        labels=declared.labels,
        annotations=declared.annotations,
        limit=declared.limit,
    )


def differences(change: Change) -> tuple[str, ...]:
    """The fields that differ, by their names in a rule file."""
    names = {
        "alert": "name",
        "group": "group",
        "expr": "expr",
        "metric_name": "metric_name",
        "condition": "condition",
        "threshold": "threshold",
        "for": "hold",
        "keep_firing_for": "keep_firing_for",
        "interval": "interval",
        "query_offset": "query_offset",
        "severity": "severity",
        "labels": "labels",
        "annotations": "annotations",
        "limit": "limit",
    }
    return tuple(name for name, own in names.items() if getattr(change.before, own) != getattr(change.after, own))


def guard(removed: Collection[Rule], *, rules: int, firing: Mapping[str, int]) -> tuple[Reason, ...]:
    """Why these rules had better not be removed; nothing when they may.

    `rules` counts all rules there are, of every origin; `firing` the firing alerts by rule id.
    """
    return tuple(_reasons(removed, rules, firing))


def _reasons(removed: Collection[Rule], rules: int, firing: Mapping[str, int]) -> Iterator[Reason]:
    alight = [rule for rule in removed if firing.get(rule.id)]
    if alight:
        count = sum(firing[rule.id] for rule in alight)
        message = (
            f"{_counted(len(alight), 'rule')} to be removed {'has' if len(alight) == 1 else 'have'} "
            f"{_counted(count, 'firing alert')}, which would be told as resolved: {_named(alight)}"
        )
        yield Reason(why=Why.FIRING, message=message)
    if len(removed) * TENTH > rules:
        message = f"{len(removed)} of all {_counted(rules, 'rule')} would be removed, which is more than a tenth: "
        yield Reason(why=Why.MANY, message=message + _named(removed))


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _named(rules: Collection[Rule]) -> str:
    names = [rule.name for rule in rules]
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def _pair(
    wanted: list[Rule], known: list[Rule], identity: Callable[[Rule], Identity], pairs: dict[int, Rule]
) -> list[Rule]:
    """Pair what is not paired yet and has the same identity; the standing rules that are left over."""
    waiting: dict[Identity, list[Rule]] = {}
    for rule in reversed(known):
        waiting.setdefault(identity(rule), []).append(rule)
    for at, rule in enumerate(wanted):
        if at not in pairs and waiting.get(identity(rule)):
            pairs[at] = waiting[identity(rule)].pop()
    paired = {rule.id for rule in pairs.values()}
    return [rule for rule in known if rule.id not in paired]


def _content(rule: Rule) -> Identity:
    """Rules that are called the same are told apart by what they say."""
    said = (rule.expr, rule.hold, rule.keep_firing_for, rule.interval, rule.query_offset, rule.limit)
    return (*_identity(rule), *said, frozenset(rule.annotations.items()))


def _identity(rule: Rule) -> Identity:
    return rule.group, rule.name, _labels(rule)


def _group_and_name(rule: Rule) -> Identity:
    return rule.group, rule.name


def _name_and_labels(rule: Rule) -> Identity:
    return rule.name, _labels(rule)


def _labels(rule: Rule) -> frozenset[tuple[str, str]]:
    labels = dict(rule.labels)
    return frozenset({**labels, **({SEVERITY: rule.severity} if rule.severity else {})}.items())


def _free_id(rule: Rule, origin: str, used: set[str]) -> str:
    """An id that the same rule gets wherever it is imported, unless that is somebody's already."""
    labels = [part for pair in sorted(_labels(rule)) for part in pair]
    said = "\0".join([origin, rule.group, rule.name, *labels])
    times = 0
    while (found := hashlib.sha256(f"{said}\0{times}".encode()).hexdigest()[:16]) in used:
        times += 1
    used.add(found)
    return found
