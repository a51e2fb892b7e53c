"""What came of one attempt to deliver: expected outcomes are values, not exceptions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum


class FailureReason(StrEnum):
    """Why an attempt failed. The first seven are Alertmanager's words (notify/notify.go), the rest are ours."""

    OTHER = "other"
    CLIENT_ERROR = "client_error"
    SERVER_ERROR = "server_error"
    DEADLINE_EXCEEDED = "deadline_exceeded"
    AUTH_ERROR = "auth_error"
    RATE_LIMITED = "rate_limited"
    TEMPLATE_ERROR = "template_error"
    UNREACHABLE = "unreachable"
    REFUSED = "refused"
    """The service understood and said no (Slack `ok: false`, an SMTP recipient rejected)."""
    UNCONFIGURED = "unconfigured"
    FORBIDDEN = "forbidden"
    """The address is one Tocsin never connects to, such as a cloud's metadata service."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """The service took the message. `reference` is the service's own id for it, when it gives one (Slack `ts`)."""

    detail: str = ""
    reference: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """The service did not take the message. `detail` is safe to show: it never holds an address or a secret.

    `retry_after` is the service's own wish (429 with Retry-After), `None` when it gave none.
    """

    reason: FailureReason
    retryable: bool
    detail: str
    retry_after: timedelta | None = None


Outcome = Delivered | Failed
