"""Requests of random bytes, as a server hands them on: whatever is wrong with them is told as a problem."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from starlette.types import Message

from api.app import create_app
from tests.api.stand_in import StandIn, alert, store_alerts

QUIET: Final = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
METHODS: Final = st.sampled_from(
    ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "BREW"]
)
PLACES: Final = (
    *("/health", "/metrics", "/openapi.json", "/api/v1/rules", "/api/v1/rules/one", "/api/v1/rules/one/versions"),
    *("/api/v1/rules/one/thresholds", "/api/v1/channels/one", "/api/v1/channels/one/test", "/api/v1/routes"),
    *("/api/v1/routes/test", "/api/v1/inhibit_rules", "/api/v1/time_intervals/one", "/api/v1/datasources"),
    *(
        "/api/v1/silences",
        "/api/v1/silences/preview",
        "/api/v1/alerts",
        "/api/v1/notifications",
        "/api/v1/rules/one/restore",
    ),
)
LISTS: Final = (
    *("rules", "rules/one/versions", "rules/one/thresholds", "channels", "routes", "inhibit_rules"),
    *("time_intervals", "datasources", "silences", "alerts", "notifications"),
)
NAMES: Final = (
    b"if-match",
    b"authorization",
    b"content-type",
    b"content-length",
    b"accept",
    b"host",
    b"cookie",
    b"expect",
)
BYTES: Final = st.binary(max_size=60) | st.sampled_from(
    [b"\x00", b"\xff", b"9" * 5000, b'"1"', b'W/"' + b"1" * 5000 + b'"']
)
QUERIES: Final = st.binary(max_size=60) | st.lists(
    st.tuples(
        st.sampled_from(
            [b"cursor", b"limit", b"filter", b"state", b"dry_run", b"rule_id", b"at", b"group", b"version"]
        ),
        BYTES | st.sampled_from([b"%00", b"%ff", b"%ed%a0%80", b"-1", b"1e9", b"9" * 30, b"true", b"{", b'a="b"']),
    ),
    max_size=4,
).map(lambda pairs: b"&".join(name + b"=" + value for name, value in pairs))


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came back."""

    status: int
    content_type: str
    body: bytes


class Wire:
    """The application, asked as a server asks it: with nothing in between that would mend a request."""

    def __init__(self, app: FastAPI, runner: asyncio.Runner) -> None:
        self._app = app
        self._runner = runner

    def ask(
        self,
        method: str,
        raw_path: bytes,
        query: bytes = b"",
        headers: Sequence[tuple[bytes, bytes]] = (),
        body: Sequence[bytes] = (b"",),
    ) -> Answer:
        """One request; the body comes in these pieces."""
        return self._runner.run(self._asked(method, raw_path, query, headers, body))

    async def _asked(
        self, method: str, raw_path: bytes, query: bytes, headers: Sequence[tuple[bytes, bytes]], body: Sequence[bytes]
    ) -> Answer:
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            # As uvicorn reads it.
            "path": unquote(raw_path.decode("latin-1")),
            "raw_path": raw_path,
            "query_string": query,
            "root_path": "",
            "headers": list(headers),
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 9099),
        }
        pieces = [{"type": "http.request", "body": piece, "more_body": True} for piece in body]
        pieces.append({"type": "http.request", "body": b"", "more_body": False})
        sent: list[Message] = []

        async def receive() -> Message:
            return pieces.pop(0) if pieces else {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            sent.append(message)

        await self._app(scope, receive, send)
        start = next(message for message in sent if message["type"] == "http.response.start")
        told = {name.lower(): value for name, value in start["headers"]}
        content = b"".join(message.get("body", b"") for message in sent if message["type"] == "http.response.body")
        return Answer(
            status=start["status"], content_type=told.get(b"content-type", b"").decode("latin-1"), body=content
        )


@pytest.fixture
def wire(engine: StandIn) -> Iterator[Wire]:
    store_alerts(engine.database, alert("one", team="db"))
    with asyncio.Runner() as runner:
        yield Wire(create_app(engine), runner)


def check(method: str, answer: Answer) -> None:
    """An answer is no failure of ours, and what is no success is a problem."""
    assert answer.status < 500, (answer.status, answer.body)
    if answer.status >= 400:
        assert answer.content_type == "application/problem+json", (answer.status, answer.content_type)
        if method != "HEAD":
            assert json.loads(answer.body)["status"] == answer.status


@given(method=METHODS, place=st.sampled_from(["/", *PLACES]), more=st.binary(max_size=20), query=QUERIES)
@settings(suppress_health_check=QUIET)
def test_any_address_is_answered(wire: Wire, method: str, place: str, more: bytes, query: bytes) -> None:
    check(method, wire.ask(method, place.encode() + more, query))


@given(place=st.sampled_from(LISTS), query=QUERIES)
@settings(suppress_health_check=QUIET)
def test_any_cursor_is_answered(wire: Wire, place: str, query: bytes) -> None:
    check("GET", wire.ask("GET", f"/api/v1/{place}".encode(), query))


@given(
    method=METHODS,
    place=st.sampled_from(PLACES),
    headers=st.lists(st.tuples(st.sampled_from(NAMES) | st.binary(min_size=1, max_size=9), BYTES), max_size=5),
)
@example(method="PUT", place="/api/v1/rules/one", headers=[(b"content-length", b"9" * 5000)])
@settings(suppress_health_check=QUIET)
def test_any_headers_are_answered(wire: Wire, method: str, place: str, headers: list[tuple[bytes, bytes]]) -> None:
    check(method, wire.ask(method, place.encode(), headers=headers, body=[b'{"name": "Down", "expr": "up == 0"}']))


@given(
    method=st.sampled_from(["POST", "PUT", "PATCH", "DELETE"]),
    place=st.sampled_from(PLACES),
    kind=st.sampled_from([b"application/json", b"application/merge-patch+json", b"application/json; charset=utf-16"]),
    body=st.lists(st.binary(max_size=60) | st.sampled_from([b"{", b"}", b'"name"', b":", b"[", b"NaN", b",", b"\xff"])),
)
@settings(suppress_health_check=QUIET)
def test_any_body_is_answered(wire: Wire, method: str, place: str, kind: bytes, body: list[bytes]) -> None:
    check(method, wire.ask(method, place.encode(), headers=[(b"content-type", kind)], body=body))
