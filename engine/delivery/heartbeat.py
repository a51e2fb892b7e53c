"""The sign of life to a service outside (a dead man's switch), which tells somebody when it stops coming."""

from __future__ import annotations

from datetime import timedelta
from http.client import HTTPException

from engine.core.outcome import Outcome
from engine.delivery.evidence import from_error, from_status, redacted
from engine.delivery.webhook import basic
from engine.delivery.wire import Wire, get
from engine.resolver import Resolver


def ping(url: str, deadline: timedelta, resolver: Resolver | None = None) -> Outcome:
    """Ask for the URL once; any 2xx is well. Takes about `deadline` at most and never raises; no outcome repeats the URL."""
    authorization = basic(url)
    headers = {"Authorization": authorization} if authorization else {}
    with Wire(deadline, resolver=resolver) as wire:
        try:
            answer = get(wire, url, headers)
            return redacted(from_status(answer, answer.body), (url,))
        except (OSError, HTTPException) as error:
            return redacted(from_error(error, wire), (url,))
