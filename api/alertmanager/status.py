"""What an Alertmanager says of itself: its configuration, its receivers, whether it is ready, and what it does not answer."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse

from api.alertmanager.answers import HEADERS, Service, answer, schema_refusal
from api.alertmanager.receivers import Receivers, policies_of
from api.alertmanager.standing import time_text
from api.backend import NEEDED, UNHEALTHY
from engine.importing import ImportRefusedError
from engine.store import nodes
from engine.telemetry import version
from rules.formats import alertmanager_text

router = APIRouter()

SPOKEN: Final = "0.34.0"
"""The version whose answers these are."""
_GONE: Final = "The v1 API is gone, as in Alertmanager since 0.27: use /api/v2 in its place"
_METHODS: Final = {
    "alerts": ("GET", "POST"),
    "alerts/groups": ("GET",),
    "silences": ("GET", "POST"),
    "receivers": ("GET",),
    "status": ("GET",),
}
_ANY: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")


@router.get("/api/v2/status")
def read_status(service: Service) -> Response:
    """The configuration in force, secrets left out; how many processes share the work; the version whose answers these are."""
    with service.database.read() as connection:
        definitions = service.feed.refresh(connection)
        now = service.database.now(connection)
        alive = [node for node in nodes.every(connection) if node.is_alive(now)]
    shared = not service.database.is_sqlite
    return answer(
        {
            "cluster": {
                **({"name": service.settings.node} if shared else {}),
                "peers": [{"name": node.id, "address": node.address} for node in alive] if shared else [],
                "status": "ready" if shared else "disabled",
            },
            "config": {"original": alertmanager_text.written(definitions, policies_of(definitions))},
            "uptime": time_text(service.started_at),
            "versionInfo": {
                **dict.fromkeys(("buildDate", "buildUser", "goVersion"), ""),
                "branch": "tocsin",
                "revision": version(),
                "version": SPOKEN,
            },
        }
    )


@router.get("/api/v2/receivers")
def list_receivers(service: Service) -> Response:
    """Every receiver, by name."""
    with service.database.read() as connection:
        receivers = Receivers.under(service.feed.refresh(connection))
    return answer([{"name": name} for name in receivers.every()])


@router.api_route("/-/healthy", methods=["GET", "HEAD"])
def is_healthy() -> Response:
    """This process answers."""
    return _text("OK")


@router.api_route("/-/ready", methods=["GET", "HEAD"])
def is_ready(service: Service) -> Response:
    """Whether this process can be of use; 503 with what it waits for."""
    waiting = [part.name for part in service.health() if part.name in NEEDED and part.status == UNHEALTHY]
    waiting += ["loops"] if service.failed.is_set() else []
    return _text(f"not ready: waiting for {', '.join(waiting)}", 503) if waiting else _text("OK")


@router.post("/-/reload")
def reload(service: Service) -> Response:
    """Read the rule files again, as `POST /-/reload` does."""
    try:
        service.reload(force=False)
    except ImportRefusedError as error:
        return _text(f"failed to reload config: {error.message}", 500)
    return _text("")


@router.api_route("/api/v1/{rest:path}", methods=list(_ANY))
def refuse_v1() -> Response:
    """Nobody should speak it any more."""
    return _text(_GONE, 410)


@router.api_route("/api/v2/{rest:path}", methods=list(_ANY))
def refuse_unknown(request: Request, rest: str) -> Response:
    """There is no such path, or not for this method."""
    allowed = ("GET", "DELETE") if rest.startswith("silence/") and rest.count("/") == 1 else _METHODS.get(rest, ())
    if not allowed:
        return schema_refusal(f"path /api/v2/{rest} was not found", code=404, status=404)
    said = schema_refusal(
        f"method {request.method} is not allowed, but [{','.join(allowed)}] are", code=405, status=405
    )
    said.headers["Allow"] = ",".join(allowed)
    return said


def _text(text: str, status: int = 200) -> Response:
    return PlainTextResponse(text, status, HEADERS)
