"""Shorthands for tests that send: the real payload of a kind, an address on a scripted server, one delivery."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from engine.core.messages import render
from engine.core.messages_slack import REPLY
from engine.core.outcome import Outcome
from engine.delivery.addresses import Address, Unconfigured, address
from engine.delivery.deliver import deliver
from rules.channels import Channel, ChannelKind
from tests.core.telling import facts
from tests.servers import Request, Response

SOON = timedelta(seconds=5)
KEY = "0123456789abcdef0123456789abcdef"


def at(kind: ChannelKind, url: str, settings: Mapping[str, str] | None = None) -> Address:
    """The address of a channel that is fully configured."""
    found = address(Channel(name="ops", kind=kind, url=url, settings=settings or {}), {})
    assert not isinstance(found, Unconfigured)
    return found


def send(where: Address, kind: ChannelKind, *, recipient: str = "", deadline: timedelta = SOON) -> Outcome:
    """One delivery of the standard message."""
    return deliver(where, render(kind, facts(), {}), recipient, deadline)


def always(
    status: int = 200, body: bytes | str = b"ok", headers: Mapping[str, str] | None = None
) -> Callable[[Request], Response]:
    """A handler that answers this to everything."""
    data = body.encode() if isinstance(body, str) else body
    return lambda _: Response(status=status, body=data, headers=headers or {})


def message_alone(body: bytes) -> Any:
    """The message of a payload for Slack, without what goes into a thread."""
    return {name: value for name, value in json.loads(body).items() if name != REPLY}
