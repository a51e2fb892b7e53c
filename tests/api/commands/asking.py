"""`tocsin` run in this process against a server whose answers are written down, in the shape the API gives them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from typer.testing import CliRunner

from api.cli import app
from tests.servers import Request, Response, ScriptedServer

NOWHERE = "http://127.0.0.1:1"
PROBLEM = {"Content-Type": "application/problem+json"}
DELETED = Response(status=204)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """How a command ended."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def tocsin(*arguments: str, url: str = NOWHERE, stdin: str | None = None, **environment: str) -> Told:
    """The command with these arguments, asking the server at `url`."""
    variables = {
        "TOCSIN_URL": url,
        "TOCSIN_API_KEY": "",
        "HTTP_PROXY": "",
        "http_proxy": "",
        "NO_COLOR": "",
        **environment,
    }
    result = CliRunner(env=variables).invoke(app, arguments, input=stdin, prog_name="tocsin")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Told(status=result.exit_code, out=result.stdout, err=result.stderr)


def answer(body: object, status: int = 200) -> Response:
    """JSON."""
    return Response(status=status, body=json.dumps(body).encode(), headers={"Content-Type": "application/json"})


def problem(status: int, detail: str, *errors: Mapping[str, object], **more: object) -> Response:
    """A refusal, in the form of RFC 9457."""
    document = {
        "type": "urn:tocsin:problem:x",
        "title": "X",
        "status": status,
        "detail": detail,
        "errors": list(errors),
    }
    return Response(status=status, body=json.dumps({**document, **more}).encode(), headers=PROBLEM)


def page(*items: object, next_cursor: str | None = None) -> Response:
    """One page of a list."""
    return answer({"items": items, "next_cursor": next_cursor})


Answers = Mapping[str, Response | Iterable[Response]]


@contextmanager
def serving(answers: Answers) -> Iterator[ScriptedServer]:
    """A server that answers `GET /rules` and the like, below /api/v1 and whatever the query, and everything else with 404.

    Several answers to one request are given one after the other.
    """
    with ScriptedServer(_handler(answers)) as server:
        yield server


def _handler(answers: Answers) -> Callable[[Request], Response]:
    left = {asked: iter([one] if isinstance(one, Response) else one) for asked, one in answers.items()}
    last = {asked: one for asked, one in answers.items() if isinstance(one, Response)}

    def handle(request: Request) -> Response:
        asked = f"{request.method} {request.path.partition('?')[0].removeprefix('/api/v1')}"
        if asked in last:
            return last[asked]
        missing = problem(404, f"there is no {asked!r}")
        return next(left[asked], missing) if asked in left else missing

    return handle


def asked(server: ScriptedServer) -> list[str]:
    """What the server was asked, as `METHOD /path?query` below /api/v1."""
    return [f"{request.method} {request.path.removeprefix('/api/v1')}" for request in server.requests]
