"""Values that are worked out once per key and remembered while they are asked for, in bounded room."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Remembered(Generic[K, V]):
    """What `make` gives for a key. The keys asked for last are remembered: at least `room` of them, at most twice as many.

    Two generations stand in for the order of use: what is asked for moves to the young one, and when that is full, the old
    one is forgotten. Threads may share it; at worst something is worked out twice.
    """

    __slots__ = ("_make", "_old", "_room", "_young")

    def __init__(self, make: Callable[[K], V], *, room: int) -> None:
        self._make = make
        self._room = room
        self._young: dict[K, V] = {}
        self._old: dict[K, V] = {}

    def __getitem__(self, key: K) -> V:
        try:
            return self._young[key]
        except KeyError:
            pass
        old = self._old
        value = old[key] if key in old else self._make(key)
        if len(self._young) >= self._room:
            self._old, self._young = self._young, {}
        self._young[key] = value
        return value

    def __contains__(self, key: object) -> bool:
        return key in self._young or key in self._old

    def __len__(self) -> int:
        return len(self._young.keys() | self._old.keys())
