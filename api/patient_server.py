"""The HTTP server of `tocsin serve`: it goes on answering while the engine ends its work."""

from __future__ import annotations

import signal
import threading
from types import FrameType

import uvicorn


class PatientServer(uvicorn.Server):
    """A server that goes on answering after the first signal, which sets `asked`; the second ends the process at once."""

    def __init__(self, configuration: uvicorn.Config, asked: threading.Event) -> None:
        super().__init__(configuration)
        self._asked = asked

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - uvicorn's signature
        """What a signal means."""
        if self._asked.is_set():
            signal.signal(sig, signal.SIG_DFL)
            signal.raise_signal(sig)
        self._asked.set()
