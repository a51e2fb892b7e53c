"""Slack's message: one coloured attachment with fields, and a top-level text for push previews.

Where a bot has told the group before, the message takes the earlier one's place, and `reply` goes into its thread: the message
shows how things stand, the thread how they came to that.

Every label and annotation is text to Slack: `&`, `<` and `>` are escaped, so that `<!channel>` in a label value pings
nobody, and backticks are replaced, so that they swallow no line that follows. Limits are Slack's.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from engine.core.facts import AlertFacts, Facts
from engine.core.messages_templated import let_go
from engine.core.messages_text import (
    SHOWN_ALERTS,
    SHOWN_VALUE,
    Level,
    capped,
    description,
    front_page,
    gist,
    headline,
    level,
    links,
    measured,
    number,
    one_line,
    own_labels,
    title,
    told_once,
    unshown,
    worst_severity,
)
from engine.core.notifying import Reason
from rules.labels import ALERTNAME, SEVERITY

_TEXT_LIMIT: Final = 7_500
"""Characters of an attachment's text after escaping; Slack folds and finally cuts beyond 8,000."""
_NOTES_LIMIT: Final = 3_000
_FIELDS: Final = 10
_COLOURS: Final = {Level.CRITICAL: "danger", Level.ERROR: "danger", Level.WARNING: "warning", Level.INFO: "#3AA3E3"}
_MARKS: Final = {Level.CRITICAL: "🔴", Level.ERROR: "🔴", Level.WARNING: "🟠", Level.INFO: "🔵"}
_LOUD: Final = frozenset({Reason.FIRST_NOTIFICATION, Reason.NEW_ALERTS, Reason.REPEAT, Reason.UNMUTED})
"""What is news to the whole channel; a change of a message notifies nobody, and a thread only those who follow it."""
REPLY: Final = "reply"
"""The key under which a payload carries its message for the thread, which is taken out before anything is posted."""

_OF_ATTACHMENT: Final = frozenset(
    ("title", "title_link", "text", "pretext", "color", "footer", "image_url", "thumb_url")
)
_OF_MESSAGE: Final = frozenset(("username", "icon_emoji", "icon_url"))
_LIMITS: Final = {"title": 1024, "text": _TEXT_LIMIT, "pretext": _TEXT_LIMIT}
_NONE: Final[Mapping[str, str]] = {}

Json = dict[str, object]


def escape(text: str) -> str:
    """Text that Slack shows as it stands (docs.slack.dev: formatting message text), backticks made harmless."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("`", "ˋ")


def payload(facts: Facts, texts: Mapping[str, str] = _NONE) -> Json:
    """The body of chat.postMessage or an incoming webhook, without channel and token; `texts` are parts in words of one's own."""
    made = _standard(facts)
    if not texts:
        return made
    (attachment,) = made.pop("attachments")
    own = {name: let_go(text, _LIMITS.get(name, 3000)) for name, text in texts.items()}
    if "text" in own:
        del attachment["fields"]
        own["text"] = _with_notes(texts["text"], facts)
    attachment |= _picked(own, _OF_ATTACHMENT)
    shown = one_line(own.get("message_text") or own.get("title") or str(made["text"]), 3000)
    attachment["fallback"] = own.get("fallback") or shown
    return {"text": shown, **_filled_in(_picked(own, _OF_MESSAGE)), "attachments": [_filled_in(attachment)]}


def _with_notes(text: str, facts: Facts) -> str:
    """The text of one's own, as much of it as the notes leave room for, and these below it."""
    notes = "\n".join(_notes(facts))
    return "\n".join(part for part in (let_go(text, _TEXT_LIMIT - len(notes)), notes) if part)


def _picked(own: Mapping[str, str], names: frozenset[str]) -> dict[str, str]:
    return {name: text for name, text in own.items() if name in names}


def _filled_in(fields: Mapping[str, object]) -> Json:
    return {name: value for name, value in fields.items() if value}


def _standard(facts: Facts) -> dict[str, Any]:
    head = title(facts)
    told = gist(facts)
    text = escape(one_line(f"{head}: {told}" if told else head, 500))
    attachment: Json = {
        "color": colour(facts),
        "title": escape(head),
        "fallback": text,
        "text": _text(facts),
        "fields": _fields(facts),
        "mrkdwn_in": ["text"],
        "footer": escape(one_line(f"Tocsin · {facts.receiver} · {facts.reason}", SHOWN_VALUE)),
        "ts": int(facts.flush_at.timestamp()),
    }
    address = front_page(facts)
    return {"text": text, "attachments": [attachment | ({"title_link": address} if address else {})]}


