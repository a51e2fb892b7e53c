"""A channel: where a notification goes, by reference.

Resolving `env:` and `file:` references needs the world, so it is the engine's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Final

from rules.errors import ChannelError


class ChannelKind(StrEnum):
    """The services a channel can speak to."""

    SLACK = "slack"
    PAGERDUTY = "pagerduty"
    EMAIL = "email"
    WEBHOOK = "webhook"
    APPRISE = "apprise"
    """Any other service that Apprise speaks to, by its URL."""
    LOG = "log"


LOG_CHANNEL: Final = "log"
"""The channel that always exists and always works; what cannot be delivered elsewhere is written there."""


MOST_MESSAGES: Final = 1000
LONGEST_PERIOD: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimit:
    """At most so many messages in any period of this length; what is more waits, and newer news takes its place."""

    messages: int
    per: timedelta


def check_rate_limit(limit: RateLimit) -> None:
    """Raise ChannelError, naming the field, for a limit that lets nothing through or cannot be kept."""
    if not 1 <= limit.messages <= MOST_MESSAGES:
        message = f"messages is {limit.messages}; give a whole number from 1 to {MOST_MESSAGES}"
        raise ChannelError(message, field="rate_limit.messages")
    if not timedelta(0) < limit.per <= LONGEST_PERIOD:
        message = f"the period is {limit.per.total_seconds():g} s; give more than 0 and at most a day"
        raise ChannelError(message, field="rate_limit.per")


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """Where a notification goes.

    `url` is the address or a reference to it: `env:NAME` and `file:PATH` are read anew at each send, so a secret need not
    stand in the database. Any string in `settings` may be a reference too. What the address means depends on `kind`:

    - slack: an incoming-webhook URL, or a bot token (`xoxb-…`) with `settings.channel`;
    - pagerduty: an Events v2 integration key, or `https://KEY@host/v2/enqueue` for another endpoint;
    - email: an SMTP host, or `smtp://user:password@host:port`; `settings` has port, user, password, from, to, tls;
    - webhook: an http(s) URL that takes Alertmanager's webhook JSON, version 4;
    - apprise: an Apprise URL, in which `{name}` stands for the setting of that name, so that it may be a reference;
    - log: nothing.

    `templates` are Go templates of the parts of a message, by the names Alertmanager's receivers have for them.
    """

    name: str
    kind: ChannelKind
    url: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)
    send_resolved: bool = True
    templates: Mapping[str, str] = field(default_factory=dict)
    rate_limit: RateLimit | None = None
    team: str = ""
    origin: str = "sql"
    version: int = 1
