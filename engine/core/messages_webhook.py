"""Alertmanager's webhook JSON, version 4, key by key: programs read it, so nothing is shortened (A:notify/webhook)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Final

from engine.core.facts import AlertFacts, Facts
from engine.core.messages_templated import rendered_route_labels
from engine.core.messages_text import clean, common, one_line, rfc3339
from rules.errors import ChannelError

STILL_FIRING: Final = "0001-01-01T00:00:00Z"
"""Go's zero time, which Alertmanager writes for an alert that has not ended."""

_NONE: Final[Mapping[str, str]] = {}

Json = dict[str, object]


def render(facts: Facts, settings: Mapping[str, str], texts: Mapping[str, str] = _NONE) -> bytes:
    """The message of at most `settings.max_alerts` alerts; without it, or with 0, of all.

    A `payload` of one's own is all there is; a `note` on why it could not be made stands beside Alertmanager's keys.
    """
    if texts.get("payload"):
        return texts["payload"].encode()
    limit = max_alerts(settings)
    kept = facts.alerts[: limit or None]
    body: Json = {
        "version": "4",
        "groupKey": clean(facts.group_key),
        "truncatedAlerts": len(facts.alerts) - len(kept),
        "status": facts.status,
        "receiver": clean(facts.receiver),
        "groupLabels": _pairs(facts.group_labels),
        "commonLabels": _pairs(common(alert.labels for alert in facts.alerts)),
        "commonAnnotations": _pairs(common(alert.annotations for alert in facts.alerts)),
        "routeLabels": _pairs(rendered_route_labels(facts)),
        "externalURL": clean(facts.external_url),
        "notification_reason": clean(facts.reason),
        "alerts": [_alert(alert) for alert in kept],
        **({"note": one_line(texts["note"], 1000)} if texts.get("note") else {}),
    }
    return json.dumps(body, ensure_ascii=False, allow_nan=False).encode()


def max_alerts(settings: Mapping[str, str]) -> int:
    """How many alerts one message may hold, 0 for all; ChannelError when the setting is no such number."""
    text = settings.get("max_alerts", "0").strip()
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise ChannelError(f"max_alerts must be 0 (all) or a count, not {text!r}", field="settings.max_alerts")
    return int(text)


def _alert(alert: AlertFacts) -> Json:
    return {
        "status": alert.status,
        "labels": _pairs(alert.labels),
        "annotations": _pairs(alert.annotations),
        "startsAt": rfc3339(alert.starts_at),
        "endsAt": rfc3339(alert.ends_at) if alert.ends_at else STILL_FIRING,
        "generatorURL": clean(alert.generator_url),
        "fingerprint": alert.fingerprint,
    }


def _pairs(pairs: Mapping[str, str]) -> dict[str, str]:
    return {clean(name): clean(pairs[name]) for name in sorted(pairs)}
