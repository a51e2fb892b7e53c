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
from urllib.parse import SplitResult, quote, urlsplit

from requests.utils import DEFAULT_CA_BUNDLE_PATH

from engine.delivery.lines import Door, Line, Lines
from engine.resolver import Resolver

BODY_LIMIT: Final = 2048
"""Bytes of an answer that are read: enough for any service's error, and for nothing else."""
RETRY_AFTER_LIMIT: Final = timedelta(hours=1)
"""The longest wait a server may ask for; an alert withheld for longer than that is an alert lost."""


class TrustError(OSError):
    """The channel's `ca_file` cannot be used."""


class Wire:
    """The connections of one attempt under one total deadline; a context manager that closes what it opened.

    `resolver` says where names lead, and which addresses are refused; `lines` are the connections that others left open
    under the same resolver, and keep those that this attempt leaves open.
    """

    def __init__(
        self, limit: timedelta, ca_file: str = "", resolver: Resolver | None = None, lines: Lines | None = None
    ) -> None:
        self._end = time.monotonic() + limit.total_seconds()
        self._ca_file = ca_file
        self._resolver = resolver or Resolver()
        self.lines = lines or Lines(0)
        self._handles: list[socket.socket] = []
        self._guard = threading.Lock()
        self._deadline: int | None = None
        self.expired = False

    def __enter__(self) -> Self:
        self._deadline = self.lines.watch.at(self._end, self._cut)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._deadline is not None:
            self.lines.watch.forget(self._deadline)
        with self._guard:
            left, self._handles = self._handles, []
        for handle in left:
            handle.close()
        if not self.lines.are_kept:
            self.lines.close()

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
            # Headers and body are two writes, the second of which must not wait until the first was acknowledged.
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return self._watched(opened)
        raise failure

    def secure(self, plain: socket.socket, host: str) -> ssl.SSLSocket:
        """The connection under TLS, the server's certificate and name checked."""
        return self.tls().wrap_socket(plain, server_hostname=host)

    def tls(self) -> ssl.SSLContext:
        """The context that trusts the system's authorities and the channel's `ca_file`; TrustError if unreadable."""
        try:
            return _context(self._ca_file, self._stamp())
        except ssl.SSLError as error:
            raise TrustError("no certificate in PEM form") from error
        except OSError as error:
            raise TrustError(error.strerror) from error

    def line(self, door: Door) -> Line | None:
        """A connection that others left open there, under this deadline; `None` when there is none."""
        line = self.lines.take(door)
        if line is None:
            return None
        line.connection.sock.settimeout(self.remaining())
        self._watch(line.handle)
        return line

    def opened(self, connection: HTTPConnection) -> Line:
        """The connection that was just opened on this wire, to be left open perhaps."""
        with self._guard:
            return Line(connection=connection, handle=self._handles[-1])

    def leave_open(self, door: Door, line: Line) -> None:
        """Let others use the connection, unless the deadline has cut it."""
        with self._guard:
            if self.expired or line.handle not in self._handles:
                return
            self._handles.remove(line.handle)
        self.lines.keep(door, line)

    def door(self, scheme: str, host: str, port: int) -> Door:
        """Where a connection leads, and whom it trusts."""
        return scheme, host, port, self._ca_file, self._stamp() if scheme == "https" else 0

    def _stamp(self) -> int:
        try:
            return Path(self._ca_file).stat().st_mtime_ns if self._ca_file else 0
        except OSError as error:
            raise TrustError(error.strerror) from error

    def _watched(self, opened: socket.socket) -> socket.socket:
        # A duplicate: wrapping in TLS detaches the original, and shutting down either ends the connection of both.
        self._watch(opened.dup())
        return opened

    def _watch(self, handle: socket.socket) -> None:
        with self._guard:
            self._handles.append(handle)
            late = self.expired
        if late:
            self._cut()

    def _cut(self) -> None:
        with self._guard:
            self.expired = True
            for handle in self._handles:
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
    host, port = _server(parts)
    door = wire.door(parts.scheme, host, port)
    line = wire.line(door) or _dialled(wire, parts.scheme, host, port)
    stays = False
    try:
        closing = {} if wire.lines.are_kept else {"Connection": "close"}
        line.connection.request(method, _target(parts), body, {"User-Agent": "Tocsin", **closing, **headers})
        with line.connection.getresponse() as response:
            answer = Answer(response.status, _body(response, limit), retry_after(response.headers))
            # Only a connection on which nothing is under way any more can carry another message.
            stays = wire.lines.are_kept and _is_read(response) and not response.will_close
            return answer
    finally:
        if stays:
            wire.leave_open(door, line)
        else:
            line.connection.close()


def _server(parts: SplitResult) -> tuple[str, int]:
    return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


def _target(parts: SplitResult) -> str:
    """What is asked of the server; what may not stand in a request as it is gets quoted, what is quoted stays."""
    return quote(f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}", safe="%/?:@!$&'()*+,;=[]~")


def _dialled(wire: Wire, scheme: str, host: str, port: int) -> Line:
    secure = scheme == "https"
    connection = HTTPSConnection(host, port, context=wire.tls()) if secure else HTTPConnection(host, port)
    plain = wire.connect(host, port)
    try:
        connection.sock = wire.secure(plain, host) if secure else plain
    except BaseException:
        plain.close()
        raise
    return wire.opened(connection)


def _is_read(response: HTTPResponse) -> bool:
    """Whether the answer has come to its end; one of known length leaves it to the reader to know."""
    return response.isclosed() or response.length == 0


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
