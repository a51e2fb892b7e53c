"""Alertmanager's own API, so that Prometheus, vmalert, Grafana and amtool speak to Tocsin as to an Alertmanager.

Answers and errors have Alertmanager's shape; docs/alertmanager-api.md says where they differ.
"""

from __future__ import annotations

from fastapi import APIRouter, FastAPI, Request, Response

from api.alertmanager import alerts, groups, posts, silences, status
from api.alertmanager.answers import refusal
from api.alertmanager.asked import BadQueryError, Turns

__all__ = ["install", "router"]

# Described by Alertmanager, so it has no place in the document of our own operations.
router = APIRouter(prefix="/alertmanager", tags=["alertmanager"], include_in_schema=False)
for _part in (posts, alerts, groups, silences, status):
    router.include_router(_part.router)


def install(app: FastAPI) -> None:
    """What the operations here need of the application: turns for listings, and an answer to a parameter that makes no sense."""
    app.state.listings = Turns()
    app.add_exception_handler(BadQueryError, _bad_query)


def _bad_query(_request: Request, error: Exception) -> Response:
    return refusal(str(error))
