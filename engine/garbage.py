"""How often a process looks for cycles of garbage: with half a million objects on its heap that takes tenths of a second."""

from __future__ import annotations

import gc
from typing import Final

YOUNG: Final = 10_000
"""Objects more than there were, after which the young ones are looked through; a flush of four hundred alerts makes as many."""


def settle_down() -> None:
    """Leave out from now on whatever the start of the process has made: it stays for as long as the process does."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, 10, 10)
