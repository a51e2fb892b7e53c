"""A thousand edits at once, by the database's own shell and by REST: engine, API and database end in agreement."""

from __future__ import annotations

import json
import random
import re
import subprocess
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from http import HTTPStatus
from typing import Any, Final, NamedTuple

import pytest

from tests.peers.engine_process import EngineProcess
from tests.peers.processes import wait_until
from tests.peers.require import find_binary, require_peer
from tests.peers.surroundings import Outside

pytestmark = [pytest.mark.peer("prometheus"), pytest.mark.timeout(240)]

RULES: Final = [f"r{number}" for number in range(40)]
SHELLS, RUNS, STATEMENTS = 3, 5, 45
"""So many shells at once, each started so often, with so many statements typed into each."""
CLIENTS, REQUESTS = 4, 85
SETTLED: Final = timedelta(seconds=60)
LEGAL: Final = {
    HTTPStatus.OK,
    HTTPStatus.CREATED,
    HTTPStatus.NO_CONTENT,
    HTTPStatus.NOT_FOUND,  # Somebody else deleted it first.
    HTTPStatus.CONFLICT,  # Somebody else changed it first.
    HTTPStatus.UNPROCESSABLE_ENTITY,  # Somebody else had broken it, and the patch does not mend it.
}
BROKEN: Final = "up ==="

_OPENER: Final = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Seen(NamedTuple):
    """What is compared of a rule; which version of it was checked is the engine's word."""

    name: str
    expr: str
    severity: str
    enabled: bool
    version: int


def statement(chance: random.Random) -> str:
    """An edit as people type it; one in twenty asks something that is no PromQL."""
    key, word = chance.choice(RULES), f"w{chance.randrange(1000)}"
    expr = BROKEN if chance.random() < 0.05 else f"vector({chance.randrange(1000)}) > 2000"
    insert = f"INSERT INTO alert_rules (id, name, expr) VALUES ('{key}', '{word}', '{expr}') ON CONFLICT (id) DO"
    return chance.choice(
        [
            f"UPDATE alert_rules SET severity = '{word}' WHERE id = '{key}';",
            f"UPDATE alert_rules SET expr = '{expr}' WHERE id = '{key}';",
            f"UPDATE alert_rules SET enabled = NOT enabled WHERE id = '{key}';",
            f"{insert} UPDATE SET name = '{word}', expr = '{expr}';",
            f"BEGIN; DELETE FROM alert_rules WHERE id = '{key}'; {insert} NOTHING; COMMIT;",
            f"DELETE FROM alert_rules WHERE id = '{key}';",
        ]
    )


def shell(outside: Outside) -> list[str]:
    """The database's own shell, patient where it has to be told so."""
    url = outside.database_url
    if url.startswith("sqlite:///"):
        require_peer("sqlite3")
        return [str(find_binary("sqlite3")), "-batch", "-cmd", ".timeout 5000", url.removeprefix("sqlite:///")]
    require_peer("psql")
    return [str(find_binary("psql")), "--no-psqlrc", "--quiet", url]


def edit_by_sql(outside: Outside, seed: int) -> list[str]:
    """What the shell complained about."""
    chance = random.Random(seed)
    complaints: list[str] = []
    for _ in range(RUNS):
        typed = "\n".join(statement(chance) for _ in range(STATEMENTS))
        done = subprocess.run(shell(outside), input=typed, capture_output=True, text=True, timeout=120, check=False)
        complaints += done.stderr.splitlines()
    # A shell of SQLite's gives up after its five seconds, which many writers on a slow disk may take.
    return [complaint for complaint in complaints if "database is locked" not in complaint]


def request(chance: random.Random) -> tuple[str, str, dict[str, Any] | None]:
    """A method, a path and a body."""
    path, word = f"/api/v1/rules/{chance.choice(RULES)}", f"w{chance.randrange(1000)}"
    expr = f"vector({chance.randrange(1000)}) > 2000"
    choices: list[tuple[str, str, dict[str, Any] | None]] = [
        ("PATCH", path, {"severity": word, "enabled": chance.random() < 0.8}),
        ("PATCH", path, {"expr": expr}),
        ("PUT", path, {"name": word, "expr": expr}),
        ("PUT", path, {"name": word, "expr": expr, "severity": word}),
        ("DELETE", path, None),
    ]
    return chance.choice(choices)


