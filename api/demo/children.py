"""The processes the demo starts: each in a group of its own, ended by its id, and never outliving the demo."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Final, Self

PORTS: Final = range(20_000, 32_000)
GRACE: Final = timedelta(seconds=5)
"""How long a child may take to end when it is asked to."""

# On Linux the kernel is told to kill the child when the demo dies, even by SIGKILL; the setting outlives exec (prctl(2)).
# Doing it in a small process before the exec needs no code between fork and exec of ours, which threads make unsafe.
_LAUNCHER: Final = """
import ctypes, os, signal, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, int(signal.SIGKILL))
if os.getppid() == int(sys.argv[1]):
    os.execv(sys.argv[2], sys.argv[2:])
"""


class Child:
    """One program running for the length of a `with` block; everything it says goes to the file `log`."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        log: Path,
        environment: Mapping[str, str] | None = None,
        grace: timedelta = GRACE,
    ) -> None:
        self.log = log
        self._grace = grace
        self._command = command
        self._environment = environment
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        launch = [sys.executable, "-I", "-S", "-c", _LAUNCHER, str(os.getpid()), *self._command]
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                launch,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=self.log.parent,
                env=self._environment,
                process_group=0,  # A Ctrl-C at the terminal reaches the demo alone, which ends its children in order.
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        process = self._process
        if process is None or process.poll() is not None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(self._grace.total_seconds())
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    @property
    def ended(self) -> int | None:
        """The exit status, negative for a signal; `None` while it runs."""
        return None if self._process is None else self._process.poll()

    def last_words(self, lines: int) -> list[str]:
        """The end of its log."""
        return self.log.read_text(errors="replace").splitlines()[-lines:] if self.log.exists() else []


def free_port() -> int:
    """A port of 127.0.0.1 nobody listens on now; should another process be faster, the child fails loudly.

    It is sought below the range a kernel hands out by itself: there a connection going out could take it meanwhile.
    """
    while True:
        port = random.choice(PORTS)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
