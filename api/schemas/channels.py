"""Channels on the wire. Secrets go in and never come out: of an address only a reference such as `env:NAME` is told."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, ClassVar, Final

from pydantic import ConfigDict, Field, StrictBool, StrictInt

from api.schemas.fields import Duration, Input, Output, Text, example
from api.schemas.rules import Key, ProblemOut
from engine.core.messages_readable import readable
from engine.core.outcome import Delivered, Failed, Outcome
from engine.delivery import custody, references
from engine.delivery.addresses import Unconfigured, address
from engine.delivery.sealing import is_sealed
from engine.message_preview import Preview
from engine.store.channel_state import ChannelState
from rules import durations, message_parts
from rules.channels import MOST_MESSAGES, Channel, ChannelKind, RateLimit, check_rate_limit
from rules.errors import ChannelError
from rules.problems import Problem, Severity

REDACTED: Final = "[redacted]"
is_reference: Final = references.is_reference
"""Whether a text only says where the secret is, and may be shown."""
_PLACE: Final = "api_url"
"""The setting that says where a bot's token is sent."""


_EXAMPLE: Final[dict[str, Any]] = {
    "name": "oncall",
    "kind": "slack",
    "url": "env:SLACK_WEBHOOK_URL",
    "settings": {"channel": "#alerts"},
    "send_resolved": True,
    "templates": {"title": "{{ .CommonLabels.alertname }}: {{ .CommonAnnotations.summary }}"},
    "rate_limit": {"messages": 10, "per": "1m"},
    "team": "sre",
}
_STATUS_EXAMPLE: Final[dict[str, Any]] = {
    "state": "ok",
    "configured": True,
    "problem": None,
    "next_send_at": None,
    "last_success_at": "2026-11-21T12:00:31Z",
    "last_error": None,
    "last_error_at": None,
}


class RateLimitIn(Output):
    """At most `messages` in any period of this length; what is more waits, and newer news takes its place."""

    model_config = ConfigDict(
        **Output.model_config, extra="forbid", json_schema_extra={"examples": [{"messages": 10, "per": "1m"}]}
    )
    messages: StrictInt = Field(ge=1, le=MOST_MESSAGES)
    per: Duration

    def limit(self) -> RateLimit:
        """The limit declared; ChannelError when it cannot be kept."""
        found = RateLimit(messages=self.messages, per=self.per)
        check_rate_limit(found)
        return found


class ChannelIn(Input):
    """A channel as it is sent. Where one stands already, an absent `url` and a setting sent back as `[redacted]` keep
    what is stored."""

    model_config = example(_EXAMPLE)
    read_only: ClassVar[frozenset[str]] = frozenset({"origin", "version", "status", "problems"})
    name: Key | None = None
    kind: ChannelKind
    url: Text | None = Field(default=None, max_length=8192)
    settings: dict[Text, Text] = Field(default_factory=dict)
    send_resolved: StrictBool = True
    templates: dict[Text, Text] = Field(default_factory=dict)
    rate_limit: RateLimitIn | None = None
    team: Text = ""

    def to_channel(self, name: str, before: Channel | None, environment: Mapping[str, str]) -> Channel:
        """The channel declared, under this name, its new secrets in clear.

        Raises ChannelError when there is no stored secret to keep, when a secret nobody gave again would be sent to another
        place than before, for a text that looks sealed, and for a template that cannot be used.
        """
        _refuse_tokens(self)
        stands = before or Channel(name=name, kind=self.kind, origin="api")
        # The secret of one service is no use to another, and would only be told to the wrong people.
        kept = stands if stands.kind is self.kind else Channel(name=name, kind=self.kind)
        settings = {setting: _kept(setting, value, kept.settings) for setting, value in self.settings.items()}
        _refuse_moving(self, kept, settings, environment)
        for problem in message_parts.wrong(self.kind, self.templates):
            raise problem
        return replace(
            stands,
            kind=self.kind,
            url=kept.url if self.url is None else self.url,
            settings=settings,
            send_resolved=self.send_resolved,
            templates=self.templates,
            rate_limit=None if self.rate_limit is None else self.rate_limit.limit(),
            team=self.team,
        )


class ChannelStatusOut(Output):
    """How the channel is doing. `problem` says what its address lacks or what is wrong with it; until `next_send_at` nothing is
    sent, because the service asked for that or the channel's own limit is used up."""

    state: str
    configured: bool
    problem: str | None = None
    next_send_at: datetime | None = None
    last_success_at: datetime | None = None
    last_error: str | None = None
    last_error_at: datetime | None = None


