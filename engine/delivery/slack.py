"""Slack: incoming webhooks, which answer `ok`, and bots, whose chat.postMessage answers 200 whatever it thinks.

A bot's first message about a group stays for as long as anything in it fires: later news takes its place (chat.update), and
goes into its thread as well. Where that message is gone, a new one is posted.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final, NamedTuple

from apprise.plugins.slack import NotifySlack

from engine.core.messages_slack import REPLY
from engine.core.outcome import Delivered, Failed, FailureReason, Outcome
from engine.delivery.addresses import SlackBot, SlackWebhook
from engine.delivery.apprise import Attempt, asset
from engine.delivery.evidence import from_status
from engine.delivery.wire import Answer, Wire, post

_JSON: Final = {"Content-Type": "application/json; charset=utf-8", "Accept": "application/json"}
_PLACEHOLDERS: Final = {"token_a": "T0", "token_b": "B0", "token_c": "PLACEHOLDER"}
_ANSWER_LIMIT: Final = 256 * 1024
"""Bytes of an answer of the Web API that are read: it holds the whole message once more, as Slack understood it."""
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


Json = dict[str, Any]


class Slack(Attempt, NotifySlack):  # type: ignore[misc, no-untyped-call]  # Both define send; ours comes first, as meant.
    """Apprise's Slack service posting a kept payload."""

    def __init__(self, attempt: Callable[[], Outcome]) -> None:
        super().__init__(**_PLACEHOLDERS, asset=asset())  # type: ignore[no-untyped-call]
        self.post = attempt


class _Earlier(NamedTuple):
    """A message that was posted: its `ts`, the id of the channel it stands in, and the name it was posted to."""

    ts: str
    channel_id: str
    channel: str

    @classmethod
    def read(cls, reference: str) -> _Earlier | None:
        parts = reference.split(" ", 2)
        return cls(*parts) if len(parts) == 3 else None


def send(address: SlackWebhook | SlackBot, body: bytes, wire: Wire) -> Outcome:
    """Post the payload, with the channel in it when the address names one; a bot's in place of its earlier one."""
    payload: Json = json.loads(body)
    reply: Json | None = payload.pop(REPLY, None)
    if isinstance(address, SlackWebhook):
        to = {"channel": address.channel} if address.channel else {}
        return webhook_outcome(post(wire, address.url, _encoded(payload | to), _JSON))
    earlier = _Earlier.read(address.earlier)
    if reply is None or earlier is None or earlier.channel != address.channel:
        return _posted(address, payload, wire)
    outcome = _replaced(address, earlier, payload, reply, wire)
    if isinstance(outcome, Failed) and outcome.reason is FailureReason.REFUSED:
        # Deleted, archived, too old to be edited: whatever it is, the news must be seen.
        return _posted(address, payload, wire)
    return outcome


def _posted(address: SlackBot, payload: Json, wire: Wire) -> Outcome:
    """A new message; the reference names it for those that follow."""
    outcome, answer = _called(address, "chat.postMessage", payload | {"channel": address.channel}, wire)
    ts, channel_id = answer.get("ts"), answer.get("channel")
    if isinstance(outcome, Delivered) and isinstance(ts, str) and isinstance(channel_id, str):
        return replace(outcome, reference=f"{ts} {channel_id} {address.channel}")
    return outcome


def _replaced(address: SlackBot, earlier: _Earlier, payload: Json, reply: Json, wire: Wire) -> Outcome:
    """The earlier message changed to what is true now, and its thread told what happened."""
    place: Json = {"channel": earlier.channel_id, "ts": earlier.ts}
    outcome, _ = _called(address, "chat.update", payload | place, wire)
    if isinstance(outcome, Failed):
        return outcome
    outcome, _ = _called(
        address, "chat.postMessage", reply | {"channel": earlier.channel_id, "thread_ts": earlier.ts}, wire
    )
    if isinstance(outcome, Failed):
        return outcome
    return Delivered(detail="ok, in place of the earlier message", reference=address.earlier)


def _called(address: SlackBot, method: str, payload: Json, wire: Wire) -> tuple[Outcome, Json]:
    """What came of a call of the Web API, and its answer, which repeats the message."""
    headers = {**_JSON, "Authorization": f"Bearer {address.token}"}
    answer = post(wire, f"{address.api_url}/{method}", _encoded(payload), headers, limit=_ANSWER_LIMIT)
    return bot_outcome(answer), _object(answer.body)


def _encoded(payload: Json) -> bytes:
    return json.dumps(payload, ensure_ascii=False).encode()


def webhook_outcome(answer: Answer) -> Outcome:
    """A webhook's success is the text `ok`; JSON is read as a bot's answer, and anything else is not Slack speaking."""
    said = answer.body.strip()
    if answer.status != 200 or said == "ok":
        return from_status(answer, said)
    return bot_outcome(answer)


def bot_outcome(answer: Answer) -> Outcome:
    """The Web API's success is `"ok": true` (docs.slack.dev: chat.postMessage)."""
    found = _object(answer.body)
    if answer.status == 200 and found.get("ok") is True:
        return Delivered(detail="ok")
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
