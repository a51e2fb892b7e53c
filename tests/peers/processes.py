"""Starting and ending a real peer's process: ready within a deadline, or its log says why not."""

from __future__ import annotations

import fcntl
import random
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import IO, Final

POLL: Final = timedelta(milliseconds=20)
PORTS: Final = range(20_000, 32_000)
"""Below the range a kernel hands out by itself, so that no stand-in and no outgoing connection takes one meanwhile."""

_RESERVED: Final[list[IO[bytes]]] = []
"""Locks that keep a port for this test process until it ends, also while its peer is stopped."""


def free_port() -> int:
    """A port of 127.0.0.1 nobody listens on, which no other test process is given as long as this one lives."""
    while True:
        port = random.choice(PORTS)
        if _reserved(port) and _unused(port):
            return port


def _reserved(port: int) -> bool:
    folder = Path(tempfile.gettempdir()) / "tocsin-test-ports"
    folder.mkdir(exist_ok=True)
    lock = (folder / str(port)).open("ab")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        return False
    _RESERVED.append(lock)
    return True


def _unused(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def wait_until(ready: Callable[[], bool], *, what: str, within: timedelta) -> None:
    """Polls a real peer; raises TimeoutError naming `what` when the deadline passes first."""
    deadline = time.monotonic() + within.total_seconds()
    while not ready():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {within}")
        time.sleep(POLL.total_seconds())


def await_start(process: subprocess.Popen[bytes], ready: Callable[[], bool], *, log: Path, within: timedelta) -> None:
    """Returns once `ready`; a process that dies first or is late is ended, and the error carries its log's end."""

    def settled() -> bool:
        return process.poll() is not None or ready()

    try:
        wait_until(settled, what=f"{process.args!r} to be ready", within=within)
    except TimeoutError as error:
        end(process)
        raise TimeoutError(f"{error}\n{_tail(log)}") from error
    except BaseException:
        end(process)
        raise
    if process.returncode is not None:
        raise RuntimeError(f"{process.args!r} ended with {process.returncode}\n{_tail(log)}")


def end(
    process: subprocess.Popen[bytes], how: signal.Signals = signal.SIGTERM, *, grace: timedelta = timedelta(seconds=10)
) -> None:
    """Ends one process by its id and waits for it; one that ignores `how` for `grace` is killed."""
    if process.poll() is None:
        process.send_signal(how)
    try:
        process.wait(grace.total_seconds())
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _tail(log: Path) -> str:
    return log.read_text(errors="replace")[-2000:] if log.exists() else "(no log)"
