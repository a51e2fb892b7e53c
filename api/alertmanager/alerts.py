"""GET /api/v2/alerts: what fires, by fingerprint."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Query, Request, Response

from api.alertmanager.answers import Service, written
from api.alertmanager.asked import Asked, Turn, asked
from api.alertmanager.standing import Shown, View, view
from engine.store import firing

router = APIRouter(dependencies=[Turn])

_AT_LEAST: Final = 200
"""Alerts fetched at once while looking for a page of those asked for."""


@router.get("/api/v2/alerts")
def list_alerts(
    service: Service,
    request: Request,
    *,
    limit: Annotated[int | None, Query(ge=1, le=100_000)] = None,
    after: str = "",
) -> Response:
    """What fires. Of Tocsin's own: at most `limit` alerts, those `after` a fingerprint."""
    wanted = asked(request)
    with service.database.read() as connection:
        seen = view(service, connection)
        found = _page(seen, wanted, after, limit)
        return written(f"[{','.join([seen.write(one) for one in found])}]")


def _page(seen: View, wanted: Asked, after: str, limit: int | None) -> list[Shown]:
    """The first `limit` alerts asked for, of those after a fingerprint; all of them without a limit."""
    if limit is None:
        return seen.shown(firing.rows(seen.connection, after=after), wanted)
    found: list[Shown] = []
    size = max(limit, _AT_LEAST)
    while len(found) < limit:
        rows = list(firing.rows(seen.connection, after=after, limit=size))
        found += seen.shown(rows, wanted)
        if len(rows) < size:
            break
        after = rows[-1].fingerprint
    return found[:limit]
