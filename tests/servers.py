"""A real HTTP server on loopback whose answers are a function of the request: real bytes, a scripted peer."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What arrived; `path` holds the query string too, `headers` have lower-case names."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def form(self) -> dict[str, str]:
        """The fields of a form-encoded body; of a repeated field the first value."""
        return {name: values[0] for name, values in parse_qs(self.body.decode(), keep_blank_values=True).items()}

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """What to answer. A body of many parts is streamed and ended by closing, with no Content-Length.

    `drip` waits that long before every byte of the body, `drip_headers` before every byte of status line and headers.
    A `Content-Length` among `headers` replaces the true one, and the connection is cut after the body.
    """

    status: int = 200
    body: bytes | Iterable[bytes] = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    drip: timedelta = timedelta(0)
    drip_headers: timedelta = timedelta(0)


class ScriptedServer:
    """Answers every request on 127.0.0.1 by `handler`, each connection in its own thread, and keeps what it was asked.

    `stopping` is set when the server ends: a handler that must be slow waits on it, so that no test waits for it.
    What the handler raises is raised again when the `with` block is left. With `tls` it speaks https.
    """

    def __init__(self, handler: Callable[[Request], Response], *, tls: ssl.SSLContext | None = None) -> None:
        self.handler = handler
        self.tls = tls
        self.requests: list[Request] = []
        self.connections = 0
        self.stopping = threading.Event()
        self.errors: list[Exception] = []
        self._open: set[socket.socket] = set()
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        return f"{'http' if self.tls is None else 'https'}://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stopping.set()
        self._server.shutdown()
        self.hang_up()
        self._server.server_close()
        self._thread.join()
        if error is None and self.errors:
            raise self.errors[0]

    def hang_up(self) -> None:
        """End every connection that is open."""
        for connection in list(self._open):
            _hang_up(connection)

    def answer(self, request: Request) -> Response:
        self.requests.append(request)
        try:
            return self.handler(request)
        except Exception as error:
            self.errors.append(error)
            return Response(status=500, body=repr(error).encode())

    def opened(self, connection: socket.socket) -> None:
        self.connections += 1
        self._open.add(connection)

    def closed(self, connection: socket.socket) -> None:
        self._open.discard(connection)


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # server_close() then waits for the threads, and no socket outlives its test.
    request_queue_size = 128

    def __init__(self, script: ScriptedServer) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.script = script

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        if self.script.tls is not None:  # The handshake happens at the first read, in the connection's own thread.
            connection = self.script.tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        self.script.opened(connection)
        return connection, address

    def shutdown_request(self, request: socket.socket | tuple[bytes, socket.socket]) -> None:
        if isinstance(request, socket.socket):
            self.script.closed(request)
        super().shutdown_request(request)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up in the middle of an answer is what many tests are about."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def handle_one_request(self) -> None:
        self.raw_requestline = self.rfile.readline(65537)
        if not self.raw_requestline or not self.parse_request():
            self.close_connection = True
            return
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self._write(self.server.script.answer(Request(method=self.command, path=self.path, headers=headers, body=body)))

    def _write(self, response: Response) -> None:
        measured = isinstance(response.body, bytes) and "Content-Length" not in response.headers
        headers = {"Content-Length": str(len(response.body))} if isinstance(response.body, bytes) else {}
        self.close_connection = self.close_connection or not measured
        if self.close_connection:
            headers["Connection"] = "close"
        lines = [f"HTTP/1.1 {response.status} {self.responses.get(response.status, ('',))[0]}"]
        lines += [f"{name}: {value}" for name, value in (headers | dict(response.headers)).items()]
        self._send("\r\n".join([*lines, "", ""]).encode("latin-1"), response.drip_headers)
        for part in [response.body] if isinstance(response.body, bytes) else response.body:
            self._send(part, response.drip)

    def _send(self, data: bytes, drip: timedelta) -> None:
        if not drip:
            self.wfile.write(data)
            return
        for index in range(len(data)):
            if self.server.script.stopping.wait(drip.total_seconds()):
                return
            self.wfile.write(data[index : index + 1])


def _hang_up(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # The client was faster.
