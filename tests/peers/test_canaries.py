"""Secrets planted everywhere a person can put one appear nowhere but where they are sent: a real engine, both databases.

Not searched for is what PostgreSQL keeps of a row that was typed by SQL in clear and replaced since: its dead rows and its
log are the server's, as docs/secrets.md says.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from base64 import b64decode, b64encode
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import psycopg
import pytest
from psycopg import sql

from api.demo.stage import neutral
from engine.delivery.sealing import fresh_key
from tests.peers.engine_process import ROOT, EngineProcess
from tests.peers.postgres_server import PostgresServer
from tests.peers.processes import wait_until
from tests.peers.surroundings import HURRY, connection
from tests.servers import Request, Response, ScriptedServer

CANARY: Final = "canary-7f3a91"
SOON: Final = timedelta(seconds=60)
FIRING: Final = {"metric": {"__name__": "up", "job": "shop"}, "value": [1795000000, "0"]}
VECTOR: Final = json.dumps({"status": "success", "data": {"resultType": "vector", "result": [FIRING]}}).encode()
_OPENER: Final = urllib.request.build_opener(urllib.request.ProxyHandler({}))
BY_SQL: Final = "INSERT INTO channels (name, kind, url, settings) VALUES ('typed', 'webhook', '{url}', '{settings}')"


def canary(place: str) -> str:
    """The secret planted in this place."""
    return f"{CANARY}-{place}"


class Planted:
    """An engine with a canary in every place, and all it has ever answered."""

    def __init__(self, database_url: str, folder: Path, port_of: dict[str, int]) -> None:
        self.folder, self.database_url, self.port_of = folder, database_url, port_of
        self.secret_key, self.api_key = fresh_key(), canary("api-key")
        self.answers: list[bytes] = []
        secrets = folder / "secrets"
        secrets.mkdir()
        (secrets / "token").write_text(f"Bearer {canary('file')}\n")
        self.environment = {
            "TOCSIN_DATABASE_URL": database_url,
            "TOCSIN_PROMETHEUS_URL": f"http://u:{canary('prometheus')}@127.0.0.1:{port_of['parrot']}",
            "TOCSIN_API_KEYS": self.api_key,
            "TOCSIN_SECRET_KEY": self.secret_key,
            "TOCSIN_REFERENCES": f"env:CANARY_*,env:SLACK_*,env:PAGERDUTY_*,env:SMTP_*,file:{secrets}/*",
            "TOCSIN_FALLBACK_CHANNEL": f"webhook:http://127.0.0.1:{port_of['parrot']}/{canary('fallback')}",
            "TOCSIN_EVALUATION_INTERVAL": "1s",
            "TOCSIN_DELIVERY_TIMEOUT": "1s",
            "TOCSIN_LOG_LEVEL": "debug",
            "CANARY_HOOK": f"http://127.0.0.1:{port_of['parrot']}/{canary('env')}",
        }
        self.engine = EngineProcess(self.environment, folder=folder)

    @property
    def known(self) -> list[str]:
        """Every canary, in the spellings it could appear in."""
        # In base64 three bytes are four letters, so where a text begins decides how it looks; its ends depend on others.
        encoded = [b64encode(b"\0" * before + CANARY.encode()).decode()[4:-4] for before in range(3)]
        return [CANARY, *encoded, self.secret_key]

    def call(self, method: str, path: str, body: object = None, *, key: str | None = None) -> tuple[int, Any]:
        """The status and the JSON of an answer, `None` where it is none; every answer is kept."""
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {key or self.api_key}", "Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.engine.url}{path}", data, headers, method=method)
        try:
            with _OPENER.open(request, timeout=30) as answer:
                status, raw, shown = answer.status, answer.read(), bytes(answer.headers)
        except urllib.error.HTTPError as refusal:
            with refusal:
                status, raw, shown = refusal.code, refusal.read(), bytes(refusal.headers)
        self.answers += [raw, shown]
        try:
            return status, json.loads(raw)
        except ValueError:
            return status, None

    def put(self, path: str, body: object) -> None:
        status, answered = self.call("PUT", path, body)
        assert status in {200, 201}, answered

    def run(self, *arguments: str) -> str:
        """What a `tocsin` command says on stdout and stderr, in the engine's environment."""
        given = {**neutral(os.environ), "PYTHONPATH": str(ROOT), **self.environment}
        program = [sys.executable, "-c", "from api.cli import main; main()", *arguments]
        ended = subprocess.run(
            program, env=given, cwd=self.folder, capture_output=True, text=True, timeout=60, check=False
        )
        assert ended.returncode == 0, ended.stderr
        return ended.stdout + ended.stderr

    def stored(self) -> bytes:
        """All that the database holds: the bytes of SQLite's files, the text of every row on PostgreSQL."""
        if self.database_url.startswith("sqlite"):
            return b"".join(file.read_bytes() for file in self.folder.glob("tocsin.db*"))
        with closing(psycopg.connect(self.database_url)) as opened:
            names = opened.execute("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()").fetchall()
            statements = [sql.SQL("SELECT t::text FROM {} t").format(sql.Identifier(name)) for (name,) in names]
            return "\n".join(row for one in statements for (row,) in opened.execute(one).fetchall()).encode()

    def found_in(self, data: bytes) -> list[str]:
        return [text for text in self.known if text.encode() in data]


