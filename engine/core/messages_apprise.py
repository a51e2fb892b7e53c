"""The notification for any other service that Apprise speaks to: a title, a text without markup, and how loud it is."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Final

from engine.core.facts import AlertFacts, Facts
from engine.core.messages_text import (
    SHOWN_ALERTS,
    clean,
    description,
    gist,
    headline,
    measured,
    one_line,
    own_labels,
    title,
    told_once,
    unshown,
)

TITLE_LIMIT: Final = 250
SHORT_LIMIT: Final = 500
_CALL: Final = re.compile(r"@(?=(?:everyone|here|channel|all)\b)|<(?=[@!#])", re.IGNORECASE)
_TITLES: Final = ("title", "subject", "summary")
_BODIES: Final = ("text", "description", "message", "state_message")
_NONE: Final[Mapping[str, str]] = {}


def render(facts: Facts, texts: Mapping[str, str] = _NONE) -> bytes:
    """JSON of `title`, `body` and `type`, which is Apprise's word for it: failure while anything fires, else success.

    `texts` are parts in words of one's own, under any of the names the receivers of Alertmanager have for them.
    """
    head = _first(texts, _TITLES) or title(facts)
    own = _first(texts, _BODIES)
    notes = [one_line(note, 500) for note in facts.notes[:5]]
    if own:
        return message(facts, head, "\n".join((own, *notes)), short=own)
    shown = facts.alerts[:SHOWN_ALERTS]
    told = told_once(facts)
    lines = [_line(alert, told) for alert in shown]
    if len(shown) == 1:
        lines.append(clean(description(shown[0]))[:2000])
    parts = [*lines, unshown(facts, len(shown)), *notes]
    return message(facts, head, "\n".join(part for part in parts if part))


def _line(alert: AlertFacts, told: frozenset[str]) -> str:
    parts = (headline(alert), own_labels(alert, told), measured(alert))
    return one_line(" | ".join(part for part in parts if part), 500)


def _first(texts: Mapping[str, str], names: tuple[str, ...]) -> str:
    return next((texts[name] for name in names if texts.get(name, "").strip()), "")


def message(facts: Facts, head: str, text: str, short: str = "") -> bytes:
    """The payload of this title and text; `short` is all that a pocket's screen gets, by default the title and its headline."""
    told = gist(facts)
    line = short or (f"{head}: {told}" if told else head)
    body = {
        "title": one_line(quiet(head), TITLE_LIMIT),
        "body": quiet(clean(text)) or one_line(quiet(head), TITLE_LIMIT),
        "short": one_line(quiet(line), SHORT_LIMIT),
        "type": "failure" if facts.firing else "success",
    }
    return json.dumps(body, ensure_ascii=False, allow_nan=False).encode()


def quiet(text: str) -> str:
    """The text with what calls people in chats (`@everyone`, `<@1>`, `<!here>`) kept apart by a blank nobody sees."""
    return _CALL.sub("\\g<0>\u200b", text)
