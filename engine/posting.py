"""Posted alerts: taken in durably, written again only where something changes, and ended when nobody posts them any more.

A post that changes nothing but an alert's end is remembered and written with the others every few seconds. Whoever judges ends
allows for that, so an alert ends late rather than early; and who could not be heard gets time to post again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from engine.core.alert import State
from engine.core.posting import EXTERNAL, Expiry, Post, PostError, Received, expired, expires_at, receive
from engine.intake import Batch, Intake
from engine.renewals import Renewals, Wire
from engine.store import alerts, exclusive, external_expiry
from engine.store.database import Database
from engine.store.definitions import DefinitionFeed
from engine.store.door import Connection
from engine.telemetry import Metrics
from rules.routing import Tree

CHUNK: Final = 500
"""Alerts written in one transaction."""
RENEWED_AT_ONCE: Final = 500
RENEW_EVERY: Final = timedelta(seconds=10)
"""How long the new end of an alert may wait to be written."""
LAG: Final = timedelta(seconds=15)
"""How much later than its end an alert ends where several processes take posts: another may hold a newer end so long."""
UNSAFE_AFTER: Final = timedelta(seconds=30)
"""When ends could not be written for so long, a post is answered only once it is written itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Written:
    number: int
    received: Received


@dataclass(slots=True, kw_only=True)
class Posting:
    """Takes posts. `advance` is called when a group may have something to tell at once."""

    database: Database
    feed: DefinitionFeed
    intake: Intake
    metrics: Metrics
    resolve_timeout: timedelta
    advance: Callable[[], None]
    _renewals: Renewals = field(init=False)
    _writing: threading.Lock = field(default_factory=threading.Lock)
    _heard_since: datetime | None = None

    def __post_init__(self) -> None:
        self._renewals = Renewals(self.resolve_timeout)

    def take(self, wires: Sequence[Wire]) -> Mapping[int, PostError]:
        """Take in what came over the wire; what is no alert is refused, by its place, and stops no other."""
        now = self._now()
        since = self._renewals.since
        safe = since is None or now - since < UNSAFE_AFTER
        places = self._renewals.renew(wires, now) if safe else list(range(len(wires)))
        written, refused = self._learn([wires[place] for place in places], now)
        self._count(written, renewed=len(wires) - len(places), refused=len(refused))
        return {places[place]: error for place, error in refused.items()}

    def receive(self, posts: Sequence[Post], now: datetime) -> list[_Written]:
        """Take in posts at `now`: each alert stored, merged, placed in its groups. Answers what became of each."""
        if not posts:
            return []
        with self.database.read() as connection:
            tree = self.feed.refresh(connection).tree
        written: list[_Written] = []
        with self._writing:
            for chunk in _chunks(posts):
                written += self._write(chunk, now, tree)
        if any(one.received.change is not None for one in written):
            self.advance()
        return written

    def waiting(self) -> Mapping[int, Expiry]:
        """The ends of alerts that this process knows and has not written yet, by row number."""
        return self._renewals.waiting()

    def tick(self) -> datetime | None:
        """Write the ends that wait, and end what nobody posted again; answers when there is something to do again."""
        # Forgotten until the tick is done: while the database is away nobody can be heard, and all must get time to post again.
        heard_since, self._heard_since = self._heard_since, None
        with self.database.read() as connection:
            now = self.database.now(connection)
            ended = external_expiry.ended(connection, now)
            upcoming = external_expiry.next_end(connection, now)
        heard_since = heard_since or now
        over = {number: self._judged_at(expiry, heard_since) for number, expiry in ended.items()}
        due = [number for number, moment in over.items() if moment <= now]
        since = self._renewals.since
        if due or (since is not None and now >= since + RENEW_EVERY):
            self._renew(now)
        self._end(due, now, heard_since)
        self._heard_since = heard_since
        later = [moment for moment in over.values() if moment > now]
        later += [] if upcoming is None else [upcoming + self._lag]
        later += [] if self._renewals.since is None else [self._renewals.since + RENEW_EVERY]
        return min(later, default=None)

    def _now(self) -> datetime:
        if self.database.is_sqlite:
            return self.database.clock.now()
        with self.database.read() as connection:
            return self.database.now(connection)

    @property
    def _lag(self) -> timedelta:
        return timedelta(0) if self.database.is_sqlite else LAG

    def _judged_at(self, expiry: Expiry, heard_since: datetime) -> datetime:
        return expires_at(expiry, heard_since=heard_since, resolve_timeout=self.resolve_timeout, lag=self._lag)

    def _write(self, posts: Sequence[Post], now: datetime, tree: Tree) -> list[_Written]:
        keys = [post.labels.key() for post in posts]
        with self.database.write() as connection:
            exclusive.take(connection, exclusive.POSTS)
            before = alerts.by_key(connection, EXTERNAL, keys)
            expiries = external_expiry.of(connection, [alert.id for alert in before.values() if alert.id is not None])
            received = []
            for post, key in zip(posts, keys, strict=True):
                known = before.get(key)
                expiry = None if known is None else expiries.get(known.id or 0)
                received.append(receive(post, known, expiry, now, self.resolve_timeout))
            return self._store(connection, received, now, tree)

    def _store(self, connection: Connection, received: Sequence[Received], now: datetime, tree: Tree) -> list[_Written]:
        changes = [one.change for one in received if one.change is not None]
        made = self.intake.take_in(connection, Batch(slot=now, changes=changes), tree)
        alerts.restate(connection, [one.alert for one in received if one.restated])
        written = [
            _Written(number=one.alert.id or made[EXTERNAL, one.alert.labels.key()], received=one) for one in received
        ]
        firing = {one.number: one.received.span for one in written if one.received.alert.state is State.FIRING}
        expiries = {
            number: Expiry(ends_at=span.ends_at, timeout=span.timeout, updated_at=now)
            for number, span in firing.items()
        }
        external_expiry.save(connection, expiries)
        external_expiry.forget(connection, [one.number for one in written if one.number not in firing])
        return written

    def _renew(self, now: datetime) -> None:
        """Write the ends that wait. An alert that another process has ended meanwhile is taken in as posted anew."""
        taken = self._renewals.taken()
        numbers = sorted(taken)
        for start in range(0, len(numbers), RENEWED_AT_ONCE):
            chunk = {number: taken[number] for number in numbers[start : start + RENEWED_AT_ONCE]}
            with self._writing, self.database.write() as connection:
                exclusive.take(connection, exclusive.POSTS)
                gone = external_expiry.renew(connection, {number: one.expiry for number, one in chunk.items()})
            self._renewals.forget(gone)
            self._learn([chunk[number].wire for number in sorted(gone)], now)
            self._renewals.written(chunk, now)

    def _learn(self, wires: Sequence[Wire], now: datetime) -> tuple[list[_Written], dict[int, PostError]]:
        """Take in these as posts; what is no alert is refused, by its place."""
        refused: dict[int, PostError] = {}
        posts: dict[int, Post] = {}
        for place, wire in enumerate(wires):
            try:
                posts[place] = wire.post()
            except PostError as error:
                refused[place] = error
        written = self.receive(list(posts.values()), now)
        learnt = zip(posts.items(), written, strict=True)
        self._renewals.learn((wires[place], one.number, post, one.received) for (place, post), one in learnt)
        return written, refused

    def _end(self, due: Collection[int], now: datetime, heard_since: datetime) -> None:
        numbers = sorted(due)
        if not numbers:
            return
        with self.database.read() as connection:
            tree = self.feed.refresh(connection).tree
        for start in range(0, len(numbers), CHUNK):
            with self._writing, self.database.write() as connection:
                exclusive.take(connection, exclusive.POSTS)
                stands = external_expiry.of(connection, numbers[start : start + CHUNK])
                over = {number: one for number, one in stands.items() if self._judged_at(one, heard_since) <= now}
                found = alerts.by_id(connection, over)
                changes = [expired(alert, over[number].ends_at) for number, alert in found.items()]
                self.intake.take_in(connection, Batch(slot=now, changes=changes), tree)
                external_expiry.forget(connection, over)
            self._renewals.forget(over)
        self.advance()

    def _count(self, written: Sequence[_Written], *, renewed: int, refused: int) -> None:
        firing = sum(1 for one in written if one.received.alert.state is State.FIRING)
        self.metrics.alerts_received.labels("firing").inc(renewed + firing)
        self.metrics.alerts_received.labels("resolved").inc(len(written) - firing)
        self.metrics.alerts_invalid.inc(refused)


def _chunks(posts: Sequence[Post]) -> Iterator[list[Post]]:
    """The posts in their order; no chunk has one alert twice, for the second post must see what the first came to."""
    chunk: dict[object, Post] = {}
    for post in posts:
        if len(chunk) >= CHUNK or post.labels in chunk:
            yield list(chunk.values())
            chunk = {}
        chunk[post.labels] = post
    yield list(chunk.values())
