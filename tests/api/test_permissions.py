"""Who may do what: every route of the real application with every kind of key, against a table written by hand."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Final

import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from fastapi.testclient import TestClient
from pydantic import SecretStr
from starlette.routing import BaseRoute, Mount

from api.app import create_app
from api.scopes import needed
from engine.store import api_keys
from engine.store.api_keys import Scope
from engine.store.database import Database
from tests.api.stand_in import NOON, StandIn, StandInSettings

ENVIRONMENT = "0123456789abcdef-environment"

# What each operation is for, by hand and not by the code under test. A new route must be given its line here; a line
# without a route waits for it.
EVERYBODY: Final = """
GET HEAD /health/live
GET HEAD /health/liveness
GET HEAD /docs
GET /alerts/{fingerprint}
"""
READ: Final = """
GET HEAD /health
GET HEAD /health/ready
GET HEAD /health/readiness
GET HEAD /ready
GET HEAD /metrics
GET HEAD /metrics/alerts
GET HEAD /openapi.json
GET /api/v1/rules
GET /api/v1/rules/{rule_id}
GET /api/v1/rules/{rule_id}/versions
GET /api/v1/rules/{rule_id}/thresholds
GET /api/v1/rules/{rule_id}/thresholds/{threshold_id}
GET /api/v1/rules/{rule_id}/thresholds/effective
POST /api/v1/rules/{rule_id}/evaluate
GET /api/v1/channels
GET /api/v1/channels/{name}
GET /api/v1/routes
GET /api/v1/routes/{route_id}
POST /api/v1/routes/test
GET /api/v1/inhibit_rules
GET /api/v1/inhibit_rules/{inhibit_rule_id}
GET /api/v1/time_intervals
GET /api/v1/time_intervals/{name}
GET /api/v1/datasources
GET /api/v1/datasources/{name}
GET /api/v1/silences
GET /api/v1/silences/{silence_id}
POST /api/v1/silences/preview
GET /api/v1/alerts
GET /api/v1/alerts/{fingerprint}
GET /api/v1/alerts/{fingerprint}/explain
POST /api/v1/channels/{name}/preview
POST /api/v1/explain
GET /api/v1/plan
GET /api/v1/notifications
GET /api/v1/notifications/{notification_id}
GET /prometheus/api/v1/rules
GET /prometheus/api/v1/alerts
GET /prometheus/api/v1/status/buildinfo
GET POST /prometheus/api/v1/query
GET POST /prometheus/api/v1/query_range
GET POST /prometheus/api/v1/series
GET POST /prometheus/api/v1/labels
GET /prometheus/api/v1/label/{name}/values
GET /alertmanager/api/v2/alerts
GET /alertmanager/api/v2/alerts/groups
GET /alertmanager/api/v2/silences
GET /alertmanager/api/v2/silence/{id}
GET /alertmanager/api/v2/receivers
GET /alertmanager/api/v2/status
GET HEAD /alertmanager/-/healthy
GET HEAD /alertmanager/-/ready
GET POST PUT PATCH DELETE /alertmanager/api/v1/{rest}
GET /alertmanager/api/v2/{rest}
"""
SILENCE: Final = """
POST /api/v1/silences
PUT DELETE /api/v1/silences/{silence_id}
POST /api/v1/alerts/{fingerprint}/silence
POST /alertmanager/api/v2/silences
DELETE /alertmanager/api/v2/silence/{id}
"""
WRITE: Final = """
POST /api/v1/rules
PUT PATCH DELETE /api/v1/rules/{rule_id}
POST /api/v1/rules/{rule_id}/restore
POST /api/v1/rules/{rule_id}/thresholds
PUT DELETE /api/v1/rules/{rule_id}/thresholds/{threshold_id}
POST PUT /api/v1/routes
PUT DELETE /api/v1/routes/{route_id}
POST /api/v1/inhibit_rules
PUT DELETE /api/v1/inhibit_rules/{inhibit_rule_id}
POST /api/v1/time_intervals
PUT DELETE /api/v1/time_intervals/{name}
POST /alertmanager/api/v2/alerts
"""
ADMIN: Final = """
POST /api/v1/channels
PUT DELETE /api/v1/channels/{name}
POST /api/v1/channels/{name}/test
POST /api/v1/datasources
PUT DELETE /api/v1/datasources/{name}
POST /-/reload
POST /alertmanager/-/reload
POST PUT PATCH DELETE /alertmanager/api/v2/{rest}
"""

Operation = tuple[str, str]


def operations(block: str) -> list[Operation]:
    """Method and path of every line, the parameters' names left out: `{rule_id}` and `{id}` are one."""
    lines = [line.rsplit(" ", 1) for line in block.strip().splitlines()]
    return [(method, unnamed(path)) for methods, path in lines for method in methods.split()]


def unnamed(path: str) -> str:
    return re.sub(r"{[^}]*}", "{}", path)


LISTED: Final = [operation for block in (EVERYBODY, READ, SILENCE, WRITE, ADMIN) for operation in operations(block)]


def allowed(*blocks: str) -> frozenset[Operation]:
    return frozenset(operation for block in (EVERYBODY, *blocks) for operation in operations(block))


def routes(app: FastAPI) -> list[Operation]:
    """Every operation the application answers, those it mounts and those without a place in the schema included."""
    return [(method, path) for methods, path in _routes(app.routes) for method in sorted(methods)]


