"""A webhook's receiver that keeps what it took, and can be as unhelpful as receivers are."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import TracebackType
from typing import Any, Final, Self

from tests.servers import Request, Response, ScriptedServer

TOO_LONG: Final = 4.0
"""Seconds: longer than an attempt to deliver may take."""


class Mood(StrEnum):
    """How it answers: only what it takes in counts as told."""

    WELL = "well"
    ERRORS = "answers 500"
    BUSY = "answers 429"
    SILENT = "does not answer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One message that was answered with success."""

    rule: str
    status: str
    group_key: str
    body: bytes


class Receiver:
    """Listens on 127.0.0.1 for the length of a `with` block."""

    def __init__(self) -> None:
        self.mood = Mood.WELL
        self._told: list[Told] = []
        self._guard = threading.Lock()
        self._server = ScriptedServer(self._answer)

    @property
    def url(self) -> str:
        return f"{self._server.url}/hook"

    @property
    def told(self) -> list[Told]:
        """What it took, in order."""
        with self._guard:
            return list(self._told)

    def __enter__(self) -> Self:
        self._server.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.__exit__(kind, error, trace)

    def _answer(self, request: Request) -> Response:
        match self.mood:
            case Mood.ERRORS:
                return Response(status=500)
            case Mood.BUSY:
                return Response(status=429, headers={"Retry-After": "1"})
            case Mood.SILENT:
                self._server.stopping.wait(TOO_LONG)
                return Response(status=500)
            case Mood.WELL:
                with self._guard:
                    self._told.append(_told(request.json, request.body))
                return Response()


def _told(message: Mapping[str, Any], body: bytes) -> Told:
    return Told(
        rule=str(message["commonLabels"].get("alertname", "")),
        status=str(message["status"]),
        group_key=str(message["groupKey"]),
        body=body,
    )
