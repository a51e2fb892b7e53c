"""What a fresh database holds: severities, the default datasource, the usual channels fed from the environment, the root."""

from __future__ import annotations

import json

import sqlalchemy as sa

_SEVERITIES = {"info": 10, "warning": 20, "critical": 30, "page": 40}
_EMAIL_SETTINGS = {
    "port": "env:SMTP_PORT",
    "user": "env:SMTP_USER",
    "password": "env:SMTP_PASSWORD",
    "from": "env:SMTP_FROM",
    "to": "env:SMTP_TO",
    "tls": "env:SMTP_TLS",
}
_CHANNELS: tuple[tuple[str, str, str, dict[str, str]], ...] = (
    ("slack", "slack", "env:SLACK_WEBHOOK_URL", {"channel": "env:SLACK_ALERT_CHANNEL"}),
    ("pagerduty", "pagerduty", "env:PAGERDUTY_SERVICE_KEY", {}),
    ("email", "email", "env:SMTP_HOST", _EMAIL_SETTINGS),
    ("log", "log", "", {}),
)


def insert(connection: sa.Connection) -> None:
    """Insert them all; their origin is `tocsin`, so that an import never takes them for its own."""
    for name, rank in _SEVERITIES.items():
        connection.execute(
            sa.text("INSERT INTO severities (name, rank) VALUES (:name, :rank)"), {"name": name, "rank": rank}
        )
    connection.execute(
        sa.text("INSERT INTO datasources (name, urls, origin) VALUES ('default', :urls, 'tocsin')"),
        {"urls": json.dumps(["env:TOCSIN_PROMETHEUS_URL"])},
    )
    for name, kind, url, settings in _CHANNELS:
        connection.execute(
            sa.text(
                "INSERT INTO channels (name, kind, url, settings, origin) VALUES (:name, :kind, :url, :settings, 'tocsin')"
            ),
            {"name": name, "kind": kind, "url": url, "settings": json.dumps(settings)},
        )
    # Slack first, because that is where a team's alerts are read; without an address the log channel takes them.
    connection.execute(
        sa.text(
            "INSERT INTO routes (id, receiver, channels, group_by, group_wait_seconds, group_interval_seconds, "
            "repeat_interval_seconds, notify_on_unmute, origin) "
            "VALUES ('root', 'default', :channels, :group_by, 30, 300, 14400, 'needed', 'tocsin')"
        ),
        {"channels": json.dumps(["slack"]), "group_by": json.dumps(["alertname"])},
    )
