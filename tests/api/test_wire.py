"""Over a real connection: what a client sees where a test client would be too kind."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPResponse

import pytest
import uvicorn

from api.app import create_app
from tests.api.stand_in import StandIn

MIB = 1024 * 1024
JSON = {"Content-Type": "application/json"}


class Announcing(uvicorn.Server):
    """A server that says when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()


@pytest.fixture
def connection(engine: StandIn) -> Iterator[HTTPConnection]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = Announcing(uvicorn.Config(create_app(engine), log_config=None, lifespan="off"))
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        assert server.listening.wait(30)
        client = HTTPConnection("127.0.0.1", listener.getsockname()[1], timeout=30)
        yield client
        client.close()
        server.should_exit = True
        thread.join(30)
    assert not thread.is_alive()


def ask(
    connection: HTTPConnection, method: str, path: str, body: bytes | Iterator[bytes] | None = None
) -> HTTPResponse:
    chunked = body is not None and not isinstance(body, bytes)
    headers = {**JSON, "Transfer-Encoding": "chunked"} if chunked else JSON
    connection.request(method, path, body, headers, encode_chunked=chunked)
    return connection.getresponse()


def test_head_is_answered_without_a_body(connection: HTTPConnection) -> None:
    for path in ("/health", "/health/live", "/ready", "/metrics"):
        answered = ask(connection, "HEAD", path)
        assert (answered.status, answered.read()) == (200, b"")


def test_who_sends_too_much_at_once_still_reads_why(connection: HTTPConnection) -> None:
    answered = ask(connection, "PUT", "/api/v1/rules/one", b" " * 10 * MIB)
    assert (answered.status, b"too-large" in answered.read()) == (413, True)


def test_who_sends_too_much_bit_by_bit_still_reads_why(connection: HTTPConnection) -> None:
    answered = ask(connection, "PUT", "/api/v1/rules/one", (b" " * 65536 for _ in range(160)))
    assert (answered.status, b"too-large" in answered.read()) == (413, True)


def test_a_deletion_is_answered_without_a_body(connection: HTTPConnection) -> None:
    created = ask(connection, "PUT", "/api/v1/rules/one", b'{"name": "Down", "expr": "up == 0"}')
    assert (created.status, b'"version":1' in created.read()) == (201, True)
    answered = ask(connection, "DELETE", "/api/v1/rules/one")
    assert (answered.status, answered.read()) == (204, b"")
