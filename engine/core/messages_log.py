"""The notification as one readable line, for the channel that always works."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from engine.core.facts import Facts
from engine.core.messages_text import (
    SHOWN_ALERTS,
    headline,
    measured,
    one_line,
    own_labels,
    status_tag,
    title,
    told_once,
    unshown,
)

_NONE: Final[Mapping[str, str]] = {}


def render(facts: Facts, texts: Mapping[str, str] = _NONE) -> bytes:
    """Begins with `[FIRING:n]` or `[RESOLVED]`, which is how the log channel knows how loud to be."""
    shown = facts.alerts[:SHOWN_ALERTS]
    told = told_once(facts)
    lines = [
        ", ".join(part for part in (headline(alert), own_labels(alert, told), measured(alert)) if part)
        for alert in shown
    ]
    if texts.get("text"):
        return one_line(" | ".join((status_tag(facts), texts["text"], *facts.notes[:5])), 4000).encode()
    parts = [title(facts), *lines, unshown(facts, len(shown)), *facts.notes[:5], f"reason: {facts.reason}"]
    return one_line(" | ".join(part for part in parts if part), 4000).encode()
