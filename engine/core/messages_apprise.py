"""The notification for any other service that Apprise speaks to: a title, a text without markup, and how loud it is."""

from __future__ import annotations

import json
from typing import Final

from engine.core.facts import Facts
from engine.core.messages_text import (
    SHOWN_ALERTS,
    clean,
    description,
    headline,
    measured,
    one_line,
    own_labels,
    title,
    told_once,
    unshown,
)

TITLE_LIMIT: Final = 250


def render(facts: Facts) -> bytes:
    """JSON of `title`, `body` and `type`, which is Apprise's word for it: failure while anything fires, else success."""
    shown = facts.alerts[:SHOWN_ALERTS]
    told = told_once(facts)
    lines = [
        one_line(" | ".join(part for part in (headline(alert), own_labels(alert, told), measured(alert)) if part), 500)
        for alert in shown
    ]
    if len(shown) == 1:
        lines.append(clean(description(shown[0]))[:2000])
    parts = [*lines, unshown(facts, len(shown)), *(one_line(note, 500) for note in facts.notes[:5])]
    return message(facts, title(facts), "\n".join(part for part in parts if part))


def message(facts: Facts, head: str, text: str) -> bytes:
    """The payload of this title and text; a service that takes less cuts it."""
    kind = "failure" if facts.firing else "success"
    body = {"title": one_line(head, TITLE_LIMIT), "body": clean(text) or one_line(head, TITLE_LIMIT), "type": kind}
    return json.dumps(body, ensure_ascii=False, allow_nan=False).encode()
