"""How few queries answer the rules, by REST."""

from __future__ import annotations

from fastapi import APIRouter

from api.schemas.plan import PlanOut
from api.v1.calls import Service

router = APIRouter(prefix="/api/v1/plan", tags=["plan"])


@router.get("")
def read_plan(service: Service) -> PlanOut:
    """Which rules share which query, and why the others do not; nothing is asked of a datasource for it."""
    with service.database.read() as connection:
        return PlanOut.of(service.plans(connection))
