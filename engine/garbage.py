"""How often a process looks for cycles of garbage: with half a million objects on its heap that takes tenths of a second."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

YOUNG: Final = 20_000
"""Objects more than there were, after which the young ones are looked through; a flush of four hundred alerts makes half as
many. Python's usual 700 would look through them dozens of times for each large answer, and find nothing to free.
"""


def settle_down() -> None:
    """Leave out from now on whatever the start of the process has made: it stays for as long as the process does."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, 20, 20)


class Held:
    """Nobody looks for cycles while somebody makes very much that stays; threads may do so at the same time."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._holders = 0

    @contextmanager
    def off(self) -> Iterator[None]:
        """For the length of the block."""
        with self._guard:
            self._holders += 1
            gc.disable()
        try:
            yield
        finally:
            with self._guard:
                self._holders -= 1
                if not self._holders:
                    gc.enable()