def channels(port_of: dict[str, int]) -> dict[str, dict[str, Any]]:
    """Channels of every kind, secrets in every place, services of every temper."""
    parrot, well = f"127.0.0.1:{port_of['parrot']}", f"127.0.0.1:{port_of['well']}"
    return {
        "well-slack": {"kind": "slack", "url": f"http://{well}/services/{canary('slack')}"},
        "well-hook": {
            "kind": "webhook",
            "url": f"http://{well}/hook",
            "settings": {"authorization": "file:{secrets}/token"},
        },
        "parrot-hook": {
            "kind": "webhook",
            "url": f"http://u:{canary('user')}@{parrot}/{canary('path')}?token={canary('query')}",
            "settings": {"authorization": f"Bearer {canary('setting')}"},
        },
        "parrot-bot": {
            "kind": "slack",
            "url": f"xoxb-{canary('bot')}",
            "settings": {"channel": "#a", "api_url": f"http://{parrot}/api"},
        },
        "parrot-pagerduty": {"kind": "pagerduty", "url": f"http://{canary('pagerduty')}@{parrot}/v2/enqueue"},
        "parrot-reference": {"kind": "webhook", "url": "env:CANARY_HOOK"},
        "no-tls": {"kind": "webhook", "url": f"https://{well}/{canary('tls')}"},
        "no-mail": {
            "kind": "email",
            "url": f"smtp://u:{canary('mail')}@127.0.0.1:{port_of['refused']}",
            "settings": {"to": "a@example.org", "password": canary("password")},
        },
        "silent": {"kind": "webhook", "url": f"http://127.0.0.1:{port_of['silent']}/{canary('silent')}"},
        "forbidden": {"kind": "webhook", "url": f"http://u:{canary('forbidden')}@169.254.169.254/{canary('metadata')}"},
    }  # fmt: skip


@pytest.fixture(params=("sqlite", pytest.param("postgresql", marks=pytest.mark.peer("postgresql"))))
def planted(request: pytest.FixtureRequest, tmp_path: Path, stands: dict[str, int]) -> Planted:
    url = f"sqlite:///{tmp_path}/tocsin.db"
    if request.param == "postgresql":
        server: PostgresServer = request.getfixturevalue("postgres")
        url = server.create_database()
    return Planted(url, tmp_path, stands)


@pytest.fixture
def stands(heard: list[Request]) -> Iterator[dict[str, int]]:
    """The ports of the services: one that is well, one that fails and repeats all it hears, one silent, one closed."""

    def well(request: Request) -> Response:
        heard.append(request)
        return Response(body=VECTOR if "query" in request.path else b"ok")

    def parrot(request: Request) -> Response:
        heard.append(request)
        shown = request.headers.get("authorization", "")
        clear = b64decode(shown.removeprefix("Basic ")).decode() if shown.startswith("Basic ") else ""
        said = f"{clear} {shown} {request.path} {dict(request.headers)} ".encode() + request.body
        return Response(status=500, body=said)

    with (
        ScriptedServer(well) as one,
        ScriptedServer(parrot) as other,
        socket.create_server(("127.0.0.1", 0)) as silent,
    ):
        with socket.create_server(("127.0.0.1", 0)) as closed:
            refused = closed.getsockname()[1]
        yield {"well": one.port, "parrot": other.port, "silent": silent.getsockname()[1], "refused": refused}


@pytest.fixture
def heard() -> list[Request]:
    return []


