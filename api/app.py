"""The application: every surface on one FastAPI, behind the keys, with every error told one way."""

from __future__ import annotations

from typing import Any, Final

from fastapi import Depends, FastAPI
from fastapi.security import HTTPBearer
from pydantic import BaseModel

from api import alert_page, alertmanager, exposition, faults, health, prometheus, reference
from api.auth import Authentication, Gate, Keys
from api.backend import Backend
from api.middleware import BodyLimit, PlainJson, RequestMetrics
from api.problems import MEDIA_TYPE
from api.v1 import (
    alerts,
    channels,
    datasources,
    explain,
    inhibit_rules,
    notifications,
    plan,
    reload,
    routes,
    rule_versions,
    rules,
    silences,
    thresholds,
    time_intervals,
)
from engine.core.roles import Role
from engine.telemetry import version


class ErrorDocument(BaseModel):
    """One mistake in what was sent."""

    field: str
    message: str
    value: Any = None
    fix: str | None = None


class ProblemDocument(BaseModel):
    """What went wrong (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[ErrorDocument]


_PROBLEMS: Final[dict[int | str, dict[str, Any]]] = {
    status: {"model": ProblemDocument} for status in (400, 401, 403, 404, 409, 413, 415, 422, 503)
}

_REFUSALS: Final[dict[int | str, dict[str, Any]]] = {status: _PROBLEMS[status] for status in (401, 403)}
"""What the gate may answer where there is nothing else to refuse."""

_NOUNS: Final = (
    rules,
    rule_versions,
    thresholds,
    channels,
    routes,
    inhibit_rules,
    time_intervals,
    datasources,
    silences,
    alerts,
    explain,
    plan,
    notifications,
    reload,
)

_KEYS: Final = "An API key. While there is none at all, and only this machine can reach the address, none is asked for."


class _Application(FastAPI):
    """FastAPI, whose document gives problems their own media type: it can document an error under that of the answer only."""

    def openapi(self) -> dict[str, Any]:
        document = super().openapi()
        for path in document["paths"].values():
            for operation in path.values():
                for answer in operation["responses"].values():
                    _name_problem(answer.get("content", {}))
        return document


def _name_problem(content: dict[str, Any]) -> None:
    body = content.get("application/json", {})
    if body.get("schema", {}).get("$ref", "").endswith(f"/{ProblemDocument.__name__}"):
        content[MEDIA_TYPE] = content.pop("application/json")


def create_app(service: Backend) -> FastAPI:
    """Everything the engine answers over HTTP. Starts nothing: the service's life is its owner's business."""
    # The stock pages of /docs load scripts from elsewhere, which an engine for closed networks must not; ours loads nothing.
    app = _Application(title="Tocsin", version=version(), docs_url=None, redoc_url=None, redirect_slashes=False)
    app.state.service = service
    faults.install(app)
    app.include_router(health.router, responses=_REFUSALS)
    if Role.API in service.settings.roles:
        _surface(app)
    # The last one added is the first to see a request.
    app.add_middleware(BodyLimit)
    app.add_middleware(Authentication, gate=_gate(service))
    app.add_middleware(PlainJson)
    app.add_middleware(RequestMetrics, metrics=service.metrics, clock=service.clock)
    return app


def _surface(app: FastAPI) -> None:
    """All but health and metrics, which every process answers."""
    # The middleware asks for the key; this says so in the schema.
    bearer = [Depends(HTTPBearer(auto_error=False, description=_KEYS))]
    app.include_router(reference.router)
    app.include_router(alert_page.router)
    for noun in _NOUNS:
        app.include_router(noun.router, dependencies=bearer, responses=_PROBLEMS)
    app.include_router(prometheus.router, dependencies=bearer, responses=_REFUSALS)
    alertmanager.install(app)
    app.include_router(alertmanager.router, dependencies=bearer, responses=_REFUSALS)
    app.include_router(exposition.router, dependencies=bearer, responses=_REFUSALS)


def _gate(service: Backend) -> Gate:
    settings = service.settings
    return Gate(
        keys=Keys(key.get_secret_value() for key in settings.api_keys),
        database=service.database,
        clock=service.clock,
        loopback=settings.listen.is_loopback,
    )
