"""The messages one process has in its hands: claimed, not yet concluded; some being sent, the others waiting for their turn.

Threads share it. Each channel has its own queue and at most `AT_A_TIME` threads, so one that hangs delays no other.
"""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from engine.core.messages import Message
from engine.core.pacing import AT_A_TIME, room
from engine.store.outbox import Parcel
from rules.channels import Channel


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """A message to be sent as it was `made`, its channel (`None` when no longer defined), and when it was claimed (monotonic).

    `earlier` is the service's name for the message that it follows on, where there is one.
    """

    parcel: Parcel
    made: Message
    channel: Channel | None
    earlier: str | None
    claimed_at: float

    def begun(self) -> Errand:
        """The same with its attempt counted."""
        return replace(self, parcel=replace(self.parcel, attempts=self.parcel.attempts + 1))


@dataclass(slots=True)
class _Lane:
    """One channel's part: those in hand, those of them that wait, and how long the last delivery took."""

    held: set[int] = field(default_factory=set)
    waiting: deque[Errand] = field(default_factory=deque)
    threads: int = 0
    took: timedelta | None = None


class Hands:
    """What is in hand, by channel; `most` is the limit for all channels together."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lanes: defaultdict[str, _Lane] = defaultdict(_Lane)
        self._guard = threading.Lock()

    def held(self) -> set[int]:
        """The numbers of all messages in hand."""
        with self._guard:
            return {number for lane in self._lanes.values() for number in lane.held}

    def wanted(self, channels: Sequence[str]) -> dict[str, int]:
        """How many more messages to take of each channel; those that have the fewest come first.

        A channel with more than half of its room taken waits: what costs a look is taken in handfuls.
        """
        with self._guard:
            left = self._most - sum(len(lane.held) for lane in self._lanes.values())
            wanted: dict[str, int] = {}
            for channel in sorted(channels, key=lambda name: len(self._lanes[name].held)):
                lane = self._lanes[channel]
                more = min(room(lane.took) - len(lane.held), left)
                if more > 0 and 2 * len(lane.held) <= room(lane.took):
                    wanted[channel] = more
                    left -= more
            return wanted

    def claim(self, channel: str, numbers: Collection[int]) -> None:
        """Count these as in hand."""
        with self._guard:
            self._lanes[channel].held.update(numbers)

    def drop(self, channel: str, numbers: Collection[int]) -> None:
        """These are in hand no longer."""
        with self._guard:
            self._lanes[channel].held.difference_update(numbers)

    def queue(self, channel: str, errands: Sequence[Errand]) -> int:
        """Let these be sent; answers how many threads to set to the channel, each of which is to ask for `following`."""
        with self._guard:
            lane = self._lanes[channel]
            lane.waiting.extend(errands)
            more = max(0, min(AT_A_TIME - lane.threads, len(lane.waiting)))
            lane.threads += more
            return more

    def following(self, channel: str) -> Errand | None:
        """The next message to send to the channel; `None` ends the thread that asked."""
        with self._guard:
            lane = self._lanes[channel]
            if lane.waiting:
                return lane.waiting.popleft()
            lane.threads -= 1
            return None

    def ended(self, errand: Errand, took: timedelta | None) -> bool:
        """The message is in hand no longer, and its delivery took so long, `None` if it failed; whether to look for more."""
        with self._guard:
            lane = self._lanes[errand.parcel.target.channel]
            lane.held.discard(errand.parcel.id)
            lane.took = took
            return 2 * len(lane.held) <= room(took)
