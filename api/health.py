"""How the engine is, for supervisors and load balancers. Every path answers HEAD as well as GET."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from pydantic import BaseModel

from api.backend import NEEDED, UNHEALTHY, Backend, Component
from api.problems import MEDIA_TYPE

router = APIRouter(tags=["health"])


class AliveDocument(BaseModel):
    """This process answers."""

    status: Literal["alive"]


class ReadyDocument(BaseModel):
    """Whether this process can be of use, and what it still waits for."""

    status: Literal["ready", "not ready"]
    waiting_for: list[str]


class ComponentDocument(BaseModel):
    """How one component is, and how long it took to answer when it was last asked."""

    status: str
    response_time_ms: float | None
    detail: str


class HealthDocument(BaseModel):
    """How everything is, and what of it is unhealthy."""

    status: Literal["healthy", "unhealthy"]
    unhealthy: list[str]
    components: dict[str, ComponentDocument]


def live() -> dict[str, str]:
    """Alive: this process answers, whatever else is broken. Depends on nothing."""
    return {"status": "alive"}


def ready(request: Request) -> Response:
    """Ready: the database answers and the loops run; 503 until then, and from the moment on when it is asked to stop."""
    service: Backend = request.app.state.service
    if service.leaving.is_set():
        return JSONResponse({"status": "not ready", "waiting_for": ["the end: it was asked to stop"]}, status_code=503)
    missing = _missing(service, [part for part in service.health() if part.name in NEEDED])
    return JSONResponse(
        {"status": "not ready" if missing else "ready", "waiting_for": missing}, status_code=503 if missing else 200
    )


def health(request: Request) -> Response:
    """Every component with its status and response time; 503 when one is unhealthy. Not configured is not unhealthy."""
    service: Backend = request.app.state.service
    parts = service.health()
    unhealthy = _missing(service, parts)
    body = {
        "status": UNHEALTHY if unhealthy else "healthy",
        "unhealthy": unhealthy,
        "components": {
            part.name: {"status": part.status, "response_time_ms": part.response_time_ms, "detail": part.detail}
            for part in parts
        },
    }
    return JSONResponse(body, status_code=503 if unhealthy else 200)


def metrics(request: Request) -> Response:
    """Tocsin's own metrics, for Prometheus to scrape."""
    service: Backend = request.app.state.service
    return Response(service.metrics.render(), headers={"Content-Type": service.metrics.content_type})


def _missing(service: Backend, parts: Sequence[Component]) -> list[str]:
    """What is not as it must be, by name; a loop that has died is a fault of its own."""
    died = ["loops"] if service.failed.is_set() else []
    return [part.name for part in parts if part.status == UNHEALTHY] + died


def _told(model: type[BaseModel]) -> dict[int | str, dict[str, Any]]:
    """The document comes with a 503 too, where a problem (the keys cannot be looked up) may come in its place."""
    problem = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}}
    return {200: {"model": model}, 503: {"model": model, "content": problem}}


_ALIVE: Final[dict[int | str, dict[str, Any]]] = {200: {"model": AliveDocument}}
_TEXT: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {"text/plain": {"schema": {"type": "string"}}}},
    503: {"content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}}},
}

for _paths, _handler, _responses, _class in (
    (("/health",), health, _told(HealthDocument), JSONResponse),
    (("/health/live", "/health/liveness"), live, _ALIVE, JSONResponse),
    (("/health/ready", "/health/readiness", "/ready"), ready, _told(ReadyDocument), JSONResponse),
    (("/metrics",), metrics, _TEXT, PlainTextResponse),
):
    for _path in _paths:
        router.add_api_route(_path, _handler, methods=["GET"], responses=_responses, response_class=_class)
        router.add_api_route(_path, _handler, methods=["HEAD"], include_in_schema=False)
