"""The words every kind of message shares: title, subject, values, times, links.

Nothing here trusts a label or an annotation: text is cleaned of what no format can carry (lone surrogates, control
characters) and capped before a renderer escapes it for its own format.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from functools import reduce
from typing import Final
from urllib.parse import quote, urlsplit

from engine.core.facts import AlertFacts, Facts
from rules.labels import ALERTNAME, SEVERITY

SHOWN_ALERTS: Final = 10
"""How many alerts a message for people tells one by one; the others are counted."""
SHOWN_VALUE: Final = 200
"""Characters of one label value or annotation line that a message for people shows."""

_CONTROLS: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")
_TURNS: Final = re.compile(r"[\u202a-\u202e\u2066-\u2069]")
_ELLIPSIS: Final = "…"


class Level(StrEnum):
    """The four severities PagerDuty knows, worst first; every other service's colours hang on them too."""

    CRITICAL = "critical"
    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


_LEVELS: Final[Mapping[str, Level]] = {
    **dict.fromkeys(("critical", "crit", "page", "emergency", "fatal", "disaster", "p1"), Level.CRITICAL),
    **dict.fromkeys(("error", "err", "high", "major", "p2"), Level.ERROR),
    **dict.fromkeys(("warning", "warn", "medium", "minor", "average", "p3"), Level.WARNING),
    **dict.fromkeys(("info", "information", "informational", "notice", "low", "none", "debug", "p4", "p5"), Level.INFO),
}


def level(severity: str) -> Level:
    """What a `severity` label means; an unknown word or none is an error, as Alertmanager's default for PagerDuty."""
    return _LEVELS.get(severity.strip().lower(), Level.ERROR)


def clean(text: str) -> str:
    """The text without lone surrogates and control characters, which no wire format carries; newlines stay."""
    return _CONTROLS.sub(" ", text.replace("\r\n", "\n").encode("utf-8", "replace").decode())


def capped(text: str, limit: int) -> str:
    """The text, at most `limit` characters of it, with an ellipsis as the last one when something was cut."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + _ELLIPSIS


def one_line(text: str, limit: int) -> str:
    """The text as a single line of at most `limit` characters: every run of white space is one blank.

    A value of megabytes is cut before the blanks are counted, so a hostile label costs no more than a long one. What would turn
    the direction of the text that follows (U+202E and its kin) is a blank, too.
    """
    return capped(" ".join(_TURNS.sub(" ", clean(text[: 4 * limit])).split()), limit)


def number(value: float | None) -> str:
    """A sample's value as people read it; empty when unknown, Prometheus' words for what is no finite number."""
    if value is None:
        return ""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    if value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return f"{value:.2f}" if 1e6 <= abs(value) < 1e15 else f"{value:.6g}"


def rfc3339(at: datetime) -> str:
    """The instant as Go writes it (RFC3339Nano): in UTC, with `Z`, without trailing zeros in the fraction."""
    text = at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f").rstrip("0").rstrip(".")
    return text.rjust(len("2026-01-01T00:00:00"), "0") + "Z"


def spoken(at: datetime) -> str:
    """The instant as a person reads it, to the second, in UTC."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def common(maps: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """The pairs all maps have in common; none of no maps."""
    present = [dict(pairs.items()) for pairs in maps]
    return reduce(lambda kept, pairs: dict(kept.items() & pairs.items()), present) if present else {}


def common_labels(facts: Facts) -> dict[str, str]:
    """The labels all alerts of the message share, `alertname` first (A:template/template.go SortedPairs)."""
    return alertname_first(common(alert.labels for alert in facts.alerts))


def alertname_first(pairs: Mapping[str, str]) -> dict[str, str]:
    """The pairs sorted by name, `alertname` before all others."""
    return {name: pairs[name] for name in sorted(pairs, key=lambda name: (name != ALERTNAME, name))}


def worst_severity(facts: Facts) -> str:
    """The `severity` label of the worst firing alert, of the worst at all when none fires; empty when there is none."""
    order = list(Level)
    severities = [alert.labels[SEVERITY] for alert in facts.firing or facts.alerts if SEVERITY in alert.labels]
    return min(severities, key=lambda text: order.index(level(text)), default="")


def status_tag(facts: Facts) -> str:
    """`[FIRING:2]` or `[RESOLVED]`, as Alertmanager's default templates begin (A:template/default.tmpl)."""
    return f"[FIRING:{len(facts.firing)}]" if facts.firing else "[RESOLVED]"


def title(facts: Facts) -> str:
    """`[FIRING:2] HighErrorRate (critical)`: status, what it is about, and the worst severity; one line."""
    severity = one_line(worst_severity(facts), 40)
    words = [status_tag(facts), one_line(subject_of(facts), 150), f"({severity})" if severity else ""]
    return " ".join(word for word in words if word)


def subject_of(facts: Facts) -> str:
    """What the group is about: the alert name, else the group's label values, else how many alerts there are."""
    known = common_labels(facts) | dict(facts.group_labels)
    grouped = " ".join(facts.group_labels.values())
    return known.get(ALERTNAME) or grouped or f"{len(facts.alerts)} alerts"


