"""What attempts to deliver share: connections that stay open for the next message, and one watch over all their deadlines.

A connection is used again only while it is young and quiet: services close what is idle for some seconds, and a message
written into a connection that is just being closed may have arrived or not. So what was idle for two seconds is closed, and
one with anything to read, its end above all, is not used. It leads to the address that was judged when it was opened.
"""

from __future__ import annotations

import heapq
import select
import socket
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection
from itertools import count
from typing import Final

IDLE: Final = 2.0
"""Seconds without a message after which a connection is closed."""
AGE: Final = 60.0
"""Seconds after which it is not used again, so that a name that leads elsewhere by now is followed."""
MOST: Final = 32
"""Connections that may be idle at a time."""
LINGER: Final = 5.0
"""Seconds the watching thread stays when there is nothing to watch."""

Door = tuple[str, str, int, str, int]
"""Where a connection leads and whom it trusts: scheme, host, port, the file of authorities and its time."""


@dataclass(slots=True, kw_only=True)
class Line:
    """An open connection; `handle` is a duplicate of its socket, by which it can be cut in the middle of anything."""

    connection: HTTPConnection
    handle: socket.socket
    opened_at: float = field(default_factory=time.monotonic)
    idle_since: float = 0.0

    def close(self) -> None:
        self.connection.close()
        self.handle.close()

    def is_usable(self, now: float) -> bool:
        """Whether a message may be trusted to it."""
        if now - self.idle_since > IDLE or now - self.opened_at > AGE:
            return False
        watched = select.poll()
        watched.register(self.handle, select.POLLIN)
        return not watched.poll(0)


class Watch:
    """Calls back when a moment has come, in one thread of its own, which is there while there is something to watch.

    When there is nothing, it stays for `linger` seconds: a thread for each of many short moments would cost more than they do.
    """

    def __init__(self, linger: float) -> None:
        self._linger = linger
        self._calls: dict[int, Callable[[], None]] = {}
        self._due: list[tuple[float, int]] = []
        self._numbers = count()
        self._changed = threading.Condition()
        self._watching = False
        self._thread: threading.Thread | None = None

    def at(self, moment: float, call: Callable[[], None]) -> int:
        """Call at this moment of the monotonic clock, briefly and without raising; answers a number to forget it by."""
        with self._changed:
            number = next(self._numbers)
            self._calls[number] = call
            heapq.heappush(self._due, (moment, number))
            if not self._watching:
                self._watching = True
                self._thread = threading.Thread(target=self._watch, name="deadlines", daemon=True)
                self._thread.start()
            elif self._due[0][1] == number:
                self._changed.notify()
            return number

    def close(self) -> None:
        """Call nobody any more, and end the thread."""
        with self._changed:
            self._calls.clear()
            self._linger = 0.0
            self._changed.notify()
            thread = self._thread
        if thread is not None:
            thread.join()

    def forget(self, number: int) -> None:
        """Do not call any more; a call that has begun goes on."""
        with self._changed:
            self._calls.pop(number, None)
            if not self._calls:
                self._changed.notify()

    def _watch(self) -> None:
        while (call := self._next()) is not None:
            call()

    def _next(self) -> Callable[[], None] | None:
        """Waits for the next call that is due; `None` ends the thread, which is as good as not there from then on."""
        with self._changed:
            while True:
                while self._due and self._due[0][1] not in self._calls:
                    heapq.heappop(self._due)
                if not self._due:
                    if not self._changed.wait(self._linger) and not self._due:
                        self._watching = False
                        return None
                elif (left := self._due[0][0] - time.monotonic()) > 0:
                    self._changed.wait(left)
                else:
                    return self._calls.pop(heapq.heappop(self._due)[1])


class Lines:
    """The open connections of all who deliver; threads share it. `most` may be idle at a time: with none, none is kept."""

    def __init__(self, most: int = MOST) -> None:
        self.watch = Watch(LINGER if most else 0.0)
        self._most = most
        self._idle: defaultdict[Door, list[Line]] = defaultdict(list)
        self._guard = threading.Lock()
        self._sweeping = False

    @property
    def are_kept(self) -> bool:
        """Whether connections stay open at all."""
        return self._most > 0

    @property
    def idle(self) -> int:
        """How many connections wait to be used."""
        with self._guard:
            return sum(map(len, self._idle.values()))

    def take(self, door: Door) -> Line | None:
        """A connection that is open and may be used, the caller's from now on."""
        now = time.monotonic()
        while True:
            with self._guard:
                lines = self._idle.get(door)
                line = lines.pop() if lines else None
            if line is None or line.is_usable(now):
                return line
            line.close()

    def keep(self, door: Door, line: Line) -> None:
        """Let others use it; the caller's no longer."""
        line.idle_since = time.monotonic()
        with self._guard:
            has_room = sum(map(len, self._idle.values())) < self._most
            if has_room:
                self._idle[door].append(line)
            begins, self._sweeping = has_room and not self._sweeping, self._sweeping or has_room
        if not has_room:
            line.close()
        if begins:
            self.watch.at(time.monotonic() + IDLE, self._sweep)

    def close(self) -> None:
        """Close what is idle, and keep watch no longer."""
        self._close(float("inf"))
        self.watch.close()

    def _sweep(self) -> None:
        left = self._close(time.monotonic() - IDLE)
        with self._guard:
            self._sweeping = left > 0
        if left:
            self.watch.at(time.monotonic() + IDLE, self._sweep)

    def _close(self, until: float) -> int:
        """Close what is idle since `until` or before; how many are left."""
        with self._guard:
            old = [line for lines in self._idle.values() for line in lines if line.idle_since <= until]
            kept = {door: [line for line in lines if line.idle_since > until] for door, lines in self._idle.items()}
            self._idle = defaultdict(list, {door: lines for door, lines in kept.items() if lines})
            left = sum(map(len, self._idle.values()))
        for line in old:
            with suppress(OSError):
                line.close()
        return left
