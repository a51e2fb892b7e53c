"""Alerts posted again as they were: recognised by the bytes they came in, and only their end remembered for a while.

What is known here is what this process last wrote or read. Another process may have ended an alert meanwhile, so a renewal that
finds its row gone when it is written is taken in as a post.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Protocol

from engine.core.posting import Expiry, Post, PostError, Received, Span, believed, merged, span

MOST_KNOWN: Final = 500_000
"""Forms of alerts that are remembered; beyond it all are forgotten, and learnt again."""


class Wire(Protocol):
    """A post as it came in. `form` are the bytes of its labels, `said` stands for the rest that may be said of an alert."""

    @property
    def form(self) -> bytes: ...
    @property
    def said(self) -> object: ...
    @property
    def starts_text(self) -> bytes: ...
    def ends_at(self) -> datetime | None: ...
    def post(self) -> Post: ...


@dataclass(slots=True)
class _Firing:
    span: Span
    said: object


@dataclass(frozen=True, slots=True)
class _Known:
    number: int
    starts_text: bytes
    starts_at: datetime | None


@dataclass(frozen=True, slots=True)
class Renewal:
    """Until when an alert is believed now, and the post that said so."""

    expiry: Expiry
    wire: Wire


@dataclass(slots=True)
class Renewals:
    """What this process knows of the posted alerts that fire; shared by its threads."""

    resolve_timeout: timedelta
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _known: dict[bytes, _Known] = field(default_factory=dict)
    _firing: dict[int, _Firing] = field(default_factory=dict)
    _waiting: dict[int, Renewal] = field(default_factory=dict)
    _since: datetime | None = None

    @property
    def since(self) -> datetime | None:
        """Since when the oldest renewal waits to be written."""
        return self._since

    def renew(self, wires: Sequence[Wire], now: datetime) -> list[int]:
        """Remember the new end of every alert that is posted as it was; answers the places of the others."""
        with self._lock:
            others = [place for place, wire in enumerate(wires) if not self._renew(wire, now)]
            if self._waiting and self._since is None:
                self._since = now
        return others

    def learn(self, written: Iterable[tuple[Wire, int, Post, Received]]) -> None:
        """What was just written of alerts, by row number, and in which form each came."""
        with self._lock:
            for wire, number, post, received in written:
                self._waiting.pop(number, None)
                if received.alert.resolved_at is not None:
                    self._firing.pop(number, None)
                    continue
                if len(self._known) >= MOST_KNOWN:
                    self._known.clear()
                self._known[wire.form] = _Known(number, wire.starts_text, post.starts_at)
                self._firing[number] = _Firing(received.span, wire.said)

    def forget(self, numbers: Iterable[int]) -> None:
        """These alerts have ended."""
        with self._lock:
            for number in numbers:
                self._firing.pop(number, None)

    def taken(self) -> Mapping[int, Renewal]:
        """The renewals to be written now."""
        with self._lock:
            return dict(self._waiting)

    def written(self, renewals: Mapping[int, Renewal], now: datetime) -> None:
        """These need not be written any more; what came in meanwhile waits from now on."""
        with self._lock:
            for number, renewal in renewals.items():
                if self._waiting.get(number) is renewal:
                    del self._waiting[number]
            self._since = now if self._waiting else None

    def waiting(self) -> Mapping[int, Expiry]:
        """The ends that are not written yet, by the alerts' row numbers."""
        with self._lock:
            return {number: renewal.expiry for number, renewal in self._waiting.items()}

    def _renew(self, wire: Wire, now: datetime) -> bool:
        known = self._known.get(wire.form)
        firing = None if known is None else self._firing.get(known.number)
        if known is None or firing is None or firing.said != wire.said or known.starts_text != wire.starts_text:
            return False
        try:
            fresh = span(known.starts_at, wire.ends_at(), now, self.resolve_timeout)
        except PostError:
            return False
        stands = merged(believed(firing.span, now), fresh, now)
        if fresh.is_over(now) or stands.starts_at != firing.span.starts_at or stands.ends_at < firing.span.ends_at:
            # A later end may be written late, an earlier one may be due before it is.
            return False
        firing.span = stands
        expiry = Expiry(ends_at=stands.ends_at, timeout=stands.timeout, updated_at=now)
        self._waiting[known.number] = Renewal(expiry, wire)
        return True
