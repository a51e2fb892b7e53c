"""The generic webhook: the kept JSON posted as it stands; any 2xx is success, whatever the body says."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from urllib.parse import unquote, urlsplit

from apprise.plugins.custom_json import NotifyJSON

from engine.core.outcome import Outcome
from engine.delivery.addresses import WebhookUrl
from engine.delivery.apprise import Attempt, asset
from engine.delivery.evidence import from_status
from engine.delivery.wire import Wire, post


class Webhook(Attempt, NotifyJSON):  # type: ignore[misc, no-untyped-call]  # Both define send; ours comes first, as meant.
    """Apprise's JSON service posting a kept body."""

    def __init__(self, attempt: Callable[[], Outcome]) -> None:
        super().__init__(host="localhost", asset=asset())  # type: ignore[no-untyped-call]
        self.post = attempt


def send(address: WebhookUrl, body: bytes, wire: Wire) -> Outcome:
    """Post the body; user and password in the URL become Basic authentication unless the address has its own header."""
    authorization = address.authorization or basic(address.url)
    headers = {"Content-Type": "application/json"} | ({"Authorization": authorization} if authorization else {})
    answer = post(wire, address.url, body, headers)
    return from_status(answer, answer.body)


def basic(url: str) -> str:
    """The Authorization header for a URL's user and password (RFC 7617), empty when it names no user."""
    parts = urlsplit(url)
    if not parts.username:
        return ""
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return f"Basic {b64encode(pair.encode()).decode()}"
