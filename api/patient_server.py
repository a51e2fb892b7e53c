"""The HTTP server of `tocsin serve`: it goes on answering while the engine ends its work."""

from __future__ import annotations

import asyncio
import signal
import threading
from types import FrameType
from typing import Final

import uvicorn

TICKS: Final = 5
"""uvicorn looks whether it should end ten times a second, which is what an idle Tocsin would mostly spend its time with."""
TICK: Final = 0.1
A_DAY: Final = 864_000


def heard(number: int, asked: threading.Event) -> None:
    """What a signal means: the first sets `asked`, the second ends the process at once."""
    if asked.is_set():
        signal.signal(number, signal.SIG_DFL)
        signal.raise_signal(number)
    asked.set()


class PatientServer(uvicorn.Server):
    """A server that goes on answering after the first signal, which sets `asked`; the second ends the process at once."""

    def __init__(self, configuration: uvicorn.Config, asked: threading.Event) -> None:
        super().__init__(configuration)
        self._asked = asked

    async def main_loop(self) -> None:
        """As uvicorn's own, looking less often; it counts tenths of a second all the same."""
        counter = 0
        while not await self.on_tick(counter):
            counter = (counter + TICKS) % A_DAY
            await asyncio.sleep(TICKS * TICK)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - uvicorn's signature
        """What a signal means."""
        heard(sig, self._asked)
