"""What the demo knows of the running engine: its REST API, asked from outside, and its database, edited by plain SQL."""

from __future__ import annotations

import json
import sqlite3
import urllib.request
from contextlib import closing
from pathlib import Path
from typing import Any, Final

# No proxy of the user's environment lies between the demo and 127.0.0.1.
_OPENER: Final = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def answer(url: str) -> Any:
    """The JSON a GET is answered with (any other body as text); `None` when there is no answer with status 2xx."""
    try:
        with _OPENER.open(url, timeout=2) as response:
            body = response.read().decode()
    except OSError:
        return None
    try:
        return json.loads(body)
    except ValueError:
        return body


def run_sql(database: Path, *statements: str) -> None:
    """Run the statements as anyone with a database client would, while the engine runs; one transaction each."""
    with closing(sqlite3.connect(database, timeout=5, isolation_level=None)) as connection:
        connection.execute("PRAGMA foreign_keys = ON")
        for statement in statements:
            connection.execute(statement)


class EngineClient:
    """The engine's REST API at `base`; every question may be asked before the engine is ready."""

    def __init__(self, base: str) -> None:
        self.base = base

    def ready(self) -> bool:
        return answer(f"{self.base}/health/ready") is not None

    def rule_health(self, rule_id: str) -> str:
        """The health of the rule in the words of its status; empty while it is not known."""
        rule = answer(f"{self.base}/api/v1/rules/{rule_id}")
        return str(rule["status"]["health"]) if rule else ""

    def alert(self, rule_id: str) -> dict[str, Any] | None:
        """The rule's alert that is pending or firing; empty when there is none, `None` when there was no answer."""
        page = answer(f"{self.base}/api/v1/alerts?rule_id={rule_id}")
        if page is None:
            return None
        return next((alert for alert in page["items"] if alert["state"] in ("pending", "firing")), {})

    def silence_command(self, alertname: str) -> str:
        """A command line that silences the alert for ten minutes, ready to paste into a POSIX shell."""
        matcher = {"name": "alertname", "value": alertname}
        silence = {"matchers": [matcher], "duration": "10m", "comment": "looking into it"}
        return (
            f"curl -X POST {self.base}/api/v1/silences -H 'Content-Type: application/json' \\\n"
            f"  -d '{json.dumps(silence)}'"
        )
