"""How the story looks: one line per event, with the seconds since the engine was started; colours only on a terminal."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Final, TextIO


class Mood(Enum):
    """How an event is coloured; the value is ANSI's number for it (ECMA-48, SGR)."""

    PLAIN = "0"
    QUIET = "2"
    STRONG = "1"
    GOOD = "32"
    WARNING = "33"
    BAD = "31"
    OURS = "36"


SUBJECT_WIDTH: Final = 10
_INDENT: Final = " " * (9 + SUBJECT_WIDTH + 1)


class Teller:
    """Writes the story to `out`; times are counted from `start()`, before which they are left blank."""

    def __init__(self, out: TextIO, *, colourful: bool, clock: Callable[[], float] = time.monotonic) -> None:
        self._out = out
        self._colourful = colourful
        self._clock = clock
        self._started: float | None = None

    def start(self) -> None:
        """From now on the seconds count."""
        self._started = self._clock()

    @property
    def seconds(self) -> float:
        """Since `start()`; 0 before it."""
        return 0.0 if self._started is None else self._clock() - self._started

    def tell(self, subject: str, text: str, mood: Mood = Mood.PLAIN) -> None:
        """One event. Further lines of the text are indented to stand below its first."""
        at = "" if self._started is None else f"{self.seconds:.1f}s"
        first, *more = text.splitlines()
        head = f"{self.painted(f'{at:>7}', Mood.QUIET)}  {self.painted(f'{subject:<{SUBJECT_WIDTH}}', mood)} "
        self.say(head + first, *(_INDENT + line for line in more))

    def say(self, *lines: str) -> None:
        """The lines as they are, readable at once by whoever follows a pipe."""
        for line in lines:
            self._out.write(f"{line}\n")
        self._out.flush()

    def painted(self, text: str, mood: Mood) -> str:
        return f"\x1b[{mood.value}m{text}\x1b[0m" if self._colourful and mood is not Mood.PLAIN else text


def wants_colour(out: TextIO, environment: Mapping[str, str]) -> bool:
    """Whether it is a terminal whose owner has not asked for plain text (no-color.org)."""
    return out.isatty() and not environment.get("NO_COLOR") and environment.get("TERM") != "dumb"
