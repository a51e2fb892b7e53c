"""What every operation here shares: the service, and answers as Alertmanager gives them."""

from __future__ import annotations

from typing import Annotated, Any, Final

import orjson
from fastapi import Depends, Request, Response

from api.backend import Backend

HEADERS: Final = {"Cache-Control": "no-store"}


def _service(request: Request) -> Backend:
    service: Backend = request.app.state.service
    return service


Service = Annotated[Backend, Depends(_service)]


def answer(content: Any, status: int = 200) -> Response:
    """The content as JSON, never to be kept by anyone between."""
    return Response(orjson.dumps(content), status, HEADERS, media_type="application/json")


def written(text: str) -> Response:
    """An answer whose JSON is there already."""
    return Response(text.encode(), 200, HEADERS, media_type="application/json")


def nothing(status: int = 200) -> Response:
    """An answer without a body."""
    return Response(status_code=status, headers=HEADERS)


def refusal(message: str, status: int = 400) -> Response:
    """A mistake in what was asked: a JSON text, which amtool prints."""
    return answer(message, status)


def schema_refusal(message: str, *, code: int, status: int = 422) -> Response:
    """A mistake in the shape of what was asked, as Alertmanager's own validation tells it."""
    return answer({"code": code, "message": message}, status)


def check_json(content_type: str) -> str | None:
    """What is wrong with a body that is not announced as JSON; `None` when it is."""
    kind = content_type.partition(";")[0].strip().lower()
    return (
        None if kind == "application/json" else f'unsupported media type "{kind}", only [application/json] are allowed'
    )


async def body_of(request: Request) -> bytes:
    """The whole body; handlers run in threads and could not read it themselves."""
    return await request.body()
