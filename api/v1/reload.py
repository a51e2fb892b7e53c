"""`POST /-/reload`, Prometheus' word for it: read the files of `TOCSIN_RULE_FILES` and `TOCSIN_ALERTMANAGER_FILE` again, now."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import ConfigDict

from api.problems import ApiProblem, FieldError
from api.schemas.fields import Output
from api.v1.calls import Service
from engine import reloading
from engine.importing import ImportRefusedError

router = APIRouter(prefix="/-", tags=["rule files"])


class Reloaded(Output):
    """What reading the files again made different: how many rules and other definitions, and what was warned of."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"added": 2, "changed": 1, "removed": 0, "unchanged": 97, "warnings": []}],
        }
    )
    added: int
    changed: int
    removed: int
    unchanged: int
    warnings: list[str]

    @staticmethod
    def of(done: reloading.Reloaded) -> Reloaded:
        return Reloaded(
            added=done.added,
            changed=done.changed,
            removed=done.removed,
            unchanged=done.unchanged,
            warnings=list(done.warnings),
        )


@router.post("/reload", responses={500: {"description": "The files were not loaded; what stands stays in force."}})
def reload(
    service: Service,
    *,
    force: Annotated[bool, Query(description="Even if that removes firing rules, or a tenth of all rules.")] = False,
) -> Reloaded:
    """Read rule files and Alertmanager's file again. A mistake in one of them changes nothing, and all mistakes are told."""
    try:
        done = service.reload(force=force)
    except ImportRefusedError as error:
        errors = [FieldError(field=flaw.problem.field, message=str(flaw)) for flaw in error.flaws]
        fix = "POST /-/reload?force=true if that is meant"
        errors += [FieldError(field="", message=str(reason), fix=fix) for reason in error.reasons]
        raise ApiProblem(status=500, name="not-reloaded", detail=error.message, errors=tuple(errors)) from error
    return Reloaded.of(done)