def _routes(found: Sequence[BaseRoute], above: str = "") -> Iterator[tuple[set[str], str]]:
    for context in iter_route_contexts(found):
        route = context.original_route
        if isinstance(route, Mount):
            # What is mounted and has no routes to look at would answer anything.
            yield from _routes(route.routes, above + route.path) if route.routes else [({"ANY"}, above + route.path)]
        else:
            yield set(context.methods or ()), above + unnamed(context.path or "")


@pytest.fixture
def held(database: Database) -> dict[str, str]:
    """A key of every kind, by what it is."""
    with database.write() as connection:
        made = {}
        for name, scope in [
            *((scope.value, scope) for scope in Scope),
            ("expired", Scope.ADMIN),
            ("revoked", Scope.ADMIN),
        ]:
            lasting = timedelta(days=1) if name == "expired" else None
            now = NOON - timedelta(days=2)
            key, made[name] = api_keys.create(
                connection, name=name, scope=scope, created_by="root", lasting=lasting, now=now
            )
            if name == "revoked":
                api_keys.revoke(connection, key.id, by="root", now=now)
    return {**made, "environment": ENVIRONMENT}


@pytest.fixture
def app(database: Database) -> FastAPI:
    return create_app(StandIn(database=database, settings=StandInSettings(api_keys=(SecretStr(ENVIRONMENT),))))


def test_every_route_stands_in_the_table(app: FastAPI) -> None:
    assert sorted(set(routes(app)) - set(LISTED)) == []


def test_the_walk_finds_what_is_included_and_what_is_hidden(app: FastAPI) -> None:
    assert {("HEAD", "/metrics"), ("GET", "/openapi.json"), ("POST", "/api/v1/alerts/{}/silence")} <= set(routes(app))


def test_nothing_stands_in_the_table_twice() -> None:
    assert [operation for operation, count in Counter(LISTED).items() if count > 1] == []


@pytest.mark.parametrize(
    ("kind", "may", "refusal"),
    [
        pytest.param(None, allowed(), 401, id="no key"),
        pytest.param("expired", allowed(), 401, id="expired"),
        pytest.param("revoked", allowed(), 401, id="revoked"),
        pytest.param("read", allowed(READ), 403, id="read"),
        pytest.param("silence", allowed(READ, SILENCE), 403, id="silence"),
        pytest.param("write", allowed(READ, SILENCE, WRITE), 403, id="write"),
        pytest.param("admin", frozenset(LISTED), 403, id="admin"),
        pytest.param("environment", frozenset(LISTED), 403, id="environment"),
    ],
)
def test_each_kind_of_key_opens_its_operations_and_no_other(
    app: FastAPI, held: dict[str, str], kind: str | None, may: frozenset[Operation], refusal: int
) -> None:
    client = TestClient(app, headers={"Authorization": f"Bearer {held[kind]}"} if kind else {})
    wrong = []
    for method, path in routes(app):
        status = client.request(method, path.replace("{}", "1")).status_code
        right = status not in (401, 403) if (method, path) in may else status == refusal
        if not right:
            wrong.append(f"{method} {path}: {status}")
    assert wrong == []


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        pytest.param("GET", "/alertmanager/api/v2/silences", Scope.READ, id="amtool reads"),
        pytest.param("POST", "/alertmanager/api/v2/silences", Scope.SILENCE, id="amtool silences"),
        pytest.param("DELETE", "/alertmanager/api/v2/silence/1", Scope.SILENCE, id="amtool ends a silence"),
        pytest.param("POST", "/alertmanager/api/v2/alerts", Scope.WRITE, id="prometheus posts alerts"),
        pytest.param("POST", "/prometheus/api/v1/query", Scope.READ, id="grafana asks"),
        pytest.param("POST", "/prometheus/api/v1/query_range", Scope.READ, id="grafana draws"),
        pytest.param("POST", "/prometheus/api/v1/admin/tsdb/snapshot", Scope.ADMIN, id="no question"),
        pytest.param("POST", "/-/reload", Scope.ADMIN, id="reload"),
        pytest.param("POST", "/api/v1/nothing", Scope.ADMIN, id="unknown noun"),
        pytest.param("POST", "/api/v1/rules/", Scope.ADMIN, id="no id"),
        pytest.param("POST", "/api/v1/silences/a/b", Scope.ADMIN, id="below a silence"),
        pytest.param("PUT", "/api/v1/rules/x/evaluate", Scope.WRITE, id="only a POST evaluates"),
        pytest.param("PUT", "/api/v1/routes/test", Scope.WRITE, id="a route named test"),
        pytest.param("POST", "/x/api/v1/routes/test", Scope.ADMIN, id="elsewhere"),
        pytest.param("POST", "/api/v1/routes/test\n", Scope.WRITE, id="more behind it"),
        pytest.param("POST", "//api/v1/silences", Scope.ADMIN, id="two slashes"),
        pytest.param("OPTIONS", "/api/v1/rules", Scope.ADMIN, id="another method"),
        pytest.param("get", "/api/v1/rules", Scope.ADMIN, id="another letter"),
        pytest.param("", "/api/v1/rules", Scope.ADMIN, id="no method"),
    ],
)
def test_what_no_route_answers_yet_has_its_scope_too(method: str, path: str, scope: Scope) -> None:
    assert needed(method, path) is scope


@pytest.mark.parametrize(
    ("block", "scope"), [(READ, Scope.READ), (SILENCE, Scope.SILENCE), (WRITE, Scope.WRITE), (ADMIN, Scope.ADMIN)]
)
def test_a_template_needs_what_its_paths_need(block: str, scope: Scope) -> None:
    assert {needed(method, path) for method, path in operations(block)} == {scope}
