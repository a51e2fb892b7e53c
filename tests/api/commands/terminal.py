"""A terminal of a given width, for a process of its own: what a person at it sees, and answers."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[3]
COMMAND = (sys.executable, "-c", "from api.cli import main; main()")


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What was on the screen when the command ended, and its exit code."""

    status: int
    text: str

    @property
    def lines(self) -> list[str]:
        return self.text.replace("\r\n", "\n").splitlines()


def at_terminal(*arguments: str, url: str, width: int = 80, typed: str = "", **environment: str) -> Seen:
    """Run `tocsin` with these arguments at a terminal so wide, and type `typed` at it."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, width, 0, 0))
    variables = {"PYTHONPATH": str(ROOT), "TERM": "xterm-256color", "TOCSIN_URL": url, "PATH": os.environ["PATH"]}
    process = subprocess.Popen(
        [*COMMAND, *arguments], stdin=theirs, stdout=theirs, stderr=theirs, env={**variables, **environment}
    )
    os.close(theirs)
    os.write(ours, typed.encode())
    text = _read(ours)
    os.close(ours)
    return Seen(status=process.wait(60), text=text)


def _read(descriptor: int) -> str:
    """All that is written until the other side is closed, which Linux tells as an error."""
    parts = []
    try:
        while part := os.read(descriptor, 65536):
            parts.append(part)
    except OSError:
        pass
    return b"".join(parts).decode()
