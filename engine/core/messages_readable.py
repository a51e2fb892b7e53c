"""A payload as a person would read it in the service it is for, as plain text: for previews, at a shell and in documents."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, assert_never

from rules.channels import ChannelKind

Json = Mapping[str, Any]  # What JSON holds is looked into here, so its values have no type to check.


def readable(kind: ChannelKind, payload: Any) -> str:
    """The message's text; what Slack would show is told of every attachment, and JSON for programs is set out in lines."""
    match kind:
        case ChannelKind.SLACK:
            return _slack(payload)
        case ChannelKind.PAGERDUTY:
            return _pagerduty(payload)
        case ChannelKind.EMAIL:
            return f"Subject: {payload['subject']}\n\n{payload['text']}".rstrip()
        case ChannelKind.APPRISE:
            return f"{payload['title']}\n\n{payload['body']}"
        case ChannelKind.WEBHOOK:
            return json.dumps(payload, indent=2, ensure_ascii=False)
        case ChannelKind.LOG:
            return str(payload)
        case _:
            assert_never(kind)


def _slack(payload: Json) -> str:
    blocks = [payload["text"], *map(_attachment, payload["attachments"])]
    reply: Json | None = payload.get("reply")
    blocks += [f"in its thread: {reply['text']}"] if reply else []
    return "\n\n".join(blocks).replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def _attachment(one: Json) -> str:
    fields = [f"{each['title']}: {each['value']}" for each in one.get("fields", ())]
    head = f"▌ {one.get('title', '')} [{one.get('color', '')}]"
    return "\n".join(part for part in (one.get("pretext"), head, one.get("text"), *fields, one.get("footer")) if part)


def _pagerduty(payload: Json) -> str:
    inner: Json = payload["payload"]
    named = ("severity", "source", "component", "group", "class", "timestamp")
    links: Sequence[Mapping[str, str]] = payload.get("links", ())
    lines = [
        f"{payload['event_action']}: {inner['summary']}",
        *(f"{name}: {inner[name]}" for name in named if inner.get(name)),
        *(f"{link['text']}: {link['href']}" for link in links),
    ]
    return "\n".join(lines)
