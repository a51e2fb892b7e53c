"""What happens around every request: its body is bounded, and it is counted and timed under the route it took."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from fastapi import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.backend import RequestCounts
from api.problems import ApiProblem, response
from engine.clock import Clock

BODY_LIMIT: Final = 1024 * 1024
_POSTS: Final = {"/alertmanager/api/v2/alerts": 64 * 1024 * 1024}
"""Where a body is no single definition: a post of alerts has as many as there are."""
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def _limit(path: str) -> int:
    return _POSTS.get(path.rstrip("/"), BODY_LIMIT)


def _too_large(path: str) -> str:
    fewer = "fewer alerts" if _limit(path) > BODY_LIMIT else "one definition"
    return f"a body may have {_limit(path)} bytes; send less, for instance {fewer} per request"


class BodyLimit:
    """Refuses a body over the limit: at once when its announced length says so, else when that much has come in.

    The connection is left open and the server throws away what still comes; were it closed, a client busy sending would
    see a reset in place of the answer.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        if scope["type"] == "http" and _announced(scope["headers"]) > _limit(path):
            refusal = ApiProblem(status=413, name="too-large", detail=_too_large(path))
            await response(refusal)(scope, receive, send)
            return
        await self._app(scope, _counted(receive, path), send)


def _announced(headers: Iterable[tuple[bytes, bytes]]) -> int:
    """What Content-Length says; 0 without one, or with one that is no number, which the server has refused already."""
    lengths = [value for name, value in headers if name.lower() == b"content-length"]
    return max((int(value[:20]) for value in lengths if value.isdigit()), default=0)


def _counted(receive: Receive, path: str) -> Receive:
    taken = 0

    async def counting() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > _limit(path):
            # FastAPI lets this one type through to the place where errors become answers.
            raise HTTPException(413, _too_large(path))
        return message

    return counting


class PlainJson:
    """Calls a problem JSON and nothing more under /alertmanager: amtool refuses to read a kind of JSON that it does not know."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not scope.get("path", "").startswith("/alertmanager/"):
            await self._app(scope, receive, send)
            return

        async def plainly(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = [(name, value.replace(b"problem+json", b"json")) for name, value in message["headers"]]
                message = {**message, "headers": headers}
            await send(message)

        await self._app(scope, receive, plainly)


class RequestMetrics:
    """Counts and times each request. The label is the route's template: a path would make a series per rule."""

    def __init__(self, app: ASGIApp, metrics: RequestCounts, clock: Clock) -> None:
        self._app = app
        self._metrics = metrics
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 500  # What the server answers when nothing below does.

        async def noting(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        began = self._clock.monotonic()
        method = scope["method"] if scope["method"] in _METHODS else "OTHER"
        with self._metrics.http_requests_in_progress.labels(method).track_inprogress():
            try:
                await self._app(scope, receive, noting)
            finally:
                self._note(scope, method, status, self._clock.monotonic() - began)

    def _note(self, scope: Scope, method: str, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "unmatched")
        self._metrics.http_requests.labels(method, route, str(status)).inc()
        self._metrics.http_request_seconds.labels(method, route).observe(seconds)
