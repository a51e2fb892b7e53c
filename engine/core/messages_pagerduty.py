"""PagerDuty's event (Events API v2), without the routing key: trigger while anything fires, resolve when all is over.

One group is one incident: its key is the group's own, which survives edits of the routes (A:notify/pagerduty).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Final

from engine.core.facts import AlertFacts, Facts
from engine.core.messages_text import (
    clean,
    common_labels,
    gist,
    level,
    links,
    number,
    one_line,
    rfc3339,
    title,
    web_address,
    worst_severity,
)
from rules.labels import ALERTNAME
from rules.message_parts import DETAILS

EVENT_LIMIT: Final = 512_000
"""Bytes PagerDuty takes of one event."""
KEY_LIMIT: Final = 255
"""Characters PagerDuty takes of a dedup key."""
_ROUTING_KEY: Final = 300
"""Bytes kept free for the routing key, which is added at the moment of sending."""
_REMOVED: Final = "Custom details have been removed because the original event exceeds the maximum size of 512KB"

_NONE: Final[Mapping[str, str]] = {}

Json = dict[str, object]


def dedup_key(key: str) -> str:
    """The key as PagerDuty takes it: itself, or its SHA-256 when it is longer than 255 characters."""
    return clean(key) if len(key) <= KEY_LIMIT else hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()


def render(facts: Facts, texts: Mapping[str, str] = _NONE) -> bytes:
    """The event in bytes; `texts` are parts in words of one's own, `details.NAME` a custom detail."""
    own: Json = {name.removeprefix(DETAILS): text for name, text in texts.items() if name.startswith(DETAILS)}
    body = _encoded(facts, details(facts) | own, texts)
    if len(body) <= EVENT_LIMIT - _ROUTING_KEY:
        return body
    return _encoded(facts, {"error": _REMOVED, **_counts(facts)}, texts)


def _encoded(facts: Facts, custom_details: Json, texts: Mapping[str, str]) -> bytes:
    return json.dumps(event(facts, custom_details, texts), ensure_ascii=False, allow_nan=False).encode()


def event(facts: Facts, custom_details: Json, texts: Mapping[str, str] = _NONE) -> Json:
    """The whole event but for the routing key."""
    found: Json = {
        "event_action": "trigger" if facts.firing else "resolve",
        "dedup_key": dedup_key(facts.dedup_key),
        "payload": _payload(facts, custom_details) | _own_payload(texts),
        "client": one_line(texts.get("client") or "Tocsin", 250),
        "client_url": web_address(texts.get("client_url") or facts.external_url),
        "links": _links(facts),
    }
    return {name: value for name, value in found.items() if value}


def _payload(facts: Facts, custom_details: Json) -> Json:
    shared = common_labels(facts) | dict(facts.group_labels)
    told = gist(facts)
    pairs: Json = {
        "summary": one_line(f"{title(facts)}: {told}" if told else title(facts), 1024),
        "source": _first(shared, "instance", "host", "hostname", "node", "pod", "service", "job") or "tocsin",
        "severity": level(worst_severity(facts)).value,
        "timestamp": rfc3339(min((alert.starts_at for alert in facts.firing or facts.alerts), default=facts.flush_at)),
        "component": _first(shared, "component", "service", "job"),
        "group": _first(shared, "cluster", "environment", "namespace", "team"),
        "class": _first(shared, ALERTNAME),
        "custom_details": custom_details,
    }
    return {name: value for name, value in pairs.items() if value}


def _own_payload(texts: Mapping[str, str]) -> Json:
    """The fields templates say; one that came out empty is no field, and a severity is one of PagerDuty's four."""
    own: Json = {
        name: one_line(texts[name], 250) for name in ("class", "component", "group", "source") if texts.get(name)
    }
    if texts.get("description"):
        own["summary"] = one_line(texts["description"], 1024)
    if texts.get("severity"):
        own["severity"] = level(texts["severity"]).value
    return own


def _first(labels: dict[str, str], *names: str) -> str:
    return next((one_line(labels[name], 250) for name in names if labels.get(name)), "")


def details(facts: Facts) -> Json:
    """The alerts as nested JSON, so that PagerDuty's rules can look into them."""
    found: Json = {
        "firing": [_alert(alert) for alert in facts.firing],
        "resolved": [_alert(alert) for alert in facts.resolved],
        "receiver": clean(facts.receiver),
        "reason": clean(facts.reason),
        "notes": [clean(note) for note in facts.notes],
    }
    return {name: value for name, value in found.items() if value} | _counts(facts)


def _counts(facts: Facts) -> Json:
    return {"num_firing": str(len(facts.firing)), "num_resolved": str(len(facts.resolved))}


def _alert(alert: AlertFacts) -> Json:
    pairs: Json = {
        "labels": {clean(name): clean(value) for name, value in alert.labels.items()},
        "annotations": {clean(name): clean(value) for name, value in alert.annotations.items()},
        "value": number(alert.value),
        "threshold": clean(alert.threshold or ""),
        "starts_at": rfc3339(alert.starts_at),
        "ends_at": rfc3339(alert.ends_at) if alert.ends_at else None,
        "fingerprint": alert.fingerprint,
        "generator_url": clean(alert.generator_url),
    }
    return {name: value for name, value in pairs.items() if value}


def _links(facts: Facts) -> list[Json]:
    """The distinct links of all alerts, ten at most, in the order of the alerts."""
    found = {address: words for alert in facts.alerts for words, address in links(alert, facts.external_url).items()}
    return [{"href": address, "text": words} for address, words in list(found.items())[:10]]
