"""What was decided here held against a log of what an Alertmanager beside it told: its webhook bodies, one JSON text a line.

A line is `{"at": …, "body": …}`, as `tocsin compare --listen` writes it, or a bare body, whose time then is that of its
newest alert.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from engine.core import comparing
from engine.core.comparing import Comparison, Evidence, Heard, Timing
from engine.store import decided
from engine.store.database import Database
from engine.store.definitions import DefinitionFeed
from rules.formats.alertmanager_text import receivers
from rules.labels import Labels
from rules.routing import Policy

_ZERO: Final = "0001-01-01"
"""How Go writes the end of what has not ended."""


BEFORE: Final = timedelta(days=1)
"""How long before the log begins decisions are looked at: an Alertmanager tells anew by a receiver that is new to it."""


class LogError(Exception):
    """A line of the log that is no webhook body; the text names the line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """What came of it, over which span, and the receivers that the log never names, which are not compared."""

    comparison: Comparison
    since: datetime
    until: datetime
    left_out: tuple[str, ...] = ()


def heard(lines: Iterable[str]) -> list[Heard]:
    """The messages of the log. Raises LogError for a line that is none."""
    found = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            found.append(_heard(json.loads(line)))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            message = f"line {number} is no webhook body of Alertmanager ({type(error).__name__}: {error})"
            raise LogError(message) from error
    return found


def compare(
    database: Database, log: Sequence[Heard], within: timedelta, *, since: datetime | None, external: Labels
) -> Compared:
    """What was told in the span of the log, and decided here in the same; messages at its ends are not judged."""
    with database.read() as connection:
        now = database.now(connection)
        tree = DefinitionFeed().refresh(connection).configuration.tree
        names = receivers(tree)
        begin = max([each for each in (since, min((one.at for one in log), default=now)) if each is not None])
        ours, mutes = decided.between(connection, begin - BEFORE, now, names, external)
    told = {one.receiver for one in log}
    theirs = [one for one in log if one.at >= begin - within]
    evidence = Evidence(within=within, mutes=mutes, timings=_timings(tree.policies.values(), names))
    found = comparing.compare([one for one in ours if one.receiver in told], theirs, evidence)
    return Compared(
        comparison=comparing.judged(found, begin, now - within),
        since=begin,
        until=now - within,
        left_out=tuple(sorted({one.receiver for one in ours} - told)),
    )


def _heard(line: Mapping[str, Any]) -> Heard:
    body: Mapping[str, Any] = line.get("body", line)
    alerts = [(one["status"], Labels(one["labels"]), one) for one in body["alerts"]]
    return Heard(
        at=_at(line, [alert for _, _, alert in alerts]),
        receiver=str(body["receiver"]),
        group=Labels(body["groupLabels"]),
        firing=frozenset(labels for status, labels, _ in alerts if status == "firing"),
        resolved=frozenset(labels for status, labels, _ in alerts if status != "firing"),
    )


def _at(line: Mapping[str, Any], alerts: Sequence[Mapping[str, Any]]) -> datetime:
    if "at" in line:
        return datetime.fromisoformat(line["at"])
    moments = [alert[name] for alert in alerts for name in ("startsAt", "endsAt")]
    return max(datetime.fromisoformat(text) for text in moments if not text.startswith(_ZERO))


def _timings(policies: Iterable[Policy], names: Mapping[str, str]) -> dict[str, Timing]:
    return {
        names.get(policy.route_id, policy.receiver): Timing(
            group_interval=policy.group_interval, repeat_interval=policy.repeat_interval
        )
        for policy in policies
    }