def reply(facts: Facts) -> Json:
    """What goes into the thread of the group's earlier message: why there is news, and the alerts it is about, a line each."""
    told = told_once(facts)
    lines = [_line(alert, told) for alert in facts.alerts[:SHOWN_ALERTS]]
    head = f"*{escape(title(facts))}* — {escape(one_line(facts.reason, 80))}"
    text = "\n".join(part for part in (head, *lines, unshown(facts, len(lines)), *_notes(facts)) if part)
    return {"text": text, "reply_broadcast": bool(facts.firing) and facts.reason in _LOUD, "unfurl_links": False}


def render(facts: Facts, texts: Mapping[str, str] = _NONE) -> bytes:
    return json.dumps(payload(facts, texts) | {REPLY: reply(facts)}, ensure_ascii=False, allow_nan=False).encode()


def colour(facts: Facts) -> str:
    """Green when all is over, else by the worst severity: red, orange or blue."""
    return _COLOURS[level(worst_severity(facts))] if facts.firing else "good"


def _fields(facts: Facts) -> list[Json]:
    told = {name: one_line(text, SHOWN_VALUE) for name, text in _figures(facts).items()}
    fields = [
        {"title": escape(name), "value": escape(text), "short": len(text) <= 40} for name, text in told.items() if text
    ]
    return [dict(field) for field in fields[:_FIELDS]]


def _figures(facts: Facts) -> dict[str, str]:
    """What the fields say: how much, what is allowed, how bad, and the group's labels beyond what the title tells."""
    alerts = facts.firing or facts.alerts
    grouped = facts.group_labels.without(ALERTNAME, SEVERITY)
    return {
        "Current value" if facts.firing else "Last value": _several(number(alert.value) for alert in alerts),
        "Threshold": _several(sorted({alert.threshold or "" for alert in alerts})),
        "Severity": worst_severity(facts),
        **{one_line(name, 60): value for name, value in grouped.items()},
    }


def _several(texts: Iterable[str]) -> str:
    """The first three texts that are not empty, and an ellipsis for the rest."""
    known = [text for text in texts if text]
    return ", ".join(known[:3]) + (", …" if len(known) > 3 else "")


def _text(facts: Facts) -> str:
    blocks: list[str] = []
    told, notes = told_once(facts), _notes(facts)
    for alert in facts.alerts[:SHOWN_ALERTS]:
        block = _block(alert, told, facts.external_url)
        if sum(map(len, (*blocks, *notes))) + len(block) > _TEXT_LIMIT:
            break
        blocks.append(block)
    told_of = "\n\n".join(blocks)
    return "\n".join(part for part in (told_of, unshown(facts, len(blocks)), *notes) if part)


def _notes(facts: Facts) -> list[str]:
    """What must be said of the message itself, as far as it leaves room for the message."""
    notes = [f"_{escape(one_line(note, 300))}_" for note in facts.notes[:5]]
    return [note for at, note in enumerate(notes) if sum(map(len, notes[: at + 1])) <= _NOTES_LIMIT]


def _block(alert: AlertFacts, told: frozenset[str], external_url: str) -> str:
    """Up to four lines on one alert: what, which, how much and since when, and where to look."""
    lines = [
        f"{_mark(alert)} *{escape(headline(alert))}*",
        escape(description(alert)),
        escape(capped(" — ".join(_which(alert, told)), 600)),
        " · ".join(
            f"<{address.replace('&', '&amp;')}|{words}>" for words, address in links(alert, external_url).items()
        ),
    ]
    return "\n".join(line for line in lines if line)


def _line(alert: AlertFacts, told: frozenset[str]) -> str:
    return f"{_mark(alert)} {escape(capped(' — '.join((headline(alert), *_which(alert, told))), 600))}"


def _which(alert: AlertFacts, told: frozenset[str]) -> list[str]:
    return [part for part in (own_labels(alert, told), measured(alert)) if part]


def _mark(alert: AlertFacts) -> str:
    return _MARKS[level(alert.labels.get(SEVERITY, ""))] if alert.status == "firing" else "✅"
