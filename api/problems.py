"""What goes wrong, told as RFC 9457 problem details: every mistake at once, each with field, value and, where known, the fix."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final

from starlette.responses import Response

MEDIA_TYPE: Final = "application/problem+json"
LONGEST_VALUE: Final = 100
"""Characters of a refused text that are repeated; enough to recognise it by."""

NOT_SHOWN: Final = object()
"""In place of a value that is missing, large or might be a secret."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldError:
    """One mistake: `field` is dotted, as in `matchers.0.value`; `fix` is what to write instead, `None` when unknown."""

    field: str
    message: str
    value: object = NOT_SHOWN
    fix: str | None = None

    def document(self) -> dict[str, object]:
        """The mistake as JSON; a value that is not to be shown is left out."""
        value = {} if self.value is NOT_SHOWN else {"value": shown(self.value)}
        fix = {} if self.fix is None else {"fix": self.fix}
        return {"field": self.field, **value, "message": self.message, **fix}


# Not frozen: Python itself writes the traceback into an exception on its way up.
@dataclass(kw_only=True, eq=False)
class ApiProblem(Exception):  # noqa: N818 - the word of RFC 9457
    """A request that is answered with a problem; `name` ends the type URI, `more` adds members of this type of problem."""

    status: int
    name: str
    detail: str
    errors: tuple[FieldError, ...] = ()
    more: Mapping[str, object] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    def document(self) -> dict[str, object]:
        """The body: the five members of RFC 9457, `errors` always, then those of this type."""
        return {
            "type": f"urn:tocsin:problem:{self.name}",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            "errors": [error.document() for error in self.errors],
            **self.more,
        }


def response(problem: ApiProblem) -> Response:
    """The problem as an HTTP answer. ASCII only, so that a text which is not valid Unicode can be told as well."""
    body = json.dumps(problem.document(), allow_nan=False).encode()
    return Response(body, status_code=problem.status, media_type=MEDIA_TYPE, headers=dict(problem.headers))


def refused(errors: Iterable[FieldError]) -> ApiProblem:
    """The 422 that names everything wrong with what was sent."""
    errors = tuple(errors)
    count = "1 field is" if len(errors) == 1 else f"{len(errors)} fields are"
    return ApiProblem(status=422, name="invalid", detail=f"{count} wrong; nothing was changed", errors=errors)


def not_found(noun: str, key: str, *, instead: str = "") -> ApiProblem:
    """The 404 of a noun that has no such member; `instead` says what to ask for."""
    hint = f"; {instead}" if instead else ""
    return ApiProblem(status=404, name="not-found", detail=f"there is no {noun} {str(shown(key))!r}{hint}")


def conflict(detail: str, *errors: FieldError, name: str = "conflict", **more: object) -> ApiProblem:
    """The 409 of a change that does not fit what stands."""
    return ApiProblem(status=409, name=name, detail=detail, errors=errors, more=more)


def shown(value: object) -> object:
    """The value as an answer may repeat it: JSON has no NaN, long texts are cut, of collections only the kind is told."""
    if isinstance(value, str):
        return value if len(value) <= LONGEST_VALUE else f"{value[:LONGEST_VALUE]}…"
    if isinstance(value, int):
        return value if value.bit_length() <= 64 else f"an integer of {value.bit_length()} bits"
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    return None if value is None else f"a {type(value).__name__}"
