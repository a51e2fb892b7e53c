"""The reference at /docs tells of every operation, loads nothing from anywhere, and a real browser shows it."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from pydantic import SecretStr

from api import reference
from api.app import create_app
from engine.store.database import Database
from tests.api.stand_in import StandIn, StandInSettings
from tests.peers.require import find_binary, require_peer
from tests.servers import Request, Response, ScriptedServer


@pytest.fixture
def page(api: TestClient) -> str:
    return api.get("/docs").text


@pytest.fixture
def document(api: TestClient) -> Any:
    return api.get("/openapi.json").json()


def operations(document: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(method.upper(), path) for path, found in document["paths"].items() for method in found]


def one(method: str = "get", **operation: object) -> str:
    """The page of a document with this one operation."""
    shape = {"properties": {"name": {"type": "string", "default": "x"}}, "required": ["name"]}
    return reference.page({"paths": {"/it": {method: operation}}, "components": {"schemas": {"Shape": shape}}})


def test_every_operation_has_its_place_and_its_entry_in_the_contents(page: str, document: Any) -> None:
    badges = re.findall(
        r"<article id='([^']+)'><h3><span class='method \w+'>(\w+)</span><span class='path'>([^<]+)", page
    )
    assert sorted((method, path) for _, method, path in badges) == sorted(operations(document))
    assert {anchor for anchor, *_ in badges} <= set(re.findall(r"<li><a href='#([^']+)'", page))


def test_every_link_within_the_page_leads_somewhere(page: str) -> None:
    places = re.findall(r" id='([^']+)'", page)
    assert len(places) == len(set(places))
    assert set(re.findall(r"""href=['"]#([^'"]+)""", page)) <= set(places)


def test_the_page_refers_to_no_other_host(page: str) -> None:
    assert set(re.findall(r"""\b(?:href|src|action|data)=['"]?([^'"#>\s]+)""", page)) == {"data:,", "/openapi.json"}
    style = "".join(re.findall(r"<style>(.*?)</style>", page, re.DOTALL))
    assert not re.search(r"url\(|@import|//", style)
    assert not re.search(r"<(script|link rel='stylesheet'|img|iframe|object|embed|base|meta http-equiv)", page)


def test_the_browser_is_told_to_load_nothing(api: TestClient) -> None:
    headers = api.get("/docs").headers
    assert headers["Content-Security-Policy"].startswith("default-src 'none'; style-src 'unsafe-inline';")
    assert (headers["Content-Type"], headers["X-Content-Type-Options"]) == ("text/html; charset=utf-8", "nosniff")


def test_the_page_needs_no_key_and_tells_no_version_while_the_document_needs_one(database: Database) -> None:
    keys = StandInSettings(api_keys=(SecretStr("0123456789abcdef"),))
    app = create_app(StandIn(database=database, settings=keys))
    asked = TestClient(app)
    assert [asked.request(method, "/docs").status_code for method in ("GET", "HEAD", "POST")] == [200, 200, 405]
    assert asked.get("/openapi.json").status_code == 401
    assert app.version not in asked.get("/docs").text


def test_each_operation_says_the_scope_it_needs(page: str) -> None:
    found = dict(re.findall(r"<article id='([^']+)'>.*?<span class='scope'>([^<]+)</span>", page))
    assert found["get-health-live"] == "open to everybody"
    assert found["get-api-v1-rules"] == "scope read"
    assert found["post-api-v1-silences"] == "scope silence"
    assert found["put-api-v1-routes"] == "scope write"
    assert found["post-api-v1-channels"] == "scope admin"


def test_what_the_document_says_is_never_taken_for_markup() -> None:
    shown = one(
        description="a <b>bold</b> `x<y`", tags=["<i>"], parameters=[{"name": "<u>", "in": "query", "schema": {}}]
    )
    assert "a &lt;b&gt;bold&lt;/b&gt; <code>x&lt;y</code>" in shown
    assert not re.search(r"<[bui]>", shown)


def test_a_body_is_shown_with_its_shape_and_an_example() -> None:
    schema = {"$ref": "#/components/schemas/Shape", "examples": [{"name": "é"}]}
    shown = one("post", requestBody={"content": {"application/json": {"schema": schema}}})
    assert "<a href='#Shape'><code>Shape</code></a>" in shown
    assert "<pre>{\n  &quot;name&quot;: &quot;é&quot;\n}</pre>" in shown


def test_refusals_are_numbers_and_an_answer_without_content_says_so() -> None:
    shown = one(responses={"204": {}, "422": {"content": {}}, "401": {}})
    assert "<h4>Answer 204</h4><p class=dim>No content.</p>" in shown
    assert "Refusals: 401, 422" in shown


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({}, "<span class='dim'>anything</span>"),
        ({"type": "array", "items": {"type": "string"}}, "list of string"),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}, {"type": "integer"}]}, "integer or null"),
        ({"enum": ["a", 1]}, "<code>&quot;a&quot;</code> or <code>1</code>"),
        ({"const": True}, "<code>true</code>"),
        ({"type": "string", "format": "date-time"}, "date-time"),
    ],
)
def test_a_value_is_described_in_words(schema: dict[str, Any], words: str) -> None:
    assert f"<td>{words}</td>" in one(parameters=[{"name": "it", "in": "query", "schema": schema}])


@pytest.mark.peer("chromium")
def test_a_real_browser_shows_every_operation_and_asks_for_nothing_else(
    api: TestClient, document: Any, tmp_path: Path
) -> None:
    require_peer("chromium")

    def answer(request: Request) -> Response:
        answered = api.request(request.method, request.path)
        return Response(status=answered.status_code, body=answered.content, headers=dict(answered.headers))

    options = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--disable-background-networking",
    ]
    options += [
        "--no-first-run",
        "--disable-component-update",
        "--disable-sync",
        f"--user-data-dir={tmp_path / 'profile'}",
    ]
    with ScriptedServer(answer) as server:
        command = [str(find_binary("chromium")), *options, "--dump-dom", f"{server.url}/docs"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=True, cwd=tmp_path)
        asked = {request.path for request in server.requests}
    shown = re.findall(
        r'<article id="[^"]+"><h3><span class="method \w+">(\w+)</span><span class="path">([^<]+)', done.stdout
    )
    assert sorted(shown) == sorted(operations(document))
    assert asked == {"/docs"}
