"""HTTP with a bound on everything: total time, bytes of an answer, no redirect, no retry, nothing from the environment.

Invariant: `send` returns or raises within its deadline, however the peer behaves: a name that does not resolve, a
handshake that stalls, a body nobody reads, headers or content dripping in byte by byte. The deadline is total, where
requests' own `timeout` starts anew with every read. It connects to addresses that were judged first (engine/destinations.py),
whatever the name was, and to none of them by way of a proxy.
"""

from __future__ import annotations

import http.client
import io
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any, Final
from urllib.parse import quote_plus, urlencode

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NameResolutionError, NewConnectionError
from urllib3.util.connection import create_connection
from urllib3.util.retry import Retry

from engine.core.remembering import Remembered
from engine.resolver import Resolver

READ_SIZE: Final = 65536
_HEAD: Final = 65536
_LONG: Final = 256
_LONG_TEXTS: Final = 256


class DeadlineExceeded(requests.exceptions.Timeout):
    """The whole exchange took longer than its deadline."""


class BodyTooLarge(requests.exceptions.RequestException):
    """The answer has more bytes, once decompressed, than the session accepts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """What the last answer of this thread was; `head` is the first 64 KiB of its body, enough for any error document."""

    status: int
    reason: str
    location: str | None
    head: bytes


class BoundedSession(requests.Session):
    """A `requests.Session` whose every exchange is bounded; threads share it.

    `deadline` is total and can be shortened or extended per call by requests' `timeout` (seconds). `max_bytes` counts
    decompressed bytes. Up to `workers` connections stay open between calls; more threads work too, each opening one more.
    `connect` bounds the opening of a connection more tightly. `tls` is what https is spoken with, in place of the usual
    authorities, and `server_name` what the server's certificate has to say, where that is not the host of the URL.
    `resolver` says where names lead and which addresses are refused. The fields of a POST go into its body, not into the
    URL. `decode` is what `response.json()` calls, `hidden` are texts that `last` repeats nowhere.
    """

    def __init__(
        self,
        *,
        deadline: timedelta,
        max_bytes: int,
        workers: int = 8,
        decode: Callable[[bytes], object] = json.loads,
        hidden: Sequence[str] = (),
        resolver: Resolver | None = None,
        connect: timedelta | None = None,
        tls: ssl.SSLContext | None = None,
        server_name: str = "",
    ) -> None:
        super().__init__()
        self.trust_env = False
        self._deadline, self._max_bytes, self._decode = deadline, max_bytes, decode
        self._hidden = tuple(text.encode() for text in hidden)
        self._thread = _ThreadState()
        self._prepared: dict[object, requests.PreparedRequest] = {}
        self._long: Remembered[str, str] = Remembered(quote_plus, room=_LONG_TEXTS)
        connector = _Connector(resolver or Resolver(), self._thread, connect)
        self._adapter = _BoundedAdapter(workers, connector, tls, server_name)
        self.mount("http://", self._adapter)
        self.mount("https://", self._adapter)

    def claim(self, url: str) -> None:
        """Serves everything below `url` by this session's own adapter, even where a library mounted another on `url`.

        requests takes the adapter with the longest matching prefix, so `url` with a slash wins over `url`.
        """
        self.mount(f"{url}/", self._adapter)

    @property
    def last(self) -> Exchange | None:
        """The answer to this thread's latest request; `None` when none came, or none came complete."""
        return self._thread.last

    def prepare_request(self, request: requests.Request) -> requests.PreparedRequest:
        """Moves a POST's parameters into a form body: a proxy cuts long URLs at 8 KB, Prometheus itself at 1 MB.

        Whatever of such a request stays the same is prepared once: requests takes a fifth of a query's time for it.
        """
        if request.method != "POST" or request.data:
            return super().prepare_request(request)
        form, request.params = self._form(request.params), ""
        prepared = self._without_form(request).copy()
        prepared.headers.setdefault("Content-Type", "application/x-www-form-urlencoded")
        prepared.prepare_body(form, None)
        return prepared

    def _form(self, params: Any) -> str:
        """The fields as a form writes them; a long text is quoted once, for the same queries are asked again and again."""
        fields = dict(params)
        long = [name for name, text in fields.items() if isinstance(text, str) and len(text) > _LONG]
        quoted = [f"{quote_plus(name)}={self._long[fields.pop(name)]}" for name in long]
        return "&".join([*quoted, *([urlencode(fields, doseq=True)] if fields else [])])

    def _without_form(self, request: requests.Request) -> requests.PreparedRequest:
        """The request with an empty body, remembered unless a cookie or an `auth` that computes would go stale in it."""
        auth = request.auth or self.auth
        if self.cookies or request.cookies or callable(auth):
            return super().prepare_request(request)
        key = (request.url, auth, *self.headers.items(), *request.headers.items())
        known = self._prepared.get(key)
        if known is None:
            known = self._prepared[key] = super().prepare_request(request)
        return known

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        """One exchange, its body read in full. Raises DeadlineExceeded, BodyTooLarge, else requests' own exceptions."""
        seconds = options.get("timeout") or self._deadline.total_seconds()
        self._thread.begin(seconds)
        bounded = {**options, "timeout": seconds, "stream": True, "allow_redirects": False}
        try:
            return self._received(super().send(request, **bounded))
        except (requests.RequestException, HTTPError, TimeoutError) as error:
            if self._thread.expired():
                raise DeadlineExceeded(f"no complete answer within {seconds:g} s", request=request) from error
            if isinstance(error, requests.RequestException):
                raise
            # requests translates urllib3's exceptions only where it reads the body itself; here we read it.
            raise requests.exceptions.ConnectionError(error, request=request) from error

    def get_redirect_target(self, resp: requests.Response) -> None:
        """None: requests would read a redirect's whole body, without our bounds, to prepare a next request."""

    def _received(self, response: requests.Response) -> requests.Response:
        with ExitStack() as unfinished:
            unfinished.callback(response.close)
            body = b"".join(self._chunks(response))
            unfinished.pop_all()
        response._content = body
        response._content_consumed = True  # type: ignore[attr-defined]  # requests' own mark, absent from its stubs
        # Bound to the body, not to the response: a cycle would keep each large answer until the next full collection.
        response.json = partial(self._decode, body)  # type: ignore[method-assign]
        self._thread.last = self._kept(response, body)
        return response

    def _kept(self, response: requests.Response, body: bytes) -> Exchange:
        # Error pages are quoted in what we say, and may repeat what they were sent. Only its head is searched.
        location, head = response.headers.get("Location"), body[:_HEAD]
        for secret in self._hidden:
            head = head.replace(secret, b"***")
            location = location and location.replace(secret.decode(), "***")
        return Exchange(status=response.status_code, reason=response.reason or "", location=location, head=head)

    def _chunks(self, response: requests.Response) -> Iterator[bytes]:
        """The decompressed body as it arrives. `read1` returns what is there; `stream` would wait for a full chunk."""
        total = 0
        if (response.raw.length_remaining or 0) > self._max_bytes:  # Content-Length, where the peer gave one.
            raise self._too_large(response)
        while chunk := response.raw.read1(READ_SIZE, decode_content=True):
            total += len(chunk)
            if total > self._max_bytes:
                raise self._too_large(response)
            yield chunk

    def _too_large(self, response: requests.Response) -> BodyTooLarge:
        return BodyTooLarge(f"the answer is larger than {self._max_bytes} bytes", response=response)


