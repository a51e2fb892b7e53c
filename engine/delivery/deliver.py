"""One attempt to deliver one kept payload to one recipient: the sender's only door to the world outside."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from http.client import HTTPException
from typing import assert_never

from apprise.plugins.base import NotifyBase

from engine.core.outcome import Outcome
from engine.delivery import anywhere, email, log, pagerduty, slack, webhook
from engine.delivery.addresses import (
    Address,
    AppriseUrl,
    LogAddress,
    PagerDutyKey,
    SlackBot,
    SlackWebhook,
    SmtpServer,
    WebhookUrl,
    secrets,
)
from engine.delivery.apprise import guarded, through
from engine.delivery.evidence import from_error, redacted
from engine.delivery.lines import Lines
from engine.delivery.wire import Wire
from engine.resolver import Resolver

Service = SlackWebhook | SlackBot | PagerDutyKey | SmtpServer | WebhookUrl
"""The addresses outside this process."""


def deliver(
    address: Address,
    body: bytes,
    recipient: str,
    deadline: timedelta,
    resolver: Resolver | None = None,
    *,
    lines: Lines | None = None,
) -> Outcome:
    """What came of sending `body`, as `render` made it, to the address; takes about `deadline` at most, never raises.

    `recipient` is one of `recipients(address)`. Blocks the calling thread and uses no other pool, so a slow service
    delays its own caller only. `resolver` says which addresses are refused, `lines` keep connections open for the
    next one. The outcome's detail holds no secret, and no address but a refused one.
    """
    hidden = (*secrets(address), *([recipient] if recipient else []))
    if isinstance(address, LogAddress):
        return redacted(guarded(lambda: log.send(address, body)), hidden)
    if isinstance(address, AppriseUrl):
        return redacted(guarded(lambda: anywhere.send(address, body, deadline, resolver)), hidden)
    attempt = _attempt(address, body, recipient, lambda: Wire(deadline, address.ca_file, resolver, lines))
    return redacted(guarded(lambda: through(service(address, attempt))), hidden)


def service(address: Service, attempt: Callable[[], Outcome]) -> NotifyBase:
    """The Apprise service for the address, about to make this attempt."""
    match address:
        case SlackWebhook() | SlackBot():
            return slack.Slack(attempt)
        case PagerDutyKey():
            return pagerduty.PagerDuty(attempt)
        case SmtpServer():
            return email.Email(attempt)
        case WebhookUrl():
            return webhook.Webhook(attempt)
        case _:
            assert_never(address)


def _attempt(address: Service, body: bytes, recipient: str, dial: Callable[[], Wire]) -> Callable[[], Outcome]:
    def attempt() -> Outcome:
        with dial() as wire:
            try:
                return _sent(address, body, recipient, wire)
            except (OSError, HTTPException) as error:
                return from_error(error, wire)

    return attempt


def _sent(address: Service, body: bytes, recipient: str, wire: Wire) -> Outcome:
    match address:
        case SlackWebhook() | SlackBot():
            return slack.send(address, body, wire)
        case PagerDutyKey():
            return pagerduty.send(address, body, wire)
        case SmtpServer():
            return email.send(address, body, recipient, wire)
        case WebhookUrl():
            return webhook.send(address, body, wire)
        case _:
            assert_never(address)
