"""From facts to the bytes a channel is sent: the complete provider payload without secrets, kept for every retry.

On the path of the data this stands between the outbox and delivery. Nothing here knows an address, a token or a time
other than the flush's, so the same facts always make the same bytes, and a retry repeats what the first attempt said.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_never

from engine.core import (
    messages_apprise,
    messages_email,
    messages_log,
    messages_pagerduty,
    messages_slack,
    messages_webhook,
)
from engine.core.facts import Facts
from engine.core.messages_plain import plain
from rules.channels import ChannelKind

__all__ = ["plain", "render"]


def render(kind: ChannelKind, facts: Facts, settings: Mapping[str, str]) -> bytes:
    """The payload for a channel of this kind.

    JSON for slack (chat.postMessage), pagerduty (Events v2 without routing_key), webhook (Alertmanager's version 4), email
    ({subject, text, html, headers}) and apprise ({title, body, type}); a line of text for log. `settings` are the channel's,
    references unresolved.
    ChannelError when a setting that shapes the message makes no sense.
    """
    match kind:
        case ChannelKind.SLACK:
            return messages_slack.render(facts)
        case ChannelKind.PAGERDUTY:
            return messages_pagerduty.render(facts)
        case ChannelKind.EMAIL:
            return messages_email.render(facts)
        case ChannelKind.WEBHOOK:
            return messages_webhook.render(facts, settings)
        case ChannelKind.APPRISE:
            return messages_apprise.render(facts)
        case ChannelKind.LOG:
            return messages_log.render(facts)
        case _:
            assert_never(kind)
