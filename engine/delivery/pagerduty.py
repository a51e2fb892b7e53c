"""PagerDuty: events are taken with 202; the routing key is put into the kept event at the moment of sending."""

from __future__ import annotations

import json
from collections.abc import Callable

from apprise.plugins.pagerduty import NotifyPagerDuty

from engine.core.outcome import Outcome
from engine.delivery.addresses import PagerDutyKey
from engine.delivery.apprise import Attempt, asset
from engine.delivery.evidence import from_status
from engine.delivery.wire import Answer, Wire, post


class PagerDuty(Attempt, NotifyPagerDuty):  # type: ignore[misc, no-untyped-call]  # Both define send; ours comes first, as meant.
    """Apprise's PagerDuty service posting a kept event."""

    def __init__(self, attempt: Callable[[], Outcome]) -> None:
        super().__init__(apikey="placeholder", integrationkey="placeholder", include_image=False, asset=asset())
        self.post = attempt


def send(address: PagerDutyKey, body: bytes, wire: Wire) -> Outcome:
    """Post the event under the address's routing key."""
    event = json.loads(body) | {"routing_key": address.key}
    data = json.dumps(event, ensure_ascii=False).encode()
    answer = post(wire, address.url, data, {"Content-Type": "application/json"})
    return from_status(answer, said(answer))


def said(answer: Answer) -> str:
    """PagerDuty's message and its list of errors, as one text; the body itself when it is not PagerDuty's JSON."""
    try:
        found = json.loads(answer.body)
        return ": ".join(
            [str(found["message"]), *([", ".join(map(str, found["errors"]))] if found.get("errors") else [])]
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return answer.body