def edit_by_rest(engine: EngineProcess, seed: int) -> Counter[int]:
    """How often each status was answered."""
    chance = random.Random(seed)
    return Counter(send(engine, *request(chance)) for _ in range(REQUESTS))


def send(engine: EngineProcess, method: str, path: str, body: dict[str, Any] | None) -> int:
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"}
    asked = urllib.request.Request(f"{engine.url}{path}", data, headers, method=method)
    try:
        with _OPENER.open(asked, timeout=60) as answer:
            answer.read()
            return int(answer.status)
    except urllib.error.HTTPError as refusal:
        with refusal:
            refusal.read()
            return refusal.code


def in_api(engine: EngineProcess) -> Iterator[dict[str, Any]]:
    """Every rule, page by page."""
    cursor = ""
    while True:
        status, page = engine.get(f"/api/v1/rules?limit=15{cursor}")
        assert status == HTTPStatus.OK, page
        yield from page["items"]
        if page["next_cursor"] is None:
            return
        cursor = f"&cursor={page['next_cursor']}"


def in_table(outside: Outside) -> dict[str, Seen]:
    rows = outside.sql("SELECT id, name, expr, severity, enabled, version FROM alert_rules")
    return {
        key: Seen(name, expr, severity, bool(enabled), version) for key, name, expr, severity, enabled, version in rows
    }


def followed(engine: EngineProcess) -> int:
    """The newest change that is in force in the engine."""
    with _OPENER.open(f"{engine.url}/metrics", timeout=10) as answer:
        found = re.search(r"^tocsin_definition_version (\S+)$", answer.read().decode(), re.MULTILINE)
    assert found is not None
    return int(float(found[1]))


def disagreements(engine: EngineProcess, outside: Outside) -> list[str]:
    """Where the API, the table and what the engine goes by differ."""
    table, api = in_table(outside), {rule["id"]: rule for rule in in_api(engine)}
    shown = {key: Seen(*(rule[name] for name in Seen._fields)) for key, rule in api.items()}
    differing = [key for key in table.keys() | shown.keys() if shown.get(key) != table.get(key)]
    found = [f"{key}: {shown.get(key)} in the API, {table.get(key)} in the table" for key in differing]
    for key, rule in table.items():
        status = api[key]["status"] if key in api else {}
        if rule.expr == BROKEN and status.get("health") != "quarantined":
            found.append(f"{key}: is no PromQL, and {status}")
        elif rule.expr != BROKEN and rule.enabled and status.get("checked_version") != rule.version:
            found.append(f"{key}: {rule} in the table, and {status}")
    ((newest,),) = outside.sql("SELECT max(id) FROM definition_changes")
    return found if followed(engine) == newest else [*found, f"the engine has not followed change {newest}"]


def test_a_thousand_edits_at_once_end_in_agreement(outside: Outside) -> None:
    with outside.engine(TOCSIN_LOG_LEVEL="warning") as engine:
        with ThreadPoolExecutor(SHELLS + CLIENTS) as pool:
            shells = [pool.submit(edit_by_sql, outside, seed) for seed in range(SHELLS)]
            clients = [pool.submit(edit_by_rest, engine, 100 + seed) for seed in range(CLIENTS)]
            complaints = [complaint for one in shells for complaint in one.result()]
            answers = sum((one.result() for one in clients), Counter[int]())
        with suppress(TimeoutError):  # What it is that differs says more.
            wait_until(lambda: not disagreements(engine, outside), what="agreement", within=SETTLED)
        assert disagreements(engine, outside) == []
        engine.stop()
    assert (complaints, answers.keys() - LEGAL) == ([], set())
