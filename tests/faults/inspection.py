"""What must be true of a database and a receiver after whatever broke: nothing lost, repeats explained, slots once, all noted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from tests.faults.cluster import Cluster
from tests.faults.receiver import Told


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What the timeline demands of one rule: these statuses in this order."""

    rule: str
    statuses: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What came of it. `unexplained` are repeats for which no process was broken off between its lease and its mark."""

    expected: int
    lost: int
    duplicated: int
    unexplained: int
    problems: tuple[str, ...]


def inspect(cluster: Cluster, expected: Sequence[Expected]) -> Found:
    """Compare what was received with what the timeline demands, and the database with itself."""
    told = cluster.receiver.told
    problems: list[str] = []
    lost = 0
    for one in expected:
        heard = [status for status, _ in groupby(told_of(told, one.rule))]
        lost += _missing(one.statuses, heard)
        if tuple(heard) != one.statuses:
            problems.append(f"{one.rule}: told {heard}, should be {list(one.statuses)}")
    repeats = {body: count - 1 for body, count in Counter(one.body for one in told).items()}
    allowed = _broken_off(cluster)
    unexplained = sum(max(0, count - allowed.get(body, 0)) for body, count in repeats.items())
    problems += _same_key(told)
    problems += _slots(cluster)
    problems += _ledger(cluster)
    return Found(
        expected=sum(len(one.statuses) for one in expected),
        lost=lost,
        duplicated=sum(repeats.values()) + _said_twice(told, repeats),
        unexplained=unexplained + _said_twice(told, repeats),
        problems=tuple(problems),
    )


def told_of(told: Sequence[Told], rule: str) -> list[str]:
    return [one.status for one in told if one.rule == rule]


def assert_slots_were_evaluated_once(cluster: Cluster) -> None:
    assert _slots(cluster) == []


def _missing(wanted: Sequence[str], heard: Sequence[str]) -> int:
    """How many of the wanted statuses were never heard, in their order."""
    left = list(wanted)
    for status in heard:
        if left and left[0] == status:
            left.pop(0)
    return len(left)


def _said_twice(told: Sequence[Told], repeats: dict[bytes, int]) -> int:
    """Messages that say the same as the one before in other bytes: these no crash explains."""
    count = 0
    for rule in {one.rule for one in told}:
        bodies = [(one.status, one.body) for one in told if one.rule == rule]
        for status, run in groupby(bodies, key=lambda pair: pair[0]):
            count += len({body for _, body in run}) - 1
            assert status
    assert repeats is not None
    return count


def _broken_off(cluster: Cluster) -> dict[bytes, int]:
    """By a message's bytes, how many attempts began and came to no conclusion that was noted: each may have arrived."""
    rows = cluster.sql(
        """SELECT o.rendered, o.attempts - (
             SELECT count(*) FROM ledger l WHERE l.kind = 'attempt' AND l.reason <> 'deferred'
             AND (l.detail ->> 'outbox_id')::bigint = o.id
           ) FROM outbox o WHERE o.rendered IS NOT NULL"""
    )
    return {bytes(body): int(count) for body, count in rows}


def _same_key(told: Sequence[Told]) -> list[str]:
    keys: dict[str, set[str]] = {}
    for one in told:
        keys.setdefault(one.rule, set()).add(one.group_key)
    return [f"{rule}: told under {len(found)} keys" for rule, found in keys.items() if len(found) != 1]


def _slots(cluster: Cluster) -> list[str]:
    """Slots committed twice, slots before one that was committed already, and commits under a term that was over."""
    twice = cluster.sql(
        """SELECT unit, slot, count(*) FROM witnessed_slots
           WHERE slot IS DISTINCT FROM before AND slot IS NOT NULL GROUP BY unit, slot HAVING count(*) > 1"""
    )
    back = cluster.sql("SELECT unit, before, slot FROM witnessed_slots WHERE slot < before")
    terms = cluster.sql("SELECT unit, term_before, term FROM witnessed_slots WHERE term < term_before")
    return [f"{what}: {row}" for what, rows in (("slot twice", twice), ("back", back), ("term", terms)) for row in rows]


def _ledger(cluster: Cluster) -> list[str]:
    """Messages without a decision, sent ones without an attempt, episodes without their transitions, transitions twice."""
    undecided = cluster.sql(
        """SELECT o.id, o.channel FROM outbox o WHERE NOT EXISTS (
             SELECT 1 FROM ledger l WHERE l.kind = 'decision' AND l.subject_id = o.group_id::text
             AND l.detail ->> 'channel' = o.channel AND (l.detail ->> 'sends')::boolean AND l.reason = o.reason)"""
    )
    unnoted = cluster.sql(
        """SELECT o.id FROM outbox o WHERE o.status = 'sent' AND NOT EXISTS (
             SELECT 1 FROM ledger l WHERE l.kind = 'attempt' AND l.reason = 'sent'
             AND (l.detail ->> 'outbox_id')::bigint = o.id)"""
    )
    episodes = cluster.sql(
        """SELECT a.id, a.episode, count(l.id) FROM alerts a LEFT JOIN ledger l ON l.kind = 'transition'
             AND l.subject_id = a.id::text AND l.detail ->> 'after' = 'firing'
           WHERE a.source <> 'tocsin' GROUP BY a.id HAVING count(l.id) <> a.episode"""
    )
    doubled = cluster.sql(
        """SELECT subject_id, at, count(*) FROM ledger WHERE kind = 'transition'
           GROUP BY subject_id, at, detail ->> 'after' HAVING count(*) > 1"""
    )
    found = {"no decision": undecided, "no attempt": unnoted, "episodes": episodes, "transition twice": doubled}
    return [f"{what}: {row}" for what, rows in found.items() for row in rows]
