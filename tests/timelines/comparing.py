"""What a scenario expects against what was received, and what one program wrote against what the other did."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from rules.labels import Labels
from tests.timelines.language import Told
from tests.timelines.receiving import Received

STILL_FIRING: Final = "0001-01-01T00:00:00Z"
NEAR: Final = 0.6
"""How far apart an instant may be in two runs, in scenario seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerance:
    """How much too early and too late a message may come, in scenario seconds."""

    early: float
    late: float


def mismatches(expected: Sequence[Told], received: Sequence[Received], tolerance: Tolerance) -> list[str]:
    """What is wrong, each as a sentence: messages that are missing and messages nobody expected. Empty when all is well."""
    left = list(received)
    wrong = []
    for told in sorted(expected, key=lambda one: one.after):
        found = next((one for one in left if _is(one, told, tolerance)), None)
        if found is None:
            wrong.append(f"missing {described(told)}")
        else:
            left.remove(found)
    return [*wrong, *(f"unexpected {shown(one)}" for one in left)]


def _is(one: Received, told: Told, tolerance: Tolerance) -> bool:
    in_time = told.after - tolerance.early <= one.at <= told.before + tolerance.late
    firing, resolved = one.alerts("firing"), one.alerts("resolved")
    status = "firing" if told.firing else "resolved"
    return (
        in_time
        and one.channel == told.channel
        and one.body["status"] == status
        and _same(firing, told.firing)
        and _same(resolved, told.resolved)
    )


def _same(found: Sequence[Labels], expected: frozenset[Labels]) -> bool:
    """Whether these are just the expected ones, each of them once."""
    return len(found) == len(expected) and frozenset(found) == expected


def described(told: Told) -> str:
    """An expectation for people."""
    when = f"{told.after:g}" if told.after == told.before else f"{told.after:g}..{told.before:g}"
    return f"at {when} on {told.channel}: {_words(told.firing, told.resolved)}"


def shown(one: Received) -> str:
    """A message for people."""
    return f"at {one.at:.2f} on {one.channel}: {_words(one.alerts('firing'), one.alerts('resolved'))}"


MOST: Final = 4
"""How many alerts of a message are shown."""


def _words(firing: Iterable[Labels], resolved: Iterable[Labels]) -> str:
    parts = [f"{word} {_listed(list(some))}" for word, some in (("firing", firing), ("resolved", resolved)) if some]
    return " and ".join(parts)


def _listed(some: Sequence[Labels]) -> str:
    texts = sorted(str(one) for one in some)
    more = [f"and {len(texts) - MOST} more"] if len(texts) > MOST else []
    return ", ".join([*texts[:MOST], *more])


def in_pairs(
    expected: Sequence[Told], ours: Sequence[Received], theirs: Sequence[Received], tolerance: Tolerance
) -> list[tuple[Received, Received]]:
    """The two messages that answer to each expectation, where both are there."""
    pairs = []
    left, right = list(ours), list(theirs)
    for told in sorted(expected, key=lambda one: one.after):
        one = next((each for each in left if _is(each, told, tolerance)), None)
        other = next((each for each in right if _is(each, told, tolerance)), None)
        if one is not None and other is not None:
            left.remove(one)
            right.remove(other)
            pairs.append((one, other))
    return pairs


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """When a scenario began and how long its seconds were: what makes the instants of two runs comparable."""

    begin: datetime
    second: timedelta

    def time(self, text: str) -> float | None:
        """The scenario second of an instant, `None` for the end of what still fires."""
        return None if text == STILL_FIRING else (datetime.fromisoformat(text) - self.begin) / self.second


def unlike(ours: Received, theirs: Received, our_pace: Pace, their_pace: Pace) -> list[str]:
    """The fields in which two bodies differ, each with both values; instants may be NEAR seconds apart.

    Not compared: links, the key of a group and the reason, which each program writes in its own way.
    """
    one, other = _plain(ours.body), _plain(theirs.body)
    wrong = [f"{name}: {one[name]!r} here, {other[name]!r} there" for name in one if one[name] != other[name]]
    for mine, its in zip(_sorted(ours.body), _sorted(theirs.body), strict=False):
        for name in ("startsAt", "endsAt"):
            here, there = our_pace.time(mine[name]), their_pace.time(its[name])
            if not _near(here, there):
                wrong.append(f"{name} of {mine['labels']}: {here} here, {there} there")
    return wrong


def _plain(body: Mapping[str, Any]) -> dict[str, Any]:
    names = ("version", "status", "receiver", "groupLabels", "commonLabels", "commonAnnotations", "truncatedAlerts")
    alerts = [{name: one[name] for name in ("status", "labels", "annotations", "fingerprint")} for one in _sorted(body)]
    return {**{name: body[name] for name in names}, "alerts": alerts}


def _sorted(body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return sorted(body["alerts"], key=lambda one: str(one["fingerprint"]))


def _near(here: float | None, there: float | None) -> bool:
    return here == there if here is None or there is None else abs(here - there) <= NEAR
