"""The incident that docs/messages.md shows, and what each kind of channel is told of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta

from engine.core import messages
from engine.core.facts import Facts
from engine.core.messages_readable import readable
from rules.channels import Channel, ChannelKind
from tests.core.telling import alert, facts

ANNOTATIONS = {
    "summary": "Checkout answers with errors on {host}",
    "description": "More than 80 errors a minute for five minutes; orders are being lost.",
    "runbook_url": "https://wiki.example.org/runbooks/checkout-errors",
    "dashboard_url": "https://grafana.example.org/d/checkout",
}


def begun() -> Facts:
    """Two instances fail."""
    return _told("firing", "first notification")


def over() -> Facts:
    """Both are well again."""
    return _told("resolved", "all alerts resolved")


def _told(status: str, reason: str) -> Facts:
    both = (("web-1", 97.25), ("web-2", 143.0))
    alerts = [
        alert(
            {"alertname": "CheckoutErrors", "instance": host, "service": "checkout", "team": "shop"},
            status="firing" if status == "firing" else "resolved",
            annotations={name: text.format(host=host) for name, text in ANNOTATIONS.items()},
            value=value,
            generator_url="https://prometheus.example.org/graph?g0.expr=errors&g0.tab=1",
            number=at,
        )
        for at, (host, value) in enumerate(both, 1)
    ]
    told = facts(
        *alerts, group_labels={"alertname": "CheckoutErrors", "service": "checkout"}, reason=reason, receiver="shop"
    )
    assert told.flush_at - alerts[0].starts_at == timedelta(minutes=1)
    return told


def files() -> Mapping[str, str]:
    """Every rendered message by the name of its file in docs/messages."""
    found: dict[str, str] = {}
    for name, told in (("firing", begun()), ("resolved", over())):
        for kind in ChannelKind:
            body = messages.message(Channel(name="x", kind=kind), told).body.decode()
            if kind is ChannelKind.LOG:
                found[f"{name}-log.txt"] = f"{body}\n"
                continue
            payload = json.loads(body)
            found[f"{name}-{kind.value}.json"] = json.dumps(payload, indent=2, ensure_ascii=False) + "\n"
            if kind is ChannelKind.EMAIL:
                found[f"{name}-email.txt"] = readable(kind, payload) + "\n"
                found[f"{name}-email.html"] = payload["html"]
    return found
