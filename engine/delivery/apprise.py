"""The door to Apprise: one service instance per notification, run inline in the caller's thread.

Instances only, never URLs: an URL could name any of Apprise's 250 schemes, and its errors would repeat it. The
instances are given placeholders for tokens, so that Apprise has no secret to log; ours add the real ones as they post.
Apprise's throttle (a sleep), timeouts (a shared pool of six threads), retries and storage are off: pacing and retries
are the outbox's.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from typing import Any, Final

import structlog
from apprise import Apprise, AppriseAsset
from apprise.plugins.base import NotifyBase

from engine.core.outcome import Delivered, Failed, FailureReason, Outcome

_log: Final = structlog.get_logger("tocsin.delivery")


def asset() -> AppriseAsset:
    """How Apprise behaves for us: no deadline of its own (which would mean its shared pool), no redirects, our name."""
    return AppriseAsset(service_timeout=0, http_redirects=False, app_id="Tocsin", async_mode=False)


class Attempt:
    """Mixed into an Apprise service: posts what it was given, once, and keeps the outcome Apprise makes a bool."""

    request_rate_per_sec = 0.0
    outcome: Outcome | None = None
    post: Callable[[], Outcome]

    def send(self, body: str, title: str = "", notify_type: Any = None, **_: Any) -> bool:  # noqa: ARG002
        """What Apprise calls; its body is a stand-in, for the payload was rendered and kept long before."""
        self.outcome = guarded(self.post)
        return isinstance(self.outcome, Delivered)


def through(service: NotifyBase) -> Outcome:
    """The outcome of one notification through Apprise; `service` must be an `Attempt`."""
    assert isinstance(service, Attempt)
    mute()
    Apprise(service, asset=service.asset).notify(body="notification", title="", notify_type="info")
    unsent = Failed(reason=FailureReason.OTHER, retryable=True, detail="Apprise did not run the service")
    return service.outcome or unsent


def guarded(call: Callable[[], Outcome]) -> Outcome:
    """The call's outcome; an unforeseen error is a failure that names its class only, since its text may hold a secret.

    The one place in delivery that catches everything: one bad message must not end the sender. Where it happened is
    logged, as lines of code without values.
    """
    try:
        return call()
    except Exception as error:
        name = type(error).__name__
        _log.error("delivery_failed_unexpectedly", error=name, where=traceback.format_tb(error.__traceback__))
        return Failed(reason=FailureReason.OTHER, retryable=True, detail=f"unexpected {name} while sending")


def mute() -> None:
    """Apprise's logger prints URLs and payloads, so nothing of it goes anywhere; said anew each time, as any logging
    configuration loaded later could switch it on."""
    logger = logging.getLogger("apprise")
    logger.disabled = True
    logger.propagate = False
