"""Channels on the wire. Secrets go in and never come out: of an address only a reference such as `env:NAME` is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, ClassVar, Final

from pydantic import Field, StrictBool

from api.schemas.fields import Input, Output, Text
from api.schemas.rules import Key
from engine.core.outcome import Delivered, Failed, Outcome
from engine.delivery.addresses import Unconfigured, address
from engine.store.channel_state import ChannelState
from rules.channels import Channel, ChannelKind
from rules.errors import ChannelError

REDACTED: Final = "[redacted]"
_PLAIN: Final = frozenset({"ca_file", "channel", "from", "hello", "port", "region", "tls", "to"})
"""Settings that are no secret in any kind of channel; every other is shown only when it is a reference."""


class ChannelIn(Input):
    """A channel as it is sent. Where one stands already, an absent `url` and a setting sent back as `[redacted]` keep
    what is stored."""

    read_only: ClassVar[frozenset[str]] = frozenset({"origin", "version", "status", "problems"})
    name: Key | None = None
    kind: ChannelKind
    url: Text | None = Field(default=None, max_length=8192)
    settings: dict[Text, Text] = Field(default_factory=dict)
    send_resolved: StrictBool = True
    team: Text = ""

    def to_channel(self, name: str, before: Channel | None) -> Channel:
        """The channel declared, under this name. Raises ChannelError when there is no stored secret to keep."""
        stands = before or Channel(name=name, kind=self.kind, origin="api")
        # The secret of one service is no use to another, and would only be told to the wrong people.
        kept = stands if stands.kind is self.kind else Channel(name=name, kind=self.kind)
        return replace(
            stands,
            kind=self.kind,
            url=kept.url if self.url is None else self.url,
            settings={setting: _kept(setting, value, kept.settings) for setting, value in self.settings.items()},
            send_resolved=self.send_resolved,
            team=self.team,
        )


class ChannelStatusOut(Output):
    """How the channel is doing. `problem` says what its address lacks or what is wrong with it."""

    state: str
    configured: bool
    problem: str | None = None
    next_send_at: datetime | None = None
    last_success_at: datetime | None = None
    last_error: str | None = None
    last_error_at: datetime | None = None


class ChannelOut(Output):
    """A channel as it stands; `url` is its reference, null when it is unset or was given in clear."""

    name: str
    kind: ChannelKind
    url: str | None
    settings: dict[str, str]
    send_resolved: bool
    team: str
    origin: str
    version: int
    status: ChannelStatusOut


class DeliveryOut(Output):
    """What came of a test message."""

    delivered: bool
    outcome: str
    detail: str
    retryable: bool = False

    @classmethod
    def of(cls, outcome: Outcome | Unconfigured) -> DeliveryOut:
        """The outcome in words; a detail never holds an address."""
        match outcome:
            case Delivered():
                return cls(delivered=True, outcome="delivered", detail=outcome.detail)
            case Failed():
                reason, retryable = outcome.reason.value, outcome.retryable
                return cls(delivered=False, outcome=reason, detail=outcome.detail, retryable=retryable)
            case Unconfigured():
                return cls(delivered=False, outcome="unconfigured", detail=outcome.reason)


def is_reference(text: str) -> bool:
    """Whether the text only says where the secret is."""
    return text.startswith(("env:", "file:"))


def document(channel: Channel) -> dict[str, object]:
    """The channel's own fields as they may be shown, what changes are told in."""
    return {
        "name": channel.name,
        "kind": channel.kind.value,
        "url": channel.url if is_reference(channel.url) else None,
        "settings": {name: _setting(name, value) for name, value in channel.settings.items()},
        "send_resolved": channel.send_resolved,
        "team": channel.team,
    }


def described(channel: Channel, state: ChannelState | None, environment: Mapping[str, str]) -> ChannelOut:
    """The channel as it stands, its references tried now."""
    known = state or ChannelState(channel=channel.name)
    problem = lack(channel, environment)
    status = ChannelStatusOut(
        state="unconfigured" if problem else "unknown" if known.state == "unconfigured" else known.state,
        configured=problem is None,
        problem=problem,
        next_send_at=known.next_send_at,
        last_success_at=known.last_success_at,
        last_error=known.last_error,
        last_error_at=known.last_error_at,
    )
    values: dict[str, Any] = {**document(channel), "kind": channel.kind}
    return ChannelOut.model_construct(**values, origin=channel.origin, version=channel.version, status=status)


def lack(channel: Channel, environment: Mapping[str, str]) -> str | None:
    """Why nothing can be sent to the channel as it stands; `None` when something can."""
    try:
        found = address(channel, environment)
    except ChannelError as error:
        return error.message
    return found.reason if isinstance(found, Unconfigured) else None


def _kept(setting: str, value: str, stored: Mapping[str, str]) -> str:
    if value != REDACTED:
        return value
    if setting not in stored:
        message = f"{REDACTED} keeps what is stored, and nothing is: give the value"
        raise ChannelError(message, field=f"settings.{setting}")
    return stored[setting]


def _setting(name: str, value: str) -> str:
    return value if name in _PLAIN or is_reference(value) else REDACTED