def subject(facts: Facts) -> str:
    """Alertmanager's default subject: `[FIRING:n] <group values> (<other common values>)` (A:template/default.tmpl)."""
    grouped = alertname_first(facts.group_labels)
    others = [value for name, value in common_labels(facts).items() if name not in grouped]
    words = [*(one_line(value, 80) for value in grouped.values())]
    others_text = " ".join(one_line(value, 80) for value in others)
    return one_line(" ".join([status_tag(facts), *words, f"({others_text})" if others else ""]), 240)


def headline(alert: AlertFacts) -> str:
    """What one alert says of itself in a line: its summary, else its description, else its name."""
    said = (alert.annotations.get(name, "") for name in ("summary", "description", "message"))
    return one_line(next((text for text in said if text.strip()), alert.labels.get(ALERTNAME, "alert")), 300)


def shared_headline(facts: Facts) -> str:
    """The headline when all alerts tell the same one, empty otherwise."""
    told = {headline(alert) for alert in facts.alerts}
    return told.pop() if len(told) == 1 else ""


def gist(facts: Facts) -> str:
    """What a push preview has room for: the headline all alerts share, else the first one's and how many more there are."""
    told = facts.firing or facts.alerts
    shared = shared_headline(facts)
    if shared or not told:
        return shared
    return f"{headline(told[0])}, and {len(told) - 1} more" if len(told) > 1 else headline(told[0])


def description(alert: AlertFacts) -> str:
    """The alert's description in a line, empty when the headline says it already."""
    text = one_line(alert.annotations.get("description", ""), 500)
    return "" if text == headline(alert) else text


def told_once(facts: Facts) -> frozenset[str]:
    """The names of the labels no alert need repeat: what all share, or for a lone alert what the title says."""
    return frozenset(common_labels(facts) if len(facts.alerts) > 1 else (ALERTNAME, SEVERITY))


def own_labels(alert: AlertFacts, told: frozenset[str]) -> str:
    """The labels that tell this alert from the others of the message: `name=value` by commas, less those told."""
    own = [f"{name}={one_line(value, 80)}" for name, value in alert.labels.items() if name not in told]
    return one_line(", ".join(own), 400)


def measured(alert: AlertFacts) -> str:
    """`value 97 (threshold > 80), since 2026-01-01 12:00:00 UTC`: what was seen, what is allowed, and from when."""
    value = f"value {number(alert.value)}" if alert.value is not None else ""
    threshold = f"(threshold {one_line(alert.threshold, 80)})" if alert.threshold else ""
    seen = " ".join(part for part in (value, threshold) if part)
    ended = f"resolved {spoken(alert.ends_at)}" if alert.ends_at else ""
    return ", ".join(part for part in (seen, f"since {spoken(alert.starts_at)}", ended) if part)


def web_address(text: str) -> str | None:
    """The text as an http(s) address that no format can be broken by, `None` when it is no such address.

    Whatever would end an attribute, a Slack link or a header is percent-encoded; `javascript:` and such are refused.
    """
    text = text.strip()
    if len(text) > 2000 or not text.lower().startswith(("http://", "https://")):
        return None
    try:
        host = urlsplit(text).hostname
    except ValueError:
        return None
    return quote(clean(text), safe="%/:=&?~#+!$,;@()*[]") if host else None


def links(alert: AlertFacts, external_url: str = "") -> dict[str, str]:
    """Where to go from this alert: the words of the link and its address, runbook first.

    With `external_url`, Tocsin's own address, also to why it was told; while it fires, also to where it can be silenced.
    """
    wanted = {
        "Runbook": _first_of(alert.annotations, "runbook_url", "runbook"),
        "Dashboard": _first_of(alert.annotations, "dashboard_url", "dashboard"),
        "Query": alert.generator_url,
        **({"Silence": alert_page(alert, external_url, "silence")} if alert.status == "firing" else {}),
        "Explain": alert_page(alert, external_url, "explain"),
    }
    found = {words: web_address(text) for words, text in wanted.items()}
    return {words: address for words, address in found.items() if address}


def alert_page(alert: AlertFacts, external_url: str, part: str) -> str:
    """The address of a part of the alert's own page; empty for what is no alert of the engine, which has none."""
    return f"{external_url}/alerts/{alert.fingerprint}#{part}" if external_url and alert.number is not None else ""


def _first_of(texts: Mapping[str, str], *names: str) -> str:
    return next((texts[name] for name in names if texts.get(name)), "")


def front_page(facts: Facts) -> str | None:
    """The address the title leads to: the first alert's own page, Tocsin's address where it has none, else its query."""
    first = facts.alerts[:1]
    pages = [alert_page(alert, facts.external_url, "explain") for alert in first]
    addresses = [*pages, facts.external_url, *(alert.generator_url for alert in first)]
    return next((address for text in addresses if (address := web_address(text))), None)


def unshown(facts: Facts, shown: int) -> str:
    """The line that counts the alerts a message has no room for, empty when it told all."""
    left = len(facts.alerts) - shown
    return f"… and {left} more" if left > 0 else ""
