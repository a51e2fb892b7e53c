"""What the demo asks the engine over HTTP and by SQL, against a server whose answers are scripted."""

from __future__ import annotations

import json
import shlex
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from api.demo.children import free_port
from api.demo.engine_client import EngineClient, answer, run_sql
from tests.servers import Response, ScriptedServer


def serving(body: Any, status: int = 200) -> ScriptedServer:
    """Answers everything alike; a body that is no text as JSON."""
    text = body if isinstance(body, str) else json.dumps(body)
    return ScriptedServer(lambda _: Response(status=status, body=text.encode()))


def alert(state: str) -> dict[str, str]:
    return {"state": state, "fingerprint": state}


@pytest.mark.parametrize(
    ("body", "status", "known"),
    [
        pytest.param({"a": [1]}, 200, {"a": [1]}, id="json"),
        pytest.param("Ready.", 200, "Ready.", id="text"),
        pytest.param({"a": 1}, 503, None, id="unhealthy"),
        pytest.param("no such page", 404, None, id="not-found"),
    ],
)
def test_an_answer_is_json_text_or_none_at_all(body: Any, status: int, known: Any) -> None:
    with serving(body, status) as server:
        assert answer(server.url) == known


def test_where_nobody_listens_there_is_no_answer() -> None:
    client = EngineClient(f"http://127.0.0.1:{free_port()}")
    assert (client.ready(), client.rule_health("a"), client.alert("a")) == (False, "", None)


def test_the_engine_is_ready_when_it_says_so() -> None:
    with serving({"status": "ready"}) as server:
        assert EngineClient(server.url).ready()
    assert server.requests[0].path == "/health/ready"


def test_a_rules_health_is_that_of_its_status() -> None:
    with serving({"id": "a", "status": {"health": "err"}}) as server:
        assert EngineClient(server.url).rule_health("a") == "err"
    assert server.requests[0].path == "/api/v1/rules/a"


@pytest.mark.parametrize(
    ("states", "found"),
    [
        pytest.param([], None, id="none"),
        pytest.param(["inactive"], None, id="only-one-that-is-over"),
        pytest.param(["pending"], "pending", id="pending"),
        pytest.param(["inactive", "firing"], "firing", id="firing-beside-one-that-is-over"),
    ],
)
def test_a_rules_alert_is_the_one_that_is_pending_or_firing(states: list[str], found: str | None) -> None:
    with serving({"items": [alert(state) for state in states], "next_cursor": None}) as server:
        assert EngineClient(server.url).alert("a") == (alert(found) if found else {})
    assert server.requests[0].path == "/api/v1/alerts?rule_id=a"


def test_the_silence_line_posts_a_matcher_for_exactly_this_alert() -> None:
    words = shlex.split(EngineClient("http://127.0.0.1:1").silence_command("High Error Rate"))
    body = json.loads(words[words.index("-d") + 1])
    assert words[:4] == ["curl", "-X", "POST", "http://127.0.0.1:1/api/v1/silences"]
    assert body["matchers"] == [{"name": "alertname", "value": "High Error Rate"}]
    assert body["duration"] == "10m"


def test_sql_is_committed_with_foreign_keys_held(tmp_path: Path) -> None:
    database = tmp_path / "a.db"
    run_sql(database, "CREATE TABLE a (id TEXT PRIMARY KEY)", "CREATE TABLE b (a TEXT REFERENCES a (id))")
    run_sql(database, "INSERT INTO a VALUES ('x')", "INSERT INTO b VALUES ('x')")
    with pytest.raises(sqlite3.IntegrityError):
        run_sql(database, "INSERT INTO b VALUES ('y')")
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("SELECT a FROM b").fetchall() == [("x",)]
