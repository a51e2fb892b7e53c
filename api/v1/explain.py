"""Why somebody was told of an alert, or was not, by REST."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query

from api.backend import Backend
from api.problems import not_found
from api.schemas.explain import ExplanationOut
from api.schemas.fields import Instant
from api.schemas.routes import LabelsIn
from api.v1.calls import Service
from engine.explain import Explainer
from engine.store.door import Connection
from rules.labels import Labels

router = APIRouter(prefix="/api/v1", tags=["explain"])


@router.get("/alerts/{fingerprint}/explain")
def explain_alert(
    fingerprint: str,
    service: Service,
    at: Annotated[Instant | None, Query(description="As of then, RFC 3339; default: now.")] = None,
) -> ExplanationOut:
    """The story of one alert up to now or to `at`: its rule, routes, groups, mutes, decisions, deliveries, and what is next."""
    with service.database.read() as connection:
        now = service.database.now(connection)
        found = _explainer(service, connection).named(fingerprint, _not_after(at, now), now)
    if found is None:
        raise not_found(
            "alert", fingerprint, instead="what was never seen is explained by its labels, with POST /api/v1/explain"
        )
    return ExplanationOut.of(found)


@router.post("/explain")
def explain_labels(body: LabelsIn, service: Service) -> ExplanationOut:
    """The story of the alert with exactly these labels; where nobody has seen one, what would become of it."""
    with service.database.read() as connection:
        now = service.database.now(connection)
        return ExplanationOut.of(_explainer(service, connection).labelled(Labels(body.labels), now))


def _explainer(service: Backend, connection: Connection) -> Explainer:
    return Explainer(
        connection=connection,
        definitions=service.feed.refresh(connection),
        mutes=partial(service.mutes, connection),
        timings=partial(service.timings, connection),
        external=service.settings.external_labels,
    )


def _not_after(at: datetime | None, now: datetime) -> datetime:
    return now if at is None else min(at, now)