class ChannelOut(Output):
    """A channel as it stands; `url` is its reference, null when it is unset or is itself the secret.

    `problems` names every secret that stands in the database in clear, and every template that cannot be used.
    """

    model_config = example({**_EXAMPLE, "origin": "api", "version": 1, "status": _STATUS_EXAMPLE, "problems": []})
    name: str
    kind: ChannelKind
    url: str | None
    settings: dict[str, str]
    send_resolved: bool
    templates: dict[str, str]
    rate_limit: RateLimitIn | None
    team: str
    origin: str
    version: int
    status: ChannelStatusOut
    problems: list[ProblemOut] = Field(default_factory=list)


class DeliveryOut(Output):
    """What came of a test message."""

    model_config = example({"delivered": True, "outcome": "delivered", "detail": "HTTP 200", "retryable": False})
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


class PreviewIn(Input):
    """A wish to see a message. `fingerprint` names a live alert, shown with all that fires in its group; without it there is an
    example. With `resolved` it is the message of their end. `templates` are tried in place of the channel's own."""

    model_config = example({"templates": {"title": "{{ .Status | toUpper }}: {{ .CommonLabels.alertname }}"}})
    fingerprint: Text | None = None
    resolved: StrictBool = False
    templates: dict[Text, Text] | None = None


class PreviewOut(Output):
    """What the channel would be sent, and nobody was: for people in `text`, as it goes out in `payload`, which is JSON or, for
    the log, a line. `problems` says which template failed, at which line and why; a default then stands in its place."""

    model_config = example(
        {
            "kind": "log",
            "alerts": 1,
            "text": "[FIRING:1] HighCpu (critical) | CPU of db-1 above 90 %",
            "payload": "[FIRING:1] HighCpu (critical) | CPU of db-1 above 90 %",
            "problems": [],
        }
    )
    kind: ChannelKind
    alerts: int
    text: str
    payload: Any
    problems: list[str]

    @classmethod
    def of(cls, kind: ChannelKind, found: Preview) -> PreviewOut:
        """The preview of a channel of this kind."""
        body = found.message.body
        payload = body.decode() if kind is ChannelKind.LOG else json.loads(body)
        problems = list(found.message.problems)
        return cls(kind=kind, alerts=found.alerts, text=readable(kind, payload), payload=payload, problems=problems)


def document(channel: Channel) -> dict[str, object]:
    """The channel's own fields as they may be shown, what changes are told in."""
    limit = channel.rate_limit
    return {
        "name": channel.name,
        "kind": channel.kind.value,
        "url": channel.url if is_reference(channel.url) else None,
        "settings": {name: _setting(name, value) for name, value in channel.settings.items()},
        "send_resolved": channel.send_resolved,
        "templates": dict(channel.templates),
        "rate_limit": None if limit is None else {"messages": limit.messages, "per": durations.format(limit.per)},
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
    limit = channel.rate_limit
    limited = None if limit is None else RateLimitIn.model_construct(messages=limit.messages, per=limit.per)
    values: dict[str, Any] = {**document(channel), "kind": channel.kind, "rate_limit": limited}
    problems = ProblemOut.all_of((*custody.channel_warnings(channel, environment), *_unusable(channel)))
    return ChannelOut.model_construct(
        **values, origin=channel.origin, version=channel.version, status=status, problems=problems
    )


def _unusable(channel: Channel) -> tuple[Problem, ...]:
    """The templates that cannot be used, which plain SQL may hold: a default stands in the place of each."""
    found = message_parts.wrong(channel.kind, channel.templates)
    return tuple(Problem(severity=Severity.ERROR, field=one.field or "templates", message=one.message) for one in found)


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


def _refuse_tokens(body: ChannelIn) -> None:
    custody.refuse_sealed("url", body.url or "")
    for setting, value in body.settings.items():
        custody.refuse_sealed(f"settings.{setting}", value)


def _refuse_moving(body: ChannelIn, kept: Channel, settings: Mapping[str, str], environment: Mapping[str, str]) -> None:
    """ChannelError when a stored secret that is only kept would go somewhere new: it was given for the old place."""
    moved = body.url is not None and body.url != custody.in_clear(kept.url, environment)
    for setting in _settings_kept(body, kept) if moved else ():
        message = f"{REDACTED} keeps a secret for the address it was given for, and url is another: give it again"
        raise ChannelError(message, field=f"settings.{setting}")
    only_kept = body.url is None and bool(kept.url) and not is_reference(kept.url)
    if only_kept and settings.get(_PLACE, "") != kept.settings.get(_PLACE, ""):
        raise ChannelError(
            f"settings.{_PLACE} is another, and the secret was not given for it: give it again", field="url"
        )


def _settings_kept(body: ChannelIn, kept: Channel) -> list[str]:
    """The settings whose stored secret nobody gave again."""
    return [
        name for name, value in body.settings.items() if value == REDACTED and not is_reference(kept.settings[name])
    ]


def _setting(name: str, value: str) -> str:
    shown = is_reference(value) or (name in custody.PLAIN and not is_sealed(value))
    return value if shown else REDACTED
