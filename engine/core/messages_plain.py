"""The message of last resort, when rendering failed: little enough to always work, and it says that it is not all.

It reads only the counts, the keys and the group's labels; no annotation, link or alert can make it fail again.
"""

from __future__ import annotations

import json
from typing import assert_never

from engine.core import messages_apprise
from engine.core.facts import Facts
from engine.core.messages_email import thread_root
from engine.core.messages_pagerduty import dedup_key
from engine.core.messages_slack import escape
from engine.core.messages_text import clean, one_line, rfc3339, status_tag
from rules.channels import ChannelKind

Json = dict[str, object]


def plain(kind: ChannelKind, facts: Facts, problem: str) -> bytes:
    """A minimal payload for the channel that names the group and the problem that kept the full message from it."""
    head = one_line(f"{status_tag(facts)} {facts.group_labels}", 300)
    note = f"This is a plain message, because the full one could not be written: {one_line(problem, 300)}"
    match kind:
        case ChannelKind.SLACK:
            return _json(_slack(facts, head, note))
        case ChannelKind.PAGERDUTY:
            return _json(_pagerduty(facts, head, note))
        case ChannelKind.EMAIL:
            return _json(_email(facts, head, note))
        case ChannelKind.WEBHOOK:
            return _json(_webhook(facts, note))
        case ChannelKind.APPRISE:
            return messages_apprise.message(facts, head, note)
        case ChannelKind.LOG:
            return f"{head} | {note}".encode()
        case _:
            assert_never(kind)


def _json(body: Json) -> bytes:
    return json.dumps(body, ensure_ascii=False, allow_nan=False).encode()


def _slack(facts: Facts, head: str, note: str) -> Json:
    colour = "danger" if facts.firing else "good"
    attachment = {"color": colour, "title": escape(head), "text": escape(note), "fallback": escape(head)}
    return {"text": escape(head), "attachments": [attachment]}


def _pagerduty(facts: Facts, head: str, note: str) -> Json:
    return {
        "event_action": "trigger" if facts.firing else "resolve",
        "dedup_key": dedup_key(facts.dedup_key),
        "payload": {"summary": head, "source": "tocsin", "severity": "error", "custom_details": {"note": note}},
        "client": "Tocsin",
    }


def _email(facts: Facts, head: str, note: str) -> Json:
    root = thread_root(facts.dedup_key)
    text = f"{head}\n\n{note}\n\nSent by Tocsin at {rfc3339(facts.flush_at)}.\n"
    return {"subject": head, "text": text, "html": "", "headers": {"References": root, "In-Reply-To": root}}


def _webhook(facts: Facts, note: str) -> Json:
    return {
        "version": "4",
        "groupKey": clean(facts.group_key),
        "truncatedAlerts": len(facts.alerts),
        "status": facts.status,
        "receiver": clean(facts.receiver),
        "groupLabels": {clean(name): clean(value) for name, value in facts.group_labels.items()},
        "commonLabels": {},
        "commonAnnotations": {"note": note},
        # Templates as well, and what failed may be one of them.
        "routeLabels": {},
        "externalURL": clean(facts.external_url),
        "notification_reason": clean(facts.reason),
        "alerts": [],
    }
