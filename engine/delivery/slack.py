"""Slack: incoming webhooks, which answer `ok`, and bots, whose chat.postMessage answers 200 whatever it thinks."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

from apprise.plugins.slack import NotifySlack

from engine.core.outcome import Delivered, Failed, FailureReason, Outcome
from engine.delivery.addresses import SlackBot, SlackWebhook
from engine.delivery.apprise import Attempt, asset
from engine.delivery.evidence import from_status
from engine.delivery.wire import Answer, Wire, post

_JSON: Final = {"Content-Type": "application/json; charset=utf-8", "Accept": "application/json"}
_PLACEHOLDERS: Final = {"token_a": "T0", "token_b": "B0", "token_c": "PLACEHOLDER"}
_PASSING: Final = frozenset(
    (
        "internal_error",
        "fatal_error",
        "service_unavailable",
        "request_timeout",
        "message_limit_exceeded",
        "rollup_error",
    )
)
_RATE_LIMITED: Final = frozenset(("ratelimited", "rate_limited"))
_AUTH: Final = frozenset(
    (
        "invalid_auth",
        "not_authed",
        "token_revoked",
        "token_expired",
        "account_inactive",
        "missing_scope",
        "access_denied",
    )
)


class Slack(Attempt, NotifySlack):  # type: ignore[misc, no-untyped-call]  # Both define send; ours comes first, as meant.
    """Apprise's Slack service posting a kept payload."""

    def __init__(self, attempt: Callable[[], Outcome]) -> None:
        super().__init__(**_PLACEHOLDERS, asset=asset())  # type: ignore[no-untyped-call]
        self.post = attempt


def send(address: SlackWebhook | SlackBot, body: bytes, wire: Wire) -> Outcome:
    """Post the payload, with the channel in it when the address names one."""
    payload = json.loads(body) | ({"channel": address.channel} if address.channel else {})
    data = json.dumps(payload, ensure_ascii=False).encode()
    if isinstance(address, SlackWebhook):
        return webhook_outcome(post(wire, address.url, data, _JSON))
    headers = {**_JSON, "Authorization": f"Bearer {address.token}"}
    return bot_outcome(post(wire, f"{address.api_url}/chat.postMessage", data, headers))


def webhook_outcome(answer: Answer) -> Outcome:
    """A webhook's success is the text `ok`; JSON is read as a bot's answer, and anything else is not Slack speaking."""
    said = answer.body.strip()
    if answer.status != 200 or said == "ok":
        return from_status(answer, said)
    return bot_outcome(answer)


def bot_outcome(answer: Answer) -> Outcome:
    """The Web API's success is `"ok": true`, and the message's `ts` its name (docs.slack.dev: chat.postMessage)."""
    found = _object(answer.body)
    if answer.status == 200 and found.get("ok") is True:
        ts = found.get("ts")
        return Delivered(detail="ok", reference=ts if isinstance(ts, str) else None)
    error = found.get("error")
    if answer.status != 200:
        return from_status(answer, str(error or answer.body))
    if isinstance(error, str):
        return _failure(error, answer)
    return Failed(reason=FailureReason.OTHER, retryable=True, detail="HTTP 200, but the answer is not Slack's")


def _failure(error: str, answer: Answer) -> Failed:
    if error in _RATE_LIMITED:
        reason = FailureReason.RATE_LIMITED
    elif error in _PASSING:
        reason = FailureReason.SERVER_ERROR
    elif error in _AUTH:
        return Failed(reason=FailureReason.AUTH_ERROR, retryable=False, detail=f"Slack: {error}")
    else:
        return Failed(reason=FailureReason.REFUSED, retryable=False, detail=f"Slack: {error}")
    return Failed(reason=reason, retryable=True, detail=f"Slack: {error}", retry_after=answer.retry_after)


def _object(body: str) -> dict[str, Any]:
    """The body's JSON object; empty when it is anything else."""
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
