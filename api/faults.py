"""The one place where what was raised becomes an answer: bad input is 422, a database that is away 503, a bug of ours 500."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Final

import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from api.problems import NOT_SHOWN, ApiProblem, FieldError, refused, response
from api.schemas.fields import Input, InputError, field_names
from engine.store import door
from rules.errors import RulesError

_PLACES: Final = frozenset({"body", "query", "path", "header"})
_SECRET: Final = frozenset({"url", "urls", "settings", "auth"})
"""Fields whose values no answer repeats."""

_ELSEWHERE: Final = {
    "/api/v2": "Alertmanager's API is found under /alertmanager/api/v2",
    "/api/v1/query": "Prometheus' API is found under /prometheus/api/v1",
}


def install(app: FastAPI) -> None:
    """Give every error its answer."""
    answers: dict[type[Exception], Callable[[Request, Exception], Response]] = {
        **dict.fromkeys(door.OUT_OF_REACH, _database_away),
        door.CONFLICTS: _row_refused,
        door.UNSTORABLE: _value_refused,
        ApiProblem: _problem,
        RulesError: _bad_definition,
        RequestValidationError: _invalid_request,
        InputError: _invalid_input,
        HTTPException: _http,
        Exception: _bug,
    }
    for kind, answer in answers.items():
        app.add_exception_handler(kind, answer)


def _problem(_request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiProblem)
    return response(error)


def _bad_definition(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RulesError)
    return response(refused([FieldError(field=error.field or "", message=error.message)]))


def _invalid_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    errors = error.errors()
    if any(isinstance(each["input"], bytes) for each in errors):
        detail = "the body is not announced as JSON: send the header Content-Type: application/json"
        return response(ApiProblem(status=415, name="not-json", detail=detail))
    names = [name for model in _models(request) for name in field_names(model)]
    return response(refused(_field_errors(errors, names)))


def _invalid_input(_request: Request, error: Exception) -> Response:
    assert isinstance(error, InputError)
    return response(refused(_field_errors(error.cause.errors(), list(field_names(error.model)))))


def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    detail = error.detail
    if error.status_code == 404:
        hints = [hint for path, hint in _ELSEWHERE.items() if request.scope["path"].startswith(path)]
        detail = "; ".join(["nothing is found at this path", *hints])
    name = {404: "not-found", 405: "method-not-allowed", 413: "too-large"}.get(error.status_code, "bad-request")
    return response(ApiProblem(status=error.status_code, name=name, detail=detail, headers=error.headers or {}))


def _database_away(_request: Request, error: Exception) -> Response:
    # The driver's text may hold the address with its password, so the answer and the log name the class only.
    structlog.get_logger("tocsin").warning("database out of reach", error=type(error).__name__)
    detail = "the database is out of reach; nothing was changed, try again"
    return response(ApiProblem(status=503, name="database-away", detail=detail, headers={"Retry-After": "5"}))


def _row_refused(_request: Request, error: Exception) -> Response:
    structlog.get_logger("tocsin").warning("database refused a row", error=type(error).__name__)
    detail = "the database refused this: a constraint is broken, another definition refers to it, or it was changed meanwhile"
    return response(ApiProblem(status=409, name="refused-by-database", detail=detail))


def _value_refused(_request: Request, _error: Exception) -> Response:
    detail = "a value holds what no database stores as text, such as a NUL; leave it out"
    return response(ApiProblem(status=422, name="invalid", detail=detail))


def _bug(_request: Request, _error: Exception) -> Response:
    # The server logs the traceback: Starlette raises the error again after this answer.
    detail = "Tocsin failed at this request, which is a bug; the log has the traceback"
    return response(ApiProblem(status=500, name="internal", detail=detail))


def _models(request: Request) -> list[type[Input]]:
    """The models the request's body is read by."""
    endpoint = getattr(request.scope.get("route"), "endpoint", None)
    kinds = inspect.get_annotations(endpoint, eval_str=True).values() if endpoint else ()
    return [
        kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel) and issubclass(kind, Input)
    ]


def _field_errors(errors: Iterable[Mapping[str, Any]], names: Sequence[str]) -> list[FieldError]:
    return [_field_error(error, names) for error in errors]


def _field_error(error: Mapping[str, Any], names: Sequence[str]) -> FieldError:
    """One of pydantic's errors in our words. The value is left out where it might be a secret or is not one value."""
    parts = [str(part) for part in error["loc"]]
    if parts and parts[0] in _PLACES:
        del parts[0]
    if error["type"] == "json_invalid":
        return FieldError(field="", message=f"not JSON at character {parts[0]}: {error['ctx']['error']}")
    if error["type"] == "extra_forbidden":
        close = get_close_matches(parts[-1], names, n=1)
        fix = f"did you mean {close[0]!r}?" if close else None
        return FieldError(field=".".join(parts), message="unknown field", fix=fix)
    message = str(error["ctx"]["error"] if error["type"] == "value_error" else error["msg"])
    return FieldError(field=".".join(parts), message=message, value=_repeated(error, parts))


def _repeated(error: Mapping[str, Any], parts: Sequence[str]) -> object:
    secret = not _SECRET.isdisjoint(parts)
    no_value = error["type"] == "missing" or isinstance(error["input"], dict | list)
    return NOT_SHOWN if secret or no_value else error["input"]
