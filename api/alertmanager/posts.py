"""POST /api/v2/alerts: what Prometheus, vmalert, Grafana and `amtool alert add` send."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request, Response

from api.alertmanager.answers import Service, body_of, check_json, nothing, refusal, schema_refusal
from api.alertmanager.wire import NotAlertsError, read
from engine.core.posting import Fault, PostError

router = APIRouter()

NAMED: Final = 20
"""How many of the alerts that were refused are named; the others are counted."""


@router.post("/api/v2/alerts")
def post_alerts(service: Service, request: Request, body: Annotated[bytes, Depends(body_of)]) -> Response:
    """Take in alerts. Those that are none are named, and stop no other."""
    wrong = check_json(request.headers.get("content-type", ""))
    if wrong is not None:
        return schema_refusal(wrong, code=415, status=415)
    if not body:
        return schema_refusal("alerts in body is required", code=602)
    try:
        wires, unread = read(body)
    except NotAlertsError as error:
        return schema_refusal(str(error), code=400, status=400)
    refused = {**service.posting.take(wires), **unread}
    return _told(refused, len(wires)) if refused else nothing()


def _told(refused: Mapping[int, PostError], posted: int) -> Response:
    places = sorted(refused)
    texts = [f"alert {place}: {refused[place]}" for place in places[:NAMED]]
    more = f"; and {len(places) - NAMED} more" if len(places) > NAMED else ""
    message = f"{'; '.join(texts)}{more} (the other {posted - len(places)} of {posted} alerts were taken)"
    faults = {error.fault for error in refused.values()}
    if Fault.ALERT in faults:
        return refusal(message)
    if Fault.SHAPE in faults:
        return schema_refusal(message, code=400, status=400)
    return schema_refusal(message, code=602 if Fault.MISSING in faults else 601)
