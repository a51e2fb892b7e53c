"""How many messages of a channel one process takes into its hands at a time, given how the last one went.

What is in a process's hands cannot be replaced by a newer message, nor sent by another process; so only a channel that takes
messages quickly is given many.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

AT_A_TIME: Final = 4
"""How many messages one process sends to a channel at the same moment."""
AHEAD: Final = 24
"""How many it takes for a channel that is quick."""
QUICK: Final = timedelta(milliseconds=250)


def room(took: timedelta | None) -> int:
    """How many messages may be in hand for a channel whose last delivery took so long; `None`: none yet, or it failed."""
    return AHEAD if took is not None and took <= QUICK else AT_A_TIME