def plant(planted: Planted) -> list[str]:
    """Declare everything by REST, and one channel by SQL; the channels' names."""
    port_of = planted.port_of
    well, parrot = f"http://127.0.0.1:{port_of['well']}", f"127.0.0.1:{port_of['parrot']}"
    planted.put("/api/v1/datasources/well", {"urls": [well], "auth": {"token": canary("token")}})
    bad = {
        "urls": [f"http://u:{canary('datasource')}@{parrot}"],
        "kind": "mimir",
        "auth": {"password": canary("unused")},
    }
    planted.put("/api/v1/datasources/parrot", bad)
    planted.put("/api/v1/datasources/token", {"urls": [f"http://{parrot}"], "auth": {"token": canary("bearer")}})
    basic = {"urls": [f"http://{parrot}"], "auth": {"username": "u", "password": canary("basic")}}
    planted.put("/api/v1/datasources/basic", basic)
    declared = channels(port_of)
    for name, body in declared.items():
        text = json.dumps(body).replace("{secrets}", f"{planted.folder}/secrets")
        planted.put(f"/api/v1/channels/{name}", json.loads(text))
    url, settings = (
        f"http://{parrot}/{canary('typed')}",
        json.dumps({"authorization": f"Bearer {canary('typed-setting')}"}),
    )
    with closing(connection(planted.database_url)) as opened:
        opened.execute(HURRY)
        opened.execute(BY_SQL.format(url=url, settings=settings))
    assert "2 secrets that stood in clear" in planted.run("secrets", "rotate")
    names = [*declared, "typed"]
    for source in ("well", "parrot", "basic", "token", "default"):
        rule = {"name": f"Down {source}", "expr": "up == 0", "datasource": source, "notification_channels": names}
        planted.put(f"/api/v1/rules/{source}", rule)
    return names


def tried(planted: Planted, names: list[str]) -> bool:
    """Whether each of these channels was sent to, and each datasource asked."""
    state = {one["name"]: one["status"] for one in planted.call("GET", "/api/v1/channels")[1]["items"]}
    sources = planted.call("GET", "/api/v1/datasources")[1]["items"]
    sent = all(state[name]["last_success_at"] or state[name]["last_error_at"] for name in names)
    return sent and all(one["status"]["state"] != "unknown" for one in sources)


def ask_everything(planted: Planted) -> None:
    """Read every address the API has, with the keys its own lists name."""
    paths = planted.call("GET", "/openapi.json")[1]["paths"]
    readable = [path for path, methods in paths.items() if "get" in methods]
    for path in readable:
        if "{" not in path:
            _, page = planted.call("GET", path)
            for item in page.get("items", []) if isinstance(page, dict) else []:
                key = item.get("id") or item.get("name") or item.get("fingerprint")
                for inner in (one for one in readable if one.startswith(f"{path}/{{")):
                    first = inner.index("{")
                    planted.call("GET", f"{inner[:first]}{quote(str(key))}{inner[inner.index('}') + 1 :]}")


def be_refused(planted: Planted, names: list[str]) -> None:
    """Send what is wrong in every way, with canaries in it, and have every channel tried."""
    secret = canary("wrong")
    hook = {"kind": "webhook", "url": f"https://h/{secret}"}
    wrong: list[object] = [
        {**hook, "url": [secret]},
        {**hook, "url": secret},
        {**hook, "url": f"https://h/{secret}\x00"},
        {**hook, "url": f"enc:{secret}"},
        {**hook, "urll": secret},
        {**hook, "settings": {"authorization": [secret]}},
        {**hook, "settings": secret},
        [secret],
        f'{{"kind": "webhook", "url": "{secret}'.encode(),
    ]
    statuses = [planted.call("PUT", "/api/v1/channels/wrong", body)[0] for body in wrong]
    statuses += [
        planted.call("PUT", "/api/v1/datasources/wrong", {"urls": [body]})[0] for body in (secret, f"ftp://{secret}")
    ]
    assert {*statuses} <= {400, 422}, statuses
    assert planted.call("GET", "/api/v1/channels", key=canary("wrong-key"))[0] == 401
    for name in names:
        assert planted.call("POST", f"/api/v1/channels/{name}/test")[0] == 200
    planted.call("PUT", "/api/v1/channels/parrot-hook?dry_run=true", hook)
    for source in ("well", "parrot", "basic", "token", "default"):
        planted.call("POST", f"/api/v1/rules/{source}/evaluate")


def test_no_canary_is_found_anywhere_but_where_it_was_sent(planted: Planted, heard: list[Request]) -> None:
    with planted.engine:
        names = plant(planted)
        wait_until(lambda: tried(planted, names), what="every channel and datasource to have been tried", within=SOON)
        be_refused(planted, names)
        ask_everything(planted)
        assert planted.call("GET", "/metrics")[0] == 200
        # A reader may keep SQLite's log from being emptied of what was typed in clear; `rotate` says so then.
        meanwhile = planted.stored().replace(canary("typed").encode(), b"")
        planted.engine.stop()
    sent = " ".join(f"{one.path} {dict(one.headers)} {one.body!r}" for one in heard)
    for place in ("slack", "file", "path", "query", "setting", "bot", "pagerduty", "env", "token", "typed"):
        assert canary(place) in sent, f"the secret of {place} never left, so nothing was tried"
    assert planted.found_in("\n".join(map(repr, planted.answers)).encode()) == []
    assert planted.found_in(planted.engine.log.encode()) == []
    assert planted.found_in(meanwhile) == []
    assert planted.found_in(planted.stored()) == []
    assert b"enc:" in planted.stored()
