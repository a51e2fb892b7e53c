"""What must be true of a database and a receiver after whatever broke: nothing lost, repeats explained, slots once, all noted.

`gather` reads what there is to know; `judge` is pure, so that its own tests can show it every kind of wrong.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from tests.faults.cluster import Cluster
from tests.faults.receiver import Told


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What the timeline demands of one rule: these statuses in this order."""

    rule: str
    statuses: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Witnessed:
    """One change of a unit's slot or term, as a trigger of the database saw it."""

    unit: str
    before: datetime | None
    slot: datetime | None
    term_before: int
    term: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One row of the outbox; `noted` are the reasons of its attempts in the ledger, `decided` whether its decision is there."""

    id: int
    status: str
    attempts: int
    body: bytes | None
    noted: tuple[str, ...]
    decided: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """All there is to know. `episodes` by alert; `transitions` are (alert, time, state after)."""

    told: Sequence[Told]
    slots: Sequence[Witnessed] = ()
    messages: Sequence[Message] = ()
    episodes: Mapping[str, int]
    transitions: Sequence[tuple[str, datetime, str]] = ()


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
    return judge(gather(cluster), expected)


def gather(cluster: Cluster) -> Evidence:
    """Read everything, past all engines."""
    slots = cluster.sql("SELECT unit, before, slot, term_before, term FROM witnessed_slots ORDER BY n")
    messages = cluster.sql(
        """SELECT o.id, o.status, o.attempts, o.rendered,
             ARRAY(SELECT l.reason FROM ledger l WHERE l.kind = 'attempt' AND (l.detail ->> 'outbox_id')::bigint = o.id),
             EXISTS (SELECT 1 FROM ledger l WHERE l.kind = 'decision' AND l.subject_id = o.group_id::text
               AND l.detail ->> 'channel' = o.channel AND (l.detail ->> 'sends')::boolean AND l.reason = o.reason)
           FROM outbox o"""
    )
    episodes = cluster.sql("SELECT id::text, episode FROM alerts WHERE source <> 'tocsin'")
    transitions = cluster.sql("SELECT subject_id, at, detail ->> 'after' FROM ledger WHERE kind = 'transition'")
    return Evidence(
        told=cluster.receiver.told,
        slots=[Witnessed(unit=u, before=b, slot=s, term_before=tb, term=t) for u, b, s, tb, t in slots],
        messages=[
            Message(
                id=number,
                status=status,
                attempts=attempts,
                body=None if body is None else bytes(body),
                noted=tuple(noted),
                decided=decided,
            )
            for number, status, attempts, body, noted, decided in messages
        ],
        episodes=dict(episodes),
        transitions=transitions,
    )


def judge(evidence: Evidence, expected: Sequence[Expected]) -> Found:
    """What is lost, what was repeated and why, and everything that contradicts itself."""
    told = evidence.told
    problems: list[str] = []
    lost = 0
    for one in expected:
        heard = [status for status, _ in groupby(told_of(told, one.rule))]
        lost += _missing(one.statuses, heard)
        if tuple(heard) != one.statuses:
            problems.append(f"{one.rule}: told {heard}, should be {list(one.statuses)}")
    repeats = {body: count - 1 for body, count in Counter(one.body for one in told).items()}
    allowed = _broken_off(evidence.messages)
    unexplained = sum(max(0, count - allowed.get(body, 0)) for body, count in repeats.items())
    reworded = _said_twice(told)
    problems += [*_same_key(told), *slot_problems(evidence.slots), *_unnoted(evidence)]
    return Found(
        expected=sum(len(one.statuses) for one in expected),
        lost=lost,
        duplicated=sum(repeats.values()) + reworded,
        unexplained=unexplained + reworded,
        problems=tuple(problems),
    )


def told_of(told: Sequence[Told], rule: str) -> list[str]:
    return [one.status for one in told if one.rule == rule]


def assert_slots_were_evaluated_once(cluster: Cluster) -> None:
    assert slot_problems(gather(cluster).slots) == []


def slot_problems(slots: Sequence[Witnessed]) -> list[str]:
    """Slots committed twice, slots before one that was committed already, and commits under a term that was over."""
    committed = Counter((one.unit, one.slot) for one in slots if one.slot is not None and one.slot != one.before)
    problems = [f"slot twice: {unit} {slot}" for (unit, slot), count in committed.items() if count > 1]
    newest: dict[str, int] = {}
    for one in slots:
        if one.before is not None and one.slot is not None and one.slot < one.before:
            problems.append(f"back: {one}")
        if one.term < max(one.term_before, newest.get(one.unit, one.term)):
            problems.append(f"stale term: {one}")
        newest[one.unit] = max(one.term, newest.get(one.unit, one.term))
    return problems


def _missing(wanted: Sequence[str], heard: Sequence[str]) -> int:
    """How many of the wanted statuses were never heard, in their order."""
    left = list(wanted)
    for status in heard:
        if left and left[0] == status:
            left.pop(0)
    return len(left)


def _said_twice(told: Sequence[Told]) -> int:
    """Messages that say the same as the one before in other bytes: these no crash explains."""
    count = 0
    for rule in {one.rule for one in told}:
        bodies = [(one.status, one.body) for one in told if one.rule == rule]
        count += sum(len({body for _, body in run}) - 1 for _, run in groupby(bodies, key=lambda pair: pair[0]))
    return count


def _broken_off(messages: Sequence[Message]) -> dict[bytes, int]:
    """By a message's bytes, how many attempts began and came to no conclusion that was noted: each may have arrived."""
    left: Counter[bytes] = Counter()
    for one in messages:
        if one.body is not None:
            left[one.body] += one.attempts - sum(1 for reason in one.noted if reason != "deferred")
    return dict(left)


def _same_key(told: Sequence[Told]) -> list[str]:
    keys: dict[str, set[str]] = {}
    for one in told:
        keys.setdefault(one.rule, set()).add(one.group_key)
    return [f"{rule}: told under {len(found)} keys" for rule, found in keys.items() if len(found) != 1]


def _unnoted(evidence: Evidence) -> Iterator[str]:
    for message in evidence.messages:
        yield from _message_problems(message)
    firings = Counter(alert for alert, _, after in evidence.transitions if after == "firing")
    for alert, episode in evidence.episodes.items():
        if firings[alert] != episode:
            yield f"episodes: alert {alert} is in number {episode}, the ledger knows {firings[alert]}"
    for row, count in Counter(evidence.transitions).items():
        if count > 1:
            yield f"transition twice: {row}"


def _message_problems(message: Message) -> Iterator[str]:
    if not message.decided:
        yield f"no decision: message {message.id}"
    if message.status == "sent" and "sent" not in message.noted:
        yield f"no attempt: message {message.id}"
    if message.status == "dead":
        yield f"given up: message {message.id}"
