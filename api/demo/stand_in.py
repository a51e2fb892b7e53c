"""What every stand-in is: a server in a thread that keeps what arrived, waits for it, and fails when told to."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping
from socketserver import TCPServer
from types import TracebackType
from typing import Generic, NamedTuple, Self, TypeVar

M = TypeVar("M")


def silent(line: str) -> None:
    """The default of `on_message`."""


class Failure(NamedTuple):
    """An answer the stand-in was told to give once, instead of its own."""

    status: int
    headers: Mapping[str, str]


class StandIn(Generic[M]):
    """A server in a thread of its own; `messages` is a copy of what it took, in the order of arrival."""

    def __init__(self, server: TCPServer, on_message: Callable[[str], None]) -> None:
        self._server = server
        self._on_message = on_message
        self._arrived = threading.Condition()
        self._messages: list[M] = []
        self._failures: deque[Failure] = deque()
        self._thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def messages(self) -> list[M]:
        with self._arrived:
            return list(self._messages)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def fail_next(self, status: int, headers: Mapping[str, str] | None = None) -> None:
        """Answer the next request not yet spoken for with this status (for mail: the next recipient with this code)."""
        with self._arrived:
            self._failures.append(Failure(status, dict(headers or {})))

    def failure(self) -> Failure | None:
        """The failure to answer with now, `None` when there is none; each is given once."""
        with self._arrived:
            return self._failures.popleft() if self._failures else None

    def keep(self, message: M, line: str) -> None:
        """Remember what arrived, and say so."""
        with self._arrived:
            self._messages.append(message)
            self._arrived.notify_all()
        self._on_message(line)

    def wait(self, count: int, seconds: float = 10) -> list[M]:
        """The messages, once there are at least `count` of them; TimeoutError when they do not come."""
        with self._arrived:
            if not self._arrived.wait_for(lambda: len(self._messages) >= count, seconds):
                raise TimeoutError(f"{len(self._messages)} of {count} messages arrived in {seconds} s")
            return list(self._messages)
