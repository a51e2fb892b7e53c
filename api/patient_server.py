"""The HTTP server of `tocsin serve`: it goes on answering while the engine ends its work."""

from __future__ import annotations

import asyncio
import signal
import threading
from contextlib import suppress
from types import FrameType
from typing import Final

import uvicorn

LONGEST: Final = 1.0
"""Seconds between two looks at what nobody says: the date of the answers, and whether the engine has failed."""


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
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stirred = asyncio.Event()

    async def main_loop(self) -> None:
        """As uvicorn's own, but it sleeps until something is said instead of looking ten times a second."""
        self._loop = asyncio.get_running_loop()
        while not await self.on_tick(0):
            with suppress(TimeoutError):
                async with asyncio.timeout(LONGEST):
                    await self._stirred.wait()
            self._stirred.clear()
        self._loop = None

    def stir(self) -> None:
        """Look at once. Any thread and a signal handler may say so; before the first look there is no need."""
        loop = self._loop
        if loop is not None:
            loop.call_soon_threadsafe(self._stirred.set)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - uvicorn's signature
        """What a signal means."""
        heard(sig, self._asked)
        self.stir()
