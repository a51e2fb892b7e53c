"""A wire between two programs that can be cut, held and mended, for one of them at a time."""

from __future__ import annotations

import selectors
import socket
import threading
from contextlib import suppress
from types import TracebackType
from typing import Final, Self

TICK: Final = 0.05
BLOCK: Final = 65536


class TcpProxy:
    """Passes bytes between 127.0.0.1:`port` and `target`, for the length of a `with` block."""

    def __init__(self, target: tuple[str, int]) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._refusing = threading.Event()
        self._flowing = threading.Event()
        self._flowing.set()
        self._ending = threading.Event()
        self._open: set[socket.socket] = set()
        self._guard = threading.Lock()
        self._thread = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending.set()
        self._flowing.set()
        self._listener.close()
        self.cut()
        self._thread.join()

    def cut(self) -> None:
        """End every connection at once, as a firewall that forgot them; new ones are let through."""
        with self._guard:
            doomed = list(self._open)
        for one in doomed:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def break_off(self) -> None:
        """End every connection and let none through until `mend`."""
        self._refusing.set()
        self.cut()

    def hold(self) -> None:
        """Let no byte through, in neither direction, until `mend`; nobody is told."""
        self._flowing.clear()

    def mend(self) -> None:
        """Everything passes again."""
        self._refusing.clear()
        self._flowing.set()

    def _accept(self) -> None:
        self._listener.settimeout(TICK)
        while not self._ending.is_set():
            try:
                near, _ = self._listener.accept()
            except TimeoutError:
                continue
            except OSError:
                return
            threading.Thread(target=self._carry, args=(near,), daemon=True).start()

    def _carry(self, near: socket.socket) -> None:
        with near:
            if self._refusing.is_set():
                return
            try:
                far = socket.create_connection(self._target, timeout=5)
            except OSError:
                return
            with far:
                far.settimeout(None)
                with self._guard:
                    self._open |= {near, far}
                with suppress(OSError):
                    self._pump(near, far)
                with self._guard:
                    self._open -= {near, far}

    def _pump(self, near: socket.socket, far: socket.socket) -> None:
        with selectors.DefaultSelector() as ready:
            ready.register(near, selectors.EVENT_READ, far)
            ready.register(far, selectors.EVENT_READ, near)
            while not self._ending.is_set():
                for key, _ in ready.select(TICK):
                    source, drain = key.fileobj, key.data
                    assert isinstance(source, socket.socket)
                    block = source.recv(BLOCK)
                    self._flowing.wait()
                    if not block:
                        return
                    drain.sendall(block)