class _ThreadState(threading.local):
    """When this thread's exchange must be over, by the monotonic clock, and what the last one brought."""

    until: float = float("inf")
    last: Exchange | None = None

    def begin(self, seconds: float) -> None:
        self.until, self.last = time.monotonic() + seconds, None

    def expired(self) -> bool:
        return time.monotonic() >= self.until

    def remaining(self) -> float:
        """Seconds left, never 0 (which would mean non-blocking to a socket); raises TimeoutError when none are."""
        left = self.until - time.monotonic()
        if left <= 0:
            raise TimeoutError("deadline passed")
        return left

    def at_most(self, span: timedelta | None) -> float:
        """Seconds left, and not more than `span`."""
        left = self.remaining()
        return left if span is None else min(left, span.total_seconds())


@dataclass(frozen=True, slots=True)
class _Connector:
    """Opens sockets within the deadline of the calling thread, to addresses the resolver allows."""

    resolver: Resolver
    thread: _ThreadState
    limit: timedelta | None = None

    def connect(self, connection: HTTPConnection) -> socket.socket:
        """The first address that answers; each gets its share of the time left, so one dead address costs no other."""
        addresses = self._resolve(connection, connection._dns_host, connection.port)
        failure = OSError("the name has no address")
        for index, address in enumerate(addresses):
            share = self.thread.at_most(self.limit) / (len(addresses) - index)
            try:
                opened = create_connection((address, connection.port), share, socket_options=connection.socket_options)
            except OSError as error:
                failure = error
                continue
            # A TLS handshake, whose timeout is total, may now take all the time left, not only this share.
            opened.settimeout(self.thread.remaining())
            return opened
        raise NewConnectionError(connection, f"no connection: {failure}") from failure

    def _resolve(self, connection: HTTPConnection, host: str, port: int) -> list[str]:
        try:
            return self.resolver.addresses(host, port, self.thread.remaining)
        except TimeoutError as error:
            raise ConnectTimeoutError(connection, str(error)) from error
        except socket.gaierror as error:
            raise NameResolutionError(host, connection, error) from error
        except OSError as error:
            raise NewConnectionError(connection, f"{host}: {error}") from error


