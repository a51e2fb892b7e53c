"""What an attempt's answer or error means: Delivered, or Failed with a reason, a verdict on retrying and a safe text.

Services' texts may repeat what they were sent, addresses included, so every detail passes `redacted` before it leaves.
"""

from __future__ import annotations

import os
import socket
import ssl
from dataclasses import replace
from http.client import HTTPException
from typing import Final

from engine.core.messages_text import one_line
from engine.core.outcome import Delivered, Failed, FailureReason, Outcome
from engine.delivery.wire import Answer, TrustError, Wire
from engine.destinations import RefusedDestination

DETAIL_LIMIT: Final = 300
"""Characters of a detail."""


def refused(status: int) -> tuple[FailureReason, bool]:
    """The reason and whether to retry, for an HTTP status that is no success (A:notify/util.go GetFailureReason…).

    Retried are 408, 425, 429 and 5xx: they speak of the moment. The rest speaks of the request and would be said again.
    """
    match status:
        case 401 | 403 | 407:
            return FailureReason.AUTH_ERROR, False
        case 408 | 425:
            return FailureReason.CLIENT_ERROR, True
        case 429:
            return FailureReason.RATE_LIMITED, True
        case _ if status >= 500:
            return FailureReason.SERVER_ERROR, True
        case _:
            return FailureReason.CLIENT_ERROR, False


def from_status(answer: Answer, said: str) -> Outcome:
    """The outcome an HTTP status stands for; `said` is the service's own explanation."""
    if 200 <= answer.status < 300:
        return Delivered(detail=f"HTTP {answer.status}")
    if 300 <= answer.status < 400:
        detail = f"HTTP {answer.status}: redirects are not followed; give the channel the final address"
        return Failed(reason=FailureReason.CLIENT_ERROR, retryable=False, detail=detail)
    reason, retryable = refused(answer.status)
    detail = f"HTTP {answer.status}: {said}" if said.strip() else f"HTTP {answer.status}"
    return Failed(
        reason=reason, retryable=retryable, detail=detail, retry_after=answer.retry_after if retryable else None
    )


def from_error(error: OSError | HTTPException, wire: Wire) -> Failed:
    """The failure a broken conversation stands for; all of them may pass, so all are retried, but a forbidden address."""
    if isinstance(error, RefusedDestination):
        return Failed(reason=FailureReason.FORBIDDEN, retryable=False, detail=str(error))
    if wire.expired or isinstance(error, TimeoutError):
        return _unanswered(FailureReason.DEADLINE_EXCEEDED, "no complete answer before the deadline")
    return _unanswered(FailureReason.UNREACHABLE, _why(error))


def _unanswered(reason: FailureReason, detail: str) -> Failed:
    return Failed(reason=reason, retryable=True, detail=detail)


def _why(error: OSError | HTTPException) -> str:
    """The error in words that hold nothing of what was sent."""
    match error:
        case TrustError():
            return f"settings.ca_file cannot be used: {error}"
        case ssl.SSLCertVerificationError():
            return f"TLS: the certificate is not trusted: {error.verify_message}"
        case ssl.SSLError():
            return f"TLS: {error.reason or type(error).__name__}"
        case socket.gaierror():
            return "the host name was not found"
        case OSError() if error.errno:
            return os.strerror(error.errno).lower()
        case _:
            return f"the connection broke ({type(error).__name__})"


def redacted(outcome: Outcome, secrets: tuple[str, ...]) -> Outcome:
    """The outcome with its detail on one line, capped, and every secret in it blotted out.

    A forbidden address is named: those are our own words, with the host and nothing else of what the channel holds.
    """
    detail = outcome.detail
    forbidden = isinstance(outcome, Failed) and outcome.reason is FailureReason.FORBIDDEN
    for secret in () if forbidden else secrets:
        detail = detail.replace(secret, "***")
    return replace(outcome, detail=one_line(detail, DETAIL_LIMIT))
