"""From facts to the bytes a channel is sent: the complete provider payload without secrets, kept for every retry.

On the path of the data this stands between the outbox and delivery. Nothing here knows an address, a token or a time
other than the flush's, so the same facts always make the same bytes, and a retry repeats what the first attempt said.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, assert_never

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
from engine.core.messages_templated import parts
from rules.channels import Channel, ChannelKind

__all__ = ["Message", "message", "plain", "render"]

_NONE: Final[Mapping[str, str]] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A payload, and what kept it from being as its channel wants it, each in a line."""

    body: bytes
    problems: tuple[str, ...] = ()


def message(channel: Channel | None, facts: Facts) -> Message:
    """What the channel is sent of the facts; without one, what the log is told.

    It never fails: where a template does, the default of that part stands in its place, and a note says so. Where all of it
    does, a plain form goes out.
    """
    if channel is None:
        return Message(body=render(ChannelKind.LOG, facts, {}))
    made = parts(channel.kind, facts, channel.templates)
    noted = replace(facts, notes=(*made.problems, *facts.notes)) if made.problems else facts
    note = {"note": "; ".join(made.problems)} if made.problems else {}
    try:
        body = render(channel.kind, noted, channel.settings, {**made.texts, **note})
    except ValueError as problem:
        return Message(body=plain(channel.kind, facts, str(problem)), problems=(*made.problems, str(problem)))
    return Message(body=body, problems=made.problems)


def render(kind: ChannelKind, facts: Facts, settings: Mapping[str, str], texts: Mapping[str, str] = _NONE) -> bytes:
    """The payload for a channel of this kind.

    JSON for slack (chat.postMessage), pagerduty (Events v2 without routing_key), webhook (Alertmanager's version 4), email
    ({subject, text, html, headers}) and apprise ({title, body, type}); a line of text for log. `settings` are the channel's,
    references unresolved; `texts` are the parts its templates have made.
    ChannelError when a setting that shapes the message makes no sense.
    """
    match kind:
        case ChannelKind.SLACK:
            return messages_slack.render(facts, texts)
        case ChannelKind.PAGERDUTY:
            return messages_pagerduty.render(facts, texts)
        case ChannelKind.EMAIL:
            return messages_email.render(facts, texts)
        case ChannelKind.WEBHOOK:
            return messages_webhook.render(facts, settings, texts)
        case ChannelKind.APPRISE:
            return messages_apprise.render(facts, texts)
        case ChannelKind.LOG:
            return messages_log.render(facts, texts)
        case _:
            assert_never(kind)
