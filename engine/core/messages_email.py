"""The mail: a subject as Alertmanager writes it, a text that says everything, and the same as HTML for a phone.

Mails of one group form one thread: all name the same root, made from the group's key, which no mail itself carries
(A:notify/email threading). Recipients and Message-ID are added at the moment of sending.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from html import escape
from typing import Final

from engine.core.facts import AlertFacts, Facts
from engine.core.messages_text import (
    SHOWN_ALERTS,
    Level,
    description,
    front_page,
    headline,
    level,
    links,
    measured,
    one_line,
    own_labels,
    spoken,
    subject,
    title,
    told_once,
    unshown,
    worst_severity,
)

_COLOURS: Final = {
    Level.CRITICAL: "#a32037",
    Level.ERROR: "#a32037",
    Level.WARNING: "#c75b00",
    Level.INFO: "#1f6f9f",
}
_DARK: Final = (
    "@media (prefers-color-scheme: dark){.p{background:#12161d!important;color:#e4e8ef!important}"
    ".c{background:#1a202a!important}.d{color:#9aa5b5!important}.l{border-color:#313a48!important}"
    ".b{color:#7db4f5!important;border-color:#3d4756!important}}"
)
_RESOLVED: Final = "#2f7d32"
_FONT: Final = "font-family:-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif"
_NONE: Final[Mapping[str, str]] = {}
_SAFE_KEY: Final = re.compile(r"[A-Za-z0-9._-]{1,128}")


def render(facts: Facts, texts: Mapping[str, str] = _NONE) -> bytes:
    """The mail in bytes; `texts` are parts in words of one's own. Who says the text and not the HTML is shown as text."""
    root = thread_root(facts.dedup_key)
    notes = "".join(f"\n\nNote: {one_line(note, 300)}" for note in facts.notes[:5])
    shown = "".join(f"<p>{escape(note.strip())}</p>" for note in notes.split("\n\n")[1:])
    body = {
        "subject": one_line(texts.get("subject") or subject(facts), 900),
        "text": texts["text"] + notes if texts.get("text") else text(facts),
        "html": texts["html"] + shown if texts.get("html") else "" if texts.get("text") else html(facts),
        "headers": {"References": root, "In-Reply-To": root},
    }
    return json.dumps(body, ensure_ascii=False, allow_nan=False).encode()


def thread_root(key: str) -> str:
    """The message id all mails of a group refer to; a key with other characters than an id may have is hashed."""
    name = key if _SAFE_KEY.fullmatch(key) else hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()
    return f"<{name}@tocsin>"


def text(facts: Facts) -> str:
    """The whole message in plain text."""
    told = told_once(facts)
    blocks = [_text_block(alert, told, facts.external_url) for alert in facts.alerts[:SHOWN_ALERTS]]
    notes = [f"Note: {one_line(note, 300)}" for note in facts.notes[:5]]
    parts = [title(facts), *blocks, unshown(facts, len(blocks)), *notes, _closing(facts), front_page(facts) or ""]
    return "\n\n".join(part for part in parts if part) + "\n"


def _text_block(alert: AlertFacts, told: frozenset[str], external_url: str) -> str:
    lines = [f"[{alert.status}] {headline(alert)}", description(alert), own_labels(alert, told), measured(alert)]
    lines += [f"{words}: {address}" for words, address in links(alert, external_url).items()]
    return "\n".join(line for line in lines if line)


def html(facts: Facts) -> str:
    """The whole message in HTML, one column of at most 640 pixels, every text escaped.

    Styles stand in the elements, for programs that drop style sheets; the sheet only turns them dark where that is wanted.
    """
    told = told_once(facts)
    blocks = "".join(_html_block(alert, told, facts.external_url) for alert in facts.alerts[:SHOWN_ALERTS])
    notes = [unshown(facts, SHOWN_ALERTS), *(one_line(note, 300) for note in facts.notes[:5])]
    asides = "".join(f'<p class="d" style="margin:12px 16px;color:#555">{escape(note)}</p>' for note in notes if note)
    address = front_page(facts)
    head = escape(title(facts))
    linked = f'<a href="{escape(address)}" style="color:#fff;text-decoration:none">{head}</a>' if address else head
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark"><meta name="supported-color-schemes" content="light dark">'
        f"<title>{head}</title><style>{_DARK}</style></head>"
        f'<body class="p" style="margin:0;padding:12px;background:#f4f4f4;{_FONT};font-size:16px;line-height:1.45;color:#222">'
        '<div class="c" style="max-width:640px;margin:0 auto;background:#fff;border-radius:6px;overflow:hidden">'
        f'<div style="background:{_colour(facts)};color:#fff;padding:14px 16px;font-size:18px;font-weight:600;'
        f'word-break:break-word">{linked}</div>{blocks}{asides}'
        f'<p class="d" style="margin:12px 16px;color:#777;font-size:13px">{escape(_closing(facts))}</p>'
        "</div></body></html>\n"
    )


def _html_block(alert: AlertFacts, told: frozenset[str], external_url: str) -> str:
    """One alert: how it is and what it says, which it is, how much and since when, and where to go as buttons for a thumb."""
    colour = _COLOURS[level(alert.labels.get("severity", ""))] if alert.status == "firing" else _RESOLVED
    badge = (
        f'<span style="background:{colour};color:#fff;border-radius:4px;padding:1px 6px;font-size:12px;font-weight:700">'
        f"{alert.status.upper()}</span>"
    )
    buttons = " ".join(
        f'<a class="b" href="{escape(address)}" style="display:inline-block;margin:8px 4px 0 0;padding:5px 12px;'
        f'border:1px solid #c9ced6;border-radius:6px;color:#0b57b0;text-decoration:none;font-size:14px">{words}</a>'
        for words, address in links(alert, external_url).items()
    )
    lines = [
        f"{badge} <strong>{escape(headline(alert))}</strong>",
        escape(description(alert)),
        f'<span class="d" style="color:#555;font-size:14px">{escape(own_labels(alert, told))}</span>',
        f'<span style="font-size:14px">{escape(measured(alert))}</span>',
        buttons,
    ]
    inner = "<br>\n".join(line for line in lines if line)
    return f'<div class="l" style="padding:14px 16px;border-bottom:1px solid #e5e5e5;word-break:break-word">{inner}</div>\n'


def _colour(facts: Facts) -> str:
    return _COLOURS[level(worst_severity(facts))] if facts.firing else _RESOLVED


def _closing(facts: Facts) -> str:
    receiver, reason = one_line(facts.receiver, 80), one_line(facts.reason, 80)
    return f"Sent by Tocsin to {receiver} at {spoken(facts.flush_at)} ({reason})."
