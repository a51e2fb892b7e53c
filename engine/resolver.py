"""From a host's name to addresses that may be connected to, within a deadline.

Invariant: a connection is opened to an address that was judged, never to a name that is looked up a second time: a name
server that gives a harmless answer first and another one afterwards gains nothing. The look-up is the system's, which
cannot be interrupted, so it runs in a thread of its own that is left behind when it is late; how many may run is bounded.
"""

from __future__ import annotations

import ipaddress
import queue
import socket
import threading
from collections.abc import Callable
from typing import Any, Final, Protocol

from engine.destinations import PrivateAddresses, refusal

LOOKUPS: Final = 64
"""Look-ups under way at a time, those nobody waits for any more included; glibc gives up on one after about 30 s."""


class Lookup(Protocol):
    """`socket.getaddrinfo`, as far as it is used here."""

    def __call__(self, host: str, port: int, *, type: int) -> list[Any]: ...  # noqa: A002 (the standard library's name)


class Resolver:
    """Looks names up; threads share it. `private` says what becomes of private addresses."""

    def __init__(
        self,
        *,
        private: PrivateAddresses = PrivateAddresses.ALLOW,
        lookup: Lookup = socket.getaddrinfo,
        lookups: int = LOOKUPS,
    ) -> None:
        self._private = private
        self._lookup = lookup
        self._free = threading.BoundedSemaphore(lookups)

    def addresses(self, host: str, port: int, remaining: Callable[[], float]) -> list[str]:
        """The host's addresses that may be connected to, in the system's order, each once, within the `remaining` seconds.

        TimeoutError when it takes longer, RefusedDestination when the host has no address but refused ones, socket.gaierror
        or another OSError when the look-up fails.
        """
        found = self._found(host, port, remaining)
        refusals = {address: refusal(host, address, self._private) for address in found}
        allowed = [address for address, error in refusals.items() if error is None]
        refused = next((error for error in refusals.values() if error is not None), None)
        if refused is not None and not allowed:
            raise refused
        return allowed

    def _found(self, host: str, port: int, remaining: Callable[[], float]) -> list[str]:
        # For numbers nobody is asked, so nothing can take long: they need no turn among the slow ones.
        answer = self._asked(host, port) if _is_numeric(host) else self._awaited(host, port, remaining)
        if isinstance(answer, OSError):
            raise answer
        return list(dict.fromkeys(str(entry[4][0]) for entry in answer))

    def _awaited(self, host: str, port: int, remaining: Callable[[], float]) -> list[Any] | OSError:
        late = f"the name {host} did not resolve in time"
        if not self._free.acquire(timeout=remaining()):
            raise TimeoutError(f"{late}: too many look-ups are waiting for their name servers")
        answers: queue.SimpleQueue[list[Any] | OSError] = queue.SimpleQueue()

        def look_up() -> None:
            try:
                answers.put(self._asked(host, port))
            finally:
                self._free.release()

        try:
            threading.Thread(target=look_up, name="lookup", daemon=True).start()
        except RuntimeError:  # The system gives no more threads.
            self._free.release()
            raise
        try:
            return answers.get(timeout=remaining())
        except queue.Empty:
            raise TimeoutError(late) from None

    def _asked(self, host: str, port: int) -> list[Any] | OSError:
        try:
            return self._lookup(host, port, type=socket.SOCK_STREAM)
        except OSError as error:
            return error
        except UnicodeError:
            return socket.gaierror(socket.EAI_NONAME, "not a host name")


def _is_numeric(host: str) -> bool:
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True
