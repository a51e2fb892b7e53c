"""One conversation with one server, ended at its deadline whatever the server does.

Socket timeouts count from read to read, so a server that drips a byte a second holds its caller for ever. Here a timer
cuts the connection underneath: every call that waits on it then returns with an error, in TLS, HTTP and SMTP alike.
Connections go to addresses that were judged first (engine/destinations.py), and never to a name looked up again. Proxies of
the environment are not used and redirects not followed: a message goes where its channel says.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from email.message import Message
from email.utils import parsedate_to_datetime
from functools import lru_cache
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from pathlib import Path
from types import TracebackType
from typing import Final, NamedTuple, Self
from urllib.parse import quote, urlsplit

from requests.utils import DEFAULT_CA_BUNDLE_PATH

from engine.resolver import Resolver

BODY_LIMIT: Final = 2048
"""Bytes of an answer that are read: enough for any service's error, and for nothing else."""
RETRY_AFTER_LIMIT: Final = timedelta(hours=1)
"""The longest wait a server may ask for; an alert withheld for longer than that is an alert lost."""


class TrustError(OSError):
    """The channel's `ca_file` cannot be used."""


class Wire:
    """The connections of one attempt under one total deadline; a context manager that closes what it opened.

    `resolver` says where names lead, and which addresses are refused.
    """

    def __init__(self, limit: timedelta, ca_file: str = "", resolver: Resolver | None = None) -> None:
        self._end = time.monotonic() + limit.total_seconds()
        self._ca_file = ca_file
        self._resolver = resolver or Resolver()
        self._sockets: list[socket.socket] = []
        self._timer = threading.Timer(limit.total_seconds(), self._cut)
        self._timer.daemon = True
        self.expired = False

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()
        self._timer.join()
        for handle in self._sockets:
            handle.close()

    def remaining(self) -> float:
        """Seconds left, always above 0; TimeoutError when there are none."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left

    def connect(self, host: str, port: int) -> socket.socket:
        """A TCP connection to the first of the host's addresses that answers; OSError when none does.

        RefusedDestination when its addresses are such that nothing connects there. Each address gets its share of the time
        left, so that one that swallows everything, as IPv6 does on many a network, does not cost the others their turn.
        """
        failure: OSError = socket.gaierror(socket.EAI_NONAME, "the name has no address")
        addresses = self._resolver.addresses(host, port, self.remaining)
        for place, address in enumerate(addresses):
            try:
                opened = socket.create_connection((address, port), self.remaining() / (len(addresses) - place))
            except OSError as error:
                failure = error
                continue
            opened.settimeout(self.remaining())
            return self._watched(opened)
        raise failure

    def secure(self, plain: socket.socket, host: str) -> ssl.SSLSocket:
        """The connection under TLS, the server's certificate and name checked."""
        return self.tls().wrap_socket(plain, server_hostname=host)

    def tls(self) -> ssl.SSLContext:
        """The context that trusts the system's authorities and the channel's `ca_file`; TrustError if unreadable."""
        try:
            stamp = Path(self._ca_file).stat().st_mtime_ns if self._ca_file else 0
            return _context(self._ca_file, stamp)
        except ssl.SSLError as error:
            raise TrustError("no certificate in PEM form") from error
        except OSError as error:
            raise TrustError(error.strerror) from error

    def _watched(self, opened: socket.socket) -> socket.socket:
        # A duplicate: wrapping in TLS detaches the original, and shutting down either ends the connection of both.
        self._sockets.append(opened.dup())
        if self.expired:
            self._cut()
        return opened

    def _cut(self) -> None:
        self.expired = True
        for handle in self._sockets:
            with suppress(OSError):  # It may have ended by itself.
                handle.shutdown(socket.SHUT_RDWR)


@lru_cache(maxsize=16)
def _context(ca_file: str, stamp: int) -> ssl.SSLContext:  # noqa: ARG001 - a rewritten file is another key
    """Loading the authorities takes 20 ms, so a context is kept for as long as its file is the same."""
    context = ssl.create_default_context()
    if not context.cert_store_stats()["x509_ca"]:  # A Python that does not know where this system keeps them.
        context.load_verify_locations(DEFAULT_CA_BUNDLE_PATH)
    if ca_file:
        context.load_verify_locations(ca_file)
    return context


class Answer(NamedTuple):
    """What an HTTP server said: its status, the beginning of the body as text, and how long it wants us to wait."""

    status: int
    body: str
    retry_after: timedelta | None


def post(wire: Wire, url: str, body: bytes, headers: Mapping[str, str], *, limit: int = BODY_LIMIT) -> Answer:
    """The server's answer to the bytes, at most `limit` of its own; OSError or HTTPException when there is none."""
    return _exchange(wire, "POST", url, body, headers, limit=limit)


def get(wire: Wire, url: str, headers: Mapping[str, str]) -> Answer:
    """The server's answer to a question without a body; OSError or HTTPException when there is none."""
    return _exchange(wire, "GET", url, None, headers, limit=BODY_LIMIT)


def _exchange(
    wire: Wire, method: str, url: str, body: bytes | None, headers: Mapping[str, str], *, limit: int
) -> Answer:
    """One request and its answer.

    A body cut short by the deadline is no error, for the status has answered already: what arrived of it is returned.
    """
    parts = urlsplit(url)
    host, secure = parts.hostname or "", parts.scheme == "https"
    port = parts.port or (443 if secure else 80)
    connection = HTTPSConnection(host, port, context=wire.tls()) if secure else HTTPConnection(host, port)
    plain = wire.connect(host, port)
    try:
        connection.sock = wire.secure(plain, host) if secure else plain
        target = quote(f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}", safe="%/?:@!$&'()*+,;=[]~")
        connection.request(method, target, body, {"User-Agent": "Tocsin", "Connection": "close", **headers})
        with connection.getresponse() as response:
            return Answer(response.status, _body(response, limit), retry_after(response.headers))
    finally:
        connection.close()
        plain.close()


def _body(response: HTTPResponse, limit: int) -> str:
    received = bytearray()
    with suppress(OSError, HTTPException, ValueError):  # The status stands; what has arrived is all there is.
        while len(received) < limit and (chunk := response.read1(limit - len(received))):
            received += chunk
    return received.decode("utf-8", "replace")


def retry_after(headers: Mapping[str, str] | Message) -> timedelta | None:
    """The Retry-After header in seconds or as a date; a date is measured against the server's own clock (RFC 9110)."""
    text = (headers.get("Retry-After") or "").strip()
    if text.isascii() and text.isdigit():
        return timedelta(seconds=min(int(text[:9]), int(RETRY_AFTER_LIMIT.total_seconds())))
    try:
        wait = parsedate_to_datetime(text) - parsedate_to_datetime(headers.get("Date") or "")
    except (TypeError, ValueError):
        return None
    return min(max(wait, timedelta(0)), RETRY_AFTER_LIMIT)
