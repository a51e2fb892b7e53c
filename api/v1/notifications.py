"""Notifications by REST: what was told to whom and why, and what came of it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from api.schemas.fields import Page
from api.schemas.notifications import NotificationOut
from api.v1.calls import Limit, Service, page
from engine.store import notifications as store
from engine.store.notifications import Wanted
from engine.store.outbox import Status

router = APIRouter(prefix="/api/v1/notifications", tags=["notifications"])


@router.get("")
def list_notifications(
    service: Service,
    *,
    fingerprint: Annotated[str | None, Query(description="Those that tell of this alert.")] = None,
    channel: str | None = None,
    outcome: Status | None = None,
    limit: Limit = 100,
    cursor: Annotated[int | None, Query(ge=1, le=2**63 - 1)] = None,
) -> Page[NotificationOut]:
    """Every message, newest first, each with its attempts."""
    wanted = Wanted(fingerprint=fingerprint, channel=channel, status=outcome)
    with service.database.read() as connection:
        found = store.page(connection, wanted, before=cursor, limit=limit + 1)
    return page([NotificationOut.of(one) for one in found], limit, [str(one.id) for one in found])
