"""Wait for a file that has something to say, so that a stop need not wait as well."""

from __future__ import annotations

import select
import socket
from contextlib import suppress
from datetime import timedelta


class Attention:
    """Waits for one file at a time; `rouse` ends the wait under way and all later ones. Any thread may call `rouse`."""

    def __init__(self) -> None:
        self._ends: tuple[socket.socket, socket.socket] | None = None
        self._roused = False

    def wait(self, file: int, span: timedelta) -> bool:
        """Whether the file descriptor `file` can be read within `span`."""
        if self._ends is None:
            self._ends = socket.socketpair()
        poll = select.poll()
        poll.register(file, select.POLLIN)
        poll.register(self._ends[0], select.POLLIN)
        # In this order: whoever rouses looks at the ends after he has said so.
        ready = poll.poll(0 if self._roused else span.total_seconds() * 1000)
        return any(number == file for number, _ in ready)

    def rouse(self) -> None:
        """Let nobody wait here any more."""
        self._roused = True
        ends = self._ends
        if ends is not None:
            with suppress(OSError):  # Closed meanwhile, so nobody waits.
                ends[1].send(b".")

    def close(self) -> None:
        """Give everything back; the next wait takes it anew."""
        ends, self._ends = self._ends, None
        for end in ends or ():
            end.close()
