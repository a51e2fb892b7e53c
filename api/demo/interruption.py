"""Ctrl-C and its like, remembered instead of obeyed at once, so that no clean-up is ever cut short."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Interrupted(Exception):  # noqa: N818 - being asked to stop is no error.
    """The user, or who ended the process, has had enough."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.status = 128 + number


class Interruption:
    """Remembers that a signal came; whoever can be stopped asks between two steps."""

    def __init__(self) -> None:
        self._number: int | None = None

    def remember(self, number: int, _frame: FrameType | None = None) -> None:
        """A handler of signals; a second one changes nothing."""
        self._number = self._number or number

    def check(self) -> None:
        """Raises Interrupted when a signal has come."""
        if self._number is not None:
            raise Interrupted(self._number)


@contextmanager
def interruptible() -> Iterator[Interruption]:
    """Inside, a signal that would end the process is only remembered.

    A shell starts what runs in its background with SIGINT ignored; that is undone, as the demo ends by it in any case.
    An ignored SIGHUP is somebody's wish (nohup) and stays so.
    """
    interruption = Interruption()
    numbers = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        numbers.append(signal.SIGHUP)
    before = {number: signal.signal(number, interruption.remember) for number in numbers}
    try:
        yield interruption
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