class _DeadlineReader(io.RawIOBase):
    """What a socket's reader gives, each read waiting no longer than the exchange still may."""

    def __init__(self, inner: io.RawIOBase, connected: socket.socket, thread: _ThreadState) -> None:
        super().__init__()
        self._inner, self._connected, self._thread = inner, connected, thread

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._connected.settimeout(self._thread.remaining())
        return self._inner.readinto(buffer)

    def close(self) -> None:
        self._inner.close()
        super().close()


class _BoundedAdapter(HTTPAdapter):
    """requests' adapter over connections that keep to the deadline in every phase; it asks once and never again."""

    def __init__(
        self, workers: int, connector: _Connector, tls: ssl.SSLContext | None = None, server_name: str = ""
    ) -> None:
        self._connector = connector
        self._tls = tls
        self._server_name = server_name
        super().__init__(pool_maxsize=workers, max_retries=Retry(0, read=False))

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        if self._tls is not None:
            options["ssl_context"] = self._tls
        if self._server_name:
            options["server_hostname"] = self._server_name
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = _pool_classes(self._connector)

    def build_connection_pool_key_attributes(self, request: Any, verify: Any, cert: Any = None) -> tuple[Any, Any]:
        """requests would add its own bundle of authorities to the ones that our context trusts."""
        host, trust = super().build_connection_pool_key_attributes(request, verify, cert)
        return host, trust if self._tls is None else {}

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """The same, for the pool that was found."""
        if self._tls is None:
            super().cert_verify(conn, url, verify, cert)  # type: ignore[no-untyped-call]  # requests has no types here.


def _pool_classes(connector: _Connector) -> dict[str, type[HTTPConnectionPool]]:
    """urllib3 takes its connections as classes, so what they share with the session is closed over here."""

    class Response(http.client.HTTPResponse):
        def __init__(self, sock: socket.socket, *args: Any, **options: Any) -> None:
            super().__init__(sock, *args, **options)
            self.fp = io.BufferedReader(_DeadlineReader(self.fp.detach(), sock, connector.thread), READ_SIZE)

    class Bounded(HTTPConnection):
        response_class = Response

        def _new_conn(self) -> socket.socket:
            return connector.connect(self)

        def send(self, data: Any) -> None:
            # A handshake may have used up most of the time; what is sent in one call has a total timeout.
            if self.sock is not None:
                self.sock.settimeout(connector.thread.remaining())
            super().send(data)

    class BoundedTls(Bounded, HTTPSConnection):
        pass

    class Pool(HTTPConnectionPool):
        ConnectionCls = Bounded

    class TlsPool(HTTPSConnectionPool):
        ConnectionCls = BoundedTls

        def _validate_conn(self, conn: Any) -> None:
            # urllib3 would also warn, at every connection, that nothing is verified: somebody has said so in the row.
            if conn.is_closed:
                conn.connect()

    return {"http": Pool, "https": TlsPool}
